import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { stringify } from 'yaml';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { startWorld } from '../support/backline.ts';

const MAIN = join(import.meta.dirname, '../../src/main.ts');

const object = (kind: string, name: string, spec: object) => ({
  apiVersion: 'products.backline.dev/v1',
  kind,
  metadata: { name },
  spec,
});

const lyrics = object('Feature', 'lyrics', { title: 'Lyrics', type: 'boolean' });
const market = object('Market', 'de', {
  title: 'Germany',
  territories: ['DE'],
  zone: 'Europe/Berlin',
  currencies: [{ code: 'EUR' }],
  channels: [{ name: 'web' }],
  tax: { inclusive: true, rate: '19', name: 'MwSt.' },
  locale: 'de-DE',
});
const plan = (title: string) =>
  object('Plan', 'premium', { title, group: 'music', rank: 10, entitlements: [{ feature: 'lyrics' }] });
const price = object('Price', 'premium-de', {
  plan: 'premium',
  market: 'de',
  interval: 'P1M',
  timeline: [{ from: '2020-01-01', amount: '9.99', currency: 'EUR' }],
});

/** A command line in a folder whose files the test writes, against a Backline over TLS. */
async function startTerminal(t: TestContext) {
  const world = await startWorld(t);
  const directory = await mkdtemp(join(tmpdir(), 'backline-cli-'));
  t.after(() => rm(directory, { recursive: true }));
  return {
    write: (name: string, ...objects: readonly object[]) =>
      writeFile(join(directory, name), objects.map((each) => stringify(each)).join('---\n')),
    backline: async (line: string, stdin = '') => {
      const io = { ...fakeIo({ directory, stdin }), env: { BACKLINE_KUBECONFIG: world.running.kubeconfigFile } };
      const status = await runCommandLine(line.split(' '), io);
      return { status, out: io.written.stdout, err: io.written.stderr };
    },
    /** A verb that goes on, in a process of its own. */
    start: (line: string) => {
      const env = { ...process.env, BACKLINE_KUBECONFIG: world.running.kubeconfigFile };
      const child = spawn(process.execPath, [MAIN, ...line.split(' ')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      t.after(() => child.kill('SIGKILL'));
      let out = '';
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      return {
        until: async (text: RegExp) => {
          while (!text.test(out)) await once(child.stdout, 'data', { signal: t.signal });
          return out;
        },
        interrupt: async () => {
          child.kill('SIGINT');
          const [status] = await once(child, 'exit');
          return status as number;
        },
      };
    },
  };
}

test('a business is planned, applied, changed and asked from the command line', async (t) => {
  const { write, backline } = await startTerminal(t);
  await write('business.yaml', price, plan('Premium'), market, lyrics);

  const first = await backline('plan -f business.yaml');
  assert.equal(first.err, '');
  assert.equal(first.status, 2);
  assert.match(first.out, /^\+ Plan default\/premium {2}business\.yaml:\d+$/m);
  assert.match(first.out, /^Plan: 4 to create, 0 to change, 0 unchanged\.$/m);
  assert.equal((await backline('get plans')).err, 'No plans found in namespace default (-A looks everywhere).\n');

  const applied = await backline('apply -f business.yaml');
  assert.deepEqual([applied.status, applied.err], [0, '']);
  assert.match(applied.out, /^price\.products\.backline\.dev\/premium-de created$/m);
  assert.match((await backline('plan -f business.yaml')).out, /^Plan: 0 to create, 0 to change, 4 unchanged\.$/m);
  assert.equal((await backline('plan -f business.yaml')).status, 0);

  await write('plan.yaml', plan('Premium+'));
  const second = await backline('plan -f plan.yaml');
  assert.equal(second.status, 2);
  assert.match(second.out, /^ {4}~ spec\.title: "Premium" → "Premium\+"$/m);
  assert.match((await backline('apply -f plan.yaml --dry-run')).out, /configured \(dry run\)/);
  assert.match((await backline('get plan premium')).out, /^premium +Premium /m);
  assert.equal((await backline('apply -f -', stringify(plan('Premium+')))).status, 0);
  assert.match((await backline('get plan/premium')).out, /^NAME +TITLE .*\npremium +Premium\+ /);
  assert.equal(
    (await backline('get plans,features -A -o name')).out.trim(),
    'plan.products.backline.dev/premium\n\nfeature.products.backline.dev/lyrics',
  );
  const shown = (await backline('get plan premium -o yaml')).out;
  assert.match(shown, /^ {2}title: Premium\+$/m);
  assert.doesNotMatch(shown, /managedFields/);
});

test('objects that the files no longer have are planned, and deleted with --prune; nothing else is', async (t) => {
  const { write, backline } = await startTerminal(t);
  const featureOf = (name: string, team: string) => {
    const feature = object('Feature', name, { title: name, type: 'boolean' });
    return { ...feature, metadata: { name, labels: { team } } };
  };
  const elsewhere = {
    ...featureOf('far', 'a'),
    metadata: { name: 'far', namespace: 'far', labels: { team: 'a' } },
  };
  const far = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'far' } };
  const settings = ['default', 'far'].map((namespace) => {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace, labels: { team: 'a' } } };
  });
  const ours = [featureOf('one', 'a'), featureOf('two', 'a'), featureOf('three', 'b')];
  await write('all.yaml', far, ...ours, elsewhere, ...settings);
  assert.equal((await backline('apply -f all.yaml')).status, 0);
  await write('some.yaml', featureOf('one', 'a'));
  assert.match((await backline('plan -f some.yaml')).out, /0 to change, 1 unchanged/, 'without --prune');

  const planned = await backline('plan -f some.yaml --prune -l team=a');
  assert.match(planned.out, /^- Feature default\/two {2}not in the files$/m);
  assert.match(planned.out, /^- ConfigMap default\/settings {2}not in the files$/m);
  assert.match(planned.out, /^Plan: .*, 2 to delete, 1 unchanged\.$/m);
  assert.equal(planned.status, 2);
  assert.equal((await backline('plan -f some.yaml --prune')).status, 64);
  assert.equal((await backline('plan -f some.yaml -l team=a')).status, 64);

  const tried = await backline('apply -f some.yaml --prune -l team=a --dry-run');
  assert.match(tried.out, /two in default deleted \(dry run\)/);
  const applied = await backline('apply -f some.yaml --prune -l team=a');
  assert.deepEqual([applied.status, applied.err], [0, '']);
  assert.match(applied.out, /^feature\.products\.backline\.dev\/two in default deleted$/m);
  assert.match(applied.out, /^configmap\/settings in default deleted$/m);
  assert.match((await backline('get cm -n far -o name')).out, /settings/);
  const left = (await backline('get features -A -o name')).out.trim().split('\n').sort();
  assert.deepEqual(
    left,
    ['far', 'one', 'three'].map((name) => `feature.products.backline.dev/${name}`),
  );
});

test('objects are deleted by name, by label and by file, and absent ones are reported', async (t) => {
  const { write, backline } = await startTerminal(t);
  const names = ['one', 'two', 'three', 'four'];
  const feature = (name: string) => {
    const made = object('Feature', name, { title: name, type: 'boolean' });
    return { ...made, metadata: { name, labels: { odd: String(name === 'three') } } };
  };
  await write('all.yaml', ...names.map(feature));
  await write('four.yaml', feature('four'));
  await backline('apply -f all.yaml');
  const idOf = (name: string) => `feature.products.backline.dev/${name}`;

  assert.equal((await backline('delete feature one --dry-run')).out, `${idOf('one')} deleted (dry run)\n`);
  const byName = await backline('delete feature one nowhere two');
  assert.deepEqual([byName.status, byName.out], [1, `${idOf('one')} deleted\n${idOf('two')} deleted\n`]);
  assert.match(byName.err, /nowhere is not there \(namespace default\)\n.*1 of 3 objects was not there\./);
  assert.equal((await backline('delete feature/one --ignore-not-found')).status, 0);
  assert.equal((await backline('delete features -l odd=true')).out, `${idOf('three')} deleted\n`);
  assert.equal((await backline('delete -f four.yaml')).out, `${idOf('four')} deleted\n`);
  assert.match((await backline('get features')).err, /No features found/);
  for (const line of [
    'delete',
    'delete feature',
    'delete feature one -l a=b',
    'delete feature/ x',
    'delete x -f four.yaml',
  ]) {
    assert.equal((await backline(line)).status, 64, line);
  }
});

test('--watch shows what there is and each change, in the columns of the table', async (t) => {
  const { write, backline, start } = await startTerminal(t);
  await write('business.yaml', lyrics);
  await backline('apply -f business.yaml');
  const watch = start('get features --watch');
  await watch.until(/lyrics/);
  await backline('delete feature lyrics');
  const out = await watch.until(/\(deleted\)\n/);
  assert.equal(await watch.interrupt(), 130);
  const lines = out.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^NAME +TITLE /);
  assert.match(lines.at(-1) ?? '', /^lyrics +Lyrics .*\(deleted\)$/);
  assert.equal(lines.filter((line) => line.startsWith('NAME')).length, 1);
  assert.equal((await backline('get features,plans -w')).status, 64);
});

test('decisions are asked from the command line, and refusals say what was wrong', async (t) => {
  const { write, backline } = await startTerminal(t);
  await write('business.yaml', price, plan('Premium'), market, lyrics);
  assert.equal((await backline('apply -f business.yaml')).status, 0);

  assert.match((await backline('check lyrics --plan premium --market de')).out, /^allow {2}Premium includes Lyrics/);
  assert.match(
    (await backline('prices --territory DE')).out,
    /^premium +P1M +web +9,99\s€ +incl\. MwSt\. 19 % +2020-01-01/m,
  );
  assert.match(
    (await backline('explain lyrics --plan premium --market de')).out,
    /^Because$[^]*Plan\/premium@[0-9a-f]{8}$/m,
  );
  const asJson = JSON.parse((await backline('check lyrics --plan premium --market de -o json')).out);
  assert.equal(asJson.outcome, 'allow');
  assert.equal(typeof asJson.snapshot.version, 'string');

  const misspelled = await backline('check lyrics --plan premum --market de');
  assert.deepEqual([misspelled.status, misspelled.out], [1, '']);
  assert.match(misspelled.err, /^error: .*premum.*did you mean "premium"/);
  const missing = await backline('get plan gold');
  assert.equal(missing.status, 1);
  assert.match(missing.err, /"gold" not found/);
});

test('a refused change names file, line and field of everything that is wrong, and changes nothing', async (t) => {
  const { write, backline } = await startTerminal(t);
  const wrong = { ...plan('Premium'), spec: { title: 5, group: 'music', rank: 'x', entitlements: [], extra: 1 } };
  await write('business.yaml', lyrics, wrong);
  const refused = await backline('apply -f business.yaml');
  assert.deepEqual([refused.status, refused.out], [1, '']);
  assert.match(refused.err, /^error: the change was refused; nothing was changed\.$/m);
  assert.match(refused.err, /^ {2}business\.yaml:14 {2}spec\.title$/m);
  assert.match(refused.err, /must be of type string: "integer"/);
  assert.equal((await backline('get features -A')).out, '');
});

test('an object whose reference is absent is applied, and the user sees which one it waits for', async (t) => {
  const { write, backline } = await startTerminal(t);
  await write('plan.yaml', plan('Premium'));
  assert.match((await backline('plan -f plan.yaml')).out, /Plan: 1 to create.*; 1 would not go live\.$/m);
  const applied = await backline('apply -f plan.yaml');
  assert.equal(applied.status, 1);
  assert.match(applied.err, /1 of 1 object is declared and not live.*--allow-not-live/s);
  assert.equal((await backline('apply -f plan.yaml --allow-not-live')).status, 0);
  assert.match(applied.err, /^not live: Plan default\/premium \(plan\.yaml:1\) {2}spec\.entitlements\[0\]\.feature: /);
  await write('feature.yaml', lyrics);
  assert.deepEqual((await backline('apply -f feature.yaml')).err, '');
  assert.match((await backline('get plan premium')).out, / True +\d+s$/m);
});

test('versions of client and server are printed, and kubectl-like output for programs parses', async (t) => {
  const { backline } = await startTerminal(t);
  assert.match(
    (await backline('version')).out,
    /^client \d+\.\d+\.\d+\nserver \d+\.\d+\.\d+ \(Kubernetes API v1\.\d+\.0\)\n$/,
  );
  assert.equal(JSON.parse((await backline('get namespaces -o json')).out).kind, 'NamespaceList');
  const forbidden = await backline('get plans --token wrong');
  assert.equal(forbidden.status, 1);
  assert.match(forbidden.err, /^error: Unauthorized/);
});

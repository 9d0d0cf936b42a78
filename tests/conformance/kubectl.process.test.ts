import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { stringify } from 'yaml';
import { startWorld, type World } from '../support/backline.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';
import { execute, findKubectls, type Kubectl, type Ran } from '../support/kubectl.ts';

const kubectls = await findKubectls();
const skip = kubectls.length === 0 ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

interface Shell {
  readonly run: (args: string, input?: string, env?: Record<string, string>) => Promise<Ran>;
  /** Runs it and asserts that it succeeds. */
  readonly ok: (args: string, input?: string, env?: Record<string, string>) => Promise<string>;
  readonly folder: string;
}

async function shell(t: TestContext, world: World, kubectl: Kubectl): Promise<Shell> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-kubectl-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const base = ['--kubeconfig', world.running.kubeconfigFile, '--cache-dir', join(folder, 'cache')];
  const run: Shell['run'] = (args, input = '', env = {}) =>
    execute(kubectl.file, [...base, ...args.split(' ')], input, env);
  const ok: Shell['ok'] = async (args, input, env) => {
    const ran = await run(args, input, env);
    assert.equal(ran.code, 0, `kubectl ${args}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };
  return { run, ok, folder };
}

const yaml = (...objects: object[]) => objects.map((object) => stringify(object)).join('---\n');

test('every kubectl reads, writes, watches, explains and waits', { skip }, async (t) => {
  for (const kubectl of kubectls) {
    await t.test(kubectl.version, async (t) => {
      await using world = await startWorld(t);
      const { run, ok, folder } = await shell(t, world, kubectl);

      assert.match(await ok('api-resources'), /plans\s+products\.backline\.dev\/v1\s+true\s+Plan/);
      assert.match(await ok('api-versions'), /products\.backline\.dev\/v1/);
      assert.match(await ok('version'), /Server Version/);
      assert.match(await ok('explain plans.spec.entitlements'), /FIELDS?:[\s\S]*feature/);
      assert.match(await ok('explain prices --recursive'), /timeline[\s\S]*amount/);

      assert.match(await ok('create -f -', yaml(feature('offline'))), /offline created/);
      const all = yaml(market('de'), feature('lossless'), plan('premium', { entitlements: [{ feature: 'offline' }] }));
      const prices = yaml(
        price('premium-de', {
          plan: 'premium',
          market: 'de',
          timeline: [{ from: '2026-01-01', amount: '10.99', currency: 'EUR' }],
        }),
      );
      assert.match(await ok('apply -f -', all), /plan\S* ?\S*premium created|premium created/);
      assert.match(await ok('apply -f -', prices), /premium-de created/);
      assert.match(await ok('apply -f -', all), /premium unchanged/);
      await ok('wait --for=condition=Live plan/premium price/premium-de --timeout=10s');

      const table = await ok('get plans,prices -A');
      assert.match(table, /premium/);
      assert.match(table, /10\.99/);
      assert.match(await ok('get plan premium -o yaml'), /liveRevision/);
      assert.match(await ok('get plans -o name'), /plan\.products\.backline\.dev\/premium/);
      assert.match(await ok('get plans -o jsonpath={.items[*].metadata.name}'), /^premium$/);
      assert.match(await ok('get heads'), /premium/);
      assert.match(await ok('describe plan premium'), /Live/);

      const changed = yaml(
        market('de'),
        plan('premium', { rank: 20, entitlements: [{ feature: 'offline' }, { feature: 'lossless' }] }),
      );
      const diff = await run('diff -f -', changed);
      assert.equal(diff.code, 1, 'diff says with its exit status that there are differences');
      assert.match(diff.stdout, /^\+\s+rank: 20$/m);
      assert.match(await ok('apply -f -', changed), /premium configured/);
      assert.match(await ok('get plan premium -o jsonpath={.spec.rank},{.metadata.generation}'), /^20,2$/);

      assert.match(await ok('patch plan premium --type=merge -p {"spec":{"seats":2}}'), /patched/);
      assert.match(
        await ok('patch plan premium --type=json -p [{"op":"replace","path":"/spec/seats","value":3}]'),
        /patched/,
      );
      assert.match(await ok('label plan premium team=growth'), /labeled/);
      assert.match(await ok('annotate plan premium note=yes'), /annotated?$/m);
      assert.match(await ok('get plans -l team=growth -o name'), /premium/);
      assert.equal(await ok('get plans -l team=other -o name'), '');
      assert.match(await ok('get plans --field-selector metadata.name=premium -o name'), /premium/);

      const editor = join(folder, 'editor.sh');
      await writeFile(editor, '#!/bin/sh\nsed -i "s/rank: 20/rank: 30/" "$1"\n', { mode: 0o755 });
      assert.match(await ok('edit plan premium', '', { KUBE_EDITOR: editor }), /edited/);
      assert.equal(await ok('get plan premium -o jsonpath={.spec.rank}'), '30');

      const config = yaml({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'greeting' },
        data: { text: 'hello', more: 'x' },
      });
      assert.match(await ok('apply -f -', config), /greeting created/);
      assert.match(await ok('apply -f -', config.replace('  more: x\n', '')), /greeting configured/);
      assert.equal(await ok('get cm greeting -o jsonpath={.data}'), '{"text":"hello"}');
      const edited = config.replace('hello', 'good day');
      assert.match(await ok('replace -f -', edited), /replaced/);

      const bad = await run('apply -f -', yaml(plan('typo', { entitlement: [] })));
      assert.equal(bad.code, 1);
      assert.match(bad.stderr, /unknown field "spec\.entitlement"/);
      const wrong = await run('apply -f -', yaml(plan('wrong', { rank: 'high' })));
      assert.match(wrong.stderr, /spec\.rank/);
      const second = price('premium-de-2', {
        plan: 'premium',
        market: 'de',
        timeline: [{ from: '2026-06-01', amount: '12.99', currency: 'EUR' }],
      });
      const overlap = await run('apply -f -', yaml(second));
      assert.match(overlap.stderr, /premium-de/, 'an overlap names the other price');
      assert.match((await run('get plan nothing')).stderr, /NotFound|not found/);

      const seen = await watchOnce(kubectl, world, folder, 'cm', () => ok('label cm greeting seen=yes'));
      assert.match(seen, /greeting/);

      assert.match(await ok('delete cm greeting'), /deleted/);
      const [, , deleted] = [
        await ok('create -f -', config),
        0,
        await run('wait --for=delete cm/greeting --timeout=1s'),
      ];
      assert.equal(deleted.code, 1, 'waiting for the deletion of what stays times out');
      await ok('delete -f -', config);
      await ok('wait --for=delete cm/greeting --timeout=5s');
      assert.match(await ok('delete plan premium'), /deleted/);
      assert.match(
        await ok('get head plans.products.backline.dev.premium -o jsonpath={.status.held}'),
        /still needed by Price "premium-de"/,
      );
    });
  }
});

/** What `kubectl get -w` prints after something was done. */
function watchOnce(
  kubectl: Kubectl,
  world: World,
  folder: string,
  what: string,
  act: () => Promise<string>,
): Promise<string> {
  const args = [
    '--kubeconfig',
    world.running.kubeconfigFile,
    '--cache-dir',
    join(folder, 'cache'),
    'get',
    what,
    '-w',
    '--watch-only',
  ];
  const child = spawn(kubectl.file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let output = '';
    let acted = false;
    // `--watch-only` prints nothing until something happens: act once the server has the watch.
    const poll = setInterval(() => {
      void watchers(world).then((count) => {
        if (count === 0 || acted) return;
        acted = true;
        act().catch(reject);
      });
    }, 20);
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (!output.includes('greeting')) return;
      clearInterval(poll);
      child.kill();
      resolve(output);
    });
    child.once('error', reject);
    child.once('exit', () => clearInterval(poll));
  });
}

async function watchers(world: World): Promise<number> {
  const { text } = await world.call('GET', '/metrics');
  return Number(/^backline_watchers (\d+)$/m.exec(text)?.[1] ?? 0);
}

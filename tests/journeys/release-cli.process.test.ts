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
import { feature, market, plan, price } from '../support/catalogue.ts';
import { flag } from '../support/flags.ts';
import { execute, findKubectls } from '../support/kubectl.ts';

const kubectls = await findKubectls();
const skip = kubectls.length === 0 ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

const TOKENS = ['ann', 'bob', 'vic', 'eve'].map((name) => `${name}-token-1234,${name},,`).join('\n');
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const RELEASES = '/apis/releases.backline.dev/v1/releases';

type Person = 'admin' | 'ann' | 'bob' | 'vic' | 'eve';

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** A business with its people: the administrator, ann and bob who edit, vic who looks, and eve who approves. Each has a command line. */
async function startOffice(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), 'backline-releases-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const tokenFile = join(directory, 'tokens.csv');
  await writeFile(tokenFile, TOKENS);
  const world = await startWorld(t, { access: { tokenFile } });
  for (const [name, role] of [
    ['ann', 'edit'],
    ['bob', 'edit'],
    ['vic', 'view'],
    ['eve', 'release-approver'],
  ]) {
    const body = {
      metadata: { name: `${name}-${role}` },
      roleRef: { kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'User', name }],
    };
    const made = await world.call('POST', `${RBAC}/clusterrolebindings`, { body });
    assert.equal(made.status, 201, made.text);
  }
  const run = async (person: Person, ...args: readonly string[]): Promise<Ran> => {
    const io = { ...fakeIo({ directory }), env: { BACKLINE_KUBECONFIG: world.running.kubeconfigFile } };
    const who = person === 'admin' ? [] : ['--token', `${person}-token-1234`];
    const status = await runCommandLine([...args, ...who], io);
    return { status, out: io.written.stdout, err: io.written.stderr };
  };
  return {
    world,
    run,
    /** A command line whose words have no spaces. */
    backline: (person: Person, line: string): Promise<Ran> => run(person, ...line.split(' ')),
    write: (name: string, ...objects: readonly object[]) =>
      writeFile(join(directory, name), objects.map((each) => stringify(each)).join('---\n')),
    /** Answers without a listener: the state for everybody. */
    live: async () => {
      const { json } = await world.call('GET', `/v1/check?plan=free&market=de&feature=offline&at=${NEXT_PRICE}`);
      const evaluated = await world.call('POST', '/ofrep/v1/evaluate/flags/layout', {
        body: { context: { targetingKey: 'u1' } },
      });
      const [offer] = json.plans;
      return [offer.title, offer.amount, evaluated.json.value];
    },
  };
}

type Office = Awaited<ReturnType<typeof startOffice>>;

const base = [market('de'), feature('offline'), plan('free', { rank: 0, title: 'Free' })];

/** A future day of a price entry; an entry that has begun may not change. */
const NEXT_PRICE = '2027-01-01';

/** A plan, what it costs and how it is shown: a change of all three at once. */
function offer(number: number): object[] {
  return [
    plan('premium', { title: `Premium ${number}`, entitlements: [{ feature: 'offline' }] }),
    price('premium-de', {
      plan: 'premium',
      market: 'de',
      timeline: [
        { from: '2026-01-01', amount: '9.00', currency: 'EUR' },
        { from: NEXT_PRICE, amount: `${10 + number}.00`, currency: 'EUR' },
      ],
    }),
    flag('layout', { default: number % 2 === 0 ? 'a' : 'b' }),
  ];
}

const LIVE = [
  ['Premium 0', '10.00', 'A'],
  ['Premium 1', '11.00', 'B'],
] as const;

function policy(name: string, spec: object): object {
  return { apiVersion: 'releases.backline.dev/v1', kind: 'ReleasePolicy', metadata: { name }, spec };
}

const STAGES = [
  { name: 'some', listeners: { percent: 10 }, soak: 'PT0S' },
  { name: 'half', listeners: { percent: 50 }, soak: 'PT1S' },
];
const HELD = [{ name: 'some', listeners: { percent: 10 }, soak: 'PT1H' }];
const CATALOGUE = { kinds: ['Plan', 'Price', 'Flag'] };

async function startBusiness(t: TestContext, policySpec: object): Promise<Office> {
  const office = await startOffice(t);
  await office.write('base.yaml', ...base, ...offer(0));
  await office.write('offer.yaml', ...offer(1));
  await office.write('policy.yaml', policy('catalogue', { selector: CATALOGUE, ...policySpec }));
  const first = await office.backline('admin', 'apply -f base.yaml');
  assert.equal(first.status, 0, first.err);
  assert.match(first.out, /^Live for everyone at once \(release [a-z0-9-]+\)\.$/m);
  assert.equal((await office.backline('admin', 'apply -f policy.yaml')).status, 0);
  assert.deepEqual(await office.live(), LIVE[0]);
  return office;
}

/** The release name in the output of `apply`. */
function releaseIn({ out }: Ran): string {
  const [, name] = /^Release (\S+) by policy/m.exec(out) ?? [];
  assert.ok(name !== undefined, out);
  return name;
}

test('a plan, its price and a flag go out in stages after somebody else agreed, and come back as one', async (t) => {
  const { backline, run, live } = await startBusiness(t, { stages: STAGES, approvals: { required: 1 } });
  const applied = await backline('ann', 'apply -f offer.yaml');
  assert.equal(applied.status, 0, applied.err);
  const name = releaseIn(applied);
  assert.match(applied.out, /AwaitingApproval\. Waits for 1 approval of plan [0-9a-f]{40}\.$/m);
  const [, hash = ''] =
    new RegExp(`backline release approve ${name} --plan ([0-9a-f]{40})$`, 'm').exec(applied.out) ?? [];
  assert.equal(hash.length, 40, applied.out);
  assert.deepEqual(await live(), LIVE[0]);

  const own = await backline('ann', `release approve ${name}`);
  assert.equal(own.status, 1);
  assert.match(own.err, /ann made the change.*Another person has to approve it/);
  const other = await backline('bob', `release approve ${name} --plan ${'f'.repeat(32)}`);
  assert.match(other.err, /The plan has changed: review it again/);
  const looking = await backline('vic', `release approve ${name}`);
  assert.match(looking.err, /cannot create resource "releases\/approve"/);

  const early = await backline('bob', `release rollback ${name}`);
  assert.deepEqual([early.status, early.out], [1, ''], 'a refused command reports no success');
  assert.match(early.err, /it has not been exposed yet.*Abort it/);

  const read = await backline('eve', `release show ${name}`);
  assert.equal(read.status, 0, read.err);
  assert.match(read.out, /^ {2}reach +nobody$/m);
  assert.match(read.out, /^In words\n(?: {2}» .*\n)* {2}» .*€11 instead of €10 from 1 January 2027\.$/m);
  assert.match((await backline('eve', 'get plans -A')).err, /cannot list resource "plans"/);
  assert.match(read.out, /^ {2}» Plan default\/premium: /m);
  assert.match(read.out, /^ {2}~ Plan premium in default .*\n +~ spec\.title: "Premium 0" → "Premium 1"/m);
  assert.match(read.out, new RegExp(`backline release approve ${name} --plan ${hash}$`, 'm'));

  const shown = await backline('vic', `release show ${name.slice(0, -1)}`);
  assert.equal(shown.err, '');
  assert.match(
    shown.out,
    /~ Plan premium in default {2}[0-9a-f]{8} → [0-9a-f]{8}\n +~ spec\.title: "Premium 0" → "Premium 1"/,
  );
  assert.match(shown.out, /spec\.timeline\[from=2027-01-01\]\.amount: "10\.00" → "11\.00"/);
  assert.match(shown.out, /Approvals 0 of 1\n {2}1 needed from anybody but ann/);

  const approved = await run('eve', 'release', 'approve', name, '--plan', hash, '-m', 'as agreed');
  assert.deepEqual(
    [approved.status, approved.out, approved.err],
    [0, `Release ${name} is approved (1 of 1 approvals).\n`, ''],
  );
  assert.match((await backline('eve', `release show ${name}`)).out, /Approvals 1 of 1\n[^]*eve {2}as agreed/);
  const watched = await backline('vic', `release watch ${name}`);
  assert.equal(watched.status, 0, watched.err);
  assert.match(watched.out, new RegExp(`^\\S+ {2}${name} {2}Progressing {2}half 50%`, 'm'));
  assert.match(watched.out, new RegExp(`^Release ${name} is promoted: live for everyone\\.$`, 'm'));
  assert.deepEqual(await live(), LIVE[1]);
  assert.match(
    (await backline('vic', 'release list --policy catalogue')).out,
    new RegExp(`^${name} +Promoted .*100%`, 'm'),
  );

  const back = await run('bob', 'release', 'rollback', name, '-m', 'too dear');
  assert.equal(back.status, 0, back.err);
  assert.match(back.out, /Rolls Flag\/layout, Plan\/premium and 1 more back from everybody\./);
  assert.match(back.out, new RegExp(`^Release back-\\S+ is promoted: ${name} is rolled back\\.$`, 'm'));
  assert.deepEqual(await live(), LIVE[0]);

  const again = await backline('ann', 'apply -f offer.yaml');
  assert.equal(again.status, 1);
  assert.match(again.err, new RegExp(`is pinned by bob after release ${name} was rolled back: too dear`));
  assert.match(again.err, new RegExp(`backline release unpin ${name}`));
  assert.match((await backline('vic', `release show ${name}`)).out, /Pins\n {2}.* by bob: too dear/);
  const twice = await backline('bob', `release rollback ${name}`);
  assert.equal(twice.status, 1);
  assert.match(twice.err, /has changed since/);
  assert.equal(twice.out, '');
  const gone = (await backline('vic', `release show ${name}`)).out;
  assert.match(gone, /^ {2}reach +nobody: rolled back by back-\S+$/m);
  assert.match(gone, /^ {2}message +It was promoted, and rolled back by back-\S+\.$/m);
  const listed = (await backline('vic', 'release list')).out;
  assert.match(listed, new RegExp(`^${name} +Promoted, rolled back +`, 'm'));

  assert.equal((await backline('bob', `release unpin ${name}`)).status, 0);
  assert.equal((await backline('bob', `release pin ${name} -m quiet`)).status, 0);
  const kept = await backline('ann', 'apply -f offer.yaml');
  assert.equal(kept.status, 1);
  assert.match(kept.err, /Unpin it: kubectl delete pin/);
  assert.doesNotMatch(kept.err, /something else/);
  assert.equal((await backline('bob', `release unpin ${name}`)).status, 0);
  const anew = await backline('ann', 'apply -f offer.yaml');
  assert.equal(anew.status, 0, anew.err);
  assert.notEqual(releaseIn(anew), name);
});

test('an aborted change is no longer declared, and may be applied again', async (t) => {
  const { backline, run, live } = await startBusiness(t, { stages: HELD });
  const name = releaseIn(await backline('ann', 'apply -f offer.yaml'));
  const waiting = await backline('ann', 'apply -f offer.yaml --wait --timeout 0s');
  assert.equal(waiting.status, 1);
  assert.match(waiting.out, new RegExp(`^Release ${name} by policy catalogue: `, 'm'), 'the output names its release');
  assert.match(waiting.err, new RegExp(`timeout: release ${name} is not finished`));

  const aborted = await run('bob', 'release', 'abort', name, '-m', 'wrong file');
  assert.equal(aborted.status, 0, aborted.err);
  assert.match(aborted.out, /may be applied again\.$/m);
  assert.match(aborted.out, new RegExp(`^Release ${name} was aborted by bob: wrong file$`, 'm'));
  const watched = await backline('vic', `release watch ${name}`);
  assert.equal(watched.status, 1);
  assert.match(watched.err, /was aborted by bob: wrong file/);
  assert.match((await backline('vic', 'get plan premium')).out, /Premium 0/);
  assert.match((await backline('bob', `release pause ${name}`)).err, /is already finished/);

  const again = await backline('ann', 'apply -f offer.yaml');
  assert.equal(again.status, 0, again.err);
  const second = releaseIn(again);
  assert.notEqual(second, name);
  const ambiguous = await backline('bob', `release promote ${name.replace(/\d+$/, '')}`);
  assert.equal(ambiguous.status, 1);
  for (const candidate of [name, second]) assert.match(ambiguous.err, new RegExp(`^ {2}${candidate}$`, 'm'));
  assert.equal((await backline('bob', `release pause ${second}`)).status, 0);
  assert.match((await backline('vic', 'release list --open')).out, new RegExp(`^${second} +Paused`, 'm'));
  assert.equal((await backline('bob', `release resume ${second}`)).status, 0);
  const promoted = await backline('bob', `release promote ${second}`);
  assert.deepEqual([promoted.status, promoted.err], [0, '']);
  assert.equal((await backline('vic', `release watch ${second}`)).status, 0);
  assert.deepEqual(await live(), LIVE[1]);
});

test('the switch holds releases and changes without a policy alike, and only administrators have it', async (t) => {
  const { backline, run, write, live } = await startBusiness(t, { stages: STAGES });
  const refused = await run('ann', 'release', 'stop-all', '-m', 'mine');
  assert.match(refused.err, /cannot create resource "stops"/);
  assert.match((await backline('ann', 'apply -f policy.yaml')).err, /cannot .* resource "releasepolicies"/);
  const stopped = await run('admin', 'release', 'stop-all', '-m', 'incident with payments');
  assert.equal(stopped.status, 0, stopped.err);
  assert.match(stopped.out, /^Holds 0 open releases/);
  const twice = await run('admin', 'release', 'stop-all', '-m', 'again');
  assert.match(twice.err, /stopped already: incident with payments/);

  const applied = await backline('ann', 'apply -f offer.yaml');
  assert.match(applied.out, /Every release is stopped: incident with payments/);
  const name = releaseIn(applied);
  await write('feature.yaml', feature('lyrics'));
  const held = await backline('ann', 'apply -f feature.yaml');
  assert.match(held.err, /^not live: Feature default\/lyrics .*Every release is stopped: incident with payments/m);
  assert.deepEqual(await live(), LIVE[0]);

  assert.equal((await backline('admin', 'release resume-all')).status, 0);
  assert.match((await backline('admin', 'release resume-all')).err, /nothing is stopped/);
  assert.equal((await backline('vic', `release watch ${name}`)).status, 0);
  assert.deepEqual(await live(), LIVE[1]);
  assert.equal((await backline('ann', 'apply -f feature.yaml')).err, '');
});

test('objects of a group are collected until it is sealed, and released together', async (t) => {
  const { backline, write, live } = await startBusiness(t, { stages: STAGES });
  const labelled = offer(1).map((object) => {
    const { metadata, ...rest } = object as { metadata: object };
    return { ...rest, metadata: { ...metadata, labels: { 'releases.backline.dev/group': 'spring' } } };
  });
  for (const [index, object] of labelled.entries()) await write(`${index}.yaml`, object);
  const first = await backline('ann', 'apply -f 0.yaml');
  const name = releaseIn(first);
  assert.match(first.out, new RegExp(`Collecting[^]*backline release seal ${name}$`, 'm'));
  for (const index of [1, 2]) assert.equal(releaseIn(await backline('bob', `apply -f ${index}.yaml`)), name);
  assert.equal((await backline('bob', `release seal ${name}`)).status, 0);
  assert.equal((await backline('vic', `release watch ${name}`)).status, 0);
  assert.deepEqual(await live(), LIVE[1]);
});

test('a change of labels alone gets the name of its release as well', async (t) => {
  const { backline, write } = await startBusiness(t, { stages: HELD });
  const [premium] = offer(0) as [{ readonly metadata: object }];
  const labels = { 'releases.backline.dev/group': 'spring' };
  await write('label.yaml', { ...premium, metadata: { ...premium.metadata, labels } });
  const name = releaseIn(await backline('ann', 'apply -f label.yaml'));
  assert.match(
    (await backline('vic', `release show ${name}`)).out,
    /\+ labels\.releases\.backline\.dev\/group: "spring"/,
  );
});

test('a user who may write objects of a namespace but not read releases gets the release name', async (t) => {
  const { world, run } = await startBusiness(t, { stages: HELD });
  await world.call('DELETE', `${RBAC}/clusterrolebindings/ann-edit`);
  const body = {
    metadata: { name: 'ann-edits' },
    roleRef: { kind: 'ClusterRole', name: 'edit' },
    subjects: [{ kind: 'User', name: 'ann' }],
  };
  await world.call('POST', `${RBAC}/namespaces/default/rolebindings`, { body });
  const applied = await run('ann', 'apply', '-f', 'offer.yaml');
  assert.deepEqual([applied.status, applied.err], [0, '']);
  assert.match(applied.out, /^Created release layout-\d+\. You may not read its status; .* release show layout-\d+$/m);
});

test('a watch goes on when the server was away', async (t) => {
  const { world, backline } = await startBusiness(t, { stages: HELD });
  const name = releaseIn(await backline('ann', 'apply -f offer.yaml'));
  const io = fakeIo();
  const begun = Promise.withResolvers<void>();
  const write = (text: string) => {
    io.written.stdout += text;
    begun.resolve();
  };
  const env = { BACKLINE_KUBECONFIG: world.running.kubeconfigFile };
  const watched = runCommandLine(['release', 'watch', name], { ...io, stdout: { write }, env });
  await begun.promise;
  await world.restart();
  const promoted = await backline('bob', `release promote ${name}`);
  assert.equal(promoted.status, 0, promoted.err);
  assert.equal(await watched, 0, io.written.stderr);
  assert.match(io.written.stderr, /^server unavailable: .*; retrying\n$/);
  assert.match(io.written.stdout, /is promoted: live for everyone\.\n$/);
});

test('an edit of what is on its way takes its place, and carries the rest along', async (t) => {
  const { world, backline } = await startBusiness(t, { stages: HELD });
  const name = releaseIn(await backline('ann', 'apply -f offer.yaml'));
  const edited = await world.call('PATCH', '/apis/products.backline.dev/v1/namespaces/default/plans/premium', {
    token: 'bob-token-1234',
    body: { spec: { title: 'Premium 7' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(edited.status, 200, edited.text);
  const ended = await backline('vic', `release watch ${name}`);
  assert.equal(ended.status, 1);
  assert.match(ended.err, /was superseded: Release \S+ supersedes it\./);
  const { items } = (await world.call('GET', `${RELEASES}?fieldSelector=spec.open%3Dtrue`)).json;
  assert.equal(items.length, 1);
  assert.deepEqual([items[0].spec.authors, items[0].spec.objects.length], [['ann', 'bob'], 3]);
});

test('an approver can read every object of a large release, and sees how many are not shown', async (t) => {
  const office = await startBusiness(t, { approvals: { required: 1 }, stages: [] });
  const { backline, write, world } = office;
  const names = Array.from({ length: 120 }, (_, index) => `many-${String(index).padStart(3, '0')}`);
  await write('many.yaml', ...names.map((name) => flag(name, { variants: [{ name: 'a', value: `of ${name}` }] })));
  const name = releaseIn(await backline('ann', 'apply -f many.yaml'));
  const brief = await backline('eve', `release show ${name}`);
  assert.match(brief.out, new RegExp(`^ {2}» And \\d+ more objects: backline release show ${name} --all$`, 'm'));
  assert.match(brief.out, new RegExp(`^ {2}and 100 more objects: backline release show ${name} --all$`, 'm'));
  const all = await backline('eve', `release show ${name} --all`);
  assert.deepEqual(
    [...all.out.matchAll(/^ {2}\+ Flag (many-\d+) in default .*\n/gm)].map(([, one]) => one),
    names,
  );
  for (const one of names) assert.ok(all.out.includes(`+ spec.variants[name=a].value: "of ${one}"`), one);
  const { changes } = JSON.parse((await backline('eve', `release show ${name} --all --json`)).out);
  assert.deepEqual(
    changes.map((one: { readonly namespace: string; readonly name: string }) => `${one.namespace}/${one.name}`),
    names.map((one) => `default/${one}`),
  );

  const path = `/apis/releases.backline.dev/v1/releases/${name}/changes`;
  const ask = (spec: object, token = 'eve-token-1234') =>
    world.call('POST', path, { body: { ...IDENTITY, spec }, token });
  const last = await ask({ offset: 110 });
  assert.deepEqual(
    [last.json.status.total, last.json.status.objects.length, last.json.status.next],
    [120, 10, undefined],
  );
  assert.equal((await ask({ limit: 101 })).status, 422);
  assert.deepEqual((await ask({ offset: 1e9 })).json.status.objects, []);
  const rules = [{ apiGroups: ['releases.backline.dev'], resources: ['releases'], verbs: ['get', 'list', 'watch'] }];
  const role = await world.call('POST', `${RBAC}/clusterroles`, { body: { metadata: { name: 'blind' }, rules } });
  assert.equal(role.status, 201, role.text);
  const binding = {
    metadata: { name: 'vic-view' },
    roleRef: { kind: 'ClusterRole', name: 'blind' },
    subjects: [{ kind: 'User', name: 'vic' }],
  };
  await world.call('DELETE', `${RBAC}/clusterrolebindings/vic-view`);
  assert.equal((await world.call('POST', `${RBAC}/clusterrolebindings`, { body: binding })).status, 201);
  assert.equal((await ask({}, 'vic-token-1234')).status, 403);
  assert.match(
    (await backline('vic', `release show ${name}`)).out,
    /Forbidden: reading them needs `create` on releases\/changes/,
  );
});

const IDENTITY = { apiVersion: 'releases.backline.dev/v1', kind: 'ReleaseChanges' };

test('apply waits for everybody to get it, and says why when they do not', async (t) => {
  const { backline } = await startBusiness(t, { stages: [{ name: 'some', listeners: { percent: 10 }, soak: 'PT0S' }] });
  const gone = await backline('ann', 'apply -f offer.yaml --wait --timeout 60s');
  assert.deepEqual([gone.status, gone.err], [0, '']);
  assert.match(gone.out, /is promoted: live for everyone\.$/m);
  const same = await backline('ann', 'apply -f offer.yaml --wait');
  assert.deepEqual([same.status, same.err], [0, '']);
  const immediate = await backline('admin', 'apply -f base.yaml --wait -o json');
  assert.equal(typeof JSON.parse(immediate.out).release, 'string', 'what programs read is the answer alone');
});

test('on a terminal a release is drawn in place until its end, and what was seen last stays', async (t) => {
  const { world, backline } = await startBusiness(t, { stages: STAGES });
  const name = releaseIn(await backline('ann', 'apply -f offer.yaml'));
  const io = fakeIo();
  const stdout = { ...io.stdout, isTTY: true, columns: 80, rows: 40 };
  const env = { BACKLINE_KUBECONFIG: world.running.kubeconfigFile, NO_COLOR: '1' };
  assert.equal(await runCommandLine(['release', 'watch', name], { ...io, stdout, env }), 0);
  const [, drawn = '', after = ''] = io.written.stdout.split(/\[\?1049[hl]/);
  assert.match(drawn, /◉ half 50%/);
  assert.doesNotMatch(drawn, /\[\d+m/, 'NO_COLOR is honoured');
  assert.match(after, new RegExp(`^${name} {2}Promoted$`, 'm'));
  assert.match(after, /● some 10% ━━ ● half 50% ━━ ● everybody$/m);
  assert.match(after, new RegExp(`^Release ${name} is promoted: live for everyone\\.\n$`, 'm'));
});

test('a watch that is stopped ends as every program that is', { timeout: 60_000 }, async (t) => {
  const { world, backline } = await startBusiness(t, { stages: HELD });
  const name = releaseIn(await backline('ann', 'apply -f offer.yaml'));
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const env = { ...process.env, BACKLINE_KUBECONFIG: world.running.kubeconfigFile };
  const child = spawn(process.execPath, [main, 'release', 'watch', name], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => child.kill('SIGKILL'));
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  assert.match(first.toString(), new RegExp(`${name} {2}Progressing {2}some 10% {2}Soaks until`));
  child.kill('SIGINT');
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 130);
});

test('kubectl alone tells where releases are, and waits for them', { skip }, async (t) => {
  const { world, backline } = await startBusiness(t, { stages: HELD, approvals: { required: 1 } });
  const name = releaseIn(await backline('ann', 'apply -f offer.yaml'));
  assert.equal((await backline('bob', `release approve ${name}`)).status, 0);
  const cache = await mkdtemp(join(tmpdir(), 'backline-kubectl-'));
  t.after(() => rm(cache, { recursive: true, force: true }));
  const [oldest, newest] = [kubectls[0], kubectls.at(-1)];
  for (const kubectl of new Set([oldest, newest])) {
    const run = async (args: string) => {
      const base = ['--kubeconfig', world.running.kubeconfigFile, '--cache-dir', join(cache, kubectl?.version ?? '')];
      const ran = await execute(kubectl?.file ?? '', [...base, ...args.split(' ')], '');
      assert.equal(ran.code, 0, ran.stderr);
      return ran.stdout;
    };
    await run(`wait --for=jsonpath={.status.phase}=Progressing release/${name} --timeout=10s`);
    assert.match(
      await run('get rel --field-selector spec.open=true'),
      new RegExp(
        `^NAME +PHASE +STAGE +SHARE +TARGETS +GUARDRAILS +OBJECTS +POLICY +NEXT +AGE\n${name} +Progressing +some +10% +<none> +<none> +3 +catalogue +(59m|60m) +\\d+s\n$`,
      ),
    );
    assert.match(
      await run(`get release ${name} -o wide`),
      /Flag\/layout, Plan\/premium \+1 +[0-9a-f]{40} +ann +Soaks until/,
    );
    assert.match(await run(`describe release ${name}`), /Message: +some: Going live in this stage\./);
  }
});

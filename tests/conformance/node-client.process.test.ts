import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { OpenFeature, ProviderEvents, ProviderStatus } from '@openfeature/server-sdk';
import type * as Declared from '../../clients/typescript/package/types/index.d.ts';
import { connectBackline } from '../../clients/typescript/src/index.ts';
import { BacklineProvider } from '../../clients/typescript/src/openfeature.ts';
import { startWorld, type World } from '../support/backline.ts';
import { feature, market, plan } from '../support/catalogue.ts';
import { attribute, changeSet, CHANGE_SETS, experiment, flag, when } from '../support/flags.ts';

const root = resolve(import.meta.dirname, '../..');

/** The published types match the code: the type check holds it. */
const connect: typeof Declared.connectBackline = connectBackline;

const exposureType = {
  apiVersion: 'events.backline.dev/v1',
  kind: 'EventType',
  metadata: { name: 'exposure', namespace: 'default' },
  spec: {
    owner: 'tests',
    purpose: 'tests',
    subject: 'required',
    schema: {
      properties: Object.fromEntries(
        ['flag', 'variant', 'reason', 'rule', 'experiment', 'assignmentId', 'holdout', 'specRevision', 'snapshot'].map(
          (name) => [name, { type: 'string' }],
        ),
      ),
      required: ['flag', 'variant', 'reason', 'rule', 'experiment', 'assignmentId', 'holdout', 'specRevision'],
    },
    identity: ['subject', 'flag', 'variant', 'assignmentId', 'specRevision'],
    within: 'P1D',
    retention: 'P30D',
  },
};

const KEY = `bk_${'a'.repeat(40)}`;

async function declare({ call, running }: World, ...objects: object[]): Promise<void> {
  const answer = await call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(answer.status, 201, answer.text);
  await running.control?.releases()?.caughtUp();
}

async function startService(t: TestContext): Promise<World> {
  const world = await startWorld(t, { roles: ['api', 'decide', 'ingest'] });
  await declare(
    world,
    {
      apiVersion: 'access.backline.dev/v1',
      kind: 'Client',
      metadata: { name: 'app', namespace: 'default' },
      spec: { type: 'server', keys: [{ name: 'k', hash: createHash('sha256').update(KEY).digest('hex') }] },
    },
    market('de'),
    feature('offline'),
    plan('premium', { entitlements: [{ feature: 'offline' }] }),
    exposureType,
    attribute('plan', { type: 'string' }),
    flag('plain'),
    flag('paid', { rules: [{ name: 'paid', when: when({ attribute: 'plan', notIn: ['free'] }), serve: 'b' }] }),
    flag('tried'),
    experiment('trial', 'tried', { allocation: { percent: 60 } }),
    attribute('household', { type: 'string' }),
    flag('shared', { unit: ['household'] }),
    experiment('at-home', 'shared'),
    flag('theme', {
      type: 'object',
      variants: [{ name: 'dark', value: { colours: ['#000'], depth: { of: 2 } } }],
      default: 'dark',
    }),
  );
  return world;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > endMs) assert.fail(`waited in vain until ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

function openClient(
  t: TestContext,
  options: Declared.BacklineOptions,
): { client: Declared.Backline; warnings: string[] } {
  const warnings: string[] = [];
  const client = connect({ warn: (message) => warnings.push(message), ...options });
  t.after(() => client.close());
  return { client, warnings };
}

test('it decides as the server does, for flags and for what plans give', async (t) => {
  const world = await startService(t);
  const { client } = openClient(t, { url: world.url, key: KEY });
  await client.ready();
  for (let number = 0; number < 100; number += 1) {
    const context = {
      targetingKey: `u${number}`,
      ...(number % 3 === 0 ? {} : { plan: number % 2 === 0 ? 'free' : 'premium' }),
    };
    const { json } = await world.call('POST', '/ofrep/v1/evaluate/flags', { body: { context } });
    for (const theirs of json.flags) {
      const ours = client.details(theirs.key, context);
      const { reason = 'ERROR', metadata = {} } = theirs;
      assert.deepEqual([ours.variant, ours.value, ours.reason], [theirs.variant, theirs.value, reason]);
      assert.deepEqual([ours.assignmentId, ours.errorCode], [metadata.assignmentId, theirs.errorCode]);
    }
  }
  const question = { plan: 'premium', market: 'de' };
  const { snapshot: _, ...theirs } = (await world.call('GET', '/v1/entitlements?plan=premium&market=de')).json;
  assert.deepEqual(JSON.parse(JSON.stringify(client.entitlements(question))), theirs);
  const feature = theirs.entitlements[0].feature as string;
  assert.equal(client.check({ ...question, feature }).outcome, 'allow');
  assert.throws(() => (client.entitlements(question).entitlements as unknown[]).pop(), TypeError);
  assert.throws(() => client.check({ ...question, feature: 'no-such' }), /no-such/);
});

test('it sees a change within a second, and tells that there was one', async (t) => {
  const world = await startService(t);
  const changes: string[] = [];
  const { client } = openClient(t, { url: world.url, key: KEY, changed: (flags) => changes.push(flags.join()) });
  await client.ready();
  assert.deepEqual(changes, ['paid,plain,shared,theme,tried']);
  const startedMs = performance.now();
  await declare(world, flag('plain', { default: 'b' }));
  await until('the change is seen', () => client.flag('plain', '', {}) === 'B');
  assert.ok(performance.now() - startedMs < 1_000);
  await declare(world, experiment('trial', 'tried', { allocation: { percent: 70 } }));
  await declare(world, plan('basic', {}));
  await until('the plan is seen', () => changes.length === 4);
  assert.deepEqual(changes.slice(1), ['plain', 'tried', '']);
});

test('a server behind a path of a gateway is asked below that path', async (t) => {
  const asked: string[] = [];
  const gateway = createServer((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    answer.writeHead(404).end();
  });
  await new Promise<void>((listening) => void gateway.listen(0, '127.0.0.1', listening));
  t.after(() => gateway.close());
  const { port } = gateway.address() as AddressInfo;
  for (const path of ['/gateway', '/gateway/']) {
    const { client } = openClient(t, { url: `http://127.0.0.1:${port}${path}` });
    await assert.rejects(client.ready(300), /GET \/gateway\/v1\/snapshot answered 404/);
    client.track('play', 'u');
    await client.flush();
    await client.close(10);
  }
  assert.deepEqual(new Set(asked), new Set(['GET /gateway/v1/snapshot', 'POST /gateway/v1/events']));
});

test('wrong questions are distinguished from defaults', async (t) => {
  const world = await startService(t);
  const { client } = openClient(t, { url: world.url, key: KEY });
  assert.equal(client.details('plain', {}).errorCode, 'PROVIDER_NOT_READY');
  await client.ready();
  assert.equal(client.details('plane', {}).errorCode, 'FLAG_NOT_FOUND');
  assert.equal(client.details('paid', { plan: 3 }).errorCode, 'INVALID_CONTEXT');
  assert.equal(client.details('tried', {}).errorCode, 'TARGETING_KEY_MISSING');
  assert.equal(client.flag('plain', 5, {}), 5, 'of another type');
});

test('nothing that an application does to it ends the application or reaches other listeners', async (t) => {
  const world = await startService(t);
  const failing = () => assert.fail('the application fails');
  const { client, warnings } = openClient(t, { url: `${world.url}/`, key: KEY, changed: failing });
  await client.ready();
  const none = undefined as unknown as Declared.Context;
  assert.equal(client.flag('plain', 'mine', none), 'mine');
  assert.equal(client.details('plain', none).errorCode, 'INVALID_CONTEXT');
  assert.equal(client.details('paid', { plan: 10n }).errorCode, 'INVALID_CONTEXT');
  assert.equal((await client.detailsOnRecord('paid', { plan: 10n })).errorCode, 'INVALID_CONTEXT');
  const trap = {
    get plan(): string {
      throw new Error('a trap');
    },
  };
  assert.match(client.details('paid', trap).errorMessage ?? '', /a trap/);
  const theme = client.flag('theme', { colours: [''], depth: { of: 0 } }, {});
  assert.throws(() => theme.colours.push('#fff'), TypeError);
  assert.throws(() => (theme.depth.of = 3), TypeError);
  assert.deepEqual(client.details('theme', {}).value, { colours: ['#000'], depth: { of: 2 } });
  client.track('play', 'u', { plays: 10n });
  assert.deepEqual([client.status.events.dropped, client.status.connected], [1, true]);
  assert.match(warnings.join(), /cannot be written as JSON/);
  // Seen by the compiler: contexts of an interface, and fallbacks of several literals.
  interface Listener {
    readonly targetingKey: string;
  }
  const listener: Listener = { targetingKey: 'u' };
  const layout: 'A' | 'B' = client.flag('plain', 'A' as 'A' | 'B', listener);
  const text: string = client.flag('plain', 'A', listener);
  const few: number = client.flag('plain', 3, listener);
  assert.deepEqual([layout, text, few], ['A', 'A', 3]);
});

test('while the server is away it answers on, and its events arrive when the server is back', async (t) => {
  const world = await startService(t);
  const { client, warnings } = openClient(t, { url: world.url, key: KEY });
  await client.ready();
  const unit = await exposedUnit(client);
  await world.running.close();
  await until('the loss is noticed', () => !client.status.connected);
  assert.match(warnings.join(), /answering from the last snapshot/);
  assert.equal(client.flag('plain', '', {}), 'A');
  const variant = client.flag('tried', '', { targetingKey: unit });
  client.flag('tried', '', { targetingKey: unit });
  await client.flush();
  assert.deepEqual([client.status.events.waiting, client.status.events.dropped], [1, 0]);
  await world.restart();
  await until('it is connected again', () => client.status.connected);
  await until('the events are sent', async () => {
    await client.flush();
    return client.status.events.waiting === 0;
  });
  const rows = await world.database.query<{ payload: string }>('select payload from backline.event_log');
  assert.equal(rows.length, 1);
  const { value: _, ...exposure } = JSON.parse(rows[0]?.payload ?? '{}');
  assert.equal(exposure.variant.toUpperCase(), variant);
  assert.match(exposure.assignmentId, /^trial\/1\//);
  assert.match(exposure.snapshot, /^\d+$/);
});

/** A unit that takes part in the experiment. */
async function exposedUnit(client: Declared.Backline): Promise<string> {
  for (let number = 0; ; number += 1) {
    if (client.details('tried', { targetingKey: `u${number}` }).experiment !== undefined) return `u${number}`;
  }
}

test('looking at flags exposes nobody; using one does, once for each listener and identity', async (t) => {
  const world = await startService(t);
  const first = openClient(t, { url: world.url, key: KEY }).client;
  const second = openClient(t, { url: world.url, key: KEY }).client;
  await Promise.all([first.ready(), second.ready()]);
  const unit = await exposedUnit(first);
  first.all({ targetingKey: unit });
  first.details('tried', { targetingKey: unit });
  assert.equal(first.status.events.waiting, 0);
  for (const client of [first, second]) {
    client.flag('plain', '', { targetingKey: unit });
    client.flag('tried', '', { targetingKey: unit });
    client.flag('tried', '', { targetingKey: unit });
    await client.flush();
  }
  const [row] = await world.database.query<{ count: number }>('select count(*)::int as count from backline.event_log');
  assert.equal(row?.count, 1);
  // An experiment by household needs no listener.
  const home = first.details('shared', { household: 'h1' });
  assert.deepEqual([home.experiment, home.unit], ['at-home', ['household']]);
  first.flag('shared', '', { household: 'h1' });
  first.flag('shared', '', { household: 'h1' });
  assert.equal(first.status.events.waiting, 1);
  await first.flush();
  const { json } = await world.call('POST', '/ofrep/v1/evaluate/flags/shared', {
    body: { context: { household: 'h1' } },
  });
  assert.deepEqual([json.variant, json.metadata.unit], [home.variant, 'household']);
});

test('a start without the server answers from what was kept, also by a process that lived for a moment', async (t) => {
  const world = await startService(t);
  const directory = await mkdtemp(join(tmpdir(), 'backline-client-'));
  t.after(() => rm(directory, { recursive: true }));
  const cacheFile = join(directory, 'backline.json');
  const { client } = openClient(t, { url: world.url, key: KEY, cacheFile });
  await client.ready();
  await client.close();
  const alone = openClient(t, { url: 'http://127.0.0.1:1', cacheFile }).client;
  await alone.ready();
  assert.equal(alone.flag('plain', '', {}), 'A');
  assert.equal(alone.status.connected, false);
  const nothing = openClient(t, { url: 'http://127.0.0.1:1' }).client;
  await assert.rejects(nothing.ready(300), /gave no snapshot in 300 ms/);
  const wrong = openClient(t, { url: 'decisions.example.com' }).client;
  await assert.rejects(wrong.ready(300), /"decisions.example.com" is no URL of a server: write it like/);
  // Another installation, or this one restored from a backup: the version that was kept is another world there.
  await declare(world, flag('plain', { default: 'b' }));
  const version = (await world.call('POST', '/ofrep/v1/evaluate/flags/plain', { body: {} })).json.metadata.snapshot;
  const kept = await readFile(cacheFile, 'utf8');
  await writeFile(cacheFile, kept.replaceAll(/"version":"\d+"/g, `"version":"${version}"`));
  const moved = openClient(t, { url: world.url, key: KEY, cacheFile }).client;
  await moved.ready();
  await until('it has what is live here', () => moved.flag('plain', '', {}) === 'B');
  await writeFile(cacheFile, kept.slice(0, kept.length / 2));
  const { client: torn, warnings } = openClient(t, { url: world.url, key: KEY, cacheFile });
  await torn.ready();
  assert.equal(torn.flag('plain', '', {}), 'B');
  assert.match(warnings.join(), /cannot be used: it is not whole/);
});

test('flags whose variants are on record are asked of the server', async (t) => {
  const world = await startService(t);
  await declare(world, flag('kept'), experiment('keeps', 'kept', { sticky: { days: 30 } }));
  const { client } = openClient(t, { url: world.url, key: KEY });
  await client.ready();
  await until('the flag is there', () => client.details('kept', { targetingKey: 'u' }).errorCode === 'GENERAL');
  const first = await client.detailsOnRecord('kept', { targetingKey: 'u' });
  assert.equal(first.experiment, 'keeps');
  const [row] = await world.database.query<{ variant: string }>('select variant from backline.assignments');
  assert.equal(row?.variant, first.variant);
});

test('the OpenFeature provider evaluates here, follows changes, and turns tracking into events', async (t) => {
  const world = await startService(t);
  const provider = new BacklineProvider({ url: world.url, key: KEY });
  await OpenFeature.setProviderAndWait(provider);
  t.after(() => OpenFeature.close());
  const client = OpenFeature.getClient();
  assert.equal(await client.getStringValue('paid', 'x', { targetingKey: 'u', plan: 'premium' }), 'B');
  const details = await client.getStringDetails('paid', 'x', { targetingKey: 'u', plan: 'free' });
  assert.deepEqual([details.value, details.variant, details.reason], ['A', 'a', 'STATIC']);
  const missing = await client.getBooleanDetails('none', true, {});
  assert.deepEqual([missing.value, missing.errorCode], [true, 'FLAG_NOT_FOUND']);
  const mistyped = await client.getNumberDetails('plain', 3, {});
  assert.deepEqual([mistyped.value, mistyped.errorCode], [3, 'TYPE_MISMATCH']);
  const nan = await client.getStringDetails('paid', 'x', { targetingKey: 'u', plan: Number.NaN });
  assert.equal(nan.value, 'A', 'over OFREP it would be null, which is absent');
  client.track('checkout', { targetingKey: 'u' }, { value: 10 });
  await provider.client.flush();
  const [row] = await world.database.query<{ type: string; reason: string }>(
    'select type, reason from backline.event_quarantine',
  );
  assert.deepEqual([row?.type, row?.reason], ['checkout', 'unknown-type']);
  const events: string[] = [];
  client.addHandler(ProviderEvents.ConfigurationChanged, (event) =>
    events.push(`changed ${event?.flagsChanged?.join()}`),
  );
  client.addHandler(ProviderEvents.Stale, () => events.push('stale'));
  await declare(world, plan('basic', {}));
  await declare(world, flag('plain', { default: 'b' }));
  await until('the event of the change', () => events.includes('changed plain'));
  await world.running.close();
  await until('it is stale', () => client.providerStatus === ProviderStatus.STALE);
  assert.deepEqual(events, ['changed plain', 'stale']);
  assert.equal(await client.getStringValue('plain', 'x', {}), 'B');
  await world.restart();
  await until('it is ready again', () => client.providerStatus === ProviderStatus.READY);
});

test('the stream is for server clients and users alone', async (t) => {
  const world = await startService(t);
  const { call } = world;
  const keys = { server: `bk_${'s'.repeat(40)}`, partner: `bk_${'p'.repeat(40)}` };
  for (const [type, key] of Object.entries(keys)) {
    const hash = createHash('sha256').update(key).digest('hex');
    const spec = { type, keys: [{ name: 'k', hash }] };
    await declare(world, {
      apiVersion: 'access.backline.dev/v1',
      kind: 'Client',
      metadata: { name: type, namespace: 'default' },
      spec,
    });
  }
  await until(
    'the gate knows',
    async () => (await call('GET', '/v1/snapshot', { token: keys.partner })).status === 403,
  );
  assert.equal((await call('GET', '/v1/snapshot', { token: 'bk_none' })).status, 401);
  const { client } = openClient(t, { url: world.url, key: keys.server });
  await client.ready();
  assert.equal(client.flag('plain', '', {}), 'A');
});

test('the published bundle works by itself, and stays small', async (t) => {
  const world = await startService(t);
  const source = join(root, 'clients/typescript/package');
  await rm(join(source, 'dist'), { recursive: true, force: true });
  const packed = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--offline'], { cwd: source });
  t.diagnostic(packed.stderr.trim());
  const sizes = [...packed.stderr.matchAll(/(\d+) KiB compressed/g)].map(([, size]) => Number(size));
  // RE2 in JavaScript, with its tables of Unicode, is 45 of it.
  assert.ok(sizes.length > 2 && Math.max(...sizes) < 150, packed.stderr);
  for (const file of ['LICENSE', 'THIRD-PARTY-NOTICES', 'dist/index.js', 'types/index.d.ts']) {
    assert.ok(packed.stdout.includes(`"${file}"`), `${file} is not in the package`);
  }
  assert.match(await readFile(join(source, 'THIRD-PARTY-NOTICES'), 'utf8'), /semver [^]*ISC[^]*typebox [^]*MIT/);
  const directory = await mkdtemp(join(tmpdir(), 'backline-client-'));
  t.after(() => rm(directory, { recursive: true }));
  const installed = join(directory, 'node_modules/@backline/node');
  await cp(join(root, 'clients/typescript/package'), installed, { recursive: true });
  await symlink(join(root, 'node_modules/@openfeature'), join(directory, 'node_modules/@openfeature'));
  await writeFile(
    join(directory, 'app.mjs'),
    `import { connectBackline } from '@backline/node';
     import { BacklineProvider } from '@backline/node/openfeature';
     const backline = connectBackline({ url: process.argv[2], key: process.argv[4] });
     await backline.ready();
     const offer = backline.check({ plan: 'premium', market: 'de', feature: process.argv[3] });
     console.log(backline.flag('plain', '', {}), offer.outcome, typeof BacklineProvider);
     await backline.close();`,
  );
  const { entitlements } = (await world.call('GET', '/v1/entitlements?plan=premium&market=de')).json;
  const run = await promisify(execFile)(process.execPath, [
    join(directory, 'app.mjs'),
    world.url,
    entitlements[0].feature,
    KEY,
  ]);
  assert.equal(run.stdout.trim(), 'A allow function');
  // Node.js 22 and 24 have no Temporal.
  await writeFile(
    join(directory, 'old.mjs'),
    `delete globalThis.Temporal;
     const { connectBackline } = await import('@backline/node');
     const backline = connectBackline({ url: process.argv[2], key: process.argv[3], warn: () => {} });
     await backline.ready().catch((error) => console.log('caught:', error.message));
     await backline.close();
     console.log(backline.flag('plain', 'mine', {}));`,
  );
  const old = await promisify(execFile)(process.execPath, [join(directory, 'old.mjs'), world.url, KEY]);
  assert.match(old.stdout, /^caught: .*install temporal-polyfill[^]*\nmine\n$/);
});

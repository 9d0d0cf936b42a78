import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { stringify } from 'yaml';
import { ConfigMap, Namespace } from '#kernel/kinds/builtin/core.ts';
import { Event } from '#kernel/kinds/builtin/event.ts';
import { Lease } from '#kernel/kinds/builtin/lease.ts';
import type { At, ResourceClient } from '#kernel/api/client/contract.ts';
import { httpClient } from '#kernel/api/client/http.ts';
import type { Kind, OwnerReference, ResourceObject } from '#kernel/kinds/kind.ts';
import { Price } from '#domains/products/kinds/price.ts';
import type { Role } from '#planes/parts/shared.ts';
import { itemsOf } from '#kernel/api/client/pages.ts';
import { startWorld, type World } from '../support/backline.ts';
import { findKubectls, execute } from '../support/kubectl.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';

const roles = ['api', 'controllers'] as const;

interface Scene {
  readonly world: World;
  readonly client: ResourceClient;
  /** Makes a ConfigMap, owned by the given objects. */
  readonly make: (name: string, owners?: readonly OwnerReference[], namespace?: string) => Promise<ResourceObject>;
  /** Resolves when the object is gone. */
  readonly untilGone: (kind: Kind, at: At) => Promise<void>;
}

async function startScene(t: TestContext, given: readonly Role[] = roles): Promise<Scene> {
  const world = await startWorld(t, { roles: given });
  const client = httpClient(world.connection);
  return {
    world,
    client,
    make: (name, ownerReferences = [], namespace = 'default') =>
      client.create(ConfigMap, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace, ownerReferences: [...ownerReferences] },
      }),
    untilGone: (kind, at) => until(client, kind, at, (object) => object === undefined).then(() => undefined),
  };
}

/** Waits, by watching, until an object is as `is` says; absent is undefined. */
async function until(
  client: ResourceClient,
  kind: Kind,
  { namespace, name }: At,
  is: (object: ResourceObject | undefined) => boolean,
): Promise<ResourceObject | undefined> {
  const selected = { fieldSelector: `metadata.name=${name}`, ...(namespace === undefined ? {} : { namespace }) };
  const { pages, version } = await client.list(kind, selected);
  const [found] = await Array.fromAsync(itemsOf(pages));
  if (is(found)) return found;
  const stop = new AbortController();
  for await (const { changes } of client.watch(kind, version, stop.signal, selected)) {
    for (const { type, object } of changes) {
      const now = type === 'DELETED' ? undefined : object;
      if (!is(now)) continue;
      stop.abort();
      return now;
    }
  }
  throw new Error(`${kind.id} ${name} did not come to be so`);
}

function owner({ apiVersion, kind, metadata }: ResourceObject, more: Partial<OwnerReference> = {}): OwnerReference {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', ...more };
}

const at = (name: string, namespace = 'default') => ({ namespace, name });

test('a dependent is deleted after the last of its owners, and then its own dependents', async (t) => {
  const { client, make, untilGone } = await startScene(t);
  const [one, two] = [await make('one'), await make('two')];
  await make('owned', [owner(one), owner(two)]);
  await make('below', [owner(await make('between', [owner(one)]))]);
  await make('free');
  await client.delete(ConfigMap, at('one'));
  await untilGone(ConfigMap, at('below'));
  const left = await until(client, ConfigMap, at('owned'), (object) => object?.metadata.ownerReferences?.length === 1);
  assert.deepEqual(left?.metadata.ownerReferences, [owner(two)], 'the one that is left still owns it');
  await client.delete(ConfigMap, at('two'));
  await untilGone(ConfigMap, at('owned'));
  assert.ok(await client.get(ConfigMap, at('free')));
});

test('an owner that never was, is another object of the same name, or is elsewhere counts as absent', async (t) => {
  const { world, client, make, untilGone } = await startScene(t);
  await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
  const here = await make('here');
  await make('stray', [owner({ ...here, metadata: { name: 'nobody', uid: crypto.randomUUID() } })]);
  await untilGone(ConfigMap, at('stray'));
  await make('mistaken', [owner(here, { uid: crypto.randomUUID() })]);
  await untilGone(ConfigMap, at('mistaken'));
  const far = await make('far', [owner(here)], 'team');
  await untilGone(ConfigMap, at('far', 'team'));
  const event = await until(
    client,
    Event,
    { namespace: 'team', name: (await eventsAbout(world, far))[0]?.metadata.name ?? '' },
    (object) => object !== undefined,
  );
  assert.equal(event?.['reason'], 'OwnerRefInvalidNamespace');
  const unknown = await make('unknown', [owner(here, { apiVersion: 'example.com/v1', kind: 'Mystery' })]);
  await make('last', [owner(unknown, { uid: crypto.randomUUID() })]);
  await untilGone(ConfigMap, at('last'));
  assert.ok(await client.get(ConfigMap, at('unknown')), 'an owner of an unknown kind may be there');
});

async function eventsAbout(world: World, object: ResourceObject): Promise<readonly ResourceObject[]> {
  const { pages } = await httpClient(world.connection).list(Event, {
    fieldSelector: `involvedObject.uid=${object.metadata.uid ?? ''}`,
  });
  return Array.fromAsync(itemsOf(pages));
}

test('something without a namespace is not collected for an owner that has one, and an event says so', async (t) => {
  const { world, client, make } = await startScene(t);
  const here = await make('here');
  const wide = await client.create(Namespace, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'wide', ownerReferences: [owner(here)] },
  });
  for (let events = await eventsAbout(world, wide); events.length === 0; events = await eventsAbout(world, wide));
  await client.delete(ConfigMap, at('here'));
  const again = () => eventsAbout(world, wide).then(([event]) => Number(event?.['count']));
  while ((await again()) < 2)
    await client.mergePatch(Namespace, { name: 'wide' }, { metadata: { labels: { n: `${Math.random()}` } } });
  const [event, ...others] = await eventsAbout(world, wide);
  assert.equal(others.length, 0, 'the same event is counted');
  assert.equal(event?.metadata.namespace, 'default');
  assert.ok(await client.get(Namespace, { name: 'wide' }));
});

test('in the foreground dependents that block go first, and circles are broken', async (t) => {
  const { client, make, untilGone } = await startScene(t);
  const top = await make('top');
  const held = await make('held', [owner(top, { blockOwnerDeletion: true })]);
  await client.mergePatch(ConfigMap, at('held'), { metadata: { finalizers: ['example.com/hold'] } });
  await make('below', [owner(held, { blockOwnerDeletion: true })]);
  await make('loose', [owner(top)]);
  await client.delete(ConfigMap, at('top'), { propagation: 'Foreground' });
  await untilGone(ConfigMap, at('below'));
  await untilGone(ConfigMap, at('loose'));
  assert.ok((await client.get(ConfigMap, at('top')))?.metadata.deletionTimestamp, 'it waits for the one that is held');
  await client.mergePatch(ConfigMap, at('held'), { metadata: { finalizers: ['foregroundDeletion'] } }).catch(() => {});
  await until(
    client,
    ConfigMap,
    at('held'),
    (object) => object?.metadata.finalizers?.includes('foregroundDeletion') !== true,
  );
  await client.mergePatch(ConfigMap, at('held'), { metadata: { finalizers: null } });
  await untilGone(ConfigMap, at('top'));

  const first = await make('first');
  const second = await make('second', [owner(first, { blockOwnerDeletion: true })]);
  await client.mergePatch(ConfigMap, at('first'), {
    metadata: { ownerReferences: [owner(second, { blockOwnerDeletion: true })] },
  });
  await client.delete(ConfigMap, at('first'), { propagation: 'Foreground' });
  await untilGone(ConfigMap, at('first'));
  await untilGone(ConfigMap, at('second'));
});

test('orphans stay, without the owner that left them', async (t) => {
  const { client, make, untilGone } = await startScene(t);
  const [one, two] = [await make('one'), await make('two')];
  await make('both', [owner(one), owner(two)]);
  await make('only', [owner(one, { blockOwnerDeletion: true })]);
  await client.delete(ConfigMap, at('one'), { propagation: 'Orphan' });
  await untilGone(ConfigMap, at('one'));
  assert.deepEqual((await client.get(ConfigMap, at('both')))?.metadata.ownerReferences, [owner(two)]);
  assert.equal((await client.get(ConfigMap, at('only')))?.metadata.ownerReferences, undefined);
});

test('a namespace goes with all that is in it, when nobody holds any of it', async (t) => {
  const { client, make, untilGone } = await startScene(t);
  await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
  for (let index = 0; index < 40; index += 1) await make(`m${index}`, [], 'team');
  await client.mergePatch(ConfigMap, at('m7', 'team'), { metadata: { finalizers: ['example.com/hold'] } });
  await client.delete(Namespace, { name: 'team' });
  const held = await until(client, Namespace, { name: 'team' }, (namespace) =>
    says(namespace, 'NamespaceFinalizersRemaining'),
  );
  const messages = conditionsOf(held).map(({ message }) => message);
  assert.ok(messages.includes('Some resources are remaining: configmaps has 1 resource instances'), String(messages));
  assert.ok(
    messages.some((message) => /example\.com\/hold in 1 resource instances/.test(message)),
    String(messages),
  );
  await client.mergePatch(ConfigMap, at('m7', 'team'), { metadata: { finalizers: null } });
  await untilGone(Namespace, { name: 'team' });
});

test('a price that has begun keeps its namespace, the namespace says why, and all else goes', async (t) => {
  const { world, client, untilGone } = await startScene(t);
  await client.create(Namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } });
  const timeline = [{ from: '2020-01-01', amount: '9.99', currency: 'EUR' }];
  for (const object of [
    market('de'),
    feature('offline'),
    plan('premium'),
    price('premium-de', { plan: 'premium', market: 'de', timeline }),
  ] as ResourceObject[]) {
    const plural = `${object.kind.toLowerCase()}s`;
    const made = await world.call('POST', `/apis/products.backline.dev/v1/namespaces/team/${plural}`, {
      body: { ...object, metadata: { ...object.metadata, namespace: 'team' } },
    });
    assert.equal(made.status, 201, made.text);
  }
  await client.delete(Namespace, { name: 'team' });
  const held = await until(client, Namespace, { name: 'team' }, (namespace) =>
    says(namespace, 'NamespaceDeletionContentFailure'),
  );
  const failure = conditionsOf(held).find(({ type }) => type === 'NamespaceDeletionContentFailure');
  assert.match(failure?.message ?? '', /premium-de.*has begun/);
  const remaining = conditionsOf(held).find(({ type }) => type === 'NamespaceContentRemaining');
  assert.equal(
    remaining?.message,
    'Some resources are remaining: prices.products.backline.dev has 1 resource instances',
  );
  await client.mergePatch(Price, at('premium-de', 'team'), {
    metadata: { annotations: { 'products.backline.dev/discard-history': 'true' } },
  });
  await untilGone(Namespace, { name: 'team' });
});

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message: string;
}

function conditionsOf(namespace: ResourceObject | undefined): readonly Condition[] {
  return (namespace?.status as { conditions?: readonly Condition[] } | undefined)?.conditions ?? [];
}

function says(namespace: ResourceObject | undefined, type: string): boolean {
  return conditionsOf(namespace).some((condition) => condition.type === type && condition.status === 'True');
}

test('when the process that leads is killed, the other takes over after the lease, and gives it back when it ends', async (t) => {
  const { world, client, make, untilGone } = await startScene(t, ['api']);
  const script = join(import.meta.dirname, '../support/controllers-process.ts');
  const children = new Map(
    ['first', 'second'].map((identity) => {
      const args = [script, world.url, world.running.token, identity];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      t.after(() => child.kill('SIGKILL'));
      return [identity, child] as const;
    }),
  );
  const lease = { namespace: 'backline-system', name: 'controllers' };
  const holder = async (is: (identity: string) => boolean): Promise<string> => {
    const found = await until(client, Lease, lease, (object) => object !== undefined && is(holderOf(object)));
    return found === undefined ? '' : holderOf(found);
  };
  const collects = async (name: string): Promise<void> => {
    const top = await make(name);
    await make(`${name}-owned`, [owner(top)]);
    await client.delete(ConfigMap, at(name));
    await untilGone(ConfigMap, at(`${name}-owned`));
  };

  const leader = await holder((identity) => identity !== '');
  await collects('before');
  children.get(leader)?.kill('SIGKILL');
  await collects('after');
  const next = await holder((identity) => identity !== leader);
  assert.deepEqual([leader, next].sort(), ['first', 'second']);
  const child = children.get(next);
  assert.ok(child);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.equal(await holder((identity) => identity !== next), '');
});

function holderOf({ spec }: ResourceObject): string {
  return (spec as { holderIdentity?: string } | undefined)?.holderIdentity ?? '';
}

const kubectls = await findKubectls();
const skip = kubectls.length === 0 ? 'SKIPPED: there is no kubectl on the PATH of this machine' : false;

test(
  'the oldest and the newest kubectl delete namespaces and cascade, and wait until it is done',
  { skip },
  async (t) => {
    const { world, client, make } = await startScene(t);
    const ends = new Set([kubectls.at(0), kubectls.at(-1)].filter((kubectl) => kubectl !== undefined));
    for (const [index, kubectl] of [...ends].entries()) {
      await t.test(kubectl.version, async () => {
        const folder = await mkdtemp(join(tmpdir(), 'backline-kubectl-'));
        t.after(() => rm(folder, { recursive: true, force: true }));
        const base = ['--kubeconfig', world.running.kubeconfigFile, '--cache-dir', join(folder, 'cache')];
        const ok = async (args: string, input = ''): Promise<string> => {
          const ran = await execute(kubectl.file, [...base, ...args.split(' ')], input);
          assert.equal(ran.code, 0, `kubectl ${args}\n${ran.stdout}${ran.stderr}`);
          return ran.stdout;
        };
        const family = async (name: string) => {
          const top = await make(`${name}-${index}`);
          await make(`${name}-${index}-owned`, [owner(top, { blockOwnerDeletion: true })]);
          return top.metadata.name;
        };

        const team = `team-${index}`;
        await ok(`create namespace ${team}`);
        await ok(
          `create -n ${team} -f -`,
          ['a', 'b']
            .map((name) => stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }))
            .join('---\n'),
        );
        assert.match(await ok(`delete ns ${team}`), /deleted/);
        assert.equal(await client.get(Namespace, { name: team }), undefined, 'it waited until the namespace was gone');

        const first = await family('foreground');
        await ok(`delete cm ${first} --cascade=foreground`);
        assert.equal(await client.get(ConfigMap, at(`${first}-owned`)), undefined, 'dependents went first');
        const second = await family('background');
        await ok(`delete cm ${second} --cascade=background`);
        await ok(`wait --for=delete cm/${second}-owned --timeout=10s`);
        const third = await family('orphan');
        await ok(`delete cm ${third} --cascade=orphan`);
        const orphan = await client.get(ConfigMap, at(`${third}-owned`));
        assert.deepEqual([orphan?.metadata.name, orphan?.metadata.ownerReferences], [`${third}-owned`, undefined]);
      });
    }
  },
);

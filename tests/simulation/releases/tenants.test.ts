import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pin } from '#kernel/releases/kinds/pin.ts';
import { Tenant, type NodeSpec } from '#kernel/releases/testing/node.ts';
import { Event } from '#kernel/kinds/builtin/event.ts';
import { Head, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import { liveCondition } from '#kernel/kinds/released-status.ts';
import { drop, put } from './schedule.ts';
import { startStory } from './story.ts';
import { ReleasePolicy } from './world.ts';

const MINUTE = 60_000;

const tenant = (namespace: string, name: string, value: number, needs: readonly string[] = []) =>
  put(Tenant, name, { needs, value, neighbourMax: 9 }, {}, namespace);

/** Names of its own in two namespaces, with a policy about the first. */
async function startTenants(more: object = {}) {
  const story = startStory();
  const { memory } = story.world.store;
  const liveOf = (namespace: string, name = 'a'): number | undefined => {
    const head = memory.get(Head, '', headName(Tenant, `${namespace}/${name}`))?.object();
    return (head === undefined ? undefined : (everyoneOf(head)?.object.spec as NodeSpec | undefined))?.value;
  };
  const declaredOf = (namespace: string, name = 'a'): number | undefined =>
    (memory.get(Tenant, namespace, name)?.object().spec as NodeSpec | undefined)?.value;
  const stateOf = (namespace: string, name = 'a'): string | undefined => {
    const object = memory.get(Tenant, namespace, name)?.object();
    return object === undefined ? undefined : liveCondition(object)?.message;
  };
  story.declare([tenant('n1', 'a', 1), tenant('n2', 'a', 1)], 'cyd');
  await story.run(1_000);
  story.declare([
    put(ReleasePolicy, 'p', {
      selector: { kinds: ['Tenant'], namespaces: ['n1'] },
      stages: [{ name: 'half', listeners: { percent: 50 }, soak: 'PT1M' }],
      ...more,
    }),
  ]);
  await story.run(1_000);
  return { ...story, liveOf, declaredOf, stateOf };
}

const last = (story: Pick<ReturnType<typeof startStory>, 'releases'>) => story.releases().at(-1) ?? assert.fail();

test('two objects with one name go live, are released, promoted and rolled back each for itself', async () => {
  const story = await startTenants();
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2')], [1, 1]);
  story.declare([tenant('n1', 'a', 2)], 'ann');
  story.declare([tenant('n2', 'a', 5)], 'bob');
  await story.run(1_000);
  const { name, spec, objects } = last(story);
  assert.deepEqual([objects, spec.authors], [['n1/a'], ['ann']]);
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2')], [1, 5], 'no policy selects the second');
  assert.match(story.stateOf('n1') ?? '', /Included in release/);
  assert.match(story.stateOf('n2') ?? '', /is live/);
  await story.run(3 * MINUTE);
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2')], [2, 5]);
  await story.ask('rollback', name, 'ann');
  await story.run(MINUTE);
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2')], [1, 5]);
  assert.deepEqual(
    [story.declaredOf('n1'), story.declaredOf('n2')],
    [1, 5],
    'what is declared again is of its namespace',
  );
});

test('a pin of a rollback refuses the revision of that object, and of no other one of its name', async () => {
  const story = await startTenants();
  story.declare([tenant('n1', 'a', 2)]);
  await story.run(3 * MINUTE);
  await story.ask('rollback', last(story).name);
  await story.run(MINUTE);
  const [pin, ...more] = [...story.world.store.memory.list(Pin)];
  assert.deepEqual([Pin.spec(pin?.object() ?? {}).object.name, more.length], ['n1/a', 0]);
  assert.throws(() => story.declare([tenant('n1', 'a', 2)]), /Tenant "n1\/a" is pinned/);
  story.declare([tenant('n2', 'a', 2)]);
  await story.run(1_000);
  assert.equal(story.liveOf('n2'), 2);
});

test('a release is in progress with its object alone: another one of the name is written and goes live', async () => {
  const story = await startTenants({ queue: 'reject' });
  story.declare([tenant('n1', 'a', 2)]);
  await story.run(2_000);
  assert.deepEqual(story.phases(), ['Progressing']);
  assert.throws(() => story.declare([tenant('n1', 'a', 3)]), /is in progress with Tenant "n1\/a"/);
  story.declare([tenant('n2', 'a', 3)]);
  await story.run(1_000);
  assert.equal(story.liveOf('n2'), 3);
});

test('authors are those of the object, also by the record after the engine began anew', async () => {
  for (const isAnew of [false, true]) {
    const story = await startTenants({ approvals: { required: 1 } });
    if (isAnew) story.world.kill();
    story.declare([tenant('n1', 'a', 2)], 'ann');
    story.declare([tenant('n2', 'a', 2)], 'bob');
    story.declare([tenant('n1', 'a', 3)], 'dan');
    if (isAnew) story.world.start();
    await story.run(1_000);
    assert.deepEqual(last(story).spec.authors, ['ann', 'dan'], String(isAnew));
    await story.ask('approve', last(story).name, 'bob');
    await story.run(3 * MINUTE);
    assert.equal(story.liveOf('n1'), 3);
  }
});

test('a reference is to the own namespace where it names none: what it needs stays, and is waited for', async () => {
  const story = await startTenants();
  story.declare([tenant('n1', 'b', 1, ['a'])]);
  story.declare([tenant('n2', 'b', 1, ['c'])]);
  await story.run(3 * MINUTE);
  assert.match(story.stateOf('n2', 'b') ?? '', /there is no live Tenant "n2\/c"/);
  story.declare([tenant('n2', 'b', 1, ['n1/a'])]);
  await story.run(1_000);
  assert.equal(story.liveOf('n2', 'b'), 1);
  story.declare([drop(Tenant, 'b', 'n2')]);
  // Two tenants have the name, and only the one in n1 is needed.
  story.declare([drop(Tenant, 'a', 'n2')]);
  await story.run(1_000);
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2')], [1, undefined]);
  story.declare([drop(ReleasePolicy, 'p'), drop(Tenant, 'a', 'n1')]);
  await story.run(1_000);
  assert.equal(story.liveOf('n1'), 1, 'n1/b needs it');
  const [kept] = [...story.world.store.memory.list(Event)].map((entry) => entry.object());
  assert.deepEqual(
    [kept?.metadata.namespace, (kept?.['involvedObject'] as { name?: string } | undefined)?.name],
    ['n1', 'a'],
  );
});

test('a release waits for another one with what it needs in its own namespace, and for no other', async () => {
  const story = await startTenants({ selector: { kinds: ['Tenant'] } });
  story.declare([tenant('n1', 'a', 2)]);
  await story.run(2_000);
  story.declare([tenant('n1', 'b', 1, ['a'])]);
  story.declare([tenant('n2', 'b', 1, ['a'])]);
  await story.run(2_000);
  const phases = story.releases().map(({ objects, status }) => [objects.join(), status.phase]);
  assert.deepEqual(phases, [
    ['n1/a', 'Progressing'],
    ['n1/b', 'Queued'],
    ['n2/b', 'Progressing'],
  ]);
});

test('an object that is moved is another one: the old goes and the new comes, together where they are declared so', async () => {
  const story = await startTenants();
  story.declare([drop(Tenant, 'a', 'n1'), tenant('n2', 'b', 1)]);
  await story.run(1_000);
  assert.deepEqual(last(story).objects, ['n1/a', 'n2/b'], 'the policy of the first selects both');
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2', 'b')], [1, undefined]);
  await story.run(3 * MINUTE);
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2', 'b'), story.liveOf('n2')], [undefined, 1, 1]);
  await story.ask('rollback', last(story).name);
  await story.run(MINUTE);
  assert.deepEqual([story.liveOf('n1'), story.liveOf('n2', 'b'), story.declaredOf('n1')], [1, undefined, 1]);
});

test('a name is as long as its Head leaves room for, the namespace counted', async () => {
  const { declare } = await startTenants();
  const charsMax = 253 - headName(Tenant, 'n1/').length;
  declare([tenant('n1', 'x'.repeat(charsMax), 1)]);
  assert.throws(
    () => declare([tenant('n1', 'x'.repeat(charsMax + 1), 1)]),
    new RegExp(`goes live under tenants\\.test\\.backline\\.dev\\.n1\\.NAME, .* use at most ${charsMax}`),
  );
});

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { openLog } from '#kernel/base/log.ts';
import { inProcessClient } from '#kernel/api/client/in-process.ts';
import type { Batch, ResourceClient } from '#kernel/api/client/contract.ts';
import type { LiveObject, World as LiveWorld } from '#kernel/kinds/kind.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { allKinds } from '#planes/catalogue.ts';
import { startWorld, type World } from '#tests/support/backline.ts';
import { CHANGE_SETS, changeSet, flag } from '#tests/support/flags.ts';
import { until } from '#tests/support/installation.ts';
import { releaseByHand } from '#tests/support/release-by-hand.ts';
import { inOneStep } from '#kernel/base/turns.ts';
import { clientHeads } from './client-heads.ts';
import { followHeads, type Follower } from './follow.ts';
import type { HeadSource } from './head-state.ts';
import type { DecisionModule } from './module.ts';
import { everybody } from './testing/exposing-heads.ts';

type Defaults = ReadonlyMap<string, string>;

/** The default of each flag. Like a bug, a flag whose name begins with "bad" and whose default is b throws. */
function compile(world: LiveWorld): Defaults {
  return new Map(
    [...world.list(Flag.id)].map(({ name, spec }) => {
      const { default: value } = spec as { default: string };
      if (name.startsWith('bad') && value === 'b') throw new Error(`${name} does not compile`);
      return [name, value];
    }),
  );
}

const defaults: DecisionModule<Defaults> = {
  name: 'defaults',
  kinds: [Flag],
  compile: (world) => inOneStep(() => compile(world)),
  update: (_table, world) => inOneStep(() => compile(world)),
  routes: [],
};

type Watch = ResourceClient['watch'];

/** @param through what the changes pass on their way */
function follow(
  t: TestContext,
  world: World,
  through: (watch: Watch) => Watch = (watch) => watch,
  module = defaults,
): Follower {
  const { control } = world.running;
  assert.ok(control !== undefined);
  const client = inProcessClient(control.store, 'test');
  return followSource(t, clientHeads({ ...client, watch: through(client.watch) }, []), module);
}

function followSource(t: TestContext, source: HeadSource, module = defaults): Follower {
  const modules = [module as DecisionModule<unknown>];
  const follower = followHeads({ source, kinds: allKinds(), modules, log: openLog('silent') });
  t.after(follower.stop);
  return follower;
}

/** Defaults of flags, as everybody gets them, and as a listener does. */
interface SeenState {
  readonly everybodys: Readonly<Record<string, string>>;
  readonly listeners: Readonly<Record<string, string>>;
}

function seenBy(follower: Follower): SeenState {
  const { tables, worlds } = follower.snapshot();
  const everybodys = tables.get('defaults') as Defaults;
  const listener = { units: { listener: 'l' }, facts: {}, context: {} };
  const view = worlds.get('defaults')?.see(listener, 0);
  assert.ok(!(view instanceof Promise), 'worlds of few releases are compiled before');
  const listeners = (view?.table ?? everybodys) as Defaults;
  return { everybodys: Object.fromEntries(everybodys), listeners: Object.fromEntries(listeners) };
}

function liveIn(follower: Follower | undefined): readonly LiveObject[] {
  return [...(follower?.world()?.list(Flag.id) ?? [])].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const specOf = (object: object): unknown => (object as { spec: unknown }).spec;

/** Declares flags, and resolves when the follower has the version at which they are live. */
async function declare(world: World, follower: Follower, ...flags: object[]): Promise<void> {
  const swapped = Promise.withResolvers<void>();
  const stop = follower.onSwap(() => swapped.resolve());
  const { status, text } = await world.call('POST', CHANGE_SETS, { body: changeSet(...flags) });
  assert.equal(status, 201, text);
  await swapped.promise;
  stop();
}

const answers = (follower: Follower): Record<string, string> =>
  Object.fromEntries((follower.snapshot().tables.get('defaults') as Defaults).entries());

test('a follower in the process of the control plane sees the same as others', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const { control } = world.running;
  assert.ok(control !== undefined);
  const followers: Follower[] = [];
  /** Those who were there, and those who begin now. */
  const allSee = async (everybodys: SeenState['everybodys'], listeners = everybodys): Promise<void> => {
    followers.push(follow(t, world), followSource(t, control.heads));
    await Promise.all(followers.map((follower) => follower.compiled));
    const expected = followers.map(() => ({ everybodys, listeners }));
    const seeAll = () => followers.map(seenBy);
    await until(
      () => Promise.resolve(isDeepStrictEqual(seeAll(), expected) || undefined),
      () => JSON.stringify([seeAll(), expected]),
    );
    const worlds = followers.map((follower) => liveIn(follower).map((object) => JSON.stringify(object)));
    for (const other of worlds) assert.deepEqual(other, worlds[0]);
    const kept = liveIn(followers.at(-1)).every((object) => control.live.get(object.kind, object.name) === object);
    assert.ok(kept, 'nothing is kept twice');
  };
  await allSee({});
  const [follower] = followers;
  assert.ok(follower !== undefined);
  await declare(world, follower, flag('one', { default: 'a' }), flag('two', { default: 'a' }));
  await allSee({ one: 'a', two: 'a' });
  const release = releaseByHand(control.store, 'r', [
    { kind: Flag, name: 'one', spec: specOf(flag('one', { default: 'b' })) },
    { kind: Flag, name: 'two', spec: undefined },
    { kind: Flag, name: 'three', spec: specOf(flag('three')) },
  ]);
  await release.expose(everybody);
  await allSee({ one: 'a', two: 'a' }, { one: 'b', three: 'a' });
  await release.retract();
  await allSee({ one: 'a', two: 'a' });
  await release.expose(everybody);
  await release.promote();
  await allSee({ one: 'b', three: 'a' });
});

test('a live object that does not compile holds no other up, and is answered as it was', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const follower = follow(t, world);
  await follower.compiled;
  await declare(world, follower, flag('bad', { default: 'a' }), flag('good', { default: 'a' }));
  assert.deepEqual([answers(follower), follower.leftOut()], [{ bad: 'a', good: 'a' }, 0]);

  await declare(world, follower, flag('bad', { default: 'b' }));
  assert.deepEqual([answers(follower), follower.leftOut()], [{ bad: 'a', good: 'a' }, 1]);
  await declare(world, follower, flag('good', { default: 'b' }));
  assert.deepEqual([answers(follower), follower.leftOut()], [{ bad: 'a', good: 'b' }, 1]);
  assert.equal(follower.problem(), undefined);

  const late = follow(t, world);
  await late.compiled;
  assert.deepEqual([answers(late), late.leftOut()], [{ good: 'b' }, 1], 'who begins now has no earlier form of it');

  await declare(world, follower, flag('bad', { default: 'a', title: 'mended' }));
  assert.deepEqual([answers(follower), follower.leftOut()], [{ bad: 'a', good: 'b' }, 0]);
});

test('objects that were declared together are left out together, and taken in when they compile', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const follower = follow(t, world);
  await follower.compiled;
  await declare(world, follower, flag('bad', { default: 'a' }), flag('good', { default: 'a' }));
  await declare(world, follower, flag('bad', { default: 'b' }), flag('good', { default: 'b' }));
  assert.deepEqual([answers(follower), follower.leftOut()], [{ bad: 'a', good: 'a' }, 2]);
  await declare(world, follower, flag('bad', { default: 'a' }));
  assert.deepEqual([answers(follower), follower.leftOut()], [{ bad: 'a', good: 'b' }, 0]);
});

test('while a change is compiled answers are of the snapshot before, and then of all of it at once', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const seen: (readonly [Record<string, string>, number])[] = [];
  const slow: DecisionModule<Defaults> = {
    ...defaults,
    update: function* (_table, next, changed) {
      for (const _ of changed) {
        seen.push([answers(follower), [...(follower.world()?.list(Flag.id) ?? [])].length]);
        yield;
      }
      return compile(next);
    },
  };
  const follower = follow(t, world, undefined, slow);
  await follower.compiled;
  await declare(world, follower, flag('one', { default: 'a' }));
  assert.deepEqual(seen, [[{}, 0]]);
  await declare(world, follower, flag('one', { default: 'b' }), flag('two', { default: 'b' }));
  const before = [{ one: 'a' }, 1];
  assert.deepEqual(seen.slice(1), [before, before]);
  assert.deepEqual(
    [answers(follower), [...(follower.world()?.list(Flag.id) ?? [])].length],
    [{ one: 'b', two: 'b' }, 2],
  );
});

test('a change that fails halfway is taken in all the same, and a subscriber that fails keeps it from no other', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  let failures = 0;
  const follower = follow(
    t,
    world,
    (watch) =>
      async function* (...asked) {
        for await (const batch of watch(...asked))
          yield batch.changes.length > 0 && failures++ === 0 ? torn(batch) : batch;
      },
  );
  await follower.compiled;
  follower.onSwap(() => {
    throw new Error('a subscriber that fails');
  });
  await declare(world, follower, flag('good', { default: 'b' }));
  assert.deepEqual([answers(follower), failures], [{ good: 'b' }, 1]);
  await declare(world, follower, flag('good', { default: 'a' }));
  assert.deepEqual([answers(follower), failures], [{ good: 'a' }, 2]);
});

/** The same, with changes that nobody can read. */
function torn(batch: Batch): Batch {
  const unreadable = { apiVersion: '', kind: '', metadata: { name: 'torn' } };
  return { ...batch, changes: [...batch.changes, { type: 'MODIFIED', object: unreadable }] };
}

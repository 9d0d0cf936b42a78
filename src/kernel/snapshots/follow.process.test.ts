import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { inProcessClient } from '#kernel/api/client/in-process.ts';
import type { Batch, ResourceClient } from '#kernel/api/client/contract.ts';
import type { World as LiveWorld } from '#kernel/kinds/kind.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { allKinds } from '#planes/catalogue.ts';
import { startWorld, type World } from '#tests/support/backline.ts';
import { CHANGE_SETS, changeSet, flag } from '#tests/support/flags.ts';
import { inOneStep } from '#kernel/base/turns.ts';
import { followHeads, type Follower } from './follow.ts';
import type { DecisionModule } from './module.ts';

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
  const follower = followHeads({
    client: { ...client, watch: through(client.watch) },
    kinds: allKinds(),
    modules: [module as DecisionModule<unknown>],
    log: openLog('silent'),
  });
  t.after(follower.stop);
  return follower;
}

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

test('what was declared together is left out together, and taken in when it compiles', async (t) => {
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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { atOnce, inOneStep } from '#kernel/base/turns.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import type { CohortSubject } from './cohort-membership.ts';
import { SHARE_TOTAL } from './cohort.ts';
import type { ExposingRelease } from './exposing-releases.ts';
import { LiveObjects } from './live-objects.ts';
import type { DecisionModule } from './module.ts';
import { concerns, ModuleWorlds, READY_RELEASES_MAX, WORLDS_MAX, type ReleaseView } from './worlds.ts';

const kinds = kindRegistry([ConfigMap]);

type Names = readonly string[];

/** A table of names and revisions that takes from the world what changed, and nothing else; it knows how it was made. */
function module(): DecisionModule<Names> & { readonly updates: (readonly string[])[] } {
  const line = ({ name, revision }: LiveObject) => `${name}=${revision}`;
  const updates: (readonly string[])[] = [];
  return {
    name: 'counted',
    kinds: [ConfigMap],
    updates,
    routes: [],
    compile: (world) => inOneStep(() => Array.from(world.list(ConfigMap.id), line).toSorted()),
    update: function* (table, world, changed) {
      updates.push(changed.map(({ name }) => name));
      const lines = new Map(table.map((each) => [each.split('=')[0], each]));
      for (const { name } of changed) {
        const object = world.get(ConfigMap.id, name);
        if (object?.revision === 'broken') throw new Error('does not compile');
        if (object === undefined) lines.delete(name);
        else lines.set(name, line(object));
        yield;
      }
      return [...lines.values()].toSorted();
    },
  };
}

function live(name: string, revision: string): LiveObject {
  return { kind: ConfigMap.id, namespace: 'default', name, labels: {}, spec: {}, revision };
}

function release(name: string, object: string, revision: string | undefined, share: number): ExposingRelease {
  const candidate = revision === undefined ? undefined : live(object, revision);
  return {
    name,
    revision: `${object}-${revision}`,
    stage: 0,
    cohort: { unit: 'listener', salt: name, slices: [{ share }] },
    candidates: [{ kind: ConfigMap.id, name: object, object: candidate }],
  };
}

interface Fixture {
  readonly of?: ReturnType<typeof module>;
  readonly everybodys?: readonly LiveObject[];
  readonly base?: Names;
  readonly before?: ModuleWorlds<Names>;
  readonly changed?: readonly string[];
}

/** The exposed worlds, and the number of steps that they took. */
function expose(releases: readonly ExposingRelease[], given: Fixture = {}) {
  const { of = module(), everybodys = [live('a', '1'), live('b', '1')], before, changed } = given;
  const world = new LiveObjects(kinds, everybodys);
  const { base = atOnce(of.compile(world, compileAudiences(world))) } = given;
  const broken: string[] = [];
  const source = {
    kinds,
    world,
    audiences: compileAudiences(world),
    module: of,
    base,
    releases,
    onBrokenWorld: (_: string, seen: readonly ExposingRelease[]) =>
      void broken.push(seen.map(({ name }) => name).join()),
  };
  const named = changed?.map((name) => ({ kind: ConfigMap.id, name }));
  const work = ModuleWorlds.expose(source, { worlds: before, changed: named });
  for (let steps = 0; ; steps += 1) {
    const { done, value: worlds } = work.next();
    if (done === true) return { worlds, base, broken, of, world, steps };
  }
}

/** The view of a subject, once it is compiled. */
async function look(worlds: ModuleWorlds<Names>, subject: CohortSubject): Promise<ReleaseView<Names>> {
  for (;;) {
    const view = worlds.see(subject, 0);
    if (!(view instanceof Promise)) return view;
    await view;
  }
}

/** The same where nothing has to be compiled. */
function lookAtOnce(worlds: ModuleWorlds<Names>, subject: CohortSubject): ReleaseView<Names> {
  const view = worlds.see(subject, 0);
  assert.ok(!(view instanceof Promise), 'it is compiled already');
  return view;
}

const listener = (id: string) => ({ units: { listener: id }, facts: {}, context: {} });
const someone = listener('someone');

test('each cohort sees its candidates over what everybody gets: changed, new and taken away', () => {
  const { worlds } = expose([
    release('changes', 'a', '2', SHARE_TOTAL),
    release('adds', 'c', '1', SHARE_TOTAL),
    release('removes', 'b', undefined, SHARE_TOTAL),
  ]);
  const { table, releases } = lookAtOnce(worlds, someone);
  assert.deepEqual(table, ['a=2', 'c=1']);
  assert.deepEqual(
    releases.map(({ name }) => name),
    ['changes', 'adds', 'removes'],
  );
});

test('a listener in no cohort gets the very table of everybody', () => {
  const { worlds, base } = expose([release('r', 'a', '2', 0)]);
  const seen = lookAtOnce(worlds, someone);
  assert.equal(seen.table, base);
  assert.deepEqual([seen.releases, seen.tracks.map(({ track }) => track)], [[], ['stable']]);
});

test('no question waits for a world of the largest releases: all are compiled in steps when they are exposed', () => {
  const count = 500;
  const large = (name: string): ExposingRelease => ({
    ...release(name, name, '1', SHARE_TOTAL / 2),
    candidates: Array.from({ length: count }, (_, number) => ({
      kind: ConfigMap.id,
      name: `${name}-${number}`,
      object: live(`${name}-${number}`, '2'),
    })),
  });
  const names = Array.from({ length: READY_RELEASES_MAX }, (_, number) => `large${number}`);
  const { worlds, of, steps } = expose(names.map(large));
  const worldsMade = 2 ** READY_RELEASES_MAX - 1;
  assert.equal(of.updates.length, worldsMade);
  assert.ok(steps >= worldsMade * count, 'each candidate is a step of its own');
  const sizes = Array.from({ length: 300 }, (_, number) => lookAtOnce(worlds, listener(`l${number}`)).table.length);
  assert.ok(new Set(sizes).size === READY_RELEASES_MAX + 1, 'nobody to everything was seen');
  assert.equal(of.updates.length, worldsMade);
});

test('a question waits at most for what the smaller releases carry, and nothing else waits for that', async () => {
  const names = Array.from({ length: READY_RELEASES_MAX }, (_, number) => `large${number}`);
  const large = names.map((name): ExposingRelease => {
    const one = release(name, name, '2', SHARE_TOTAL);
    return { ...one, candidates: [...one.candidates, { kind: ConfigMap.id, name: `${name}-more`, object: undefined }] };
  });
  const { worlds, of } = expose([release('small', 'small', '1', SHARE_TOTAL), ...large]);
  of.updates.length = 0;
  const looks = ['one', 'other'].map((name) => worlds.see(listener(name), 0));
  assert.ok(looks.every((view) => view instanceof Promise));
  assert.deepEqual(of.updates, [], 'nothing is compiled while somebody asks');
  await Promise.all(looks);
  assert.deepEqual(lookAtOnce(worlds, someone).table, ['a=1', 'b=1', ...names.map((name) => `${name}=2`), 'small=1']);
  assert.deepEqual(of.updates, [['small']], 'once');
});

test('compiled worlds are kept while the state for everybody stays, and follow its changes', () => {
  const one = release('r', 'a', '2', SHARE_TOTAL);
  const { worlds, of, base } = expose([one]);
  const first = lookAtOnce(worlds, someone).table;
  assert.deepEqual(of.updates, [['a']]);
  const nextStage = { ...one, cohort: { ...one.cohort, slices: [{ share: 1 }, { share: SHARE_TOTAL }] } };
  const { worlds: later } = expose([nextStage], { of, base, before: worlds, changed: [] });
  assert.equal(lookAtOnce(later, someone).table, first);
  assert.equal(of.updates.length, 1);
  assert.notEqual(later.tag, worlds.tag, 'applications learn of the next stage');
  const everybodys = [live('a', '1'), live('b', '2')];
  const { worlds: after } = expose([nextStage], { of, everybodys, before: later, changed: ['b'] });
  assert.deepEqual(lookAtOnce(after, someone).table, ['a=2', 'b=2']);
  assert.deepEqual(of.updates.slice(1), [['b']]);
  const { worlds: anew } = expose([nextStage], { of, everybodys: [live('d', '1')], before: after });
  assert.deepEqual(lookAtOnce(anew, someone).table, ['a=2', 'd=1'], 'everything may have changed');
});

test('whatever changes for everybody and is released, everybody sees what would be compiled from scratch', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const revision = fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined });
  const step = fc.record({
    everybodys: fc.record(Object.fromEntries(names.map((name) => [name, revision]))),
    candidates: fc.record(Object.fromEntries(names.map((name) => [name, fc.option(revision)]))),
    isAnew: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 5 }), async (steps) => {
      const of = module();
      let before: ReturnType<typeof expose> | undefined;
      for (const { everybodys, candidates, isAnew } of steps) {
        const objects = names.flatMap((name) => (everybodys[name] === undefined ? [] : [live(name, everybodys[name])]));
        const changed = names.filter((name) => before?.world.get(ConfigMap.id, name)?.revision !== everybodys[name]);
        const releases = names.flatMap((name) => {
          const candidate = candidates[name];
          return candidate === null ? [] : [release(`r-${name}`, name, candidate, SHARE_TOTAL / 2)];
        });
        const stays = before !== undefined && changed.length === 0 && !isAnew;
        const next: ReturnType<typeof expose> = expose(releases, {
          of,
          everybodys: objects,
          ...(before === undefined ? {} : { before: before.worlds }),
          ...(stays && before !== undefined ? { base: before.base } : {}),
          ...(isAnew ? {} : { changed }),
        });
        before = next;
        for (let number = 0; number < 10; number += 1) {
          const seen = await look(next.worlds, listener(`l${number}`));
          const naive = new LiveObjects(kinds, objects);
          for (const { kind, name, object } of seen.releases.flatMap((each) => each.candidates)) {
            if (object === undefined) naive.delete(kind, name);
            else naive.set(object);
          }
          assert.deepEqual(seen.table, atOnce(of.compile(naive, compileAudiences(naive))));
        }
      }
    }),
  );
});

test('a world that does not compile is reported once, and the world of everyone answers', () => {
  const { worlds, broken, of } = expose([
    release('q', 'b', '2', SHARE_TOTAL),
    release('r', 'a', 'broken', SHARE_TOTAL),
  ]);
  const made = of.updates.length;
  for (let round = 0; round < 3; round += 1) {
    const { table, releases, isBroken, tracks } = lookAtOnce(worlds, someone);
    assert.deepEqual([table, releases, isBroken], [['a=1', 'b=1'], [], true]);
    assert.deepEqual(
      tracks.map(({ track }) => track),
      ['candidate', 'candidate'],
    );
  }
  assert.deepEqual(broken, ['r', 'q,r']);
  assert.equal(of.updates.length, made);
});

test('a world that a question waits for while everybody gets something else is compiled before that is shown', async () => {
  const others = Array.from({ length: READY_RELEASES_MAX }, (_, number) => release(`x${number}`, `x${number}`, '1', 0));
  const given = [...others, release('r', 'a', '2', SHARE_TOTAL)];
  const { worlds: before, of, world } = expose(given);
  const waiting = before.see(someone, 0);
  const everybodys = [live('a', '1'), live('b', '2')];
  const { worlds: next } = expose(given, { of, everybodys, before, changed: ['b'] });
  before.freeze();
  world.set(live('b', '2'));
  assert.deepEqual(lookAtOnce(next, someone).table, ['a=2', 'b=2']);
  const made = of.updates.length;
  const { worlds: ended } = expose(others, { of, everybodys, before, changed: [] });
  const worldsReady = 2 ** READY_RELEASES_MAX - 1;
  assert.equal(of.updates.length, made + worldsReady, 'none of a release that has ended');
  assert.deepEqual(lookAtOnce(ended, someone).table, ['a=1', 'b=2']);
  await waiting;
  assert.equal(of.updates.length, made + worldsReady, 'none of a world that has moved on');
});

test('not more tables are kept than the limit, and those that are asked for stay', async () => {
  const count = READY_RELEASES_MAX + 8;
  const releases = Array.from({ length: count }, (_, number) => release(`r${number}`, `x${number}`, '1', 500_000));
  const { worlds, of } = expose(releases);
  const favourite = listener('favourite');
  await look(worlds, favourite);
  const exposed = of.updates.length;
  const combinations = new Set<string>();
  for (let number = 0; number < 1_000; number += 1) {
    const { releases: seen } = await look(worlds, listener(`l${number}`));
    combinations.add(seen.map(({ name }) => name).join());
    const made = of.updates.length;
    lookAtOnce(worlds, favourite);
    assert.equal(of.updates.length, made, 'still there');
  }
  assert.ok(combinations.size > WORLDS_MAX && of.updates.length - exposed > WORLDS_MAX, 'some were made again');
});

test('a release concerns the modules of whose kinds it carries something', () => {
  const one = release('r', 'a', '2', 1);
  assert.equal(concerns(one, module()), true);
  assert.equal(concerns(one, { ...module(), kinds: [] }), false);
});

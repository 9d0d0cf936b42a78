import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inOneStep } from '#kernel/base/turns.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { SHARE_TOTAL } from './cohort.ts';
import type { ExposingRelease } from './exposing-releases.ts';
import { LiveObjects } from './live-objects.ts';
import type { DecisionModule } from './module.ts';
import { concerns, ModuleWorlds, WORLDS_MAX } from './worlds.ts';

const kinds = kindRegistry([ConfigMap]);

/** A table of names and revisions, that counts how often it is made. */
function module(): DecisionModule<readonly string[]> & { made: number } {
  const table = (world: World) => [...world.list(ConfigMap.id)].map(({ name, revision }) => `${name}=${revision}`);
  const counted = {
    name: 'counted',
    kinds: [ConfigMap],
    made: 0,
    routes: [],
    compile: (world: World) => inOneStep(() => table(world).toSorted()),
    update: (_: readonly string[], world: World) =>
      inOneStep(() => {
        counted.made += 1;
        const made = table(world);
        if (made.includes('a=broken')) throw new Error('does not compile');
        return made.toSorted();
      }),
  };
  return counted;
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

interface Before {
  readonly base?: readonly string[];
  readonly worlds?: ModuleWorlds<readonly string[]>;
}

function worldsOf(
  releases: readonly ExposingRelease[],
  of = module(),
  { base = ['a=1', 'b=1'], worlds: before }: Before = {},
): {
  readonly worlds: ModuleWorlds<readonly string[]>;
  readonly base: readonly string[];
  readonly broken: readonly string[];
  readonly of: ReturnType<typeof module>;
  readonly world: LiveObjects;
} {
  const world = new LiveObjects(kinds, [live('a', '1'), live('b', '1')]);
  const broken: string[] = [];
  const source = {
    kinds,
    world,
    audiences: compileAudiences(world),
    broken: (_: string, seen: readonly ExposingRelease[]) => void broken.push(seen.map(({ name }) => name).join()),
  };
  return { worlds: new ModuleWorlds(of, base, releases, source, before), base, broken, of, world };
}

const listener = (id: string) => ({ units: { listener: id }, facts: {}, context: {} });
const someone = listener('someone');

test('each cohort sees its candidates over what everybody gets: changed, new and taken away', () => {
  const { worlds } = worldsOf([
    release('changes', 'a', '2', SHARE_TOTAL),
    release('adds', 'c', '1', SHARE_TOTAL),
    release('removes', 'b', undefined, SHARE_TOTAL),
  ]);
  const { table, releases } = worlds.see(someone, 0);
  assert.deepEqual(table, ['a=2', 'c=1']);
  assert.deepEqual(
    releases.map(({ name }) => name),
    ['changes', 'adds', 'removes'],
  );
});

test('who is in no cohort gets the very table of everybody, and nothing is compiled for that', () => {
  const { worlds, of } = worldsOf([release('r', 'a', '2', 0)]);
  const seen = worlds.see(someone, 0);
  assert.deepEqual(seen.table, ['a=1', 'b=1']);
  assert.deepEqual([seen.releases, seen.tracks.map(({ track }) => track), of.made], [[], ['stable'], 0]);
});

test('a world is compiled once, when it is first seen, and kept while what everybody gets stays', () => {
  const one = release('r', 'a', '2', SHARE_TOTAL);
  const { worlds, of, base } = worldsOf([one]);
  assert.equal(of.made, 0);
  const first = worlds.see(someone, 0).table;
  assert.equal(worlds.see(listener('other'), 0).table, first);
  const nextStage = { ...one, cohort: { ...one.cohort, slices: [{ share: 1 }, { share: SHARE_TOTAL }] } };
  const { worlds: later } = worldsOf([nextStage], of, { base, worlds });
  assert.equal(later.see(someone, 0).table, first);
  assert.equal(of.made, 1);
  assert.notEqual(later.tag, worlds.tag, 'applications are told of the next stage');
  const { worlds: anew } = worldsOf([one], of, { base: [...base], worlds });
  assert.notEqual(anew.see(someone, 0).table, first, 'something changed for everybody');
});

test('a world that does not compile is told of once, and everybody’s world answers', () => {
  const { worlds, broken, of } = worldsOf([release('r', 'a', 'broken', SHARE_TOTAL)]);
  for (let round = 0; round < 3; round += 1) {
    const { table, releases, isBroken, tracks } = worlds.see(someone, 0);
    assert.deepEqual([table, releases, isBroken], [['a=1', 'b=1'], [], true]);
    assert.deepEqual(
      tracks.map(({ track }) => track),
      ['candidate'],
    );
  }
  assert.deepEqual([broken, of.made], [['r'], 1]);
});

test('once the world moves on, what is not compiled yet is answered as for everybody, and nobody is compared by it', () => {
  const { worlds, of, world } = worldsOf([release('r', 'a', '2', 500_000)]);
  const listeners = Array.from({ length: 20 }, (_, number) => listener(`l${number}`));
  const inside = listeners.find((each) => worlds.see(each, 0).releases.length > 0);
  assert.ok(inside);
  const { worlds: fresh } = worldsOf([release('r', 'a', '2', 500_000)], of);
  worlds.freeze();
  fresh.freeze();
  world.set(live('b', 'half'));
  assert.deepEqual(worlds.see(inside, 0).table, ['a=2', 'b=1'], 'compiled before');
  assert.deepEqual(fresh.see(inside, 0), { table: ['a=1', 'b=1'], releases: [], tracks: [], isBroken: false });
});

test('not more tables are kept than the limit, and those that are asked for stay', () => {
  const releases = Array.from({ length: 8 }, (_, number) => release(`r${number}`, `x${number}`, '1', 500_000));
  const { worlds, of } = worldsOf(releases);
  const favourite = listener('favourite');
  worlds.see(favourite, 0);
  const combinations = new Set<string>();
  for (let number = 0; number < 1_000; number += 1) {
    const { releases: seen } = worlds.see(listener(`l${number}`), 0);
    combinations.add(seen.map(({ name }) => name).join());
    const made = of.made;
    worlds.see(favourite, 0);
    assert.equal(of.made, made, 'still there');
  }
  assert.ok(combinations.size > WORLDS_MAX && of.made > combinations.size, 'some were made again');
});

test('a release concerns the modules of whose kinds it carries something', () => {
  const one = release('r', 'a', '2', 1);
  assert.equal(concerns(one, module()), true);
  assert.equal(concerns(one, { ...module(), kinds: [] }), false);
});

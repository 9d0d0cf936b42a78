import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { atOnce, inOneStep } from '#kernel/base/turns.ts';
import { ConfigMap } from '#kernel/kinds/builtin/core.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import type { HeadBatch, HeadState } from './head-state.ts';
import { LiveSnapshot } from './live-snapshot.ts';
import type { DecisionModule } from './module.ts';
import { everybody } from './testing/exposing-heads.ts';

const CANDIDATES = 200;
const someone = { units: { listener: 'someone' }, facts: {}, context: {} };

function live(name: string, revision: string): LiveObject {
  return { kind: ConfigMap.id, namespace: 'default', name, labels: {}, spec: {}, revision };
}

/** A Head that a release shows something of. */
function carrying(name: string, everyone: string): HeadState {
  const candidate = { release: 'r', object: live(name, 'new'), generation: 2, stage: 0, where: everybody };
  return { kind: ConfigMap.id, name, everyone: live(name, everyone), candidate };
}

/** Revisions by name; how many objects were compiled. */
function startSnapshot() {
  type Table = ReadonlyMap<string, string>;
  const module: DecisionModule<Table> & { compiled: number } = {
    name: 'revisions',
    kinds: [ConfigMap],
    routes: [],
    compiled: 0,
    compile: (world) => inOneStep(() => new Map([...world.list(ConfigMap.id)].map((one) => [one.name, one.revision]))),
    update: function* (table, world, changed) {
      const next = new Map(table);
      for (const { kind, name } of changed) {
        module.compiled += 1;
        const revision = world.get(kind, name)?.revision ?? 'gone';
        if (revision === 'bad') throw new Error('does not compile');
        next.set(name, revision);
        yield;
      }
      return next;
    },
  };
  const snapshot = new LiveSnapshot({
    kinds: kindRegistry([ConfigMap]),
    modules: [module as DecisionModule<unknown>],
    log: openLog('silent'),
    onBrokenWorld: () => assert.fail('a world is broken'),
  });
  const names = Array.from({ length: CANDIDATES }, (_, number) => `c${number}`);
  const beginning = snapshot.begin();
  for (const some of [names.slice(0, 2), names.slice(2)]) {
    const heads = some.map((name) => ({ kind: ConfigMap.id, name, everyone: live(name, 'old'), candidate: undefined }));
    atOnce(beginning.take(heads));
  }
  atOnce(beginning.finish('1'));
  const readTable = () => {
    const view = snapshot.current?.worlds.get('revisions')?.see(someone, 0);
    assert.ok(!(view instanceof Promise), 'worlds of few releases are compiled before');
    return view?.table as Table | undefined;
  };
  return { module, snapshot, names, readTable };
}

test('a release is shown when all that it carries is compiled, in steps, and no question compiles any of it', () => {
  const { module, snapshot, names, readTable } = startSnapshot();
  const work = snapshot.apply([{ changes: names.map((name) => carrying(name, 'old')), version: '2' }]);
  let steps = 0;
  while (work.next().done !== true) {
    steps += 1;
    const before = module.compiled;
    assert.deepEqual([snapshot.current?.version, readTable()], ['1', undefined]);
    assert.equal(module.compiled, before);
  }
  assert.ok(steps >= CANDIDATES);
  assert.equal(module.compiled, CANDIDATES);
  assert.deepEqual([...new Set(readTable()?.values())], ['new']);
  assert.equal(module.compiled, CANDIDATES);
});

test('while it is shown, a change for everybody costs what changed, in its world too', () => {
  const { module, snapshot, names, readTable } = startSnapshot();
  const shown = names.slice(1);
  const apply = (heads: readonly HeadState[], version: string) => atOnce(snapshot.apply([{ changes: heads, version }]));
  apply(
    shown.map((name) => carrying(name, 'old')),
    '2',
  );
  const first = module.compiled;
  apply([{ kind: ConfigMap.id, name: 'c0', everyone: live('c0', 'changed'), candidate: undefined }], '3');
  assert.equal(module.compiled, first + 2);
  const expected = new Map([['c0', 'changed'], ...shown.map((name) => [name, 'new'] as const)]);
  assert.deepEqual([...(readTable() ?? [])].toSorted(), [...expected].toSorted());
});

test('batches that come together are compiled together, the last state of each object', () => {
  const { module, snapshot } = startSnapshot();
  atOnce(snapshot.apply([changeOf('c0', 'a', '2'), changeOf('c0', 'b', '3'), changeOf('c1', 'a', '4')]));
  assert.equal(module.compiled, 2);
  assert.deepEqual(
    [revisionOf(snapshot, 'c0'), revisionOf(snapshot, 'c1'), snapshot.current?.version],
    ['b', 'a', '4'],
  );
  atOnce(snapshot.apply([changeOf('c0', 'z', '5'), changeOf('c0', 'b', '6')]));
  assert.equal(revisionOf(snapshot, 'c0'), 'b', 'what is undone in the same group is as it was');
});

test('of batches that come together one that does not compile is left out, and the others are taken', () => {
  const { snapshot } = startSnapshot();
  atOnce(snapshot.apply([changeOf('c0', 'a', '2'), changeOf('c1', 'bad', '3'), changeOf('c2', 'a', '4')]));
  assert.deepEqual(
    ['c0', 'c1', 'c2'].map((name) => revisionOf(snapshot, name)),
    ['a', 'old', 'a'],
  );
  assert.equal(snapshot.leftOut, 1);
});

function changeOf(name: string, revision: string, version: string): HeadBatch {
  return { changes: [{ kind: ConfigMap.id, name, everyone: live(name, revision), candidate: undefined }], version };
}

function revisionOf(snapshot: LiveSnapshot, name: string): string | undefined {
  const table = snapshot.current?.tables.get('revisions') as ReadonlyMap<string, string> | undefined;
  return table?.get(name);
}

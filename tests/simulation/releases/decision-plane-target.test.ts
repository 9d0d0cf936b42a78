import { Release } from '#kernel/releases/kinds/release.ts';
import type { CarriedRelease } from '#kernel/releases/kinds/target.ts';
import { testTransactionalTarget } from '#kernel/releases/testing/target-contract.ts';
import { carriedOf, specOf } from '#kernel/releases/engine/form.ts';
import { lookAt } from '#kernel/releases/engine/look.ts';
import { createRelease, writeStep } from '#kernel/releases/engine/release-writes.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { followLive } from '#kernel/releases/live.ts';
import { LISTENERS } from '#kernel/releases/testing/listeners.ts';
import { openTargets, releaseIntents } from '#kernel/releases/engine/intent.ts';
import { Head, candidateOf, everyoneOf, headOf, headName } from '#kernel/resources/builtin/head.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import type { Store } from '#kernel/resources/store-contract.ts';
import { decideWith } from '#kernel/resources/write.ts';
import { MemoryStore } from './memory-store.ts';
import { drop, put } from './schedule.ts';
import { Node } from '#kernel/releases/testing/node.ts';
import { KINDS } from './world.ts';

const AUTHOR = { user: 'ann', requestId: 'r' };
const POLICY = {
  name: 'p',
  spec: {
    selector: {},
    priority: 0,
    stages: [
      { name: 'few', listeners: { unit: 'group', percent: 1 }, soak: 'PT0S', promote: 'auto' as const, maxUnknown: 0 },
      {
        name: 'half',
        listeners: { unit: 'group', percent: 50 },
        soak: 'PT0S',
        promote: 'auto' as const,
        maxUnknown: 0,
      },
    ],
    guardrails: [],
    judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
    onFailure: 'rollBack' as const,
    onUndecided: 'halt' as const,
    queue: 'supersede' as const,
  },
};

testTransactionalTarget('the decision plane', LISTENERS.name, async () => {
  const memory = new MemoryStore(KINDS.all, decideWith(KINDS), () => Temporal.Instant.fromEpochMilliseconds(0));
  const store = {
    ...memory.reads(),
    write: async (operations: readonly Operation[], author: typeof AUTHOR) => memory.commit(operations, author),
    revision: async (...[kind, name, hash]: Parameters<Store<Operation>['revision']>) =>
      memory.revision(kind, name, hash),
    subscribe: (listener: Parameters<Store<Operation>['subscribe']>[0]) => memory.subscribe(listener),
  } as unknown as Store<Operation>;
  const { live } = followLive(store, KINDS, atOnce);
  const clock = () => Temporal.Instant.fromEpochMilliseconds(0);
  const opened = openTargets([LISTENERS], { store, kinds: KINDS, clock });
  const intents = releaseIntents({ store, live, kinds: KINDS, targets: [LISTENERS], opened });
  const node = (name: string, value: number, needs: string[] = []) =>
    put(Node, name, { needs, value, neighbourMax: 9 });
  // One that changes, one that is new, one that goes, and one that is deleted and needed by none.
  memory.commit([node('changes', 1), node('goes', 1)], AUTHOR);
  for (const name of ['changes', 'goes']) {
    const { wanted } = lookAt(store, KINDS)({ kind: Node.id, name });
    const object = headOf(Node, name, wanted);
    memory.commit(
      [{ verb: 'apply', kind: Head.id, namespace: '', name: headName(Node, name), object, uid: name }],
      AUTHOR,
    );
  }
  memory.commit([node('changes', 2), node('comes', 3, ['changes']), drop(Node, 'goes')], AUTHOR);

  const make = (name: string, names: readonly string[]): void => {
    const look = lookAt(store, KINDS);
    const objects = names.map((one) => carriedOf(look({ kind: Node.id, name: one })));
    const world = {
      kinds: KINDS,
      targets: [LISTENERS],
      policies: [POLICY],
      look,
      trail: () => ({ steps: [], isWhole: true }),
    };
    const spec = specOf({ write: 1, user: 'ann', version: 1 }, objects, undefined, world, []);
    memory.commit(createRelease(name, spec, step('begun'), 0, 'ann'), AUTHOR);
  };
  const step = (message: string) => ({
    standing: { state: { at: 'waiting', for: 'turn' } as const, approvals: [] },
    effects: [],
    tell: [],
    phase: 'Waiting' as const,
    message,
  });
  const read = (name: string): CarriedRelease => {
    const object = memory.memory.get(Release, '', name)?.object();
    if (object === undefined) throw new Error(`there is no release ${name}`);
    return { name, spec: Release.spec(object), object };
  };
  make('possible', ['changes', 'comes', 'goes']);
  memory.commit([node('needy', 1, ['nothing'])], AUTHOR);
  make('impossible', ['needy']);
  return {
    intents,
    release: () => read('possible'),
    impossible: () => read('impossible'),
    decideOtherwise: async () =>
      void memory.commit(writeStep(read('possible').object, step('decided otherwise'), new Map(), 1), AUTHOR),
    shown: () => {
      const heads = [...memory.memory.list(Head)]
        .map((entry) => entry.object())
        .filter(({ metadata }) => metadata.name.startsWith('nodes.'));
      const named = (of: (head: (typeof heads)[number]) => unknown) =>
        Object.fromEntries(
          heads.map((head) => [head.metadata.name, of(head)]).filter(([, value]) => value !== undefined),
        );
      const everybody = named((head) => everyoneOf(head)?.object.spec);
      const isShown = heads.some((head) => candidateOf(head) !== undefined);
      if (!isShown) return { everybody, candidate: undefined };
      return {
        everybody,
        candidate: named((head) => {
          const candidate = candidateOf(head);
          return candidate === undefined ? everyoneOf(head)?.object.spec : candidate.object?.spec;
        }),
      };
    },
  };
});

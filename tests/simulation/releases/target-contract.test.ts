import { Release } from '#kernel/releases/kinds/release.ts';
import type { StoredRelease } from '#kernel/releases/kinds/target.ts';
import {
  testEventualTarget,
  testTransactionalTarget,
  type EventualFixture,
} from '#kernel/releases/testing/target-contract.ts';
import { FakeClusters } from '#kernel/releases/testing/fake-clusters.ts';
import { seedRandom } from '#kernel/base/chance.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { releaseItemOf, specOf } from '#kernel/releases/engine/form.ts';
import { lookAt } from '#kernel/releases/engine/look.ts';
import { createRelease, writeStep } from '#kernel/releases/engine/release-writes.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { followLive } from '#kernel/snapshots/live-heads.ts';
import { LISTENERS } from '#kernel/releases/testing/listeners.ts';
import { Intents, openTargets } from '#kernel/releases/engine/intent.ts';
import { Head, candidateOf, everyoneOf, headOf, headName } from '#kernel/kinds/builtin/head.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import { decideWith } from '#kernel/store/rules/write.ts';
import { MemoryStore } from './memory-store.ts';
import { drop, put } from './schedule.ts';
import { Node, Workload } from '#kernel/releases/testing/node.ts';
import { KINDS } from './world.ts';

const AUTHOR = { user: 'ann', requestId: 'r' };
const SETTLE_MS = 60_000;
/** Longer than a cluster is silent before it is unknown. */
const SILENT_MS = 90_000;

const stage = (name: string, percent: number) => ({
  name,
  listeners: { unit: 'group', percent },
  clusters: { percent },
  soak: 'PT0S',
  promote: 'auto' as const,
  maxUnknown: 0,
});

const POLICY = {
  name: 'p',
  spec: {
    selector: {},
    priority: 0,
    stages: [stage('few', 1), stage('half', 50)],
    guardrails: [],
    judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
    onFailure: 'rollBack' as const,
    onUndecided: 'halt' as const,
    queue: 'supersede' as const,
  },
};

testTransactionalTarget('the decision plane', LISTENERS.name, async () => fixtureOf(Node));
testEventualTarget('clusters', 'clusters', async () => fixtureOf(Workload));

/** A store, and one release of objects of a kind on it: no engine runs. */
async function fixtureOf(kind: typeof Node): Promise<EventualFixture> {
  const memory = new MemoryStore(KINDS.all, decideWith(KINDS), () => Temporal.Instant.fromEpochMilliseconds(0));
  const store = {
    ...memory.reads(),
    write: async (operations: readonly Operation[], author: typeof AUTHOR) => memory.commit(operations, author),
    revision: async (...[kind, name, hash]: Parameters<Store<Operation>['revision']>) =>
      memory.revision(kind, name, hash),
    subscribe: (listener: Parameters<Store<Operation>['subscribe']>[0]) => memory.subscribe(listener),
  } as unknown as Store<Operation>;
  const { live } = followLive(store, KINDS, atOnce);
  const time = new VirtualTime();
  const clock = () => Temporal.Instant.fromEpochMilliseconds(Math.floor(time.nowMs()));
  const clusters = new FakeClusters({ kind: Workload, time, chance: seedRandom(1) });
  clusters.sent = [];
  for (const name of ['berlin', 'oslo']) clusters.join(name, 'rest');
  const targets = [clusters.target, LISTENERS];
  const targetOf = openTargets(targets, { store, kinds: KINDS, clock });
  const follow = () => clusters.follow(memory.reads(), (listener) => memory.subscribe(listener));
  follow();
  const intents = new Intents({ store, live, kinds: KINDS, targets, targetOf });
  const node = (name: string, value: number, needs: string[] = []) =>
    put(kind, name, { needs, value, neighbourMax: 9 });
  // A changed, a new and a removed object, and a deleted one that nothing needs.
  memory.commit([node('changes', 1), node('goes', 1)], AUTHOR);
  for (const name of ['changes', 'goes']) {
    const { wanted } = lookAt(store, KINDS)({ kind: kind.id, name });
    const object = headOf(kind, name, wanted);
    memory.commit(
      [{ verb: 'apply', kind: Head.id, namespace: '', name: headName(kind, name), object, uid: name }],
      AUTHOR,
    );
  }
  memory.commit([node('changes', 2), node('comes', 3, kind === Node ? ['changes'] : []), drop(kind, 'goes')], AUTHOR);

  const make = (name: string, names: readonly string[]): void => {
    const look = lookAt(store, KINDS);
    const objects = names.map((one) => releaseItemOf(look({ kind: kind.id, name: one })));
    const world = {
      kinds: KINDS,
      targets,
      policies: [POLICY],
      look,
      trail: () => ({ steps: [], isWhole: true }),
    };
    const spec = specOf({ write: 1, user: 'ann', version: 1 }, objects, world);
    memory.commit(createRelease({ name, spec }, step('begun'), { nowMs: 0, by: 'ann' }), AUTHOR);
  };
  const step = (message: string) => ({
    standing: { state: { at: 'waiting', for: 'turn' } as const, approvals: [] },
    effects: [],
    tell: [],
    phase: 'Waiting' as const,
    message,
  });
  const read = (name: string): StoredRelease => {
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
      void memory.commit(writeStep(read('possible').object, step('decided otherwise'), { nowMs: 1 }), AUTHOR),
    readShown: () => {
      const heads = [...memory.memory.list(Head)]
        .map((entry) => entry.object())
        .filter(({ metadata }) => metadata.name.startsWith(`${kind.plural}.`));
      const byHeadName = (of: (head: (typeof heads)[number]) => unknown) =>
        Object.fromEntries(
          heads.map((head) => [head.metadata.name, of(head)]).filter(([, value]) => value !== undefined),
        );
      const everybody = byHeadName((head) => everyoneOf(head)?.object.spec);
      const isShown = heads.some((head) => candidateOf(head) !== undefined);
      if (!isShown) return { everybody, candidate: undefined };
      return {
        everybody,
        candidate: byHeadName((head) => {
          const candidate = candidateOf(head);
          return candidate === undefined ? everyoneOf(head)?.object.spec : candidate.object?.spec;
        }),
      };
    },
    settle: async () => time.run(SETTLE_MS),
    wait: async () => time.run(SILENT_MS),
    stopFollowing: () => clusters.stopFollowing(),
    follow,
    part: (isParted) => {
      for (const cluster of clusters.clusters.values()) cluster.isPartitioned = isParted;
    },
    repeatAll: () => clusters.sent?.toReversed().forEach((arrive) => arrive()),
    had: () =>
      [...clusters.clusters.values()].map(({ had }) =>
        [...had]
          .map(([object, { text }]) => [object, text])
          .filter(([, text]) => text !== '-')
          .toSorted(),
      ),
    effects: () => [...clusters.clusters.values()].reduce((sum, { effects }) => sum + effects, 0),
  };
}

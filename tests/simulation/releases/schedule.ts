import assert from 'node:assert/strict';
import { fnv1a32 } from '#kernel/audiences/bucketing/fnv1a.ts';
import { seedRandom } from '#kernel/base/chance.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { releaseCommands } from '#kernel/releases/api/commands.ts';
import { GROUP_LABEL } from '#kernel/releases/kinds/identity.ts';
import { Freeze } from '#kernel/releases/kinds/freeze.ts';
import { Pin } from '#kernel/releases/kinds/pin.ts';
import { Release } from '#kernel/releases/kinds/release.ts';
import type { CommandSpec, CommandVerb } from '#kernel/releases/kinds/release-command.ts';
import { STOP_NAME, Stop } from '#kernel/releases/kinds/stop.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import { Invariants } from './invariants.ts';
import { Node, Tenant, Workload } from '#kernel/releases/testing/node.ts';
import { gaugeSpec } from '#kernel/releases/testing/gauge.ts';
import { GAUGE, GAUGE_MAX, KINDS, ReleasePolicy, NAMESPACES, NO_FAULTS, World, type Faults } from './world.ts';

/** Short schedules in great number find more than long ones. */
const STEPS_MAX = 8;
/** Longer than the slowest thing takes: stages with soaks and deadlines, and back-offs. */
const SETTLE_MS = 20 * 60_000;
const LOOK_MS = 20_000;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
/** An object on the clusters. */
const WORKLOADS = ['u', 'v', 'w'];
/** Names in each namespace. */
const TENANTS = ['a', 'b', 'c'];
/** Names of gauges, which users define, in each namespace. */
const GAUGES = ['x', 'y'] as const;
const RINGS = ['pilot', 'rest'];
const PEOPLE = ['ann', 'bob', 'cyd'];
/** People who change nothing: somebody has to be left who may approve. */
const APPROVERS = ['dan', 'eve', ...PEOPLE];
const FAULTS: Faults = { crash: 0.01, lost: 0.03, unknown: 0.03, repeated: 0.1, unseen: 0.1 };

/** Counts of the events of a schedule; they show that schedules test something. */
export type Counts = Map<string, number>;

/**
 * One schedule, which follows from its seed: people declare, command and change their minds, things go wrong, time jumps,
 * the engine dies and comes back. Throws when an invariant does not hold.
 */
export async function runSchedule(seed: number, stepsMax: number = STEPS_MAX): Promise<Counts> {
  const chance = seedRandom(seed);
  const below = (count: number): number => Math.floor(chance() * count);
  const pick = <Item>(items: readonly Item[]): Item => {
    const item = items[below(items.length)];
    assert.ok(item !== undefined);
    return item;
  };
  // By chance of their own, so that a seed has the same schedule without them.
  const ofGauges = seedRandom(seed + 1_000_000_007);
  const verdicts = new Map<string, Verdict>();
  const isBad = (release: string): boolean => fnv1a32(`${seed} ${release}`) % 3 === 0;
  let isSure = false;
  const world = new World(chance, (release, guardrail, activeMs) => {
    // The same numbers give the same verdict.
    const key = `${release} ${guardrail}`;
    const known = verdicts.get(key);
    if (known?.outcome === 'fail') return known;
    const verdict = verdictOf(isBad(release), activeMs > (isSure ? 0 : 60_000) && (isSure || chance() < 0.5), chance);
    if (verdict !== undefined) verdicts.set(key, verdict);
    return verdict;
  });
  const { store, time } = world;
  const invariants = new Invariants(store, () => world.clock().epochMilliseconds, time.nowMs, isBad, world);
  const commands = releaseCommands({
    store: throughApi(world),
    kinds: world.kinds,
    mayApprove: world.mayApprove,
    clock: world.clock,
  });
  const counts: Counts = new Map();
  const note = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  let requests = 0;

  /** A write of a person; a refusal is an answer. */
  const declare = (operations: readonly Operation[]): void => {
    requests += 1;
    try {
      store.commit(operations, { user: pick(PEOPLE), requestId: `request-${requests}`, caller: CALLER });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      note(error.code);
    }
  };
  const ask = async (verb: CommandVerb, spec: CommandSpec, name: string, user = pick(PEOPLE)): Promise<void> => {
    const answer = commands.get(`${Release.id}/${verb}`);
    const given = { apiVersion: Release.apiVersion, kind: 'ReleaseCommand', metadata: { name: 'x' }, spec };
    const author = { user, requestId: 'command' };
    try {
      await answer?.(given, {
        user: { name: user, uid: '', groups: [], extra: {} },
        author,
        dryRun: false,
        namespace: undefined,
        name,
      });
      note(verb);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  };
  const openReleases = (): string[] => [...store.memory.find(Release, 'open', 'true')].map(({ name }) => name);

  /** Looks again and again until it is so, or everything must have happened. */
  const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
    for (let passedMs = 0; passedMs < SETTLE_MS && !(await isSo()); passedMs += LOOK_MS) await time.run(LOOK_MS);
  };
  const letGoOn = async (name: string, isLate: boolean): Promise<void> => {
    const standing = Release.status(store.memory.get(Release, '', name)?.object() ?? {})?.standing;
    if (standing?.state.at === 'collecting') await ask('seal', {}, name);
    if (standing?.paused !== undefined || standing?.doubt !== undefined)
      await ask(chance() < 0.5 ? 'resume' : 'abort', {}, name);
    if (standing?.state.at === 'waiting' && standing.state.for === 'approval') {
      for (const user of APPROVERS) await ask('approve', {}, name, user);
    }
    if (standing?.state.at === 'exposing') await ask('promote', {}, name);
    // A person overruled the failure, so a person has to end the release.
    if (isLate && standing?.overruled !== undefined) await ask('abort', {}, name);
  };

  const badness = pick([0, 0.3, 1, 2]);
  // In half of them there is the decision plane alone.
  const hasClusters = chance() < 0.5;
  const { clusters } = world;
  world.start();
  world.faults = scaleFaults(FAULTS, badness);
  clusters.faults = { lost: 0.1 * badness, repeated: 0.1 * badness };
  if (hasClusters) {
    for (const [index, ring] of ['pilot', 'rest', 'rest'].entries()) clusters.join(`c${index}`, ring);
    world.follow();
  }
  declare([
    ...NAMES.slice(0, 4).map((name) => put(Node, name, { needs: [], value: below(3), neighbourMax: 3 })),
    ...(hasClusters ? WORKLOADS.slice(0, 2) : []).map((name) =>
      put(Workload, name, { needs: [], value: below(3), neighbourMax: 3 }),
    ),
    ...NAMESPACES.map((namespace) => put(Tenant, 'a', { needs: [], value: below(3), neighbourMax: 3 }, {}, namespace)),
  ]);
  await time.run(1_000);
  declare([put(ReleasePolicy, 'first', policy(pick, below)), put(ReleasePolicy, 'second', policy(pick, below))]);
  const steps = 2 + below(stepsMax);
  for (let step = 0; step < steps; step += 1) {
    const dice = below(100);
    if (dice < 36) declare(change(pick, below, hasClusters));
    else if (dice < 42) declare([put(ReleasePolicy, pick(['first', 'second']), policy(pick, below))]);
    else if (dice < 44) declare([drop(ReleasePolicy, pick(['first', 'second']))]);
    else if (dice < 47) declare([put(Stop, STOP_NAME, { reason: 'An incident.' })]);
    else if (dice < 51) declare([drop(Stop, STOP_NAME)]);
    else if (dice < 53) declare([put(Freeze, 'night', NIGHT)]);
    else if (dice < 56) declare([drop(Freeze, 'night')]);
    else if (dice < 80) {
      const every = [...store.memory.list(Release)].map(({ name }) => name);
      const names = chance() < 0.8 ? openReleases() : every;
      if (names.length > 0) await ask(...pickCommand(pick, below), pick(names));
    } else if (dice < 82) {
      const pins = [...store.memory.list(Pin)];
      if (pins.length > 0) declare([drop(Pin, pick(pins).name)]);
    } else if (dice < 84) world.jumpMs += below(600_000) - 300_000;
    else if (dice < 87) world.kill();
    else if (hasClusters && dice < 90) clusters.stopFollowing();
    else if (hasClusters && dice < 94) {
      const cluster = pick([...clusters.clusters.values()]);
      cluster.isPartitioned = !cluster.isPartitioned;
    } else if (hasClusters && dice < 96) {
      const cluster = pick([...clusters.clusters.values()]);
      cluster.isFailing = !cluster.isFailing;
    } else if (hasClusters && dice < 97) clusters.join(`c${clusters.clusters.size}`, pick(RINGS));
    if (ofGauges() < 0.3) declare([changeGauge(ofGauges)]);
    if (ofGauges() < 0.15) {
      note('definition changed');
      world.redefineGauges(1 + Math.floor(ofGauges() * GAUGE_MAX));
    }
    if (hasClusters && !clusters.isFollowing && chance() < 0.6) {
      note('follower crash');
      world.follow();
    }
    if (!world.isRunning && chance() < 0.6) world.start();
    await time.run(pick([1, 30, 1_000, 12_000, 70_000, 400_000]));
    invariants.check();
  }

  // Nothing goes wrong any more. What is taken back passes the switch and every freeze.
  world.redefineGauges(GAUGE_MAX);
  world.faults = NO_FAULTS;
  clusters.faults = { lost: 0, repeated: 0 };
  for (const cluster of clusters.clusters.values()) {
    cluster.isPartitioned = false;
    cluster.isFailing = false;
  }
  world.kill();
  world.start();
  if (hasClusters) world.follow();
  declare([
    put(Stop, STOP_NAME, { reason: 'An incident.' }),
    put(Freeze, 'night', { ...NIGHT, rrule: 'FREQ=HOURLY', duration: 'PT2H' }),
  ]);
  await time.run(1_000);
  const [first] = openReleases();
  if (first !== undefined) {
    await ask('abort', {}, first);
    await until(() => !openReleases().includes(first));
    assert.ok(!openReleases().includes(first), `${first} was aborted and has not come to its end`);
  }
  // Stops, freezes and pins end, so that nothing is held.
  const pins = [...store.memory.list(Pin)].map(({ name }) => drop(Pin, name));
  declare([drop(Stop, STOP_NAME), drop(Freeze, 'night'), ...pins]);
  isSure = true;
  const beganMs = time.nowMs();
  await until(async () => {
    const names = openReleases();
    const isLate = time.nowMs() - beganMs > SETTLE_MS / 2;
    for (const name of names) await letGoOn(name, isLate);
    return names.length === 0;
  });
  // The status of objects follows their releases.
  await time.run(LOOK_MS);
  invariants.requireSettled();
  note(hasClusters ? 'with clusters' : 'without clusters');
  for (const [what, count] of world.happened) counts.set(what, count);
  for (const entry of store.memory.list(Release)) {
    const object = entry.object();
    const by =
      Release.spec(object).rollbackOf === undefined
        ? Release.spec(object).policy === undefined
          ? 'at once'
          : 'by policy'
        : 'back';
    note(`${Release.status(object)?.phase} ${by}`);
    if (Release.spec(object).objects.some(({ kind }) => kind === GAUGE)) note(`a defined kind ${by}`);
    const tenants = Release.spec(object).objects.filter(({ kind }) => kind === Tenant.id);
    for (const { name } of tenants) if (by !== 'at once') note(`${by} of ${name.slice(0, name.indexOf('/'))}`);
  }
  return counts;
}

const CALLER = { groups: [], address: '', userAgent: '', verb: 'update' };
const NIGHT = {
  timeZone: 'Europe/Stockholm',
  start: '2026-01-01T23:00',
  rrule: 'FREQ=DAILY',
  duration: 'PT1H',
  reason: 'Night.',
  owner: 'ops',
};

type Pick = <Item>(items: readonly Item[]) => Item;
type Below = (count: number) => number;

/** Some objects, declared together. */
function change(pick: Pick, below: Below, hasClusters: boolean): Operation[] {
  const names = new Set(Array.from({ length: 1 + below(3) }, () => pick(NAMES)));
  const workloads = hasClusters && below(3) === 0 ? [pick(WORKLOADS)] : [];
  const tenants =
    below(3) === 0 ? NAMESPACES.filter(() => below(3) > 0).map((namespace) => [namespace, pick(TENANTS)] as const) : [];
  const group = below(10) === 0 ? { [GROUP_LABEL]: pick(['g', 'h']) } : {};
  const labels = () => ({ ...(below(4) > 0 ? { policy: pick(['first', 'second']) } : {}), ...group });
  return [...names]
    .map((name) => {
      if (below(6) === 0) return drop(Node, name);
      const needs = NAMES.slice(0, NAMES.indexOf(name)).filter(() => below(4) === 0);
      return put(Node, name, { needs, value: below(4), neighbourMax: 1 + below(4) }, labels());
    })
    .concat(
      workloads.map((name) => {
        if (below(6) === 0) return drop(Workload, name);
        const needs = NAMES.filter(() => below(6) === 0);
        return put(Workload, name, { needs, value: below(4), neighbourMax: 1 + below(4) }, labels());
      }),
      tenants.map(([namespace, name]) => {
        if (below(6) === 0) return drop(Tenant, name, namespace);
        // References within its namespace, and into the first one.
        const known = TENANTS.slice(0, TENANTS.indexOf(name)).filter(() => below(3) === 0);
        const needs = [...known, ...(namespace === 'n2' && below(4) === 0 ? ['n1/a'] : [])];
        return put(Tenant, name, { needs, value: below(4), neighbourMax: 1 + below(4) }, labels(), namespace);
      }),
    );
}

function changeGauge(chance: () => number): Operation {
  const one = <Item>(items: readonly [Item, ...Item[]]): Item => items[Math.floor(chance() * items.length)] ?? items[0];
  const [gauge, namespace] = [KINDS.byId(GAUGE), one(NAMESPACES)];
  const name = one(GAUGES);
  if (chance() < 0.2) return drop(gauge, name, namespace);
  const labels = { policy: one(['first', 'second']) };
  return put(gauge, name, gaugeSpec(Math.floor(chance() * (GAUGE_MAX + 1))), labels, namespace);
}

function policy(pick: Pick, below: Below): object {
  const percents = pick([[], [10], [1, 50], [5, 25, 100], [1, 50]]);
  const order = pick(['clusters', 'clusters', 'together', 'listeners'] as const);
  // Before stage s1 there are no listeners to compare.
  const waits = order === 'clusters' && percents.length > 1 ? { promotesFrom: 's1' } : {};
  return {
    selector: { matchLabels: { policy: pick(['first', 'second']) } },
    priority: below(3),
    stages: percents.map((percent, index) => ({
      name: `s${index}`,
      ...partsOf(percent, index, percents.length, order),
      ...(below(4) === 0 ? { maxUnknown: 1 } : {}),
      soak: pick(['PT0S', 'PT30S', 'PT2M']),
      promote: pick(['auto', 'auto', 'manual']),
      ...(below(2) === 0 ? { deadline: 'PT5M' } : {}),
    })),
    ...(order === 'listeners' ? { before: { listeners: ['clusters'] } } : {}),
    ...(percents.length > 0 && below(3) === 0 ? { bake: 'PT2M' } : {}),
    ...(percents.length > 0 && below(2) === 0
      ? { guardrails: [{ name: 'harm', decisions: 'failed', noWorse: {}, ...waits }] }
      : {}),
    ...(below(3) === 0 ? { approvals: { required: 1 + below(2), expireAfter: pick(['PT10M', 'P7D']) } } : {}),
    onFailure: pick(['rollBack', 'rollBack', 'halt', 'rollBackStage']),
    onUndecided: pick(['halt', 'rollBack', 'rollBackStage']),
    queue: pick(['supersede', 'supersede', 'queue', 'reject']),
    ...(below(2) === 0 ? { pinFor: 'PT20M' } : {}),
  };
}

/** A stage for the clusters before those for listeners, all clusters with the first listeners, or listeners alone. */
function partsOf(percent: number, index: number, count: number, order: 'clusters' | 'together' | 'listeners'): object {
  const listeners = { listeners: { percent } };
  if (order === 'listeners') return listeners;
  if (order === 'together') return index === 0 ? { ...listeners, clusters: { percent: 100 } } : listeners;
  // The clusters first, and listeners from the second stage on: in the last one there are all clusters.
  if (index === 0 && count > 1) return { clusters: { rings: ['pilot'], percent: 50 } };
  return index === (count > 1 ? 1 : 0) ? { ...listeners, clusters: { percent: 100 } } : listeners;
}

function pickCommand(pick: Pick, below: Below): [CommandVerb, CommandSpec] {
  const verb = pick([
    'approve',
    'approve',
    'pause',
    'resume',
    'resume',
    'promote',
    'promote',
    'abort',
    'rollback',
    'rollback',
    'pin',
    'unpin',
    'seal',
  ] as const);
  if (verb === 'promote' && below(4) === 0) return [verb, { force: true, reason: 'It is needed.' }];
  return [verb, {}];
}

function verdictOf(isBad: boolean, isEnough: boolean, chance: () => number): Verdict | undefined {
  const verdict = (outcome: Verdict['outcome']): Verdict => ({
    outcome,
    because: `It is ${outcome}.`,
    judgeVersion: 1,
    figures: { of: 'nothing' },
  });
  if (isEnough) return verdict(isBad ? 'fail' : 'pass');
  const others = ['undecided', 'providerDown', 'noData', 'zeroTraffic', 'notANumber', 'stale', 'invalid'] as const;
  const index = Math.floor(chance() * (others.length + 1));
  const outcome = others[index];
  return outcome === undefined ? undefined : verdict(outcome);
}

/** The store for commands of people, without faults: a fault there would only be an answer to them. */
export function throughApi({ store }: World): Store<Operation> {
  return {
    ...store.reads(),
    fresh: () => undefined,
    write: async (operations: readonly Operation[], author: { user: string; requestId: string }) =>
      store.commit(operations, author),
    revision: async (kind: Kind, name: string, hash: string) => store.revision(kind, name, hash),
  } as unknown as Store<Operation>;
}

export function put(
  kind: Kind,
  name: string,
  spec: object,
  labels: Record<string, string> = {},
  namespace = '',
): Operation {
  const metadata = { name, labels, ...(namespace === '' ? {} : { namespace }) };
  const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata, spec };
  return { verb: 'apply', kind: kind.id, namespace, name, object, uid: crypto.randomUUID() };
}

export function drop(kind: Kind, name: string, namespace = ''): Operation {
  return { verb: 'delete', kind: kind.id, namespace, name };
}

function scaleFaults(faults: Faults, by: number): Faults {
  const { crash, lost, unknown, repeated, unseen } = faults;
  return { crash: crash * by, lost: lost * by, unknown: unknown * by, repeated: repeated * by, unseen: unseen * by };
}

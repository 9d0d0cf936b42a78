import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { ELECTION_TIMING, onlyWhileLeading, runAsLeader, type Candidate, type Leadership } from './leader.ts';
import { leaseRecord } from './lease-record.ts';
import { VirtualTime } from './testing/virtual-time.ts';
import { waitForAbort, type Time } from '#kernel/base/time.ts';

const log = openLog('silent');
const lease = { namespace: 'backline-system', name: 'test' };
const EPOCH = Temporal.Instant.from('2026-01-01T00:00:00Z');

/** One lease on a server, with the rule that a write must name the version that it found. */
class LeaseServer {
  object: ResourceObject | undefined;
  version = 0;

  write(given: ResourceObject, mustExist: boolean): ResourceObject {
    if ((this.object !== undefined) !== mustExist) throw new Refusal('resources/conflict', 'Conflict', 'changed');
    if (mustExist && given.metadata.resourceVersion !== String(this.version)) {
      throw new Refusal('resources/conflict', 'Conflict', 'changed');
    }
    this.version += 1;
    this.object = { ...given, metadata: { ...given.metadata, resourceVersion: String(this.version) } };
    return this.object;
  }
}

/** The faults of one request: how long it takes each way, and whether the answer is lost. */
interface Weather {
  readonly thereMs: number;
  readonly backMs: number;
  readonly fate: 'answered' | 'lost before' | 'lost after';
}

const CALM: Weather = { thereMs: 1, backMs: 1, fate: 'answered' };
const TIMEOUT_MS = 10_000;

function clientOf(server: LeaseServer, time: Time, weather: () => Weather) {
  const send = <Result>(act: () => Result): Promise<Result> =>
    new Promise((resolve, reject) => {
      const { thereMs, backMs, fate } = weather();
      const lose = () => time.after(TIMEOUT_MS, () => reject(new Error('no answer')));
      if (fate === 'lost before') return void lose();
      time.after(thereMs, () => {
        try {
          const result = act();
          if (fate === 'lost after') lose();
          else time.after(backMs, () => resolve(result));
        } catch (error) {
          time.after(backMs, () => reject(error));
        }
      });
    });
  return {
    get: () => send(() => server.object),
    create: (_kind: unknown, object: ResourceObject) => send(() => server.write(object, false)),
    update: (_kind: unknown, object: ResourceObject) => send(() => server.write(object, true)),
  };
}

/** A machine whose clock runs at its own rate and that stands still now and then. */
class Machine implements Time {
  readonly #world: VirtualTime;
  readonly #rate: number;
  readonly #offsetMs: number;
  readonly pauses: readonly (readonly [number, number])[];

  constructor(
    world: VirtualTime,
    given: {
      readonly rate: number;
      readonly offsetMs: number;
      readonly pauses: readonly (readonly [number, number])[];
    },
  ) {
    this.#world = world;
    this.#rate = given.rate;
    this.#offsetMs = given.offsetMs;
    this.pauses = given.pauses;
  }

  readonly nowMs = (): number => this.#offsetMs + this.#world.nowMs() * this.#rate;

  readonly after = (ms: number, call: () => void): (() => void) => {
    let cancel = this.#world.after(ms / this.#rate, () => {
      const resumesMs = this.#pausedUntil();
      if (resumesMs === undefined) call();
      else cancel = this.#world.after(resumesMs - this.#world.nowMs(), call);
    });
    return () => cancel();
  };

  isPaused(): boolean {
    return this.#pausedUntil() !== undefined;
  }

  #pausedUntil(): number | undefined {
    const nowMs = this.#world.nowMs();
    return this.pauses.find(([from, until]) => from <= nowMs && nowMs < until)?.[1];
  }
}

interface RunningCandidate {
  readonly machine: Machine;
  readonly candidate: Candidate;
  /** Leaderships whose work has not ended yet. */
  readonly working: Set<Leadership>;
}

function start(world: VirtualTime, server: LeaseServer, machine: Machine, weather: () => Weather): RunningCandidate {
  const working = new Set<Leadership>();
  const candidate = runAsLeader({
    client: clientOf(server, machine, weather),
    lease,
    identity: crypto.randomUUID(),
    lead: async (leadership) => {
      working.add(leadership);
      await waitForAbort(leadership.signal);
      working.delete(leadership);
    },
    clock: () => EPOCH.add({ milliseconds: Math.trunc(world.nowMs()) }),
    time: machine,
    random: () => 0.5,
    log,
  });
  return { machine, candidate, working };
}

const FAULTS_MS = 240_000;
/** Clocks may differ by this much in either direction: far more than real ones do, and less than the timing allows. */
const DRIFT = 0.15;

const weather = fc.oneof(
  { weight: 6, arbitrary: fc.constant(CALM) },
  {
    weight: 3,
    arbitrary: fc.record({
      thereMs: fc.nat(9_000),
      backMs: fc.nat(9_000),
      fate: fc.constantFrom('answered', 'lost before', 'lost after'),
    }),
  },
);
const machines = fc.array(
  fc.record({
    rate: fc.double({ min: 1 - DRIFT, max: 1 + DRIFT, noNaN: true }),
    offsetMs: fc.nat(1_000_000),
    pauses: fc.array(
      fc.tuple(fc.nat(FAULTS_MS), fc.nat(40_000)).map(([from, ms]) => [from, from + ms] as const),
      { maxLength: 4 },
    ),
  }),
  { minLength: 2, maxLength: 3 },
);

test('whatever is lost, late or stands still, no two lead at a time, and when all is well again exactly one does', async () => {
  await fc.assert(
    fc.asyncProperty(machines, fc.infiniteStream(weather), async (given, weathers) => {
      const world = new VirtualTime();
      const server = new LeaseServer();
      const next = (): Weather =>
        world.nowMs() < FAULTS_MS ? ((weathers.next().value as Weather | undefined) ?? CALM) : CALM;
      const started = given.map((one) => start(world, server, new Machine(world, one), next));
      const leaders = () =>
        // Who stands still does nothing; the first thing that it asks itself when it goes on is whether it still leads.
        started.filter(({ machine, working }) => !machine.isPaused() && [...working].some(({ holds }) => holds()));
      await world.run(FAULTS_MS + 120_000, () => assert.ok(leaders().length <= 1, 'two lead'));
      assert.equal(leaders().length, 1);
      const stopping = Promise.all(started.map(({ candidate }) => candidate.stop()));
      await world.run(60_000);
      await stopping;
    }),
    { numRuns: 60 },
  );
});

test('the drift that is allowed is what the timing leaves room for', () => {
  const { leaseMs, renewDeadlineMs, renewEveryMs, retryMs } = ELECTION_TIMING;
  assert.ok(renewDeadlineMs / (1 - DRIFT) < leaseMs / (1 + DRIFT));
  assert.ok(renewEveryMs + 2 * retryMs < renewDeadlineMs, 'a renewal may fail twice');
});

test('a leader that stops gives the lease back, and the next one leads without waiting for it to run out', async () => {
  const world = new VirtualTime();
  const server = new LeaseServer();
  const calm = (): Machine => new Machine(world, { rate: 1, offsetMs: 0, pauses: [] });
  const first = start(world, server, calm(), () => CALM);
  await world.run(100);
  const second = start(world, server, calm(), () => CALM);
  await world.run(30_000);
  assert.deepEqual([first.candidate.leading(), second.candidate.leading()], [true, false]);
  const { leaseTransitions } = leaseRecord(server.object ?? {});
  const stopping = first.candidate.stop();
  await world.run(ELECTION_TIMING.retryMs);
  await stopping;
  assert.equal(second.candidate.leading(), true);
  assert.equal(leaseRecord(server.object ?? {}).leaseTransitions, leaseTransitions + 1);
});

test('a candidate that is stopped while it asks for the lease stops, and keeps nothing', async () => {
  const world = new VirtualTime();
  const server = new LeaseServer();
  const machine = new Machine(world, { rate: 1, offsetMs: 0, pauses: [] });
  const { candidate, working } = start(world, server, machine, () => CALM);
  let stopped = false;
  const stopping = candidate.stop().then(() => (stopped = true));
  await world.run(1_000);
  assert.deepEqual([stopped, working.size, leaseRecord(server.object ?? {}).holderIdentity], [true, 0, '']);
  await stopping;
});

test('a leader that cannot renew ends its work before anybody else may begin', async () => {
  const world = new VirtualTime();
  const server = new LeaseServer();
  let cut = false;
  const machine = new Machine(world, { rate: 1, offsetMs: 0, pauses: [] });
  const first = start(world, server, machine, () => (cut ? { ...CALM, fate: 'lost before' } : CALM));
  const second = start(world, server, new Machine(world, { rate: 1, offsetMs: 5, pauses: [] }), () => CALM);
  await world.run(20_000);
  assert.equal(first.candidate.leading(), true);
  cut = true;
  await world.run(ELECTION_TIMING.renewDeadlineMs);
  assert.deepEqual([first.working.size, second.candidate.leading()], [0, false]);
  await world.run(ELECTION_TIMING.leaseMs + ELECTION_TIMING.retryMs);
  assert.equal(second.candidate.leading(), true);
});

test('work that outlives its leadership writes nothing', async () => {
  let holds = true;
  const refuse = () => Promise.reject(new Error('sent'));
  const guarded = onlyWhileLeading(
    {
      list: refuse,
      // oxlint-disable-next-line require-yield
      watch: async function* () {
        await refuse();
      },
      get: refuse,
      create: refuse,
      update: refuse,
      mergePatch: refuse,
      patchStatus: refuse,
      delete: refuse,
    },
    { signal: new AbortController().signal, holds: () => holds },
  );
  const object: ResourceObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } };
  const { ConfigMap } = await import('#kernel/kinds/builtin/core.ts');
  const writes = [
    () => guarded.create(ConfigMap, object),
    () => guarded.update(ConfigMap, object),
    () => guarded.mergePatch(ConfigMap, { name: 'a' }, {}),
    () => guarded.patchStatus(ConfigMap, { name: 'a' }, {}),
    () => guarded.delete(ConfigMap, { name: 'a' }),
  ];
  for (const write of writes) await assert.rejects(write, /sent/);
  holds = false;
  for (const write of writes) await assert.rejects(write, { code: 'controllers/not-leading' });
  await assert.rejects(guarded.get(ConfigMap, { name: 'a' }), /sent/);
});

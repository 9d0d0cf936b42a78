import { pino } from 'pino';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Time } from '#kernel/base/time.ts';
import { Seat } from '#kernel/releases/testing/seat.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import type { MayApprove } from '#kernel/releases/engine/approvals.ts';
import { runReleases, type ReleaseEngine } from '#kernel/releases/engine/run-releases.ts';
import type { Evidence, JudgedRelease } from '#kernel/releases/evidence.ts';
import { releaseGuard } from '#kernel/releases/engine/guard.ts';
import { releaseKinds } from '#kernel/releases/kinds.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { followLive } from '#kernel/snapshots/live-heads.ts';
import { defineTarget, type Target } from '#kernel/releases/kinds/target.ts';
import { RELEASE_POLICY } from '#kernel/releases/kinds/release-policy.ts';
import type { Targets } from '#kernel/releases/kinds/targets.ts';
import { LISTENERS } from '#kernel/releases/testing/listeners.ts';
import { Fragile } from '#kernel/releases/testing/fragile.ts';
import { gaugeKind } from '#kernel/releases/testing/gauge.ts';
import { FakeClusters } from '#kernel/releases/testing/fake-clusters.ts';
import { Node, Tenant, Workload } from '#kernel/releases/testing/node.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { Event } from '#kernel/kinds/builtin/event.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import { Lease } from '#kernel/kinds/builtin/lease.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { kindRegistry, type KindRegistry } from '#kernel/kinds/registry.ts';
import type { Author, Change, Store } from '#kernel/store/contract.ts';
import { allAdmissions, decideWith, type Admission } from '#kernel/store/rules/write.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';
import { MemoryStore } from './memory-store.ts';

/** Clusters that nobody is in: what kinds and policies say of them is the same in each world. */
const NO_CLUSTERS = new FakeClusters({ kind: Workload, time: new VirtualTime(), chance: () => 0 });

/** Values of gauges, as their first definition has them. */
export const GAUGE_MAX = 3;
export const GAUGE = 'stock.example/Gauge';

export const KINDS = kindRegistry([
  Namespace,
  Event,
  Lease,
  Head,
  ...releaseKinds([NO_CLUSTERS.target, LISTENERS]),
  ...audienceKinds,
  Node,
  Workload,
  Tenant,
  Seat,
  Fragile,
  gaugeKind(1, GAUGE_MAX),
]);

/** Namespaces that are there from the start. */
export const NAMESPACES = ['n1', 'n2'] as const;

export const ReleasePolicy = KINDS.byId(RELEASE_POLICY);

/** How often things go wrong, of 1. */
export interface Faults {
  readonly crash: number;
  readonly lost: number;
  readonly unknown: number;
  readonly repeated: number;
  readonly unseen: number;
}

export const NO_FAULTS: Faults = { crash: 0, lost: 0, unknown: 0, repeated: 0, unseen: 0 };

/** Request id of the writes of release steps. */
const STEP = 'release';
const DELAY_MS_MAX = 20;
const LATE_MS_MAX = 5_000;
const START_MS = Date.UTC(2026, 2, 28, 22);

const AWAY = new Refusal('postgres/away', 'ServiceUnavailable', 'the database is away');

/**
 * One installation in virtual time: a store that everybody writes to, and one engine at a time, which may die whenever it
 * waits for something, and is then started anew.
 */
export class World {
  readonly time = new VirtualTime();
  readonly store: MemoryStore;
  /** A registry of its own: a test may remove a kind. */
  readonly kinds = kindRegistry(KINDS.all);
  readonly verdicts: (
    release: string,
    guardrail: string,
    activeMs: number,
  ) => (Verdict & { readonly isOfStage?: boolean }) | undefined;
  readonly #chance: () => number;
  /** The target of Workloads; nothing follows its Heads before `follow`. */
  readonly clusters: FakeClusters;
  /** Targets in the order of release. */
  readonly targets: Targets;
  /** The definition of gauges now: what a value may be, and since when. */
  gauges = { generation: 1, valueMax: GAUGE_MAX, sinceMs: 0 };
  faults: Faults = NO_FAULTS;
  /** Offset of the clock from the time that passes. */
  jumpMs = 0;
  /** Things that went wrong, by name. */
  readonly happened = new Map<string, number>();
  /** Users who lost the right to approve. */
  readonly withoutRight = new Set<string>();
  /** Where the engine waits, counted; it dies at this one. */
  awaits = 0;
  dieAt = Infinity;
  /** The release that was judged last. */
  judged: JudgedRelease | undefined;
  /** Names of Heads that are refused when they are written. */
  readonly refusedHeads = new Set<string>();
  readonly #refusing: Admission = {
    mayAsk: () => {},
    mayStore: ({ kind, object }) => {
      if (kind === Head && this.refusedHeads.has(object.metadata.name)) {
        throw new Refusal('resources/invalid', 'Invalid', `Head "${object.metadata.name}" is not to be.`);
      }
    },
  };
  /** Objects whose history cannot be read. */
  readonly unreadable = new Set<string>();
  /** Log lines of the engine. */
  readonly logged: { readonly msg: string; readonly name?: string }[] = [];
  #engine: ReleaseEngine | undefined;
  #kill: () => void = () => {};

  constructor(chance: () => number, verdicts: World['verdicts']) {
    this.#chance = chance;
    this.clusters = new FakeClusters({ kind: Workload, time: this.time, chance });
    this.targets = [this.clusters.target, LISTENERS];
    this.verdicts = verdicts;
    this.store = new MemoryStore(
      KINDS.all,
      decideWith(this.kinds, allAdmissions(releaseGuard, this.#refusing)),
      this.clock,
    );
    const author = { user: 'system:start', requestId: 'start' };
    this.store.commit(
      [SYSTEM_NAMESPACE, ...NAMESPACES].map((name): Operation => {
        const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
        return { verb: 'apply', kind: Namespace.id, namespace: '', name, object, uid: name };
      }),
      author,
    );
  }

  clock = (): Temporal.Instant =>
    Temporal.Instant.fromEpochMilliseconds(START_MS + Math.floor(this.time.nowMs()) + this.jumpMs);

  mayApprove: MayApprove = ({ name }) => !this.withoutRight.has(name);

  /** Changes the definition of gauges. */
  redefineGauges(valueMax: number): void {
    const generation = this.gauges.generation + 1;
    this.gauges = { generation, valueMax, sinceMs: this.time.nowMs() };
    this.kinds.replace(gaugeKind(generation, valueMax));
  }

  get isRunning(): boolean {
    return this.#engine !== undefined;
  }

  /** Begins to bring clusters to what Heads say. */
  follow(): void {
    const { get, list, version } = this.store.reads();
    this.clusters.follow({ get, list, version }, (listener) => this.store.subscribe(listener));
  }

  start(): void {
    let dead = false;
    const stops: (() => void)[] = [];
    this.#kill = () => {
      dead = true;
      for (const stop of stops.splice(0)) stop();
      this.#engine = undefined;
    };
    const dies = (): boolean => {
      this.awaits += 1;
      if (!dead && (this.awaits === this.dieAt || this.#chance() < this.faults.crash)) {
        this.#note('crash');
        this.#kill();
      }
      return dead;
    };
    const time: Time = {
      nowMs: this.time.nowMs,
      after: (ms, call) => this.time.after(ms, () => (dead ? undefined : call())),
    };
    /** Waits a little, as for a database; an engine that is dead by then waits for ever. */
    const awhile = (): Promise<void> =>
      new Promise((resolve) => {
        if (dies()) return;
        time.after(Math.floor(this.#chance() * DELAY_MS_MAX), () => {
          if (!dies()) resolve();
        });
      });
    const write: Store<Operation>['write'] = async (operations, author, { dryRun = false } = {}) => {
      await awhile();
      if (this.#rolls('lost')) throw AWAY;
      const outcomes = this.store.commit(operations, author, dryRun);
      // A step of a release that comes again, long after.
      if (author.requestId === STEP && this.#rolls('repeated')) {
        time.after(Math.floor(this.#chance() * LATE_MS_MAX), () => this.#again(operations, author));
      }
      if (this.#rolls('unknown')) throw AWAY;
      await awhile();
      return outcomes;
    };
    const store = {
      ...this.store.reads(),
      write,
      revision: async (...asked: Parameters<Store<Operation>['revision']>) => {
        await awhile();
        return this.store.revision(...asked);
      },
      declarations: async (...asked: Parameters<Store<Operation>['declarations']>) => {
        await awhile();
        if (this.unreadable.has(asked[1])) throw new Error(`the history of ${asked[1]} cannot be read`);
        return this.store.declarations(...asked);
      },
      subscribe: (listener: (changes: readonly Change[]) => void) => {
        const stop = this.store.subscribe((changes) => (dead ? undefined : listener(changes)));
        stops.push(stop);
        return stop;
      },
    } as unknown as Store<Operation>;
    const kinds: KindRegistry = Object.create(this.kinds, {
      subscribe: {
        value: (listener: () => void) => {
          const stop = this.kinds.subscribe(() => (dead ? undefined : listener()));
          stops.push(stop);
          return stop;
        },
      },
    });
    const { live, stop } = followLive(store, kinds, atOnce);
    stops.push(stop);
    const targets = this.targets.map((target) => this.#unreliable(target, awhile));
    const evidence: Evidence = {
      verdicts: async (judged, nowMs) => {
        await awhile();
        this.judged = judged;
        const { name, spec, seenMs } = judged;
        return new Map(
          (spec.policy?.spec.guardrails ?? []).flatMap((guardrail) => {
            const verdict = this.verdicts(name, guardrail.name, nowMs - seenMs);
            return verdict === undefined ? [] : [[guardrail.name, { isOfStage: true, ...verdict }] as const];
          }),
        );
      },
    };
    const metrics = { depth: () => {}, observeRun: () => {}, countRetry: () => {} };
    const log = pino(
      { level: 'error' },
      { write: (line) => void this.logged.push(JSON.parse(line) as { msg: string }) },
    );
    this.#engine = runReleases({
      store,
      live,
      kinds,
      mayApprove: this.mayApprove,
      targets,
      evidence,
      unitsOnRecord: () => undefined,
      clock: this.clock,
      steadyMs: time.nowMs,
      time,
      random: this.#chance,
      log,
      metrics,
    });
  }

  /** Resolves when the engine has looked at every write so far. */
  async caughtUp(): Promise<void> {
    await this.#engine?.caughtUp();
  }

  /** Dies at once. */
  kill(): void {
    this.#kill();
  }

  /** A target that takes its time, and is sometimes not seen. */
  #unreliable(target: Target, awhile: () => Promise<void>): Target {
    return defineTarget({
      ...target,
      open: (parts) => {
        const real = target.open(parts);
        return {
          ...real,
          plan: async (release) => {
            await awhile();
            return real.plan(release);
          },
          observe: (release) => {
            const places = real.observe(release);
            if (!this.#rolls('unseen')) return places;
            return places.map(({ name, wanted }) => ({ name, wanted, state: 'unknown', message: 'nobody answers' }));
          },
        };
      },
    });
  }

  #again(operations: readonly Operation[], author: Author): void {
    try {
      this.store.commit(operations, author);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }

  #rolls(fault: keyof Faults): boolean {
    if (this.#chance() >= this.faults[fault]) return false;
    this.#note(fault);
    return true;
  }

  #note(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
  }
}

import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { ControllerMetrics } from '#kernel/controllers/controller.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Change, Store } from '#kernel/store/contract.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Evidence } from '../evidence.ts';
import type { UnitsOnRecord } from '../units-on-record.ts';
import { Pin } from '../kinds/pin.ts';
import { Release } from '../kinds/release.ts';
import { RELEASE_POLICY } from '../kinds/release-policy.ts';
import { Stop } from '../kinds/stop.ts';
import type { Targets } from '../kinds/targets.ts';
import type { MayApprove } from './approvals.ts';
import { reconcileReleases } from './reconcile-releases.ts';
import { Declarations } from './declarations.ts';
import { describePolicies } from './describe-policies.ts';
import { FinishedReleases, type FinishedLimits } from './finished-releases.ts';
import { followPins } from './follow-pins.ts';
import { runHousekeeping, readLastBeatMs } from './run-housekeeping.ts';
import { Intents, openTargets } from './intent.ts';
import { OpenReleases } from './open-releases.ts';
import { dispatchChanges } from './dispatch-changes.ts';

/** Limits of finished releases. */
const FINISHED_LIMITS: FinishedLimits = { finishedMax: 2_000, charactersMax: 64 * 1024 * 1024, droppedMax: 500 };

export interface ReleaseEngine {
  /** Resolves when every write so far is live, included in a release, or held. */
  readonly caughtUp: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Runs releases in the one process that writes: from declared to live state. */
export function runReleases(options: {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly mayApprove: MayApprove;
  readonly targets: Targets;
  readonly evidence: Evidence;
  readonly unitsOnRecord: UnitsOnRecord;
  readonly clock: Clock;
  /** Monotonic time, independent of the clock. */
  readonly steadyMs: () => number;
  readonly time: Time;
  /** Jitter of retries. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}): ReleaseEngine {
  const { store, live, kinds, targets, clock, time, log } = options;
  const logError = logSeldom(log, time.nowMs);
  const open = new OpenReleases(store);
  const declarations = new Declarations(store);
  const finished = new FinishedReleases(FINISHED_LIMITS);
  // The first subscriber, so that later ones find the change recorded.
  const unfollow = store.subscribe((changes) => {
    for (const change of changes) {
      declarations.follow(change);
      finished.follow(change);
    }
  });
  void inTurns(finished.begin([...store.list(Release)]));
  const targetOf = openTargets(targets, { store, kinds, clock });
  const intents = new Intents({ store, live, kinds, targets, targetOf });
  const awakeSinceMs = clock().epochMilliseconds;
  const carrying = reconcileReleases({
    ...options,
    intents,
    open,
    declarations,
    awakeSinceMs,
    // Without a heartbeat, earlier engines are unknown.
    asleepSinceMs: Math.min(readLastBeatMs(store) ?? 0, awakeSinceMs),
    onEnd: ({ objects }) => {
      for (const { kind, name } of objects) spreading.note(kind, name);
      spreading.again();
    },
  });
  const spreading = dispatchChanges({ store, live, kinds, targets, open, declarations, clock, time, log });
  const unsubscribe = store.subscribe((changes: readonly Change[]) => {
    if (changes.some(({ entry: { kind } }) => kind === Stop || kind.id === RELEASE_POLICY || kind === Pin))
      spreading.again();
  });
  const pins = followPins({
    store,
    atEnd: () => {
      for (const { name } of open.all()) carrying.look(name);
      spreading.again();
    },
    clock,
    time,
    log,
  });
  const describing = describePolicies({ store, kinds, targets, unitsOnRecord: options.unitsOnRecord, time, log });
  const housekeeping = runHousekeeping({ store, open, finished, clock, time, logError });
  return {
    caughtUp: spreading.caughtUp,
    stop: async () => {
      unfollow();
      unsubscribe();
      await Promise.all([spreading.stop(), carrying.stop(), describing.stop(), pins.stop(), housekeeping.stop()]);
    },
  };
}

import type { Log } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import { runController, type ControllerMetrics } from '#kernel/controllers/controller.ts';
import type { Change } from '#kernel/store/contract.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { EngineTimes } from './engine-times.ts';
import { followFreezes } from './follow-freezes.ts';
import { footprintOf, type TrackedRelease } from './open-releases.ts';
import { concernOf, isConcerned } from './release-concerns.ts';
import { ReleaseStepper, type StepperParts } from './release-stepper.ts';

const LIMITS = {
  /** Releases in work at a time: enough to share commits. */
  workers: 256,
  /** Maximum back-off after a failure. */
  retryMsMax: 30_000,
} as const;

export interface ReleaseReconciler {
  /** Processes a release now. */
  readonly look: (name: string) => void;
  readonly stop: () => Promise<void>;
}

interface ReconcilerOptions extends StepperParts {
  /** Called when a release is finished. */
  readonly onEnd: (spec: ReleaseSpec) => void;
  readonly awakeSinceMs: number;
  readonly asleepSinceMs: number;
  /** Monotonic time, independent of the clock. */
  readonly steadyMs: () => number;
  readonly time: Time;
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}

/**
 * Advances every open release: observes, decides by `advance`, writes the decision, then carries it out. Uses stored state only, so
 * that it may be killed at any moment and another process continues.
 */
export function reconcileReleases(options: ReconcilerOptions): ReleaseReconciler {
  const { store, kinds, open, clock, steadyMs, time, random, log, metrics } = options;
  const times = new EngineTimes(options, clock().epochMilliseconds, steadyMs());
  const controller = runController({
    name: 'releases',
    watches: [],
    reconcile: async (name) => {
      const release = open.get(name);
      return release === undefined ? stepper.forget(name) : stepper.step(release);
    },
    workers: LIMITS.workers,
    time,
    random,
    limits: { retryMsFirst: 100, retryMsMax: LIMITS.retryMsMax, retriesPerSecond: 1_000, retriesAtOnce: 1_000 },
    log,
    metrics,
  });
  lookAtAll();
  const freezes = followFreezes({ store, kinds, atEdge: lookAtAll, clock, time, log });
  const stepper = new ReleaseStepper({ ...options, freezes, times, noticeTime });
  const unsubscribe = store.subscribe(follow);
  const unsubscribeKinds = kinds.subscribe(lookAtAll);
  return {
    look: controller.add,
    stop: async () => {
      unsubscribe();
      unsubscribeKinds();
      await Promise.all([controller.stop(), freezes.stop()]);
    },
  };

  function lookAtAll(): void {
    for (const { name } of open.all()) controller.add(name);
  }

  function noticeTime(): void {
    if (times.noticeLeap(clock().epochMilliseconds, steadyMs())) lookAtAll();
  }

  function follow(changes: readonly Change[]): void {
    for (const change of changes) if (change.entry.kind === Release) followRelease(change);
    const concerned = concernOf(changes.map(({ entry }) => entry.kind));
    if (concerned === 'none') return;
    for (const { name, standing } of open.all()) if (isConcerned(standing.state, concerned)) controller.add(name);
  }

  function followRelease({ entry, type }: Change): void {
    const { name } = entry;
    const before = open.get(name);
    if (type === 'DELETED') open.forget(name);
    else open.track(entry);
    if (open.get(name) !== undefined) controller.add(name);
    else if (before !== undefined) hasEnded(before);
  }

  /** Its objects are free: other releases may start. */
  function hasEnded({ name, spec }: TrackedRelease): void {
    stepper.forget(name);
    const { certain, possible } = open.waiting.inTheWay(name, footprintOf(spec));
    for (const other of [...certain, ...possible]) controller.add(other);
    options.onEnd(spec);
  }
}

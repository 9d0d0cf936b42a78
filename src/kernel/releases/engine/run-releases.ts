import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { ControllerMetrics } from '#kernel/controllers/controller.ts';
import { Lease } from '#kernel/kinds/builtin/lease.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Change, Store } from '#kernel/store/contract.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Evidence } from '../evidence.ts';
import type { KnownUnits } from '../known-units.ts';
import { Pin } from '../kinds/pin.ts';
import { Release } from '../kinds/release.ts';
import { RELEASE_POLICY } from '../kinds/release-policy.ts';
import { Stop } from '../kinds/stop.ts';
import type { Targets } from '../kinds/targets.ts';
import { ENGINE } from './advance.ts';
import type { MayApprove } from './approvals.ts';
import { carryReleases } from './carry-releases.ts';
import { Declarations } from './declarations.ts';
import { describePolicies } from './describe-policies.ts';
import { FinishedReleases, type FinishedLimits } from './finished-releases.ts';
import { followPins } from './follow-pins.ts';
import { Intents, openTargets } from './intent.ts';
import { OpenReleases } from './open-releases.ts';
import { spreadChanges } from './spread-changes.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'run-releases' };

const LIMITS = {
  /** How often it is noted that an engine is at work: how exactly the time without one is known. */
  beatMs: 15_000,
  finishedMax: 2_000,
  charactersMax: 64 * 1024 * 1024,
  droppedMax: 500,
} as const satisfies FinishedLimits & { readonly beatMs: number };

export interface ReleaseEngine {
  /** Resolves when every write so far is live, carried by a release, or held. */
  readonly caughtUp: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Runs releases in the one process that writes: from what is declared to what is live. */
export function runReleases(options: {
  readonly store: Store<Operation>;
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly mayApprove: MayApprove;
  readonly targets: Targets;
  readonly evidence: Evidence;
  readonly knownUnits: KnownUnits;
  readonly clock: Clock;
  /** Time that passes, whatever the clock shows. */
  readonly steadyMs: () => number;
  readonly time: Time;
  /** Spreads repeated tries. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: ControllerMetrics;
}): ReleaseEngine {
  const { store, live, kinds, targets, clock, time, log } = options;
  const logError = logSeldom(log, time.nowMs);
  const open = new OpenReleases(store);
  const declarations = new Declarations(store);
  const finished = new FinishedReleases(LIMITS);
  // First of all: whoever is told of a change finds it there.
  const unfollow = store.subscribe((changes) => {
    for (const change of changes) {
      declarations.follow(change);
      finished.follow(change);
    }
  });
  void inTurns(finished.begin([...store.list(Release)]));
  const opened = openTargets(targets, { store, kinds, clock });
  const intents = new Intents({ store, live, kinds, targets, opened });
  const awakeSinceMs = clock().epochMilliseconds;
  const carrying = carryReleases({
    ...options,
    intents,
    open,
    declarations,
    awakeSinceMs,
    // Without a beat nobody knows that there was an engine.
    asleepSinceMs: Math.min(lastBeatMs() ?? 0, awakeSinceMs),
    ended: ({ objects }) => {
      for (const { kind, name } of objects) spreading.note(kind, name);
      spreading.again();
    },
  });
  const spreading = spreadChanges({ store, live, kinds, targets, open, declarations, clock, time, log });
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
  const describing = describePolicies({ store, kinds, targets, knownUnits: options.knownUnits, time, log });
  let cancelBeat = time.after(LIMITS.beatMs, beat);
  let beating: Promise<unknown> = Promise.resolve();
  return {
    caughtUp: spreading.caughtUp,
    stop: async () => {
      cancelBeat();
      unfollow();
      unsubscribe();
      await Promise.all([spreading.stop(), carrying.stop(), describing.stop(), pins.stop(), beating]);
    },
  };

  function lastBeatMs(): number | undefined {
    const lease = store.get(Lease, SYSTEM_NAMESPACE, LEASE_NAME)?.object();
    const renewTime = lease === undefined ? undefined : Lease.spec(lease)?.renewTime;
    return renewTime === undefined ? undefined : Date.parse(renewTime);
  }

  /** What time without an engine there was can be told from the last beat. Nothing is said of it when nothing is under way. */
  function beat(): void {
    beating = Promise.all([
      writing(open.size === 0 ? [] : [leaseOperation()], 'the beat of releases was not written'),
      writing(dropOutdated(), 'releases that have ended could not be dropped'),
    ]);
    cancelBeat = time.after(LIMITS.beatMs, beat);
  }

  async function writing(operations: readonly Operation[], otherwise: string): Promise<void> {
    if (operations.length === 0) return;
    await store.write(operations, AUTHOR).catch((error: unknown) => logError(error, otherwise));
  }

  function leaseOperation(): Operation {
    const spec = { holderIdentity: ENGINE, renewTime: clock().toString() };
    const object = {
      apiVersion: Lease.apiVersion,
      kind: Lease.kind,
      metadata: { name: LEASE_NAME, namespace: SYSTEM_NAMESPACE },
      spec,
    };
    return {
      verb: 'apply',
      kind: Lease.id,
      namespace: SYSTEM_NAMESPACE,
      name: LEASE_NAME,
      object,
      uid: crypto.randomUUID(),
    };
  }

  function dropOutdated(): Operation[] {
    return finished.outdated().map((name) => ({ verb: 'delete', kind: Release.id, namespace: '', name }));
  }
}

const LEASE_NAME = 'releases';

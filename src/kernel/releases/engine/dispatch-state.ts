import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Store } from '#kernel/store/contract.ts';
import type { LiveKey, LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Targets } from '../kinds/targets.ts';
import { ENGINE } from './advance.ts';
import type { ChangeQueue, QueuedObject } from './change-queue.ts';
import type { ChangeView } from './change-view.ts';
import type { LiveFault } from './check-live.ts';
import type { Declarations } from './declarations.ts';
import type { ObjectBackOff } from './object-back-off.ts';
import type { OpenReleases } from './open-releases.ts';

export const DISPATCH_AUTHOR: Author = { user: ENGINE, requestId: 'spread-changes' };

export interface DispatchParts {
  readonly store: Store<Operation>;
  /** The live objects, kept up to date from Heads. */
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly open: OpenReleases;
  readonly declarations: Declarations;
  readonly clock: Clock;
  readonly time: Time;
  readonly log: Log;
}

/** State of the engine between passes. */
export interface DispatchState extends DispatchParts {
  readonly queue: ChangeQueue;
  /** Held objects: any change may be the one they wait for. */
  readonly held: Map<LiveKey, QueuedObject>;
  readonly backOff: ObjectBackOff;
  /** Live objects that are no longer valid. */
  readonly faults: Map<LiveKey, LiveFault>;
  readonly logError: ReturnType<typeof logSeldom>;
}

/** One pass over the queue. */
export interface DispatchPass extends DispatchState {
  readonly view: ChangeView;
}

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

export const SPREAD_AUTHOR: Author = { user: ENGINE, requestId: 'spread-changes' };

export interface SpreadParts {
  readonly store: Store<Operation>;
  /** What is live, kept up to date by the Heads. */
  readonly live: LiveObjects;
  readonly kinds: KindRegistry;
  readonly targets: Targets;
  readonly open: OpenReleases;
  readonly declarations: Declarations;
  readonly clock: Clock;
  readonly time: Time;
  readonly log: Log;
}

/** What the engine knows of changes between its passes. */
export interface SpreadState extends SpreadParts {
  readonly queue: ChangeQueue;
  /** What something keeps from going live: any change can be what it waits for. */
  readonly held: Map<LiveKey, QueuedObject>;
  readonly backOff: ObjectBackOff;
  /** What is live and no longer accepted. */
  readonly faults: Map<LiveKey, LiveFault>;
  readonly logError: ReturnType<typeof logSeldom>;
}

/** One pass over what is queued. */
export interface SpreadPass extends SpreadState {
  readonly view: ChangeView;
}

import type { Carry } from '#kernel/quotas/rules/contract.ts';
import type { DeclaredRollover } from './rollover.ts';

/** The record of one listener: every input of a cap that no snapshot holds. */
export interface SubjectFacts {
  readonly listener: string;
  /** Incremented with each change; answers name it. 0 without a record. */
  readonly version: number;
  /** Subscription of the listener, as payer or member. */
  readonly subscription: SubscriptionFacts | undefined;
  /** Former terms, the latest first; the last few only. */
  readonly formers: readonly FormerTerms[];
  /** Grants that may have units left. */
  readonly grants: readonly GrantFacts[];
  readonly overrides: readonly OverrideFacts[];
  /** Pending moves of use, in order, to carry before anything is counted. Usually empty. */
  readonly moves: readonly PendingMoves[];
}

/** A former subscription, from one moment up to, not including, another. */
export interface FormerTerms {
  readonly sinceMs: number;
  readonly untilMs: number;
  /** The subscription as it was then: active. */
  readonly subscription: SubscriptionFacts;
}

/** Moves of use recorded with a change of terms, see `Quotas.carry`. */
export interface PendingMoves extends Pick<Carry, 'subject' | 'moves'> {
  /** Permanent: the key under which they are carried once. */
  readonly number: number;
  readonly changedAtMs: number;
}

export interface SubscriptionFacts {
  readonly id: string;
  readonly plan: string;
  readonly market: string;
  /** The listener's role on the plan. */
  readonly role: string;
  /** Listener who pays. */
  readonly manager: string;
  /** Counting scope that all members share. */
  readonly household: string;
  /** lapsed: it gives nothing; grants beside it are suspended, and their time runs. */
  readonly status: 'active' | 'lapsed';
  /** Start of anchored windows: wall-clock time without an offset, and an IANA zone. */
  readonly anchor: { readonly wallTime: string; readonly zone: string };
  /** Start of its present plan, or of the last resume. */
  readonly givesSinceMs: number;
  /** When this listener joined it. */
  readonly memberSinceMs: number;
}

/** A purchase beside a plan: a month of an add-on, or a top-up. */
export interface GrantFacts {
  /** Permanent: its use is counted under it. */
  readonly id: string;
  /** Name of the AddOn. */
  readonly addOn: string;
  readonly feature: string;
  /** Units of the feature; for a recurring one, per period. */
  readonly amount: number;
  readonly createdMs: number;
  readonly validFromMs: number;
  readonly validUntilMs: number | undefined;
  /** Start of the periods of a recurring one. */
  readonly anchor: { readonly wallTime: string; readonly zone: string } | undefined;
  /**
   * Terms at the time of sale; they hold after the AddOn is gone. Undefined for purchases from before terms
   * were recorded.
   */
  readonly terms: GrantTerms | undefined;
}

/** The properties of an add-on that its use depends on. */
export interface GrantTerms {
  readonly title: string;
  readonly per?: string;
  readonly priority: number;
  readonly rollover?: DeclaredRollover;
  readonly whileLapsed: 'suspended' | 'kept';
}

/** A feature granted by hand, with a reason and an end. */
export interface OverrideFacts {
  readonly id: string;
  readonly feature: string;
  readonly limit: number | 'unlimited' | undefined;
  readonly value: unknown;
  readonly reason: string;
  readonly untilMs: number;
}

import type { UseMoves } from '../decisions/plan-change.ts';
import type { GrantTerms, PendingMoves, SubjectFacts } from '../rules/subject-facts.ts';

export interface Subscription {
  readonly id: string;
  readonly manager: string;
  readonly household: string;
  readonly plan: string;
  readonly market: string;
  readonly status: 'active' | 'lapsed' | 'ended';
  readonly anchor: { readonly wallTime: string; readonly zone: string };
  readonly planSince: string;
  readonly startedAt: string;
  readonly endedAt?: string;
  /** The agreed price and its revision at the time of purchase. */
  readonly price?: unknown;
  readonly members: readonly { readonly listener: string; readonly role: string; readonly since: string }[];
}

/** The full record of a listener, for support. */
export interface SubjectRecord {
  readonly listener: string;
  readonly version: number;
  readonly subscription?: Subscription;
  readonly grants: readonly GrantRecord[];
  readonly overrides: readonly OverrideRecord[];
  readonly changes: readonly {
    readonly at: string;
    readonly by: string;
    readonly action: string;
    readonly detail: unknown;
  }[];
}

export interface GrantRecord {
  readonly id: string;
  readonly addOn: string;
  readonly feature: string;
  readonly amount: number;
  readonly validFrom: string;
  readonly validUntil?: string;
  readonly recurring: boolean;
}

export interface OverrideRecord {
  readonly id: string;
  readonly feature: string;
  readonly limit?: number | 'unlimited';
  readonly value?: unknown;
  readonly reason: string;
  readonly until: string;
}

/**
 * A write of records: its actor, path, key and request. A repetition under the key gets the first answer for
 * 32 days; another request under it is refused with `http/key-reused`.
 */
export interface RecordWrite {
  readonly by: string;
  readonly path: string;
  readonly key: string;
  /** The request without its key. */
  readonly request: object;
}

/** A write that may change the terms of listeners. */
export interface TermsWrite extends RecordWrite {
  /** The use to carry, from each listener's former and present terms. */
  readonly movesOf: (after: SubjectFacts, nowMs: number) => readonly UseMoves[];
}

export interface NewSubscription {
  readonly plan: string;
  readonly market: string;
  readonly role: string;
  readonly anchor: { readonly wallTime: string; readonly zone: string };
  readonly price?: unknown;
}

export interface NewPlan {
  readonly plan: string;
  /** Role of the payer. */
  readonly role: string;
  readonly price?: unknown;
}

interface NewGrant {
  readonly addOn: string;
  readonly feature: string;
  readonly amount: number;
  readonly validUntilMs: number | undefined;
  readonly anchor: { readonly wallTime: string; readonly zone: string } | undefined;
  readonly terms: GrantTerms;
  readonly price?: unknown;
}

interface NewOverride {
  readonly feature: string;
  readonly limit?: number | 'unlimited';
  readonly value?: unknown;
  readonly reason: string;
  readonly until: Temporal.Instant;
}

/**
 * Records of listeners. Each change is one transaction: the record, the version of every affected listener,
 * the audit entry, the use to carry, and the answer under the key. Callbacks that decide the new state run
 * inside it, with the locked state and the database time.
 *
 * Operations on one record refuse `products/no-subscription`, `no-grant` or `no-override`; changes of an
 * ended subscription refuse `products/subscription-ended`.
 */
export interface SubjectStore {
  /** Facts that are known without a read; undefined where `facts` reads them, or has read a record. */
  readonly factsNow: (listener: string) => SubjectFacts | undefined;
  readonly facts: (listener: string) => Promise<SubjectFacts>;
  /** The same, bypassing the cache. */
  readonly freshFacts: (listener: string) => Promise<SubjectFacts>;
  readonly read: (listener: string) => Promise<SubjectRecord>;
  readonly subscription: (id: string) => Promise<Subscription>;
  /** Refuses `products/already-subscribed`. */
  readonly subscribe: (
    listener: string,
    write: TermsWrite,
    wish: (now: Temporal.Instant) => NewSubscription,
  ) => Promise<Subscription>;
  readonly changePlan: (
    id: string,
    write: TermsWrite,
    wish: (before: Subscription, now: Temporal.Instant) => NewPlan,
  ) => Promise<Subscription>;
  readonly setStatus: (id: string, status: Subscription['status'], write: TermsWrite) => Promise<Subscription>;
  /** Adds a listener, or changes the role of a member. Refuses `products/no-seat` and `already-subscribed`. */
  readonly addMember: (
    id: string,
    listener: string,
    write: TermsWrite,
    wish: (before: Subscription) => { readonly role: string; readonly seats: number },
  ) => Promise<Subscription>;
  /** Refuses `products/manager-stays`. */
  readonly removeMember: (id: string, listener: string, write: TermsWrite) => Promise<Subscription>;
  /** Refuses `products/too-many-grants`. */
  readonly grant: (
    listener: string,
    write: RecordWrite,
    wish: (facts: SubjectFacts, now: Temporal.Instant) => NewGrant,
  ) => Promise<GrantRecord>;
  /** Ends it now or at a later moment; its use stays counted. */
  readonly endGrant: (id: string, until: Temporal.Instant | undefined, write: RecordWrite) => Promise<GrantRecord>;
  readonly override: (
    listener: string,
    write: RecordWrite,
    wish: (now: Temporal.Instant) => NewOverride,
  ) => Promise<OverrideRecord>;
  readonly endOverride: (id: string, write: RecordWrite) => Promise<OverrideRecord>;
  /** Closes used-up grants to make room; nothing is taken from them any more. */
  readonly spend: (listener: string, grants: readonly string[]) => Promise<void>;
  /** Marks moves as done. */
  readonly markMoved: (moves: readonly PendingMoves[]) => Promise<void>;
  /** Registers a callback for listeners that this process changed, called after the commit. */
  readonly onChange: (changed: (listeners: readonly string[]) => void) => void;
  /** Removes expired answers; returns their number. Run hourly. */
  readonly tidy: () => Promise<number>;
  /** Erases a listener; returns the number of rows. A subscription with other members ends. */
  readonly erase: (listener: string) => Promise<number>;
}

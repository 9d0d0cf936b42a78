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
  /** What was agreed on when it was bought: the price and its revision. */
  readonly price?: unknown;
  readonly members: readonly { readonly listener: string; readonly role: string; readonly since: string }[];
}

/** Everything that is on record for a listener, as support reads it. */
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
 * A write of records: who does it, and what was asked at which path under which key. The same again under the key gives
 * the first answer again, for 32 days; anything else is refused with `http/key-reused`.
 */
export interface RecordWrite {
  readonly by: string;
  readonly path: string;
  readonly key: string;
  /** What was asked, but for the key. */
  readonly request: object;
}

/** A write that may change what listeners are on. */
export interface TermsWrite extends RecordWrite {
  /** Use that has to go along, by what each listener was on before and is on now. */
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
  /** What who pays is on it. */
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
 * Records of listeners. Each change is one transaction: the record, the version of every listener that it is about, the
 * entry that says who did it, the use that has to go along, and the answer that is given again under the key. Whoever
 * says what is to be is asked within it, and gets what is there and the time of the database.
 *
 * What is about one record refuses `products/no-subscription`, `no-grant` or `no-override`; changes of a subscription
 * that has ended refuse `products/subscription-ended`.
 */
export interface SubjectStore {
  readonly facts: (listener: string) => Promise<SubjectFacts>;
  /** The same, past all that is kept in memory. */
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
  /** Takes a listener onto it, or gives a member another role. Refuses `products/no-seat` and `already-subscribed`. */
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
  /** Ends it, now or at a moment to come; what was used of it stays used. */
  readonly endGrant: (id: string, until: Temporal.Instant | undefined, write: RecordWrite) => Promise<GrantRecord>;
  readonly override: (
    listener: string,
    write: RecordWrite,
    wish: (now: Temporal.Instant) => NewOverride,
  ) => Promise<OverrideRecord>;
  readonly endOverride: (id: string, write: RecordWrite) => Promise<OverrideRecord>;
  /** Grants of which everything is used make room for others: nothing is taken from them any more. */
  readonly spend: (listener: string, grants: readonly string[]) => Promise<void>;
  /** These moves of use are done. */
  readonly moved: (moves: readonly PendingMoves[]) => Promise<void>;
  /** Calls back with the listeners of whom something was changed here, once that is committed. */
  readonly onChange: (changed: (listeners: readonly string[]) => void) => void;
  /** Removes answers that are too old to be given again; gives how many. To be called every hour or so. */
  readonly tidy: () => Promise<number>;
  /** Everything of a listener; gives the number of rows. A subscription that others are on ends. */
  readonly erase: (listener: string) => Promise<number>;
}

import type { SubjectFacts } from '../rules/subject-facts.ts';

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

/** Who does it, under which key it is done once, and when. */
export interface Doing {
  readonly by: string;
  readonly key: string;
  readonly now: Temporal.Instant;
}

interface NewSubscription {
  readonly listener: string;
  readonly plan: string;
  readonly market: string;
  readonly role: string;
  readonly anchor: { readonly wallTime: string; readonly zone: string };
  readonly price?: unknown;
}

interface NewGrant {
  readonly listener: string;
  readonly addOn: string;
  readonly feature: string;
  readonly amount: number;
  readonly validFrom: Temporal.Instant;
  readonly validUntil: Temporal.Instant | undefined;
  readonly anchor: { readonly wallTime: string; readonly zone: string } | undefined;
  readonly price?: unknown;
}

interface NewOverride {
  readonly listener: string;
  readonly feature: string;
  readonly limit?: number | 'unlimited';
  readonly value?: unknown;
  readonly reason: string;
  readonly until: Temporal.Instant;
}

/**
 * Records of listeners. Each change is one transaction: the record, the version of every listener that it is about, and
 * the entry that says who did it. A key that was used before gives what is there now, and changes nothing.
 */
export interface SubjectStore {
  readonly facts: (listener: string) => Promise<SubjectFacts>;
  readonly read: (listener: string) => Promise<SubjectRecord>;
  /** Refuses `products/no-subscription`. */
  readonly subscription: (id: string) => Promise<Subscription>;
  readonly subscribe: (wish: NewSubscription, doing: Doing) => Promise<Subscription>;
  readonly changePlan: (
    id: string,
    to: { plan: string; role?: string; price?: unknown },
    doing: Doing,
  ) => Promise<Subscription>;
  readonly setStatus: (id: string, status: Subscription['status'], doing: Doing) => Promise<Subscription>;
  readonly addMember: (
    id: string,
    member: { listener: string; role: string },
    seats: number,
    doing: Doing,
  ) => Promise<Subscription>;
  readonly removeMember: (id: string, listener: string, doing: Doing) => Promise<Subscription>;
  readonly grant: (wish: NewGrant, doing: Doing) => Promise<GrantRecord>;
  readonly override: (wish: NewOverride, doing: Doing) => Promise<OverrideRecord>;
  /** Everything of a listener; gives the number of rows. A subscription that others are on ends. */
  readonly erase: (listener: string) => Promise<number>;
}

import { contentHash } from '#kernel/base/ids.ts';
import type { HoldKind } from './book.ts';
import type { Carry, Commit, Extend, Refund, Release, Source, Trim } from './contract.ts';
import type { Manner } from './deduct.ts';

/** Requested units of one quota. */
export interface Item extends Source {
  readonly subject: string;
  readonly amount: number;
}

/** Takes units: consume, batch, reserve, and operations built on them. */
export interface Charge {
  readonly subject: string;
  readonly key: string;
  readonly items: readonly Item[];
  readonly manner: Manner;
  readonly usedAtMs?: number;
  readonly countsAtMs?: number;
  readonly isOfOldPlan?: boolean;
  /** Without limit: takes no units. Not compared under the key. */
  readonly isFree?: boolean;
  /** The request, where the items are only a part of it. */
  readonly request?: string;
  /** When the units may come back: who has them, and until when. All items of it have the same amount. */
  readonly hold?: { readonly kind: HoldKind; readonly owner: string } & (
    | { readonly ttlMs: number }
    | { readonly untilMs: number }
  );
}

export type ChargeOperation = { readonly kind: 'charge' } & Charge;

/** An operation of the store, decided in sequence. Plain data; takes effect once under its key. */
export type Operation =
  | ChargeOperation
  | ({ readonly kind: 'extend' } & Extend)
  /**
   * `late`: also after the reservation ended; then all of it is new use. `ended`: by another caller than its owner, so
   * only when no unit of it can be outstanding.
   */
  | ({ readonly kind: 'commit'; readonly late?: boolean; readonly ended?: boolean } & Commit)
  | ({ readonly kind: 'trim' } & Trim)
  | ({ readonly kind: 'release' } & Release)
  | ({ readonly kind: 'refund' } & Refund)
  | ({ readonly kind: 'carry' } & Carry);

/** Longer texts are stored as their hash, which begins with no bracket. */
const FINGERPRINT_LENGTH_MAX = 64;

/** The fingerprint of a request: everything but the buckets. Equal fingerprints are the same request. */
export function fingerprintOf(operation: Operation): string {
  const text = JSON.stringify(payloadOf(operation));
  // Names of other subjects are hashed: an erasure would have to find them here too.
  const isOwn = operation.kind !== 'charge' || operation.items.every(({ subject }) => subject === operation.subject);
  return isOwn && text.length <= FINGERPRINT_LENGTH_MAX ? text : contentHash(text);
}

/** The fingerprint of the most frequent charge: one quota of the subject itself, all or nothing, now. */
export function plainFingerprint(quota: string, amount: number): string {
  const item = { subject: '', quota, amount, buckets: [] };
  return fingerprintOf({ kind: 'charge', subject: '', key: '', manner: 'whole', items: [item] });
}

function payloadOf(operation: Operation): unknown {
  const { kind } = operation;
  switch (kind) {
    case 'charge': {
      const { items, manner, usedAtMs, hold, request } = operation;
      if (request !== undefined) return [kind, 'request', request];
      const units = items.map(({ subject, quota, amount }) => {
        // Names are never empty: this one stands for the subject of the operation.
        return [quota, amount, subject === operation.subject ? '' : subject];
      });
      if (hold === undefined) return usedAtMs === undefined ? [kind, units, manner] : [kind, units, manner, usedAtMs];
      // The catalogue gives the duration of a lease, and may change between two tries.
      if (hold.kind === 'offline') return [kind, units, hold.kind, hold.owner];
      return [kind, units, manner, usedAtMs, hold.kind, hold.owner, 'ttlMs' in hold ? hold.ttlMs : [hold.untilMs]];
    }
    case 'extend':
      return [kind, operation.of, operation.ttlMs];
    case 'commit':
      return [kind, operation.of, operation.amount, operation.over];
    case 'trim':
      return [kind, operation.of, operation.amount];
    case 'release':
      return [kind, operation.of];
    case 'refund':
      return [kind, operation.of, operation.amount];
    case 'carry':
      return [kind, operation.moves.map(({ from, to, onPlanChange }) => [from.id, to.id, onPlanChange])];
  }
}

/** Buckets whose counters the operation may read, by subject. */
export function bucketsOf(operation: Operation): readonly (readonly [subject: string, bucket: string])[] {
  const { kind, subject } = operation;
  switch (kind) {
    case 'charge':
      return operation.items.flatMap(({ subject: of, buckets }) => {
        // Late use also counts where the earlier use has moved.
        const all = buckets.flatMap(({ id, replaces = [] }) =>
          operation.isOfOldPlan === true ? [id, ...replaces] : [id],
        );
        return all.map((id) => [of, id] as const);
      });
    case 'carry':
      return operation.moves.flatMap(({ from, to }) => [[subject, from.id] as const, [subject, to.id] as const]);
    case 'extend':
    case 'trim':
      return [];
    default:
      return (operation.buckets ?? []).map(({ id }) => [subject, id] as const);
  }
}

/** Subjects that the request names; some of them twice. */
export function subjectsOf(operation: Operation): readonly string[] {
  if (operation.kind !== 'charge') return [operation.subject];
  return [operation.subject, ...operation.items.map(({ subject }) => subject)];
}

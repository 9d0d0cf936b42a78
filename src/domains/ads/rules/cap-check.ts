import { exposuresOf, isFull, withoutEnded, type AdHistory } from './ad-history.ts';
import { cappedUntilMs, countedScope, type CapScope, type FrequencyCap, type OwnerCaps } from './frequency.ts';

/** Histories of a question, of those scopes that it names. */
type ScopedHistories = ReadonlyMap<CapScope, { readonly history: AdHistory }>;

/**
 * frequency cap: one more exposure would exceed a cap. frequency unknown: no history to count in, as the question names
 * nobody, or there is no database.
 */
export type CapObstacle = 'frequency cap' | 'frequency unknown';

/** Tells of caps whether they hold now. Each owner is counted once, however many of its ad sets are candidates. */
export function capCheck(
  histories: ScopedHistories,
  nowMs: number,
): (caps: readonly OwnerCaps[]) => CapObstacle | undefined {
  const counted = new Map<number, CapObstacle | undefined>();
  // An exposure of a shorter window may be in its row for some more time; it counts no more.
  const known = new Map<CapScope, AdHistory>();
  for (const [scope, { history }] of histories) known.set(scope, withoutEnded(history, nowMs));
  return (all) => {
    for (const { owner, caps } of all) {
      if (!counted.has(owner)) counted.set(owner, count(owner, caps));
      const obstacle = counted.get(owner);
      if (obstacle !== undefined) return obstacle;
    }
    return undefined;
  };

  function count(owner: number, caps: readonly FrequencyCap[]): CapObstacle | undefined {
    for (const [scope, own] of capsByScope(caps, histories)) {
      const history = scope && known.get(scope);
      if (history === undefined) return 'frequency unknown';
      if (isFull(history) || nowMs < cappedUntilMs(own, exposuresOf(history, owner))) return 'frequency cap';
    }
    return undefined;
  }
}

/** Where an exposure of an ad set is counted: its capped owners, and how long it counts, for each scope. */
export function countedOwners(
  all: readonly OwnerCaps[],
  histories: ScopedHistories,
): ReadonlyMap<CapScope, { readonly owners: readonly number[]; readonly keepMs: number }> {
  const counted = new Map<CapScope, { owners: number[]; keepMs: number }>();
  for (const { owner, caps } of all) {
    for (const [scope, own] of capsByScope(caps, histories)) {
      if (scope === undefined) continue;
      const place = counted.get(scope) ?? { owners: [], keepMs: 0 };
      place.owners.push(owner);
      place.keepMs = Math.max(place.keepMs, ...own.map(({ windowMs }) => windowMs));
      counted.set(scope, place);
    }
  }
  return counted;
}

function capsByScope(
  caps: readonly FrequencyCap[],
  histories: ScopedHistories,
): ReadonlyMap<CapScope | undefined, readonly FrequencyCap[]> {
  return Map.groupBy(caps, ({ scope }) => countedScope(scope, (one) => histories.has(one)));
}

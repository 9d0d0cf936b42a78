import type { Origin } from './form.ts';

/** The writes of an object's declaration, the latest last. */
export type Origins = readonly [Origin, ...Origin[]];

export interface DeclaredItem<Item> {
  readonly item: Item;
  readonly origins: Origins;
}

/** Objects that were declared together. */
export interface WriteGroup<Item> {
  /** The latest of the last writes of its items. */
  readonly origin: Origin;
  readonly writes: ReadonlySet<number>;
  readonly items: readonly Item[];
}

/**
 * Groups items that share a write, directly or through other items. Keeps the order of items; groups are in the order of their
 * first item. Pure.
 */
export function groupByWrite<Item>(declared: readonly DeclaredItem<Item>[]): WriteGroup<Item>[] {
  const leaders = new Map<number, number>();
  for (const { origins } of declared) {
    const [first, ...others] = origins;
    for (const { write } of others) leaders.set(leaderOf(write, leaders), leaderOf(first.write, leaders));
  }
  const groups = new Map<number, { origin: Origin; writes: Set<number>; items: Item[] }>();
  for (const { item, origins } of declared) {
    const leader = leaderOf(origins[0].write, leaders);
    const last = origins.at(-1) ?? origins[0];
    const group = groups.get(leader) ?? { origin: last, writes: new Set(), items: [] };
    groups.set(leader, group);
    if (last.version > group.origin.version) group.origin = last;
    for (const { write } of origins) group.writes.add(write);
    group.items.push(item);
  }
  return [...groups.values()];
}

/** The representative of the writes that are joined with a write (union-find with path compression). */
function leaderOf(write: number, leaders: Map<number, number>): number {
  let leader = write;
  for (let next = leaders.get(leader); next !== undefined && next !== leader; next = leaders.get(leader)) leader = next;
  for (let at = write; at !== leader;) {
    const next = leaders.get(at) ?? leader;
    leaders.set(at, leader);
    at = next;
  }
  return leader;
}

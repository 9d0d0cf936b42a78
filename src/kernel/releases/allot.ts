import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { Overlay, liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Candidate, HoldReasons } from './settle.ts';

/**
 * Gives each candidate its allotment of scarce things, in the order of names; deleted and shrinking objects make room first. Pure.
 *
 * @returns the candidates with their allotments, and those for which too little was left, with reasons.
 */
export function allot(
  live: LiveObjects,
  candidates: readonly Candidate[],
  held: ReadonlyMap<LiveKey, HoldReasons>,
  kinds: KindRegistry,
): { readonly allotted: ReadonlyMap<LiveKey, LiveObject>; readonly short: ReadonlyMap<LiveKey, HoldReasons> } {
  const allotted = new Map<LiveKey, LiveObject>();
  const short = new Map<LiveKey, HoldReasons>();
  const sharing = candidates.filter(
    ({ kind, name }) => kinds.byId(kind).allot !== undefined && !held.has(liveKey(kind, name)),
  );
  if (sharing.length === 0) return { allotted, short };
  const world = new Overlay(live, kinds);
  // Other candidates of the same step count too, and deleted ones make room.
  for (const candidate of candidates) {
    const { kind, name, wanted } = candidate;
    const isThere = !held.has(liveKey(kind, name)) && (wanted === undefined || !sharing.includes(candidate));
    if (isThere) world.put(kind, name, wanted);
  }
  const open = sharing.flatMap(({ wanted }) => (wanted === undefined ? [] : [wanted]));
  // Two passes: a shrinking object may come after one that needs its room.
  for (const last of [false, true]) {
    for (const wanted of open.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const key = liveKey(wanted.kind, wanted.name);
      if (allotted.has(key)) continue;
      const given = kinds.byId(wanted.kind).allot?.(wanted, world, live.get(wanted.kind, wanted.name));
      if (given === undefined) continue;
      if ('problems' in given) {
        if (last) short.set(key, given.problems);
        continue;
      }
      const object = given.allotment === undefined ? wanted : { ...wanted, allotment: given.allotment };
      allotted.set(key, object);
      world.put(wanted.kind, wanted.name, object);
    }
  }
  return { allotted, short };
}

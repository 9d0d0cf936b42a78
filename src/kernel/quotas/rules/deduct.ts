import { byOrder, remainingOf, type Standing } from './bucket.ts';

/**
 * whole: all of the amount or nothing. partial: what there is, if anything. record: it was used already, so it is
 * written down, beyond the limit if need be.
 */
export type Manner = 'whole' | 'partial' | 'record';

/** What is taken from one bucket. */
export interface Taking<From extends Standing> {
  readonly standing: From;
  readonly amount: number;
}

/**
 * What is taken from which bucket, in order; undefined when it is denied, and then nothing is. All buckets given are in
 * force. An amount of 0 takes nothing, and is never denied.
 *
 * What no bucket has goes to the last one with a soft limit; with `record`, where there is none, to the last of all.
 */
export function deduct<From extends Standing>(
  standings: readonly From[],
  amount: number,
  manner: Manner,
): readonly Taking<From>[] | undefined {
  const ordered = standings.length === 1 ? standings : standings.toSorted((a, b) => byOrder(a.bucket, b.bucket));
  const takings: Taking<From>[] = [];
  let missing = amount;
  for (const standing of ordered) {
    const taken = Math.min(missing, remainingOf(standing));
    if (taken === 0) continue;
    takings.push({ standing, amount: taken });
    missing -= taken;
  }
  if (missing === 0) return takings;
  const beyond = ordered.findLast(({ bucket }) => bucket.overage === true) ?? (manner === 'record' && ordered.at(-1));
  if (!beyond) return manner === 'partial' && missing < amount ? takings : undefined;
  const own = takings.findIndex(({ standing }) => standing === beyond);
  const total = missing + (takings[own]?.amount ?? 0);
  // Counters are exact up to here; nobody uses that much of anything.
  if (beyond.used + total > Number.MAX_SAFE_INTEGER) return undefined;
  return [...(own === -1 ? takings : takings.toSpliced(own, 1)), { standing: beyond, amount: total }];
}

/** A line of a receipt, as far as giving back is concerned. */
export interface Returnable {
  readonly amount: number;
  /** What was given back of it before. */
  readonly returned: number;
  /** Its bucket is gone, or its window is closed. */
  readonly isGone: boolean;
}

/**
 * How much is given back to each line: last in, first out, passing over those that are gone. What fits nowhere is lost;
 * more than was taken is never given back.
 */
export function giveBack(lines: readonly Returnable[], amount: number): readonly number[] {
  let left = amount;
  const back = lines.map(() => 0);
  for (const [index, line] of [...lines.entries()].reverse()) {
    if (line.isGone) continue;
    const given = Math.min(left, line.amount - line.returned);
    back[index] = given;
    left -= given;
  }
  return back;
}

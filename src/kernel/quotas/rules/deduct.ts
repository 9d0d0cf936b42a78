import { byOrder, remainingOf, type BucketUse } from './bucket.ts';

/**
 * whole: all of the amount or nothing. partial: the available units, if any. record: the units were used already, and
 * are recorded beyond any limit.
 */
export type Manner = 'whole' | 'partial' | 'record';

/** Units to take from one bucket. */
export interface Deduction<From extends BucketUse> {
  readonly use: From;
  readonly amount: number;
}

/**
 * Units to take from each bucket, in order; undefined for a denial, which takes nothing. All given buckets are in
 * force. An amount of 0 takes nothing, and is never denied.
 *
 * The last bucket with a soft limit takes the units that no bucket has; with `record` and without a soft limit, the
 * last of all does.
 */
export function deduct<From extends BucketUse>(
  uses: readonly From[],
  amount: number,
  manner: Manner,
): readonly Deduction<From>[] | undefined {
  const ordered = uses.length === 1 ? uses : uses.toSorted((a, b) => byOrder(a.bucket, b.bucket));
  const deductions: Deduction<From>[] = [];
  let missing = amount;
  for (const use of ordered) {
    const taken = Math.min(missing, remainingOf(use));
    if (taken === 0) continue;
    deductions.push({ use, amount: taken });
    missing -= taken;
  }
  if (missing === 0) return deductions;
  const beyond = ordered.findLast(({ bucket }) => bucket.overage === true) ?? (manner === 'record' && ordered.at(-1));
  if (!beyond) return manner === 'partial' && missing < amount ? deductions : undefined;
  const own = deductions.findIndex(({ use }) => use === beyond);
  const total = missing + (deductions[own]?.amount ?? 0);
  // Counters are exact up to here; no real use reaches it.
  if (beyond.used + total > Number.MAX_SAFE_INTEGER) return undefined;
  return [...(own === -1 ? deductions : deductions.toSpliced(own, 1)), { use: beyond, amount: total }];
}

/** The part of a receipt line that a return needs. */
export interface Returnable {
  readonly amount: number;
  /** Units given back of it before. */
  readonly returned: number;
  /** Its bucket is gone, or its window is closed. */
  readonly isGone: boolean;
}

/**
 * Units to give back to each line: last in, first out, past lines that are gone. Units without a place are lost; a line
 * never gets back more than it took.
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

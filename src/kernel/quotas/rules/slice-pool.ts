/** Units of a budget that this node may reserve from memory. Times are of its own steady clock, unless they say otherwise. */
export interface Slice {
  readonly key: string;
  readonly amount: number;
  /** After this moment no unit of it is reserved: others may then count on its written state. */
  readonly usableUntilMs: number;
  /** Until when its units may be settled, by the time of the database. */
  readonly settledUntilMs: number;
  reserved: number;
  isRecalled: boolean;
}

/** The slices of one budget, the oldest first. */
export interface Pool {
  readonly slices: Slice[];
}

/** Whether one slice has so many units now. */
export function hasUnits({ slices }: Pool, amount: number, nowMs: number): boolean {
  return slices.some((slice) => isUsable(slice, nowMs) && slice.amount - slice.reserved >= amount);
}

/** Reserves from the first slice that has so many units: what settles them names one slice. */
export function reserveFrom({ slices }: Pool, amount: number, nowMs: number): Slice | undefined {
  for (const slice of slices) {
    if (!isUsable(slice, nowMs) || slice.amount - slice.reserved < amount) continue;
    slice.reserved += amount;
    return slice;
  }
  return undefined;
}

/** Units that can be reserved now. */
export function leftIn({ slices }: Pool, nowMs: number): number {
  let left = 0;
  for (const slice of slices) if (isUsable(slice, nowMs)) left += slice.amount - slice.reserved;
  return left;
}

function isUsable({ isRecalled, usableUntilMs }: Slice, nowMs: number): boolean {
  return !isRecalled && nowMs < usableUntilMs;
}

/** Removes the slices that are over: all reserved, recalled, or past their time. Their rest goes back. */
export function takeOver({ slices }: Pool, nowMs: number): readonly Slice[] {
  const over = slices.filter((slice) => !isUsable(slice, nowMs) || slice.reserved === slice.amount);
  for (const slice of over) slices.splice(slices.indexOf(slice), 1);
  return over;
}

/**
 * Units of the next slice: as many as this node has lately used in the life of one, but a share of the remaining budget at
 * most, and a multiple of the amount. Slices shrink as it runs out, and no node sits on units that others need.
 *
 * @param recent units that the next slice would last for, by the use of the last ones; 0 for the first slice
 * @param remaining of the budget, at the last answer
 */
export function sliceSize(
  amount: number,
  { recent, remaining }: { readonly recent: number; readonly remaining: number },
  { share, firstCharges }: { readonly share: number; readonly firstCharges: number },
): number {
  const wanted = recent === 0 ? amount * firstCharges : recent;
  const most = Math.min(wanted, remaining / share);
  // No rest that nobody can use.
  return Math.max(amount, most - (most % amount));
}

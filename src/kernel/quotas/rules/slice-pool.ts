/** Units of a budget that this node may spend from memory. Times are of its own steady clock. */
export interface Slice {
  readonly key: string;
  readonly amount: number;
  /** After this moment no unit of it is spent: others may then count on its written state. */
  readonly usableUntilMs: number;
  spent: number;
  isRecalled: boolean;
}

/** The slices of one budget, the oldest first. */
export interface Pool {
  readonly slices: Slice[];
}

/** Spends from the slices, the oldest first, all or nothing. The hot path: no promise, no object. */
export function spendFrom({ slices }: Pool, amount: number, nowMs: number): boolean {
  const [first] = slices;
  if (first !== undefined && isUsable(first, nowMs) && first.amount - first.spent >= amount) {
    first.spent += amount;
    return true;
  }
  if (leftIn({ slices }, nowMs) < amount) return false;
  let missing = amount;
  for (const slice of slices) {
    if (!isUsable(slice, nowMs)) continue;
    const taken = Math.min(missing, slice.amount - slice.spent);
    slice.spent += taken;
    missing -= taken;
  }
  return true;
}

/** Units that can be spent now. */
export function leftIn({ slices }: Pool, nowMs: number): number {
  let left = 0;
  for (const slice of slices) if (isUsable(slice, nowMs)) left += slice.amount - slice.spent;
  return left;
}

function isUsable({ isRecalled, usableUntilMs }: Slice, nowMs: number): boolean {
  return !isRecalled && nowMs < usableUntilMs;
}

/** Removes the slices that are over: spent, recalled, or past their time. Their rest goes back. */
export function takeOver({ slices }: Pool, nowMs: number): readonly Slice[] {
  const over = slices.filter((slice) => !isUsable(slice, nowMs) || slice.spent === slice.amount);
  for (const slice of over) slices.splice(slices.indexOf(slice), 1);
  return over;
}

/**
 * Units to ask for: a share of the remaining budget. Slices shrink as it runs out, and no node sits on units that
 * others need.
 *
 * @param remaining of the budget, at the last answer
 */
export function sliceSize(
  amount: number,
  remaining: number,
  { share, unitsMax }: { readonly share: number; readonly unitsMax: number },
): number {
  return Math.max(amount, Math.min(unitsMax, Math.floor(remaining / share)));
}

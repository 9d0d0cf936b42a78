/**
 * Splits a whole in proportion to weights (none negative, at least one positive). Each share is rounded down;
 * the remaining units go to the largest remainders, the earlier first among equals. The shares sum to the
 * whole.
 */
export function allocate(total: bigint, weights: readonly bigint[]): readonly bigint[] {
  const sum = weights.reduce((all, weight) => all + weight, 0n);
  if (sum <= 0n || weights.some((weight) => weight < 0n))
    throw new RangeError('weights must be zero or more, not all zero');
  if (total < 0n) return allocate(-total, weights).map((share) => -share);
  const shares = weights.map((weight) => (total * weight) / sum);
  const left = Number(total - shares.reduce((all, share) => all + share, 0n));
  const byRemainder = weights
    .map((weight, index) => ({ index, remainder: (total * weight) % sum }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
  const lucky = new Set(byRemainder.slice(0, left).map(({ index }) => index));
  return shares.map((share, index) => (lucky.has(index) ? share + 1n : share));
}

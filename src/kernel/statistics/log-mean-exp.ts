/** ln of a term that changes no digit of a sum with 1. */
const NOTHING = -40;

/** ln of the mean of e^x, for terms beyond the range of e^x. */
export function logMeanExp(terms: readonly number[]): number {
  let max = -Infinity;
  for (const term of terms) if (term > max) max = term;
  let sum = 0;
  for (const term of terms) if (term - max > NOTHING) sum += Math.exp(term - max);
  return max + Math.log(sum / terms.length);
}

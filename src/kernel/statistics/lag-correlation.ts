/** Neighbours with a higher correlation do not show how long it lasts. */
export const CORRELATION_MAX = 0.97;

/** Correlation of neighbours, of values whose mean is taken to be 0; 0 where all of them are. */
export function lagCorrelation(values: readonly number[]): number {
  const squares = values.reduce((sum, value) => sum + value ** 2, 0);
  const products = values.reduce((sum, value, index) => sum + value * (values[index + 1] ?? 0), 0);
  return squares === 0 ? 0 : products / squares;
}

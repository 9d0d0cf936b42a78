const STABILITIES = ['alpha', 'beta', ''] as const;

/**
 * Sorts versions as Kubernetes does, the most preferred first: `v2`, `v1`, `v2beta1`, `v1beta2`, `v1alpha1`, then all others by
 * their text.
 */
export function comparePriority(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  if (left === undefined || right === undefined) {
    return left === right ? (a < b ? -1 : Number(a > b)) : left === undefined ? 1 : -1;
  }
  for (const [index, rank] of left.entries()) {
    const difference = (right[index] ?? 0) - rank;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Stability, major, minor; undefined for a version of another form. */
function rankOf(version: string): readonly number[] | undefined {
  const match = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (match === null) return undefined;
  const [, major, stability = '', minor = '0'] = match;
  return [STABILITIES.findIndex((one) => one === stability), Number(major), Number(minor)];
}

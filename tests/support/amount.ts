/**
 * How much a long test does: `usual` in every run, `long` by `npm run test:long -- PATH…`. BACKLINE_TEST_AMOUNT says
 * another number, for a failure that is looked for.
 */
export function amount({ usual, long }: { readonly usual: number; readonly long: number }): number {
  const asked = process.env['BACKLINE_TEST_AMOUNT'];
  if (asked !== undefined) return Number(asked);
  return isLong() ? long : usual;
}

/** Whether tests run in their long versions. */
export function isLong(): boolean {
  return process.env['BACKLINE_TEST_LONG'] !== undefined;
}

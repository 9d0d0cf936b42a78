import { SHARE_TOTAL, type Cohort, type CohortSlice } from './cohort.ts';

/** Who is in a cohort, for people: `10 % of households in audience early in markets de, se`. */
export function cohortInWords({ unit, slices }: Cohort): string {
  return slices.map((slice) => sliceInWords(`${unit}s`, slice)).join(', and ');
}

function sliceInWords(units: string, { audience, markets, share }: CohortSlice): string {
  const who = share === SHARE_TOTAL ? `all ${units}` : `${(share * 100) / SHARE_TOTAL} % of ${units}`;
  const whom = audience === undefined ? '' : ` in audience ${audience}`;
  const where = markets === undefined ? '' : ` in ${markets.length === 1 ? 'market' : 'markets'} ${markets.join(', ')}`;
  return `${who}${whom}${where}`;
}

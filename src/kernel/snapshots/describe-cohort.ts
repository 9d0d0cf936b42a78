import { SHARE_TOTAL, type Cohort, type CohortSlice } from './cohort.ts';

/** Who is in a cohort, for people: `10 % of units in audience early, region north or south`. */
export function cohortInWords({ unit, slices }: Cohort): string {
  return slices.map((slice) => sliceInWords(`${unit}s`, slice)).join(', and ');
}

function sliceInWords(units: string, { audience, facts = {}, share }: CohortSlice): string {
  const who = share === SHARE_TOTAL ? `all ${units}` : `${(share * 100) / SHARE_TOTAL} % of ${units}`;
  const places = [
    ...(audience === undefined ? [] : [`audience ${audience}`]),
    ...Object.entries(facts).map(([name, values]) => `${name} ${values.join(' or ')}`),
  ];
  return places.length === 0 ? who : `${who} in ${places.join(', ')}`;
}

import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { CohortSubject } from '#kernel/snapshots/cohort-membership.ts';

/** Context attribute that, beside targetingKey, selects release cohorts. */
const HOUSEHOLD = 'household';
const MARKET = 'market';

/** The cohort subject of a context. It ignores the record: flags use only the context. */
export function subjectOfContext(context: Context): CohortSubject {
  const listener = textIn(context, TARGETING_KEY);
  return {
    // A listener without a known household is a household of one.
    units: { listener, household: textIn(context, HOUSEHOLD) ?? listener },
    facts: { market: textIn(context, MARKET) },
    context,
  };
}

function textIn(context: Context, name: string): string | undefined {
  const value = context[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

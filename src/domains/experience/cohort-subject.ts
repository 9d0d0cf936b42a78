import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { CohortSubject } from '#kernel/snapshots/cohort-membership.ts';

/** Attributes by which releases go beside the targetingKey, where the app says them. */
const HOUSEHOLD = 'household';
const MARKET = 'market';

/** Whom a context is about. What is on record is not looked at: flags answer with what the app knows. */
export function subjectOfContext(context: Context): CohortSubject {
  const listener = textIn(context, TARGETING_KEY);
  return {
    // A listener of whom no household is known is a household of one.
    units: { listener, household: textIn(context, HOUSEHOLD) ?? listener },
    facts: { market: textIn(context, MARKET) },
    context,
  };
}

function textIn(context: Context, name: string): string | undefined {
  const value = context[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

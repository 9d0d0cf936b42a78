import type { CheckAnswer as Standing } from '#kernel/quotas/rules/contract.ts';
import { grantInWords } from '../rules/entitlement.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { rolloverInWords } from '../rules/rollover.ts';
import { timeInWords } from '../rules/times.ts';
import { windowInWords } from '../rules/windows.ts';
import { bucketsFor, type MeteredUse, type UseQuestion } from './buckets-for.ts';
import { describeUsage } from './describe-usage.ts';
import { planNamed } from './lookup.ts';
import type { ProductsTable, Source } from './table.ts';

export interface Step {
  /** The object that decided, at its live revision. */
  readonly object: Source;
  readonly says: string;
}

/** Facts of a listener that an explanation may use. */
export interface RecordedUse {
  readonly facts: SubjectFacts;
  readonly device?: string | undefined;
  /** Answer of the quotas for the feature. */
  readonly standing?: Pick<Standing, 'balances'>;
}

const COUNTED_FOR = {
  listener: 'this listener alone',
  household: 'all members of the subscription together',
  device: 'this device',
  role: 'all members with this role together',
} as const;
const AT_LIMIT = {
  hard: 'beyond it, use is denied',
  soft: 'beyond it, use goes on and answers report it',
  degrade: 'beyond it, it degrades',
} as const;

/**
 * Explains the count of a feature for a listener: the record, the cap, each source of units and the remaining
 * units.
 */
export function explainUse(
  table: ProductsTable,
  question: UseQuestion & { readonly plan: string },
  { facts, device, standing }: RecordedUse,
  now: Temporal.Instant,
): readonly Step[] {
  const { source } = planNamed(table, question.plan);
  const use = bucketsFor(table, { ...question, device: question.device ?? device }, facts, now.epochMilliseconds);
  const onRecord = { object: source, says: recordInWords(facts, question.plan) };
  const notes = use.notes.map((says) => ({ object: source, says }));
  if (!use.metered) return [onRecord, { object: source, says: use.reason.message }, ...notes];
  const object = use.cap?.source ?? source;
  return [
    onRecord,
    { object, says: limitInWords(use) },
    ...use.buckets.map((bucket, index) => {
      const origin = use.origins.get(bucket.id);
      const ends = bucket.validUntilMs === undefined ? '' : `, until ${timeInWords(bucket.validUntilMs, use.zone)}`;
      const waits = bucket.suspended === true ? ', suspended without a subscription' : '';
      const what = `${bucket.limit} ${use.unit} ${windowInWords(bucket.window)} from ${origin?.title ?? bucket.id}`;
      const addOn = facts.grants.find(({ id }) => id === origin?.record)?.addOn;
      const declared = addOn === undefined ? undefined : table.addOns.get(addOn)?.source;
      return { object: declared ?? object, says: `Taken from in place ${index + 1}: ${what}${ends}${waits}.` };
    }),
    ...notes,
    ...(standing === undefined ? [] : [{ object, says: describeUsage(use, standing).sentence }]),
  ];
}

function recordInWords({ listener, subscription }: SubjectFacts, plan: string): string {
  if (subscription === undefined) return `"${listener}" has no subscription, so ${plan} applies.`;
  if (subscription.status === 'lapsed') return `The subscription of "${listener}" has lapsed, so ${plan} applies.`;
  return `"${listener}" is on ${subscription.plan} as ${subscription.role}, in the market ${subscription.market}.`;
}

function limitInWords({ title, unit, plan, cap, grant, scope, enforcement }: MeteredUse): string {
  if (plan === undefined) return `The plan gives no ${title}; only grants and overrides apply.`;
  const rule = `counted for ${COUNTED_FOR[scope.kind]}; ${AT_LIMIT[enforcement]}`;
  const goesOn = plan.rollover === undefined ? '' : `; ${rolloverInWords(plan.rollover, unit)}`;
  const limit = `${plan.limit} ${unit} ${windowInWords(plan.window)}`;
  return cap === undefined
    ? `No cap is declared for this listener, so ${grantInWords(grant, grant)} is the limit, ${rule}.`
    : `The cap "${cap.name}" limits ${title} to ${limit}, ${rule}${goesOn}.`;
}

import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import type { CohortSubject } from '#kernel/snapshots/cohort-membership.ts';
import type { DecisionModule } from '#kernel/snapshots/module.ts';
import type { ProductsTable } from './decisions/table.ts';
import type { SubjectFacts } from './rules/subject-facts.ts';
import type { Desk } from './usage-desk.ts';

/** Outcomes that give the listener less than the request asked for. */
const DENIALS: ReadonlySet<unknown> = new Set(['deny', 'degrade', 'upsell']);

export function isDenial(answer: object): boolean {
  return 'outcome' in answer && DENIALS.has(answer.outcome);
}

/** Attributes of the listener that the question names. */
type ListenerAttributes = Readonly<
  Partial<Record<'listener' | 'household' | 'plan' | 'role' | 'market' | 'territory', string | undefined>>
>;

/**
 * Resolves the cohort subject of a question about products. The record wins over the question, so every
 * question of a listener is answered from the same world. A lapsed subscription keeps its household: pausing
 * moves nobody. Without a database, a listener is a household of one.
 */
export function cohortSubjects(desk: Desk | undefined): NonNullable<DecisionModule<ProductsTable>['subjectOf']> {
  return (table, input) => {
    const asked = isRecord(input) ? input : {};
    const known = knownIn(table, asked);
    if (desk !== undefined && known.listener !== undefined) return onRecord(desk, known.listener, known);
    const subscription = textIn(asked, 'subscription');
    if (desk !== undefined && subscription !== undefined) return ofSubscription(desk, subscription);
    return subjectOf(known);
  };
}

function onRecord(
  { subjects }: Desk,
  listener: string,
  asked: ListenerAttributes,
): CohortSubject | Promise<CohortSubject> {
  const known = subjects.factsNow(listener);
  if (known !== undefined) return byRecord(known, asked);
  return subjects.facts(listener).then((facts) => byRecord(facts, asked));
}

function byRecord({ listener, subscription }: SubjectFacts, asked: ListenerAttributes): CohortSubject {
  if (subscription === undefined) return subjectOf(asked);
  const { household, plan, role, market, status } = subscription;
  if (status !== 'active') return subjectOf({ ...asked, household });
  return subjectOf({ listener, household, plan, role, market });
}

async function ofSubscription({ subjects }: Desk, id: string): Promise<CohortSubject> {
  const { manager, household, plan, market } = await subjects.subscription(id);
  return subjectOf({ listener: manager, household, plan, market });
}

function subjectOf({ listener, ...known }: ListenerAttributes): CohortSubject {
  const { household, market } = known;
  return {
    units: unitsOf({ listener, household }),
    facts: { market },
    context: { ...known, [TARGETING_KEY]: listener },
  };
}

/** A listener without a known household is a household of one. */
function unitsOf({ listener, household }: Pick<ListenerAttributes, 'listener' | 'household'>): CohortSubject['units'] {
  return { listener, household: household ?? listener };
}

function knownIn(table: ProductsTable, asked: Readonly<Record<string, unknown>>): ListenerAttributes {
  const territory = textIn(asked, 'territory');
  return {
    listener: textIn(asked, 'listener'),
    plan: textIn(asked, 'plan'),
    role: textIn(asked, 'role'),
    market: textIn(asked, 'market') ?? (territory === undefined ? undefined : table.marketOfTerritory.get(territory)),
    territory,
  };
}

function textIn(asked: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = asked[name];
  return typeof value === 'string' ? value : undefined;
}

import { Type, type Static } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { durationProblems, durationText } from '#kernel/kinds/schema/duration.ts';

const name = (description: string) => Type.String({ minLength: 1, maxLength: 253, description });
const query = (description: string) => Type.String({ minLength: 1, maxLength: 4_000, description });

export const GuardrailSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', description: 'What it is called here.' }),
    metric: Type.Optional(name('A Metric: units with such an event, of the units that were asked about.')),
    decisions: Type.Optional(
      Type.Enum(['denied', 'failed'], {
        description: 'Answers of the decision plane that were a denial or a failure.',
      }),
    ),
    prometheus: Type.Optional(
      Type.Object(
        {
          source: name('A PrometheusSource.'),
          bad: Type.Optional(
            query(
              'How many were bad in $window, by track: one series, or by instance; $release and $track stand for themselves. Without any series so far it is unknown; `or vector(0)` makes it 0.',
            ),
          ),
          total: Type.Optional(query('How many there were in $window, of the same instances.')),
          value: Type.Optional(query('A number to be held against the threshold; by instance, the median is.')),
        },
        { description: 'Numbers of a Prometheus: bad and total for counts, or a value.' },
      ),
    ),
    noWorse: Type.Optional(
      Type.Object(
        {
          margin: Type.Number({
            exclusiveMinimum: 1,
            maximum: 20,
            default: 1.5,
            description: 'So many times as often as without the change would be too much.',
          }),
        },
        {
          description: 'Compared with those who do not get the change: not worse, by a test that is valid at any time.',
        },
      ),
    ),
    threshold: Type.Optional(
      Type.Object(
        {
          above: Type.Optional(Type.Number({ description: 'A rate or value above this is harm.' })),
          below: Type.Optional(Type.Number({ description: 'A rate or value below this is harm.' })),
          unitsMin: Type.Integer({ minimum: 1, default: 100, description: 'Nothing is said about fewer units.' }),
        },
        { description: 'Held against a number.' },
      ),
    ),
    burnRate: Type.Optional(
      Type.Object(
        {
          objective: Type.Number({
            exclusiveMinimum: 0,
            exclusiveMaximum: 1,
            description: 'The share that must be good, like 0.999.',
          }),
        },
        { description: 'How fast the budget for errors of 30 days is used up, over several windows at once.' },
      ),
    ),
    promotesFrom: Type.Optional(
      name('The first stage that waits for its evidence; before, it can only stop the release. Absent: every stage.'),
    ),
    independentEvery: Type.Optional(
      durationText(
        'Of noWorse: after how long what is counted no longer hangs together with what was before; where one track swings by itself for minutes. From judging.every to P1D.',
      ),
    ),
    shadow: Type.Optional(
      Type.Boolean({
        description:
          'Measured, judged and shown only: it neither rolls back nor holds promotion, and takes no part of alpha and beta.',
      }),
    ),
  },
  { description: 'What must not get worse: one source of numbers, one test.' },
);

export type GuardrailSpec = Static<typeof GuardrailSchema>;

/** What swings for longer than a day is no noise. */
const INDEPENDENT_MAX = 'P1D';

/** Those that may roll back and hold promotion: all but shadows. */
export function actingOf<Guardrail extends { readonly shadow?: boolean }>(
  guardrails: readonly Guardrail[],
): readonly Guardrail[] {
  return guardrails.filter(({ shadow }) => shadow !== true);
}

/** What is wrong between the parts of a guardrail, and between it, the stages and how often numbers are looked at. */
export function guardrailProblems(
  { metric, decisions, prometheus, noWorse, threshold, burnRate, promotesFrom, independentEvery }: GuardrailSpec,
  stages: readonly string[],
  every: string,
  path: Path,
): readonly Problem[] {
  const problems: Problem[] = [];
  const say = (at: Path, detail: string) =>
    problems.push({ path: [...path, ...at], reason: 'FieldValueInvalid', detail });
  const sources = [metric, decisions, prometheus].filter((one) => one !== undefined).length;
  if (sources !== 1) say([], `A guardrail has one of metric, decisions and prometheus; this one has ${sources}.`);
  const tests = [noWorse, threshold, burnRate].filter((one) => one !== undefined).length;
  if (tests !== 1) say([], `A guardrail has one of noWorse, threshold and burnRate; this one has ${tests}.`);
  if (threshold !== undefined && (threshold.above === undefined) === (threshold.below === undefined)) {
    say(['threshold'], 'A threshold has either above or below.');
  }
  if (threshold !== undefined && (decisions !== undefined || prometheus?.bad !== undefined)) {
    for (const { field, detail } of rateProblems(threshold)) say(['threshold', field], detail);
  }
  if (prometheus !== undefined) {
    const { bad, total, value } = prometheus;
    const counts = bad !== undefined && total !== undefined && value === undefined;
    const single = value !== undefined && bad === undefined && total === undefined;
    if (!counts && !single) say(['prometheus'], 'It asks for bad and total, or for a value.');
    if (single && threshold === undefined) say(['threshold'], 'A value can only be held against a threshold.');
  }
  if (independentEvery !== undefined) {
    if (noWorse === undefined) say(['independentEvery'], 'It is of noWorse: no other test goes by it.');
    problems.push(...durationProblems([...path, 'independentEvery'], independentEvery, every, INDEPENDENT_MAX));
  }
  if (promotesFrom !== undefined && !stages.includes(promotesFrom)) {
    say(['promotesFrom'], `There is no stage "${promotesFrom}"; there are ${stages.join(', ') || 'none'}.`);
  }
  return problems;
}

/** Among how many guardrails alpha and beta are divided. */
export function metricsOf(guardrails: Parameters<typeof actingOf>[0]): number {
  return Math.max(1, actingOf(guardrails).length);
}

/** Limits of a rate that every rate is beyond, or none. */
export function rateProblems({
  above,
  below,
}: NonNullable<GuardrailSpec['threshold']>): readonly { readonly field: 'above' | 'below'; readonly detail: string }[] {
  const limits = [
    { field: 'above', limit: above, isReached: above !== undefined && above >= 0 && above < 1 },
    { field: 'below', limit: below, isReached: below !== undefined && below > 0 && below <= 1 },
  ] as const;
  return limits.flatMap(({ field, limit, isReached }) =>
    limit === undefined || isReached ? [] : [{ field, detail: rateText(field, limit) }],
  );
}

function rateText(field: 'above' | 'below', limit: number): string {
  if (limit > 1 && limit < 100) {
    return `${limit} is not a rate: rates are 0 to 1; ${limit} % is ${Number((limit / 100).toPrecision(12))}.`;
  }
  if (limit < 0 || limit > 1) return `${limit} is not a rate: rates are 0 to 1.`;
  return `No rate is ${field} ${limit}: rates are 0 to 1.`;
}

import { Type, type Static } from 'typebox';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { LATENCY_MS } from './request-counts.ts';
import { durationProblems, durationText } from '#kernel/kinds/schema/duration.ts';

const name = (description: string) => Type.String({ minLength: 1, maxLength: 253, description });
const query = (description: string) => Type.String({ minLength: 1, maxLength: 4_000, description });

export const GuardrailSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', description: 'Name within the policy.' }),
    metric: Type.Optional(name('A Metric: units with such an event, as a part of the units with a decision.')),
    decisions: Type.Optional(
      Type.Enum(['denied', 'failed'], {
        description: 'Answers of the decision plane that were a denial or a failure.',
      }),
    ),
    requests: Type.Optional(
      Type.Enum(['failed', 'slow'], {
        description:
          'Requests that the proxies of clusters counted: answered with 5xx or not at all, or slower than slowMs.',
      }),
    ),
    slowMs: Type.Optional(
      Type.Enum([...LATENCY_MS], { description: 'With requests: slow, milliseconds after which a request is slow.' }),
    ),
    prometheus: Type.Optional(
      Type.Object(
        {
          source: name('A PrometheusSource.'),
          bad: Type.Optional(
            query(
              'Bad events in $window of one track: one series, or one for each instance; $release and $track are replaced. Without a series the count is unknown; `or vector(0)` makes it 0.',
            ),
          ),
          total: Type.Optional(query('All events in $window, of the same instances.')),
          value: Type.Optional(query('A number for the threshold; of several instances, the median.')),
        },
        { description: 'Queries of a Prometheus: bad and total for counts, or a value.' },
      ),
    ),
    noWorse: Type.Optional(
      Type.Object(
        {
          margin: Type.Number({
            exclusiveMinimum: 1,
            maximum: 20,
            default: 1.5,
            description: 'Ratio to stable that is harm.',
          }),
        },
        {
          description:
            'The candidate is not worse than stable (control), by a sequential test that is valid at every look.',
        },
      ),
    ),
    threshold: Type.Optional(
      Type.Object(
        {
          above: Type.Optional(Type.Number({ description: 'A rate or value above this is harm.' })),
          below: Type.Optional(Type.Number({ description: 'A rate or value below this is harm.' })),
          unitsMin: Type.Integer({ minimum: 1, default: 100, description: 'Fewer units give no verdict.' }),
        },
        { description: 'Comparison with a fixed number.' },
      ),
    ),
    burnRate: Type.Optional(
      Type.Object(
        {
          objective: Type.Number({
            exclusiveMinimum: 0,
            exclusiveMaximum: 1,
            description: 'Part that must be good, like 0.999.',
          }),
        },
        { description: 'Burn rate of the error budget of 30 days, over several windows.' },
      ),
    ),
    promotesFrom: Type.Optional(
      name(
        'First stage whose promotion waits for it; in earlier stages it can only stop the release. Absent: every stage.',
      ),
    ),
    independentEvery: Type.Optional(
      durationText(
        'With noWorse: length of stretches of time that are independent, where a track fluctuates for minutes. From judging.every to P1D.',
      ),
    ),
    shadow: Type.Optional(
      Type.Boolean({
        description:
          'Measured, judged and shown only: it neither rolls back nor holds promotion, and does not share alpha and beta.',
      }),
    ),
  },
  { description: 'A limit on harm: one source of numbers, one test.' },
);

export type GuardrailSpec = Static<typeof GuardrailSchema>;

/** Swings of more than a day are no noise. */
const INDEPENDENT_MAX = 'P1D';

/** Guardrails that may roll back and hold promotion: all but shadows. */
export function actingOf<Guardrail extends { readonly shadow?: boolean }>(
  guardrails: readonly Guardrail[],
): readonly Guardrail[] {
  return guardrails.filter(({ shadow }) => shadow !== true);
}

/** Problems between the parts of a guardrail, and between it, the stages and the judging interval. */
export function guardrailProblems(
  {
    metric,
    decisions,
    requests,
    slowMs,
    prometheus,
    noWorse,
    threshold,
    burnRate,
    promotesFrom,
    independentEvery,
  }: GuardrailSpec,
  stages: readonly string[],
  every: string,
  path: Path,
): readonly Problem[] {
  const problems: Problem[] = [];
  const say = (at: Path, detail: string) =>
    problems.push({ path: [...path, ...at], reason: 'FieldValueInvalid', detail });
  const sources = [metric, decisions, requests, prometheus].filter((one) => one !== undefined).length;
  if (sources !== 1)
    say([], `A guardrail has one of metric, decisions, requests and prometheus; this one has ${sources}.`);
  if ((requests === 'slow') !== (slowMs !== undefined)) {
    say(['slowMs'], 'It belongs to requests: slow, which needs it.');
  }
  const tests = [noWorse, threshold, burnRate].filter((one) => one !== undefined).length;
  if (tests !== 1) say([], `A guardrail has one of noWorse, threshold and burnRate; this one has ${tests}.`);
  if (threshold !== undefined && (threshold.above === undefined) === (threshold.below === undefined)) {
    say(['threshold'], 'A threshold has either above or below.');
  }
  if (threshold !== undefined && (decisions !== undefined || requests !== undefined || prometheus?.bad !== undefined)) {
    for (const { field, detail } of rateProblems(threshold)) say(['threshold', field], detail);
  }
  if (prometheus !== undefined) {
    const { bad, total, value } = prometheus;
    const counts = bad !== undefined && total !== undefined && value === undefined;
    const single = value !== undefined && bad === undefined && total === undefined;
    if (!counts && !single) say(['prometheus'], 'It needs bad and total, or a value.');
    if (single && threshold === undefined) say(['threshold'], 'A value needs a threshold.');
  }
  if (independentEvery !== undefined) {
    if (noWorse === undefined) say(['independentEvery'], 'It applies to noWorse only.');
    problems.push(...durationProblems([...path, 'independentEvery'], independentEvery, every, INDEPENDENT_MAX));
  }
  if (promotesFrom !== undefined && !stages.includes(promotesFrom)) {
    say(['promotesFrom'], `There is no stage "${promotesFrom}"; there are ${stages.join(', ') || 'none'}.`);
  }
  return problems;
}

/** Number of guardrails that share alpha and beta. */
export function metricsOf(guardrails: Parameters<typeof actingOf>[0]): number {
  return Math.max(1, actingOf(guardrails).length);
}

/** Limits that every rate crosses, or none. */
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

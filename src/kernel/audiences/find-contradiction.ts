import type { Path, Problem } from '#kernel/base/failures.ts';
import { compileCondition, isRange } from './compile-condition.ts';
import type { AttributeDeclaration, AttributeLookup } from './language/attributes.ts';
import { epochMs } from './language/instant.ts';
import type { AudienceRule, Condition, Context } from './language/language.ts';
import { plainValue, type Plain } from './language/values.ts';

/** Values that the conditions of a group are tried with; with more the group counts as possible. */
const VALUES_TRIED_MAX = 2_000;

/**
 * The problem of a rule that no listener can meet, whatever is known of them: each of its groups has conditions that exclude
 * each other. It finds those on one attribute, one audience, or the time; patterns of texts are not compared with each other.
 * The rule has passed `ruleProblems`.
 */
export function contradictionProblems(
  { anyOf }: AudienceRule,
  path: Path,
  attributes: AttributeLookup,
): readonly Problem[] {
  const reasons: string[] = [];
  for (const { allOf } of anyOf) {
    const reason = contradictionIn(allOf, attributes);
    if (reason === undefined) return [];
    reasons.push(reason);
  }
  const detail = `no listener can meet it: conditions exclude each other on ${[...new Set(reasons)].join(', ')}`;
  return [{ path: [...path, 'anyOf'], reason: 'FieldValueInvalid', detail }];
}

/** The subject of conditions of a group that exclude each other; undefined: none was found. */
function contradictionIn(conditions: readonly Condition[], attributes: AttributeLookup): string | undefined {
  const bySubject = Map.groupBy(conditions, ({ attribute, audience }) =>
    attribute === undefined ? (audience ?? '') : attribute,
  );
  for (const [subject, together] of bySubject) {
    if (together.length < 2) continue;
    // An attribute and an audience may have one name.
    const declared = attributes.get(subject);
    const ofAttribute = together.filter(({ attribute }) => attribute !== undefined);
    if (declared !== undefined && isImpossible(ofAttribute, declared, attributes)) return `"${subject}"`;
    const audiences = together.filter(({ audience }) => audience !== undefined);
    if (new Set(audiences.map(({ not = false }) => not)).size > 1) return `audience "${subject}"`;
  }
  return isNever(conditions) ? 'the time' : undefined;
}

function isNever(conditions: readonly Condition[]): boolean {
  let [after, before] = [-Infinity, Infinity];
  for (const { time, not = false } of conditions) {
    if (time === undefined || not) continue;
    after = Math.max(after, epochMs(time.after) ?? -Infinity);
    before = Math.min(before, epochMs(time.before) ?? Infinity);
  }
  return after >= before;
}

/** Whether no value of the attribute meets all of its conditions, and its absence does not either. */
function isImpossible(
  conditions: readonly Condition[],
  declared: AttributeDeclaration,
  attributes: AttributeLookup,
): boolean {
  const contexts = decisiveContexts(conditions, declared);
  if (contexts === undefined) return false;
  const matchers = conditions.map((condition) => compileCondition(condition, { attributes, matcher: () => undefined }));
  return !contexts.some((context) => matchers.every((matches) => matches(context, 0) === true));
}

/** Contexts of which one meets the conditions if any does; undefined: there are too many, or none can be named. */
function decisiveContexts(
  conditions: readonly Condition[],
  { name, type, multiValued }: AttributeDeclaration,
): readonly Context[] | undefined {
  const absent: Context = {};
  // A condition that wants the attribute to be absent is met by that alone.
  if (conditions.some(({ exists, not = false }) => exists !== undefined && exists === not)) return [absent];
  const values = multiValued ? undefined : decisiveValues();
  if (values === undefined || values.length > VALUES_TRIED_MAX) return undefined;
  return [absent, ...values.map((value) => ({ [name]: value }))];

  function decisiveValues(): readonly Plain[] | undefined {
    // Without regard to case other texts than the listed ones are in it.
    const list = conditions.find((one) => one.in !== undefined && one.not !== true && !one.ignoreCase && !one.as);
    if (list !== undefined) return (list.in ?? []) as readonly Plain[];
    if (type === 'boolean') return [true, false];
    if (type !== 'number' && type !== 'timestamp') return undefined;
    return betweenAll(conditions.flatMap(mentionedValues).map((value) => Number(plainValue(type, value))));
  }
}

function mentionedValues(condition: Condition): readonly unknown[] {
  const { atLeast, above, atMost, below, notIn = [] } = condition;
  const bounds = isRange(condition) ? [atLeast, above, atMost, below].filter((bound) => bound !== undefined) : [];
  return [...bounds, ...(condition.in ?? []), ...notIn];
}

/** Each of the numbers, one between any two neighbours, and one on either side of all. */
function betweenAll(numbers: readonly number[]): readonly number[] {
  const sorted = [...new Set(numbers)].toSorted((a, b) => a - b);
  const between = sorted.slice(1).map((high, index) => (sorted[index] as number) / 2 + high / 2);
  const [first = 0, last = 0] = [sorted[0], sorted.at(-1)];
  return [...sorted, ...between, ...beside(first, -1), ...beside(last, 1)];
}

/** Numbers on one side, of which one is another number of the type. */
function beside(number: number, direction: 1 | -1): readonly number[] {
  return [number + direction, number + direction * Math.abs(number), direction * Number.MAX_VALUE];
}

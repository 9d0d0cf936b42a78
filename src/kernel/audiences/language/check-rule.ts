import VersionRange from 'semver/classes/range.js';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import {
  attributeObjectName,
  BUILT_IN_ATTRIBUTES,
  type AttributeDeclaration,
  type AttributeLookup,
  type AttributeType,
} from './attributes.ts';
import { DAYS, LISTENER_ZONE } from './compile-time.ts';
import { epochMs } from './instant.ts';
import { parseNetwork } from './ip.ts';
import { ATTRIBUTE, AUDIENCE } from './identity.ts';
import { AUDIENCE_LIMITS, type AudienceRule, type Condition } from './language.ts';
import { compileSteps, INSTRUCTION_STEPS, patternFault, RULE_COMPILE_STEPS_MAX } from './pattern.ts';
import { typeOfForm } from './read-as.ts';
import { plainValue } from './values.ts';
import { zoneClock } from './zone.ts';

const BOUNDS = ['atLeast', 'above', 'atMost', 'below'] as const;
const TEXT_TESTS = ['startsWith', 'endsWith', 'contains', 'matches'] as const;
const TESTS = ['in', 'notIn', 'exists', ...TEXT_TESTS, 'semver', 'cidr'] as const;

/** As many problems as a person corrects at once; the check stops there. */
const RULE_PROBLEMS_MAX = 20;

/** The tests of each type, besides `in`, `notIn` and `exists`, which all types have. */
const TESTS_OF: Record<AttributeType, readonly string[]> = {
  string: TEXT_TESTS,
  number: BOUNDS,
  boolean: [],
  semver: ['semver'],
  timestamp: BOUNDS,
  ip: ['cidr'],
};

/**
 * Problems of a rule that has passed its schema, at most `RULE_PROBLEMS_MAX`. They refuse the write of its object, at
 * `path`. Other audiences are not read; `ruleRefs` covers their existence.
 */
export function ruleProblems(rule: AudienceRule, path: Path, attributes: AttributeLookup): readonly Problem[] {
  const tooMany = workProblems(rule, path);
  if (tooMany.length > 0) return tooMany;
  const problems: Problem[] = [];
  for (const [group, { allOf }] of rule.anyOf.entries()) {
    for (const [index, condition] of allOf.entries()) {
      problems.push(...conditionProblems(condition, [...path, 'anyOf', group, 'allOf', index], attributes));
      if (problems.length >= RULE_PROBLEMS_MAX) return problems;
    }
  }
  return problems;
}

/** Costs of a whole rule that exceed a limit, found before its parts are checked. */
function workProblems({ anyOf }: AudienceRule, path: Path): readonly Problem[] {
  const { textsMax } = AUDIENCE_LIMITS;
  let texts = 0;
  let steps = 0;
  for (const { allOf } of anyOf) {
    for (const { startsWith = [], endsWith = [], contains = [], matches, ignoreCase } of allOf) {
      texts += startsWith.length + endsWith.length + contains.length;
      if (matches !== undefined) steps += compileSteps(matches, ignoreCase);
    }
  }
  const at = [...path, 'anyOf'];
  const problems: Problem[] = [];
  if (texts > textsMax) {
    const detail = `startsWith, endsWith and contains have ${texts} texts in all, and ${textsMax} are allowed; list whole values with in, which may have more`;
    problems.push({ path: at, reason: 'FieldValueTooMany', detail });
  }
  if (steps > RULE_COMPILE_STEPS_MAX) {
    const detail = `the regular expressions take ${steps} steps to compile, and ${RULE_COMPILE_STEPS_MAX} are allowed; a character of an expression takes about ${INSTRUCTION_STEPS}`;
    problems.push({ path: at, reason: 'FieldValueTooMany', detail });
  }
  return problems;
}

/** The references of a rule: the Attributes and Audiences that must be live for it to go live. */
export function ruleRefs(rule: AudienceRule, path: Path): { path: Path; kind: string; name: string }[] {
  return rule.anyOf.flatMap(({ allOf }, group) =>
    allOf.flatMap(({ attribute, audience }, index) => {
      const at = [...path, 'anyOf', group, 'allOf', index];
      const isDeclared = attribute !== undefined && !BUILT_IN_ATTRIBUTES.some(({ name }) => name === attribute);
      return [
        ...(isDeclared ? [{ path: [...at, 'attribute'], kind: ATTRIBUTE, name: attributeObjectName(attribute) }] : []),
        ...(audience === undefined ? [] : [{ path: [...at, 'audience'], kind: AUDIENCE, name: audience }]),
      ];
    }),
  );
}

function conditionProblems(condition: Condition, at: Path, attributes: AttributeLookup): readonly Problem[] {
  const { attribute, audience, time } = condition;
  const subjects = [attribute, audience, time].filter((subject) => subject !== undefined);
  if (subjects.length !== 1) {
    const detail = `a condition names one of attribute, audience and time, and this one names ${subjects.length === 0 ? 'none' : subjects.length} of them`;
    return [{ path: at, reason: subjects.length === 0 ? 'FieldValueRequired' : 'FieldValueInvalid', detail }];
  }
  if (attribute !== undefined) return attributeProblems(condition, attribute, at, attributes);
  const strays = [...TESTS, ...BOUNDS, 'absent', 'ignoreCase', 'as'] as const;
  return [
    ...strays
      .filter((field) => condition[field] !== undefined)
      .map((field): Problem => ({
        path: [...at, field],
        reason: 'FieldValueForbidden',
        detail: `${field} tests an attribute; this condition tests ${audience === undefined ? 'the time' : 'an audience'}`,
      })),
    ...(time === undefined ? [] : timeProblems(time, [...at, 'time'])),
  ];
}

function attributeProblems(
  condition: Condition,
  name: string,
  at: Path,
  attributes: AttributeLookup,
): readonly Problem[] {
  const declared = attributes.get(name);
  if (declared === undefined) {
    const near = didYouMean(nearSpellings(name, attributes.names()));
    const detail = `there is no attribute "${name}"${near}; declare it with an Attribute`;
    return [{ path: [...at, 'attribute'], reason: 'FieldValueNotFound', detail }];
  }
  const attribute = readAttributeAs(declared, condition.as);
  if (attribute === undefined) {
    const detail = `only single texts can be read as something else, and "${name}" is ${declared.multiValued ? 'a set' : `a ${declared.type}`}`;
    return [{ path: [...at, 'as'], reason: 'FieldValueForbidden', detail }];
  }
  const given = TESTS.filter((test) => condition[test] !== undefined);
  const bounds = BOUNDS.filter((bound) => condition[bound] !== undefined);
  const used: readonly string[] = bounds.length === 0 ? given : [...given, bounds.join(' and ')];
  if (used.length !== 1) {
    const allowed = attribute.tests.join(', ');
    const detail =
      used.length === 0
        ? `the condition has no test of "${name}"; a ${attribute.type} has the tests ${allowed}`
        : `a condition has one test, and this one has ${used.join(', ')}; write the others as further conditions of the group`;
    return [{ path: at, reason: used.length === 0 ? 'FieldValueRequired' : 'FieldValueInvalid', detail }];
  }
  const unfit = [...given, ...bounds].filter((test) => !attribute.tests.includes(test));
  if (unfit.length > 0) return unfit.map((test) => unfitProblem(test, attribute, at));
  return [
    ...modifierProblems(condition, attribute, at),
    ...(['in', 'notIn'] as const).flatMap((field) => memberProblems(condition[field] ?? [], attribute, [...at, field])),
    ...boundProblems(condition, attribute, at),
    ...contentProblems(condition, at),
  ];
}

/** An attribute as a condition reads it, with its tests. */
type ReadableAttribute = AttributeDeclaration & { readonly tests: readonly string[] };

/** undefined when the attribute cannot be read that way. Read as another type, it may have any value. */
function readAttributeAs(declared: AttributeDeclaration, as: Condition['as']): ReadableAttribute | undefined {
  const general = ['in', 'notIn', 'exists'];
  if (as === undefined) return { ...declared, tests: [...general, ...TESTS_OF[declared.type]] };
  if (declared.type !== 'string' || declared.multiValued) return undefined;
  const type = typeOfForm(as);
  const tests = [...general, ...(as === 'growthbook-version' ? BOUNDS : TESTS_OF[type])];
  return { name: declared.name, type, multiValued: false, tests };
}

function unfitProblem(test: string, { name, type, tests }: ReadableAttribute, at: Path): Problem {
  const others = tests.join(', ');
  const hint = type === 'semver' && BOUNDS.some((bound) => bound === test) ? `; write it as semver: ">=1.2.3"` : '';
  const detail = `"${name}" is a ${type}, which has no test ${test}; it has ${others}${hint}`;
  return { path: [...at, test], reason: 'FieldValueNotSupported', detail };
}

function modifierProblems(
  { ignoreCase, exists, absent, as }: Condition,
  { name, type }: AttributeDeclaration,
  at: Path,
): readonly Problem[] {
  const problems: Problem[] = [];
  if (ignoreCase !== undefined && (type !== 'string' || as !== undefined || exists !== undefined)) {
    problems.push({
      path: [...at, 'ignoreCase'],
      reason: 'FieldValueForbidden',
      detail: exists === undefined ? `"${name}" is a ${as ?? type}, which has no case` : 'exists compares no texts',
    });
  }
  if (as !== undefined && exists !== undefined) {
    problems.push({
      path: [...at, 'as'],
      reason: 'FieldValueForbidden',
      detail: 'exists tests for any value, in whatever form',
    });
  }
  if (exists !== undefined && absent !== undefined) {
    problems.push({
      path: [...at, 'absent'],
      reason: 'FieldValueForbidden',
      detail: 'exists already decides for contexts without the attribute',
    });
  }
  return problems;
}

function memberProblems(members: readonly unknown[], attribute: AttributeDeclaration, at: Path): readonly Problem[] {
  const { name, type, values } = attribute;
  const known = values === undefined ? undefined : new Set(values.map((value) => plainValue(type, value)));
  const problems: Problem[] = [];
  for (const [index, member] of members.entries()) {
    if (problems.length >= RULE_PROBLEMS_MAX) break;
    const shown = JSON.stringify(member);
    const plain = plainValue(type, member);
    if (plain === undefined) {
      const detail = `${shown} is no ${type}, as "${name}" is`;
      problems.push({ path: [...at, index], reason: 'FieldValueTypeInvalid', detail });
    } else if (known !== undefined && !known.has(plain)) {
      const near = didYouMean(nearSpellings(String(member), (values ?? []).map(String)));
      const detail = `${shown} is none of the values that "${name}" has${near}`;
      problems.push({ path: [...at, index], reason: 'FieldValueNotSupported', detail });
    }
  }
  return problems;
}

function boundProblems(condition: Condition, { name, type }: AttributeDeclaration, at: Path): readonly Problem[] {
  const given = BOUNDS.filter((bound) => condition[bound] !== undefined);
  const wrong = given.filter((bound) => plainValue(type, condition[bound]) === undefined);
  if (wrong.length > 0) {
    const right = type === 'number' ? 'a number' : 'an instant like 2026-12-01T00:00:00Z, or epoch milliseconds';
    return wrong.map((bound) => ({
      path: [...at, bound],
      reason: 'FieldValueTypeInvalid',
      detail: `${JSON.stringify(condition[bound])} is no ${type}, as "${name}" is; write ${right}`,
    }));
  }
  for (const [one, other] of [
    ['atLeast', 'above'],
    ['atMost', 'below'],
  ] as const) {
    if (condition[one] !== undefined && condition[other] !== undefined) {
      return [
        {
          path: [...at, other],
          reason: 'FieldValueForbidden',
          detail: `${other} and ${one} bound the same side; keep one of them`,
        },
      ];
    }
  }
  const low = given.find((bound) => bound === 'atLeast' || bound === 'above');
  const high = given.find((bound) => bound === 'atMost' || bound === 'below');
  if (low === undefined || high === undefined) return [];
  const [from, until] = [Number(plainValue(type, condition[low])), Number(plainValue(type, condition[high]))];
  const isEmpty = low === 'atLeast' && high === 'atMost' ? from > until : from >= until;
  if (!isEmpty) return [];
  const detail = `nothing is ${low} ${String(condition[low])} and ${high} ${String(condition[high])}`;
  return [{ path: [...at, low], reason: 'FieldValueInvalid', detail }];
}

function contentProblems({ matches, ignoreCase, semver, cidr = [] }: Condition, at: Path): readonly Problem[] {
  const problems: Problem[] = [];
  const fault = matches === undefined ? undefined : patternFault(matches, ignoreCase);
  if (fault !== undefined) {
    problems.push({ path: [...at, 'matches'], reason: 'FieldValueInvalid', detail: `"${matches}" ${fault.detail}` });
  }
  if (semver !== undefined && !isVersionRange(semver)) {
    const detail = `"${semver}" is no range of versions; write it like ">=8.9.0 <9" or "8.x || >=9.1.0"`;
    problems.push({ path: [...at, 'semver'], reason: 'FieldValueInvalid', detail });
  }
  for (const [index, text] of cidr.entries()) {
    const network = parseNetwork(text);
    if (typeof network === 'string')
      problems.push({ path: [...at, 'cidr', index], reason: 'FieldValueInvalid', detail: network });
  }
  return problems;
}

function isVersionRange(text: string): boolean {
  try {
    return new VersionRange(text).range !== undefined;
  } catch {
    return false;
  }
}

function timeProblems(time: NonNullable<Condition['time']>, at: Path): readonly Problem[] {
  const { zone, days, from, until, after, before } = time;
  const problems: Problem[] = [];
  const isDaily = days !== undefined || from !== undefined || until !== undefined;
  if (!isDaily && after === undefined && before === undefined) {
    problems.push({
      path: at,
      reason: 'FieldValueRequired',
      detail: 'give a time: days, from, until, after or before',
    });
  }
  if (zone !== undefined && !isDaily) {
    const detail = 'after and before are instants without a zone; zone applies to days, from and until';
    problems.push({ path: [...at, 'zone'], reason: 'FieldValueForbidden', detail });
  }
  if (zone !== undefined && zone !== LISTENER_ZONE && zoneClock(zone) === undefined) {
    const near = didYouMean(nearSpellings(zone, Intl.supportedValuesOf('timeZone')));
    const detail = `"${zone}" is no IANA time zone${near}; write it like Europe/Stockholm, or "${LISTENER_ZONE}"`;
    problems.push({ path: [...at, 'zone'], reason: 'FieldValueNotSupported', detail });
  }
  if ((from ?? '00:00') === (until ?? '24:00')) {
    const detail = `the window from ${from ?? '00:00'} until ${until ?? '24:00'} is empty; leave both out for the whole day`;
    problems.push({ path: [...at, 'until'], reason: 'FieldValueInvalid', detail });
  }
  if (days !== undefined && new Set(days).size < days.length) {
    problems.push({
      path: [...at, 'days'],
      reason: 'FieldValueDuplicate',
      detail: `a day is there twice; there are ${DAYS.join(', ')}`,
    });
  }
  const [begin, end] = [epochMs(after), epochMs(before)];
  for (const [field, text, instant] of [
    ['after', after, begin],
    ['before', before, end],
  ] as const) {
    if (text === undefined || instant !== undefined) continue;
    const detail = `"${text}" is no instant; write it like 2026-12-01T00:00:00Z`;
    problems.push({ path: [...at, field], reason: 'FieldValueInvalid', detail });
  }
  if (begin !== undefined && end !== undefined && begin >= end) {
    problems.push({
      path: [...at, 'before'],
      reason: 'FieldValueInvalid',
      detail: `nothing is after ${after} and before ${before}`,
    });
  }
  return problems;
}

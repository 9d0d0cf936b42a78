import { paddedVersion } from '#kernel/audiences/language/growthbook-version.ts';
import type { Condition } from '#kernel/audiences/language/language.ts';
import { patternFault } from '#kernel/audiences/language/pattern.ts';
import type { Path } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { all, any, leaf, not, type Expression } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import type { AttributeKind } from '../import-result.ts';
import type { GrowthbookCondition } from './payload.ts';
import { re2Pattern } from './re2-pattern.ts';

/** Attribute and group lookups for conditions. */
export interface Subjects {
  readonly kindOf: (attribute: string, path: Path) => AttributeKind;
  readonly name: (attribute: string, path: Path) => string;
  /** Membership of an attribute in a saved group; undefined when the group makes the whole condition false. */
  readonly inGroup: (group: string, attribute: string, path: Path) => Expression | undefined;
  readonly savedGroup: (reference: unknown, path: Path) => Expression;
}

const COMPARISONS = { $gt: 'above', $gte: 'atLeast', $lt: 'below', $lte: 'atMost' } as const;
const VERSIONS = { $vgt: 'above', $vgte: 'atLeast', $vlt: 'below', $vlte: 'atMost' } as const;

/**
 * Translates a GrowthBook condition, for contexts whose attributes have their declared types. GrowthBook
 * treats a missing attribute as null with JavaScript semantics: it is less than 1, for example.
 */
export function conditionExpression(condition: GrowthbookCondition, path: Path, subjects: Subjects): Expression {
  return all(
    Object.entries(condition).map(([key, value]) => {
      const at = [...path, key];
      switch (key) {
        case '$or':
          return orExpression(value, at, subjects);
        case '$nor':
          return not(orExpression(value, at, subjects));
        case '$and':
          return all(
            listOf(value, at).map((each, index) => conditionExpression(recordOf(each, at), [...at, index], subjects)),
          );
        case '$not':
          return not(conditionExpression(recordOf(value, at), at, subjects));
        case '$savedGroup':
          return subjects.savedGroup(value, at);
        default:
          return valueExpression(value, { source: key, kind: subjects.kindOf(key, at), path: at, subjects });
      }
    }),
  );
}

function orExpression(value: unknown, path: Path, subjects: Subjects): Expression {
  const parts = listOf(value, path);
  // GrowthBook evaluates an empty `$or` to true.
  if (parts.length === 0) return true;
  return any(parts.map((each, index) => conditionExpression(recordOf(each, path), [...path, index], subjects)));
}

/** An attribute and the position of its condition. */
interface About {
  readonly source: string;
  readonly kind: AttributeKind;
  readonly path: Path;
  readonly subjects: Subjects;
}

function valueExpression(value: unknown, about: About): Expression {
  if (isRecord(value) && Object.keys(value).length > 0 && Object.keys(value).every((key) => key.startsWith('$'))) {
    return all(
      Object.entries(value).map(([operator, expected]) =>
        operatorExpression(operator, expected, { ...about, path: [...about.path, operator] }),
      ),
    );
  }
  if (value === null) return not(exists(about));
  if (typeof value === 'object' || value === undefined)
    throw new UnsupportedSource(about.path, 'comparing with a whole list or object is not supported');
  return looselyEqual(value, about);
}

/** A bare literal: JavaScript coercion decides. */
function looselyEqual(value: unknown, about: About): Expression {
  const { type } = single(about);
  if (typeof value === 'string') {
    const onNull = value === 'null';
    if (type === 'number') return oneOf(String(Number(value)) === value ? [Number(value)] : [], about, { onNull });
    if (type === 'boolean')
      return oneOf(value === 'true' ? [true] : value === 'false' ? [false] : [], about, { onNull });
    return oneOf([value], about, { onNull });
  }
  if (typeof value === 'number') {
    const onNull = value === 0;
    if (type === 'string') return testOf(about, { as: 'number', in: [value] }, onNull);
    if (type === 'boolean') return oneOf(value === 1 ? [true] : value === 0 ? [false] : [], about, { onNull });
    return oneOf([value], about, { onNull });
  }
  if (type === 'boolean') return oneOf([value], about, {});
  const falsy = type === 'number' ? 0 : '';
  return testOf(about, value === true ? { notIn: [falsy] } : { in: [falsy] }, false);
}

function operatorExpression(operator: string, expected: unknown, about: About): Expression {
  const { source, path, subjects, kind } = about;
  switch (operator) {
    case '$eq':
      return expected === null ? not(exists(about)) : oneOf([expected], { ...about, kind: single(about) }, {});
    case '$ne':
      return not(operatorExpression('$eq', expected, about));
    case '$in':
    case '$ini':
      if (!Array.isArray(expected)) return false;
      return oneOf(expected, about, { onNull: expected.includes(null), ignoreCase: operator === '$ini' });
    case '$nin':
    case '$nini':
      if (!Array.isArray(expected)) return false;
      return not(operatorExpression(operator === '$nin' ? '$in' : '$ini', expected, about));
    case '$inGroup':
    case '$notInGroup': {
      const inGroup = subjects.inGroup(String(expected), source, path);
      return inGroup !== undefined && (operator === '$inGroup' ? inGroup : not(inGroup));
    }
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return comparisonOf(operator, expected, { ...about, kind: single(about) });
    case '$exists':
      return expected ? exists(about) : not(exists(about));
    case '$regex':
    case '$regexi':
      return matching(expected, operator === '$regexi', { ...about, kind: single(about) });
    case '$veq':
    case '$vne':
    case '$vgt':
    case '$vgte':
    case '$vlt':
    case '$vlte':
      return versionTestOf(operator, expected, { ...about, kind: single(about) });
    case '$not':
      return not(valueExpression(expected, about));
    case '$elemMatch':
      return someElement(expected, about);
    case '$all': {
      if (!Array.isArray(expected)) return false;
      if (kind.multiValued !== true) throw notAList(about);
      const one = { ...about, kind: { ...kind, multiValued: false } };
      return all([exists(about), ...expected.map((each) => scalarOnly(each, one))]);
    }
    default:
      throw new UnsupportedSource(path, `the operator ${operator} is not supported`);
  }
}

/** In a list, values of the element type equal only themselves. */
function scalarOnly(value: unknown, about: About): Expression {
  if (typeof value !== about.kind.type)
    throw new UnsupportedSource(about.path, `${JSON.stringify(value)} is no ${about.kind.type}`);
  return testOf(about, { in: [value] }, false);
}

function someElement(expected: unknown, about: About): Expression {
  const { kind, path } = about;
  if (kind.multiValued !== true) throw notAList(about);
  const [[operator, value] = ['', undefined], ...others] = isRecord(expected) ? Object.entries(expected) : [];
  const isSingle = ['$eq', '$in', '$ini', '$gt', '$gte', '$lt', '$lte', '$regex', '$regexi', '$inGroup'].includes(
    operator,
  );
  if (!isSingle || others.length > 0)
    throw new UnsupportedSource(
      path,
      'an element of a list supports one operator only: $eq, $in, $gt, $regex and similar',
    );
  // An element is never missing, and neither is its list.
  const translated = operatorExpression(operator, value, { ...about, kind: { ...kind, multiValued: false } });
  return all([exists(about), translated]);
}

function notAList({ source, path }: About): UnsupportedSource {
  return new UnsupportedSource(
    path,
    `"${source}" is a list here and a single value elsewhere; declare it with --attribute`,
  );
}

/** The kind of an attribute that supports single-value comparisons only. */
function single({ kind, source, path }: About): AttributeKind {
  if (kind.multiValued === true)
    throw new UnsupportedSource(path, `"${source}" is a list, which cannot be compared as a whole`);
  return kind;
}

function exists({ source, path, subjects }: About): Expression {
  return leaf({ attribute: subjects.name(source, path), exists: true });
}

function testOf({ source, path, subjects }: About, test: Omit<Condition, 'attribute'>, onNull: boolean): Expression {
  return leaf({ attribute: subjects.name(source, path), ...test, absent: onNull ? 'match' : 'noMatch' });
}

/** Membership with `===`: values of another type never match. */
function oneOf(
  values: readonly unknown[],
  about: About,
  { onNull = false, ignoreCase = false }: { readonly onNull?: boolean; readonly ignoreCase?: boolean },
): Expression {
  const { kind } = about;
  const fitting = values.filter((value) => typeof value === kind.type);
  if (fitting.length === 0) return onNull ? not(exists(about)) : false;
  const folded = ignoreCase && kind.type === 'string' ? { ignoreCase } : {};
  return testOf(about, { in: [...new Set(fitting)], ...folded }, onNull);
}

function comparisonOf(operator: keyof typeof COMPARISONS, expected: unknown, about: About): Expression {
  const { kind, path } = about;
  const bound = Number(expected);
  if (
    kind.type === 'boolean' ||
    (typeof expected !== 'number' && (kind.type === 'string' || typeof expected !== 'string'))
  )
    throw new UnsupportedSource(
      path,
      `comparing a ${kind.type} with ${JSON.stringify(expected)} by ${operator} is not supported`,
    );
  if (Number.isNaN(bound)) return false;
  if (!Number.isFinite(bound)) throw new UnsupportedSource(path, `${String(expected)} is not finite`);
  // A missing value is null, which compares as 0.
  const onNull = { $gt: 0 > bound, $gte: 0 >= bound, $lt: 0 < bound, $lte: 0 <= bound }[operator];
  return testOf(about, { ...(kind.type === 'string' ? { as: 'number' } : {}), [COMPARISONS[operator]]: bound }, onNull);
}

function matching(expected: unknown, ignoreCase: boolean, about: About): Expression {
  if (about.kind.type !== 'string')
    throw new UnsupportedSource(about.path, `an expression on a ${about.kind.type} is not supported`);
  if (typeof expected !== 'string') return false;
  let found;
  try {
    found = new RegExp(expected, ignoreCase ? 'i' : '');
  } catch {
    return false;
  }
  // GrowthBook tests a missing value as the word null.
  const onNull = found.test('null');
  if (expected === '') return testOf(about, { startsWith: [''] }, onNull);
  const re2 = re2Pattern(expected);
  const cannot = 'cannot' in re2 ? re2.cannot : patternFault(re2.pattern, ignoreCase)?.detail;
  if ('cannot' in re2 || cannot !== undefined)
    throw new UnsupportedSource(about.path, `the expression ${expected} has no translation: ${cannot}`);
  return testOf(about, { matches: re2.pattern, ...(ignoreCase ? { ignoreCase } : {}) }, onNull);
}

function versionTestOf(operator: string, expected: unknown, about: About): Expression {
  const { kind, path } = about;
  if (kind.type !== 'string') throw new UnsupportedSource(path, `a ${kind.type} cannot be compared as a version`);
  const text =
    typeof expected === 'number' ? String(expected) : typeof expected === 'string' && expected !== '' ? expected : '0';
  const [bound, missing] = [paddedVersion(text), paddedVersion(null)];
  switch (operator) {
    case '$vne':
      return not(versionTestOf('$veq', expected, about));
    case '$veq':
      return testOf(about, { as: 'growthbook-version', in: [text] }, missing === bound);
    case '$vgt':
      return testOf(about, { as: 'growthbook-version', [VERSIONS[operator]]: text }, missing > bound);
    case '$vgte':
      return testOf(about, { as: 'growthbook-version', [VERSIONS[operator]]: text }, missing >= bound);
    case '$vlt':
      return testOf(about, { as: 'growthbook-version', [VERSIONS[operator]]: text }, missing < bound);
    default:
      return testOf(about, { as: 'growthbook-version', atMost: text }, missing <= bound);
  }
}

function listOf(value: unknown, path: Path): readonly unknown[] {
  if (!Array.isArray(value)) throw new UnsupportedSource(path, 'there must be a list of conditions');
  return value;
}

function recordOf(value: unknown, path: Path): Record<string, unknown> {
  if (!isRecord(value)) throw new UnsupportedSource(path, 'there must be a condition, which is an object');
  return value;
}

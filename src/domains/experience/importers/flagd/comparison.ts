import type { Condition } from '#kernel/audiences/language/language.ts';
import { partialVersion } from '#kernel/audiences/language/read-as.ts';
import type { Path } from '#kernel/base/failures.ts';
import compareVersions from 'semver/functions/compare.js';
import parseVersion from 'semver/functions/parse.js';
import { all, leaf, not, type Expression } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import type { AttributeKind } from '../import-result.ts';
import type { Constant, Operand } from './operand.ts';

type Variable = Extract<Operand, { kind: 'variable' }>;

/** Attribute facts that comparisons need. */
export interface Subjects {
  readonly kindOf: (attribute: string, path: Path) => AttributeKind;
  readonly name: (attribute: string, path: Path) => string;
  /** Whether flagd-core compiles this expression; its interpreter treats missing values differently. */
  readonly compiled: boolean;
}

const MIRRORED: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };
const BOUNDS: Readonly<Record<string, string>> = { '<': 'below', '<=': 'atMost', '>': 'above', '>=': 'atLeast' };

/** Position of an expression, and its attributes. */
interface Place {
  readonly path: Path;
  readonly subjects: Subjects;
}

/** An attribute test, with the result when the context lacks it. */
export function testOf(
  name: string,
  test: Omit<Condition, 'attribute'>,
  onNull: boolean,
  { path, subjects }: Place,
): Expression {
  return leaf({ attribute: subjects.name(name, path), ...test, absent: onNull ? 'match' : 'noMatch' });
}

export function exists(name: string, path: Path, subjects: Subjects): Expression {
  return leaf({ attribute: subjects.name(name, path), exists: true });
}

/** `==`, `<` and other comparisons of two operands. */
export function comparison(operator: string, left: Operand, right: Operand, place: Place): Expression {
  const { path, subjects } = place;
  if (operator === '!=' || operator === '!==') {
    return not(comparison(operator === '!=' ? '==' : '===', left, right, place));
  }
  if (left.kind === 'constant' && right.kind === 'constant')
    return checkedCompare(operator, left.value, right.value, path);
  // Compiled, json-logic-engine does not check an attribute on the right, and compares with JavaScript
  // semantics.
  const [subject, constant, turned, compare] =
    left.kind === 'constant'
      ? [right, left, MIRRORED[operator] ?? operator, subjects.compiled ? plainCompare : checkedCompare]
      : [left, right, operator, checkedCompare];
  if (constant.kind !== 'constant')
    throw new UnsupportedSource(path, 'comparing two attributes with each other is not supported');
  if (subject.kind === 'timestamp') return timeComparison(turned, constant.value, path);
  if (subject.kind !== 'variable') throw new UnsupportedSource(path, 'comparing a list is not supported');
  const { value } = constant;
  const holds = (one: Constant) => compare(turned, one, value, path);
  return variableComparison(subject, { operator: turned, value, holds }, place);
}

interface ConstantTest {
  readonly operator: string;
  readonly value: Constant;
  readonly holds: (value: Constant) => boolean;
}

function variableComparison(
  { name, fallback }: Variable,
  { operator, value, holds }: ConstantTest,
  place: Place,
): Expression {
  const { path, subjects } = place;
  const { type, multiValued = false, loose = false } = subjects.kindOf(name, path);
  if (multiValued) throw new UnsupportedSource(path, `"${name}" is a list, which cannot be compared as a whole`);
  if (loose && operator !== '===')
    throw new UnsupportedSource(path, `the type of "${name}" is unknown; declare it, like --attribute ${name}=string`);
  const isMixed = operator !== '===' && value !== null && (typeof value === 'string') !== (type === 'string');
  if (isMixed)
    throw new UnsupportedSource(path, `"${name}" is a ${type} and is compared with ${JSON.stringify(value)}`);
  if (type === 'string' && operator !== '===' && operator !== '==')
    throw new UnsupportedSource(path, `texts that are ${operator} others is not supported`);
  const onNull = holds(fallback);
  if (type === 'number' && BOUNDS[operator] !== undefined)
    return testOf(name, { [BOUNDS[operator]]: Number(value) }, onNull, place);
  // Equality: at most one text or number matches; null also equals 0.
  const candidates: readonly Constant[] =
    type === 'boolean' ? [true, false] : type === 'number' ? [Number(value)] : [value];
  const passing = candidates.filter((each) => typeof each === type && holds(each));
  if (passing.length === 0) return onNull && not(exists(name, path, subjects));
  return testOf(name, { in: passing }, onNull, place);
}

/**
 * json-logic-engine semantics: texts compare with texts, everything else as numbers. Values that are not
 * numbers are an error.
 */
function checkedCompare(operator: string, left: Constant, right: Constant, path: Path): boolean {
  if (operator === '===') return left === right;
  const isText = (value: Constant) => typeof value === 'string' || value === null;
  if (isText(left) && isText(right)) return plainCompare(operator, left, right);
  if (Number.isNaN(Number(left)) || Number.isNaN(Number(right)))
    throw new UnsupportedSource(
      path,
      `comparing ${JSON.stringify(left)} with ${JSON.stringify(right)} is an error in flagd`,
    );
  return plainCompare(operator, Number(left), Number(right));
}

/** JavaScript semantics: null equals nothing else, but orders as 0. */
function plainCompare(operator: string, left: Constant, right: Constant): boolean {
  if (operator === '===') return left === right;
  const isOrder = BOUNDS[operator] !== undefined;
  if (!isOrder && (left === null || right === null)) return left === right;
  const isText = typeof left === 'string' && typeof right === 'string';
  const [a, b] = isText ? [left, right] : [Number(left), Number(right)];
  switch (operator) {
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    case '>=':
      return a >= b;
    default:
      return a === b;
  }
}

/** Compares the time in whole seconds with a number. */
function timeComparison(operator: string, value: Constant, path: Path): Expression {
  if (typeof value === 'string' && operator !== '===')
    throw new UnsupportedSource(path, `the time is compared with "${value}"`);
  if (operator === '===' && typeof value !== 'number') return false;
  const seconds = Number(value);
  // True from this second on.
  const from = (second: number): Expression => leaf({ time: { after: instant(second) } });
  switch (operator) {
    case '==':
    case '===':
      return Number.isInteger(seconds) && all([from(seconds), not(from(seconds + 1))]);
    case '>=':
      return from(Math.ceil(seconds));
    case '>':
      return from(Math.floor(seconds) + 1);
    case '<':
      return not(from(Math.ceil(seconds)));
    default:
      return not(from(Math.floor(seconds) + 1));
  }

  function instant(second: number): string {
    const date = new Date(second * 1_000);
    const text = Number.isNaN(date.getTime()) ? '' : date.toISOString();
    if (!/^\d{4}-/.test(text))
      throw new UnsupportedSource(path, `${second} seconds since 1970 is beyond the years of RFC 3339`);
    return text;
  }
}

/** `in`: a needle in a list or a text. */
export function membership(needle: Operand, haystack: Operand, path: Path, subjects: Subjects): Expression {
  if (haystack.kind === 'list' && needle.kind === 'variable') {
    const { type, multiValued = false } = subjects.kindOf(needle.name, path);
    if (multiValued) throw new UnsupportedSource(path, `"${needle.name}" is a list, which cannot be in another list`);
    const fitting = haystack.values.filter((value) => typeof value === type);
    const onNull = haystack.values.includes(needle.fallback);
    if (fitting.length === 0) return onNull && not(exists(needle.name, path, subjects));
    return testOf(needle.name, { in: [...new Set(fitting)] }, onNull, { path, subjects });
  }
  if (needle.kind !== 'constant')
    throw new UnsupportedSource(path, 'searching a text for an attribute is not supported');
  if (haystack.kind === 'list') return haystack.values.includes(needle.value);
  if (haystack.kind === 'constant') {
    if (typeof haystack.value === 'string' && haystack.value !== '')
      return haystack.value.includes(String(needle.value));
    if (haystack.value) throw new UnsupportedSource(path, 'searching a number is an error in flagd');
    return false;
  }
  if (haystack.kind !== 'variable') throw new UnsupportedSource(path, 'searching the time is an error in flagd');
  const { name, fallback } = haystack;
  const { type, multiValued = false } = subjects.kindOf(name, path);
  if (multiValued) {
    if (fallback !== null) throw new UnsupportedSource(path, 'a list cannot have a fallback');
    return typeof needle.value === type && testOf(name, { in: [needle.value] }, false, { path, subjects });
  }
  if (type !== 'string' || typeof needle.value !== 'string')
    throw new UnsupportedSource(path, `searching a ${type} for ${JSON.stringify(needle.value)} is not supported`);
  const onNull = typeof fallback === 'string' && fallback !== '' && fallback.includes(needle.value);
  // flagd finds nothing in an empty text, not even the empty text.
  return testOf(name, needle.value === '' ? { notIn: [''] } : { contains: [needle.value] }, onNull, { path, subjects });
}

/** Semantics of `starts_with`, `ends_with` and `sem_ver`: true, or else false or null. */
export interface Trinary {
  readonly isTrue: Expression;
  readonly isFalse: Expression;
}

export function affix(
  test: 'startsWith' | 'endsWith',
  operands: readonly (Operand | undefined)[],
  path: Path,
  subjects: Subjects,
): Trinary {
  const [text, piece] = operands;
  if (operands.length !== 2) return { isTrue: false, isFalse: false };
  if (text === undefined || piece?.kind !== 'constant' || text.kind === 'timestamp')
    throw new UnsupportedSource(path, 'only an attribute that begins or ends with a constant is supported');
  if (typeof piece.value !== 'string' || text.kind === 'list') return { isTrue: false, isFalse: false };
  if (text.kind === 'constant') return constantAffix(test, text.value, piece.value);
  const { type, multiValued = false } = subjects.kindOf(text.name, path);
  if (type !== 'string' || multiValued) throw new UnsupportedSource(path, `"${text.name}" is not a text`);
  const onNull = constantAffix(test, text.fallback, piece.value);
  const isTrue = testOf(text.name, { [test]: [piece.value] }, onNull.isTrue === true, { path, subjects });
  const isText = onNull.isTrue === true || onNull.isFalse === true ? true : exists(text.name, path, subjects);
  return { isTrue, isFalse: all([isText, not(isTrue)]) };
}

function constantAffix(test: 'startsWith' | 'endsWith', text: Constant, piece: string): Trinary {
  if (typeof text !== 'string') return { isTrue: false, isFalse: false };
  return { isTrue: text[test](piece), isFalse: !text[test](piece) };
}

export function versionComparison(operands: readonly (Operand | undefined)[], path: Path, subjects: Subjects): Trinary {
  const [left, middle, right] = operands;
  if (operands.length !== 3) return { isTrue: false, isFalse: false };
  if (left === undefined || right === undefined || middle?.kind !== 'constant')
    throw new UnsupportedSource(path, 'a version comparison needs an attribute and a constant');
  const operator = String(middle.value);
  if (left.kind === 'constant' && right.kind === 'constant') return constantVersions(left.value, operator, right.value);
  if (left.kind === 'constant')
    return versionComparison(
      [right, { kind: 'constant', value: MIRRORED[operator] ?? operator }, left],
      path,
      subjects,
    );
  if (left.kind !== 'variable' || right.kind !== 'constant')
    throw new UnsupportedSource(path, 'a version comparison needs an attribute and a constant');
  const { type, multiValued = false } = subjects.kindOf(left.name, path);
  if (type !== 'string' || multiValued)
    throw new UnsupportedSource(path, `"${left.name}" is not a text, which a version must be`);
  const version = partialVersion(String(right.value));
  const range = version === undefined ? undefined : rangeOf(operator, version);
  if (range === undefined) return { isTrue: false, isFalse: false };
  const onNull = constantVersions(left.fallback, operator, right.value);
  const isVersion = onNull.isTrue === true || onNull.isFalse === true;
  const within = (semver: string, isNullWithin: boolean) =>
    testOf(left.name, { as: 'partial-semver', semver }, isNullWithin, { path, subjects });
  // A text that is not a version matches neither and counts as absent, so a fallback does not apply.
  if (isVersion) throw new UnsupportedSource(path, 'a fallback that is a version is not supported');
  const isAny = within('>=0.0.0-0', false);
  const isTrue = operator === '!=' ? all([isAny, not(within(range, false))]) : within(range, false);
  return { isTrue, isFalse: all([isAny, not(isTrue)]) };
}

function rangeOf(operator: string, version: string): string | undefined {
  const { major = 0, minor = 0 } = parseVersion(version) ?? {};
  switch (operator) {
    case '=':
    case '!=':
      return `=${version}`;
    case '<':
    case '<=':
    case '>':
    case '>=':
      return `${operator}${version}`;
    case '^':
      return `>=${major}.0.0-0 <${major + 1}.0.0-0`;
    case '~':
      return `>=${major}.${minor}.0-0 <${major}.${minor + 1}.0-0`;
    default:
      return undefined;
  }
}

function constantVersions(left: Constant, operator: string, right: Constant): Trinary {
  const [a, b] = [partialVersion(String(left)), partialVersion(String(right))];
  const [first, second] = [parseVersion(a ?? ''), parseVersion(b ?? '')];
  if (first === null || second === null) return { isTrue: false, isFalse: false };
  const order = compareVersions(first, second);
  const truth: Readonly<Record<string, boolean>> = {
    '=': order === 0,
    '!=': order !== 0,
    '<': order < 0,
    '<=': order <= 0,
    '>': order > 0,
    '>=': order >= 0,
    '^': first.major === second.major,
    '~': first.major === second.major && first.minor === second.minor,
  };
  const isTrue = truth[operator];
  return isTrue === undefined ? { isTrue: false, isFalse: false } : { isTrue, isFalse: !isTrue };
}

import parseVersion from 'semver/functions/parse.js';
import VersionRange from 'semver/classes/range.js';
import type { AttributeDeclaration, AttributeLookup, AttributeType } from './language/attributes.ts';
import { compileTime } from './language/compile-time.ts';
import { epochMs } from './language/instant.ts';
import { compileNetworks, parseAddress } from './language/ip.ts';
import type { Condition, Context, Matcher, Truth } from './language/language.ts';
import { growthbookVersionTest } from './language/growthbook-version.ts';
import { patternTest } from './language/pattern.ts';
import { readAs, typeOfForm } from './language/read-as.ts';
import { spendSteps, stepsOfText } from './language/work-budget.ts';
import { attributeReader, declaredReader, plainValue, type Plain } from './language/values.ts';

/** Versions whose answer a range caches: more than the versions of an app in use. */
const VERSIONS_REMEMBERED_MAX = 1_000;

/** Steps of reading a version; each bound of its range takes one more. */
const PARSE_VERSION_STEPS = 10;
/** Values of a list that are compared in one step. */
const VALUES_A_STEP = 4;

/** The parts of a world that compiling a rule needs. */
export interface RuleLookup {
  readonly attributes: AttributeLookup;
  /** The matcher of an Audience. */
  readonly matcher: (name: string) => Matcher | undefined;
}

/** Tests one value of a context, neither null nor undefined; unknown for the wrong type. */
type ValueTest = (value: unknown, context: Context) => Truth;

const UNKNOWN: Matcher = () => undefined;

/** A condition as a closure. Invalid conditions, and references to missing objects, are unknown. */
export function compileCondition(condition: Condition, lookup: RuleLookup): Matcher {
  const { attribute, audience, time, not = false } = condition;
  if (attribute !== undefined) {
    const declared = lookup.attributes.get(attribute);
    return declared === undefined ? UNKNOWN : compileAttribute(condition, declared);
  }
  const matcher =
    audience !== undefined ? (lookup.matcher(audience) ?? UNKNOWN) : time !== undefined ? compileTime(time) : UNKNOWN;
  return not ? negate(matcher) : matcher;
}

function negate(matcher: Matcher): Matcher {
  return (context, nowMs) => {
    const truth = matcher(context, nowMs);
    return truth === undefined ? undefined : !truth;
  };
}

function compileAttribute(condition: Condition, declared: AttributeDeclaration): Matcher {
  const { name, multiValued, loose = false } = declared;
  const { exists, as, not = false } = condition;
  const type = as === undefined ? declared.type : typeOfForm(as);
  const read = as === undefined ? declaredReader(declared) : readerAs(as, name);
  if (exists !== undefined) {
    const wanted = exists !== not;
    return (context) => {
      const value = read(context);
      return (value !== undefined && value !== null) === wanted;
    };
  }
  const whenAbsent = absentTruth(condition);
  const flip = isFlipped(condition);
  const test = compileTest(condition, type);
  if (multiValued) {
    return (context) => {
      const value = read(context);
      if (value === undefined || value === null) return whenAbsent;
      const truth = Array.isArray(value) ? someOf(value, test, context) : test(value, context);
      return truth === undefined ? undefined : truth !== flip;
    };
  }
  const only = onlyText(condition, type);
  if (only !== undefined && !loose && as === undefined && !name.includes('.') && !(name in Object.prototype)) {
    return (context) => {
      const value = context[name];
      if (typeof value === 'string') return (value === only) !== flip;
      return value === undefined || value === null ? whenAbsent : undefined;
    };
  }
  return (context) => {
    const value = read(context);
    if (value === undefined || value === null) return whenAbsent;
    const truth = test(value, context);
    return truth === undefined ? undefined : truth !== flip;
  };
}

function readerAs(as: NonNullable<Condition['as']>, name: string): (context: Context) => unknown {
  const read = attributeReader(name);
  return (context) => {
    const value = read(context);
    return value === undefined || value === null ? undefined : readAs(as, value);
  };
}

/** The answer of a condition when the context lacks its attribute. */
export function absentTruth({ absent, not = false }: Condition): Truth {
  return absent === undefined ? undefined : (absent === 'match') !== not;
}

/** True when the condition negates its test: `notIn` negates `in`, `not` negates everything. */
export function isFlipped({ notIn, not = false }: Condition): boolean {
  return (notIn !== undefined) !== not;
}

/** True when one value passes; unknown when one of them, even after that, is of the wrong type. */
function someOf(values: readonly unknown[], test: ValueTest, context: Context): Truth {
  if (!spendSteps(context, Math.ceil(values.length / VALUES_A_STEP))) return undefined;
  let found = false;
  for (const value of values) {
    const truth = value === undefined || value === null ? undefined : test(value, context);
    if (truth === undefined) return undefined;
    if (truth) found = true;
  }
  return found;
}

function onlyText(condition: Condition, type: AttributeType): string | undefined {
  const [first, second] = condition.in ?? condition.notIn ?? [];
  const isPlain = type === 'string' && condition.ignoreCase !== true && second === undefined;
  return isPlain && typeof first === 'string' ? first : undefined;
}

/** The test of an attribute of this type, for one value, before `notIn` and `not` negate it. */
function compileTest(condition: Condition, type: AttributeType): ValueTest {
  const { ignoreCase = false, startsWith, endsWith, contains, matches, semver, cidr } = condition;
  if (condition.as === 'growthbook-version') return growthbookVersionTest(condition);
  const values = condition.in ?? condition.notIn;
  if (values !== undefined) return membership(values, type, ignoreCase);
  if (isRange(condition)) return rangeTest(condition, type);
  if (type === 'semver' && semver !== undefined) return versionTest(semver);
  if (type === 'ip' && cidr !== undefined) {
    const isIn = compileNetworks(cidr);
    return (value) => {
      const address = typeof value === 'string' ? parseAddress(value) : undefined;
      return address === undefined ? undefined : isIn(address);
    };
  }
  if (type !== 'string') return () => undefined;
  const fold = (text: string) => (ignoreCase ? text.toLowerCase() : text);
  const pieces = (startsWith ?? endsWith ?? contains ?? []).map(fold);
  if (startsWith !== undefined) return edgeTest(pieces, fold, (text, length) => text.slice(0, length));
  if (endsWith !== undefined) return edgeTest(pieces, fold, (text, length) => text.slice(text.length - length));
  if (contains !== undefined) {
    const steps = (text: string) => (pieces.length + 1) * stepsOfText(text.length);
    return textTest(steps, (text) => {
      const folded = fold(text);
      return pieces.some((piece) => folded.includes(piece));
    });
  }
  if (matches !== undefined) {
    const isFound = patternTest(matches, ignoreCase);
    return (value, context) => (typeof value === 'string' ? isFound(value, context) : undefined);
  }
  return () => undefined;
}

/** True when a text has one of the pieces at an edge. Pieces of one length form a set: their number costs nothing. */
function edgeTest(
  pieces: readonly string[],
  fold: (text: string) => string,
  edge: (text: string, length: number) => string,
): ValueTest {
  const byLength = new Map<number, Set<string>>();
  for (const piece of pieces) {
    const known = byLength.get(piece.length);
    if (known === undefined) byLength.set(piece.length, new Set([piece]));
    else known.add(piece);
  }
  const sets = [...byLength];
  const looks = sets.reduce((steps, [length]) => steps + stepsOfText(length), 0);
  const steps = (text: string) => looks + stepsOfText(text.length);
  return textTest(steps, (text) => {
    const folded = fold(text);
    return sets.some(([length, set]) => length <= folded.length && set.has(edge(folded, length)));
  });
}

function textTest(steps: (text: string) => number, test: (text: string) => boolean): ValueTest {
  return (value, context) => {
    if (typeof value !== 'string' || !spendSteps(context, steps(value))) return undefined;
    return test(value);
  };
}

function membership(values: readonly unknown[], type: AttributeType, ignoreCase: boolean): ValueTest {
  const set = plainSet(values, type, ignoreCase);
  switch (type) {
    case 'string':
      return ignoreCase
        ? textTest(
            (text) => stepsOfText(text.length),
            (text) => set.has(text.toLowerCase()),
          )
        : (value) => (typeof value === 'string' ? set.has(value) : undefined);
    case 'number':
      return (value) => (typeof value === 'number' && Number.isFinite(value) ? set.has(value) : undefined);
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? set.has(value) : undefined);
    default:
      return (value) => {
        const plain = plainValue(type, value);
        return plain === undefined ? undefined : set.has(plain);
      };
  }
}

/** The values of an `in` or `notIn` in their plain form, each once. */
export function plainSet(values: readonly unknown[], type: AttributeType, ignoreCase: boolean): ReadonlySet<Plain> {
  const set = new Set<Plain>();
  for (const value of values) {
    const plain = plainValue(type, value);
    if (plain === undefined) continue;
    set.add(ignoreCase && typeof plain === 'string' ? plain.toLowerCase() : plain);
  }
  return set;
}

export function isRange({ atLeast, above, atMost, below }: Condition): boolean {
  return atLeast !== undefined || above !== undefined || atMost !== undefined || below !== undefined;
}

function rangeTest({ atLeast, above, atMost, below }: Condition, type: AttributeType): ValueTest {
  if (type !== 'number' && type !== 'timestamp') return () => undefined;
  const toNumber = (value: unknown) => (typeof value === 'number' ? value : epochMs(value));
  const bound = (value: unknown, none: number) => (value === undefined ? none : (toNumber(value) ?? Number.NaN));
  const [least, over, most, under] = [
    bound(atLeast, -Infinity),
    bound(above, -Infinity),
    bound(atMost, Infinity),
    bound(below, Infinity),
  ];
  const isIn = (number: number) => number >= least && number > over && number <= most && number < under;
  return type === 'number'
    ? (value) => (typeof value === 'number' && Number.isFinite(value) ? isIn(value) : undefined)
    : (value) => {
        const instant = epochMs(value);
        return instant === undefined ? undefined : isIn(instant);
      };
}

/** Pre-releases count as the versions that they are: 9.0.0-beta.1 is above 8.9.0. */
function versionTest(text: string): ValueTest {
  const range = new VersionRange(text, { includePrerelease: true });
  const steps = PARSE_VERSION_STEPS + range.set.flat().length;
  const known = new Map<string, Truth>();
  return (value, context) => {
    if (typeof value !== 'string' || !spendSteps(context, steps)) return undefined;
    const answer = known.get(value);
    if (answer !== undefined) return answer;
    const version = parseVersion(value);
    if (version === null) return undefined;
    const truth = range.test(version);
    if (known.size >= VERSIONS_REMEMBERED_MAX) known.clear();
    known.set(value, truth);
    return truth;
  };
}

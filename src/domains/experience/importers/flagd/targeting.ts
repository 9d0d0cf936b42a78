import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import type { Path } from '#kernel/base/failures.ts';
import { compileSplit } from '../../decisions/compile-split.ts';
import type { Split } from '../../kinds/parts.ts';
import { all, any, leaf, not, type Expression } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import {
  affix,
  comparison,
  exists,
  membership,
  testOf,
  versionComparison,
  type Subjects,
  type Trinary,
} from './comparison.ts';
import { argumentsOf, isConstant, operandOf, operationIn, type Constant } from './operand.ts';

/** Buckets of units, each with a variant; null is the default variant. */
interface Buckets {
  readonly unit: string;
  readonly bucketing: Bucketing;
  readonly variants: readonly { readonly variant: Constant; readonly weight: number }[];
}

/** The result of a JsonLogic expression: the first case whose condition holds. The last one always holds. */
export type Cases = readonly { readonly when: Expression; readonly gives: Constant | Buckets }[];

/** Inputs of one flag's translation. */
export interface Targeting extends Subjects {
  readonly flagKey: string;
  readonly algorithm: 'flagd-v1' | 'flagd-v2';
}

const WEIGHTS_MAX = 2_147_483_647;
const COMPARISONS = ['==', '===', '!=', '!==', '<', '<=', '>', '>='];

export function casesOf(logic: unknown, path: Path, targeting: Targeting): Cases {
  const { flagKey } = targeting;
  const operand = operandOf(logic, flagKey, path);
  if (operand?.kind === 'constant') return [{ when: true, gives: operand.value }];
  if (operand?.kind === 'variable') return variableCases(operand.name, operand.fallback, path, targeting);
  const { operator = '', input } = operationIn(logic) ?? {};
  const at = [...path, operator];
  if (COMPARISONS.includes(operator) || operator === 'in' || ['!', '!!', 'not'].includes(operator)) {
    return [
      { when: truthOf(logic, path, targeting), gives: true },
      { when: true, gives: false },
    ];
  }
  switch (operator) {
    case 'if':
    case '?:':
      return ifCases(listIn(input, at), at, ranOf(listIn(input, at), targeting));
    case 'and':
    case 'or':
      return junctionCases(operator, listIn(input, at), at, targeting);
    case 'starts_with':
    case 'ends_with':
    case 'sem_ver':
      return trinaryCases(trinary(operator, input, at, targeting));
    case 'fractional':
      return fractionalCases(listIn(input, at), at, targeting);
    default:
      throw new UnsupportedSource(
        at,
        operator === '' ? 'this is not supported' : `the operator "${operator}" is not supported`,
      );
  }
}

/** Truthiness in flagd: everything but null, false, 0 and the empty text. */
function truthOf(logic: unknown, path: Path, targeting: Targeting): Expression {
  const { flagKey } = targeting;
  const operand = operandOf(logic, flagKey, path);
  if (operand?.kind === 'timestamp') return true;
  if (operand?.kind === 'variable') return variableTruth(operand.name, operand.fallback, path, targeting);
  const { operator = '', input } = operationIn(logic) ?? {};
  const at = [...path, operator];
  const parts = argumentsOf(input);
  const operands = () => parts.map((part, index) => operandIn(part, [...at, index], targeting));
  if (COMPARISONS.includes(operator)) {
    const [first, second, third] = operands();
    const isChain = parts.length === 3 && third !== undefined && /^[<>]/.test(operator);
    if (first === undefined || second === undefined || (parts.length !== 2 && !isChain))
      throw new UnsupportedSource(at, 'a comparison needs two operands, or three for an order');
    const begun = comparison(operator, first, second, { path: at, subjects: targeting });
    return isChain ? all([begun, comparison(operator, second, third, { path: at, subjects: targeting })]) : begun;
  }
  switch (operator) {
    case 'in': {
      const [needle, haystack] = operands();
      if (needle === undefined || haystack === undefined || parts.length !== 2)
        throw new UnsupportedSource(at, 'in needs two operands');
      return membership(needle, haystack, at, targeting);
    }
    case '!':
    case 'not':
      return not(truthOf(parts[0], [...at, 0], targeting));
    case '!!':
      return truthOf(parts[0], [...at, 0], targeting);
    case 'and':
      return parts.length > 0 && all(parts.map((part, index) => truthOf(part, [...at, index], targeting)));
    case 'or':
      return any(parts.map((part, index) => truthOf(part, [...at, index], targeting)));
    default:
      return truthOfCases(casesOf(logic, path, targeting), path);
  }
}

function truthOfCases(cases: Cases, path: Path): Expression {
  const truths = cases.map(({ when, gives }, index) => {
    if (!isConstant(gives)) throw new UnsupportedSource(path, 'whether a unit is in a bucket cannot be a condition');
    if (!gives) return false;
    const passed = cases.slice(0, index).filter((each) => !each.gives);
    return all([when, ...passed.map((each) => not(each.when))]);
  });
  return any(truths);
}

function operandIn(logic: unknown, path: Path, { flagKey }: Targeting) {
  const operand = operandOf(logic, flagKey, path);
  if (operand === undefined) throw new UnsupportedSource(path, 'comparing a computed value is not supported');
  return operand;
}

function listIn(input: unknown, path: Path): readonly unknown[] {
  if (!Array.isArray(input)) throw new UnsupportedSource(path, 'there must be a list of arguments');
  return input;
}

function variableTruth(name: string, fallback: Constant, path: Path, targeting: Targeting): Expression {
  const { type, multiValued = false } = targeting.kindOf(name, path);
  if (multiValued) throw new UnsupportedSource(path, `whether the list "${name}" is empty is not supported`);
  const test = type === 'boolean' ? { in: [true] } : { notIn: [type === 'number' ? 0 : ''] };
  return testOf(name, test, Boolean(fallback), { path, subjects: targeting });
}

/** Cases for the value of a variable: only booleans have few enough values. */
function variableCases(name: string, fallback: Constant, path: Path, targeting: Targeting): Cases {
  const { type } = targeting.kindOf(name, path);
  if (type !== 'boolean')
    throw new UnsupportedSource(
      path,
      `"${name}" itself as the variant is not supported; write one condition for each value`,
    );
  return [
    { when: testOf(name, { in: [true] }, false, { path, subjects: targeting }), gives: true },
    { when: exists(name, path, targeting), gives: false },
    { when: true, gives: fallback },
  ];
}

/** json-logic-engine interprets an `if` without an else, and everything inside it. */
function ranOf(parts: readonly unknown[], targeting: Targeting): Targeting {
  return parts.length < 3 ? { ...targeting, compiled: false } : targeting;
}

/** The conjunction with each case; cases that always hold end the list. */
function within(condition: Expression, cases: Cases): Cases {
  return cases.map(({ when, gives }) => ({ when: all([condition, when]), gives }));
}

function ifCases(parts: readonly unknown[], path: Path, targeting: Targeting): Cases {
  const [condition, then, ...others] = parts;
  if (parts.length === 0) return [{ when: true, gives: null }];
  if (parts.length === 1) return casesOf(condition, [...path, 0], targeting);
  const isTrue = truthOf(condition, path, targeting);
  const otherwise: Cases = others.length === 0 ? [{ when: true, gives: null }] : ifCases(others, path, targeting);
  return [...within(isTrue, casesOf(then, path, targeting)), ...otherwise];
}

/** `and` gives the first falsy operand, `or` the first truthy one, otherwise the last. */
function junctionCases(operator: 'and' | 'or', parts: readonly unknown[], path: Path, targeting: Targeting): Cases {
  const [first, ...others] = parts;
  if (parts.length === 0) return [{ when: true, gives: null }];
  const cases = casesOf(first, [...path, 0], targeting);
  if (others.length === 0) return cases;
  return cases.flatMap(({ when, gives }): Cases => {
    if (!isConstant(gives)) throw new UnsupportedSource(path, 'whether a unit is in a bucket cannot be a condition');
    const goesOn = Boolean(gives) === (operator === 'and');
    return goesOn ? within(when, junctionCases(operator, others, path, targeting)) : [{ when, gives }];
  });
}

function trinary(operator: string, input: unknown, path: Path, targeting: Targeting): Trinary {
  const operands = argumentsOf(input).map((part, index) => operandIn(part, [...path, index], targeting));
  if (operator === 'sem_ver') return versionComparison(operands, path, targeting);
  return affix(operator === 'starts_with' ? 'startsWith' : 'endsWith', operands, path, targeting);
}

function trinaryCases({ isTrue, isFalse }: Trinary): Cases {
  return [
    { when: isTrue, gives: true },
    { when: isFalse, gives: false },
    { when: true, gives: null },
  ];
}

/**
 * A split by hash. Without a value to hash flagd gives null, except for a concatenated text: compiled, it
 * holds the word `null` for a missing value.
 */
function fractionalCases(parts: readonly unknown[], path: Path, targeting: Targeting): Cases {
  const { flagKey } = targeting;
  const nothing: Cases = [{ when: true, gives: null }];
  const [first, ...others] = parts;
  const isByKey = Array.isArray(first);
  const variants = bucketsIn(isByKey ? parts : others, path);
  if (parts.length === 0 || variants === undefined) return nothing;
  const split = (unit: string, salt: string): Buckets => ({
    unit: targeting.name(unit, path),
    bucketing: { algorithm: targeting.algorithm, salt },
    variants,
  });
  if (isByKey)
    return [{ when: isGiven(TARGETING_KEY, path, targeting), gives: split(TARGETING_KEY, flagKey) }, ...nothing];
  const { operator, input } = operationIn(first) ?? {};
  const pieces = operator === 'cat' ? argumentsOf(input) : [first];
  const operands = pieces.map((piece, index) => operandIn(piece, [...path, 0, index], targeting));
  const constants = operands.map((each) => (each.kind === 'constant' ? String(each.value) : undefined));
  const last = operands.at(-1);
  const text = (count: number) => constants.slice(0, count).join('');
  const always = (key: string): Constant => chooseVariant(variants, targeting.algorithm, key);
  if (!constants.includes(undefined)) {
    // Without cat only texts are hashed.
    const isText = operator === 'cat' || typeof first === 'string' || operator === 'var';
    return isText && operands.length > 0 ? [{ when: true, gives: always(text(constants.length)) }] : nothing;
  }
  if (constants.slice(0, -1).includes(undefined) || last?.kind !== 'variable' || last.fallback !== null)
    throw new UnsupportedSource([...path, 0], 'buckets need constants followed by one attribute');
  const { type, loose = false, multiValued = false } = targeting.kindOf(last.name, path);
  if (multiValued) throw new UnsupportedSource([...path, 0], `"${last.name}" is a list`);
  if (operator !== 'cat' && (type !== 'string' || loose))
    throw new UnsupportedSource(
      [...path, 0],
      `buckets by "${last.name}" need a text; write {"cat":[{"var":"${last.name}"}]}, or pass --attribute ${last.name}=string`,
    );
  const salt = text(constants.length - 1);
  const isThere = type === 'string' ? isGiven(last.name, path, targeting) : exists(last.name, path, targeting);
  return [
    { when: isThere, gives: split(last.name, salt) },
    ...(type === 'string' ? [{ when: exists(last.name, path, targeting), gives: always(salt) }] : []),
    { when: true, gives: operator === 'cat' ? always(targeting.compiled ? `${salt}null` : salt) : null },
  ];
}

function isGiven(attribute: string, path: Path, targeting: Targeting): Expression {
  return leaf({ attribute: targeting.name(attribute, path), notIn: [''], absent: 'noMatch' });
}

/** The variant of one constant text. */
function chooseVariant(variants: Buckets['variants'], algorithm: Bucketing['algorithm'], key: string): Constant {
  const split: Split = variants.map(({ weight }, index) => ({ variant: String(index), weight }));
  return variants[compileSplit(split, { algorithm, salt: '' })(key)]?.variant ?? null;
}

/** The buckets; undefined when flagd could use none of them, or all are empty. */
function bucketsIn(parts: readonly unknown[], path: Path): Buckets['variants'] | undefined {
  const found: { variant: Constant; weight: number }[] = [];
  for (const part of parts) {
    if (operationIn(part) !== undefined)
      throw new UnsupportedSource(path, 'buckets that are computed is not supported');
    if (!Array.isArray(part) || part.length === 0 || part.length > 2) return undefined;
    const [variant, weight = 1] = part as unknown[];
    if (operationIn(variant) !== undefined || operationIn(weight) !== undefined)
      throw new UnsupportedSource(path, 'a variant or weight that is computed is not supported');
    if (!isConstant(variant) || typeof weight !== 'number' || !Number.isInteger(weight)) return undefined;
    found.push({ variant, weight: Math.max(0, weight) });
  }
  const total = found.reduce((sum, { weight }) => sum + weight, 0);
  return total === 0 || total > WEIGHTS_MAX ? undefined : found;
}

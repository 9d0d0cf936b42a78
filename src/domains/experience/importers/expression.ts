import { AUDIENCE_LIMITS, type AudienceRule, type Condition } from '#kernel/audiences/language/language.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import type { Path } from '#kernel/base/failures.ts';
import { UnsupportedSource } from './unsupported-source.ts';

/**
 * A condition of another tool: true or false, never unknown. Its leaves are Backline conditions that state
 * the result for an absent attribute.
 */
export type Expression =
  | boolean
  | { readonly leaf: Condition }
  | { readonly all: readonly Expression[] }
  | { readonly any: readonly Expression[] }
  | { readonly not: Expression };

export function leaf(condition: Condition): Expression {
  return { leaf: condition };
}

export function all(parts: readonly Expression[]): Expression {
  if (parts.includes(false)) return false;
  const [first = true, ...others] = parts.filter((part) => part !== true);
  return others.length === 0 ? first : { all: [first, ...others] };
}

export function any(parts: readonly Expression[]): Expression {
  if (parts.includes(true)) return true;
  const [first = false, ...others] = parts.filter((part) => part !== false);
  return others.length === 0 ? first : { any: [first, ...others] };
}

export function not(part: Expression): Expression {
  if (typeof part === 'boolean') return !part;
  return 'not' in part ? part.not : { not: part };
}

/** A leaf or its negation. */
interface Literal {
  readonly key: string;
  readonly condition: Condition;
  readonly negated: boolean;
}
/** Literals of a conjunction, by key. */
type Group = ReadonlyMap<string, Literal>;

/** Intermediate groups before simplification: a few times the maximum that may remain. */
const GROUPS_ON_THE_WAY_MAX = 1_000;

/**
 * Converts an expression to a rule: a disjunction of condition groups. Throws UnsupportedSource when it needs too
 * many groups.
 *
 * @param total whether the rule must be false, never unknown, where it is not true: for operands of a
 * negation
 */
export function toRule(expression: Expression, path: Path, total = false): AudienceRule | boolean {
  const groups = simplify(groupsOf(expression, false, path));
  if (groups.length === 0) return false;
  if (groups.some((group) => group.size === 0)) return true;
  const { groupsMax, conditionsMax } = AUDIENCE_LIMITS;
  if (groups.length > groupsMax || groups.some((group) => group.size > conditionsMax)) throw tooLarge(path);
  return {
    anyOf: groups.map((group) => ({ allOf: [...group.values()].map((literal) => conditionOf(literal, total)) })),
  };
}

function tooLarge(path: Path): UnsupportedSource {
  const { groupsMax, conditionsMax } = AUDIENCE_LIMITS;
  return new UnsupportedSource(
    path,
    `as a rule, this needs more than ${groupsMax} groups of ${conditionsMax} conditions; split it up`,
  );
}

/** Disjunctive normal form. */
function groupsOf(expression: Expression, negated: boolean, path: Path): readonly Group[] {
  if (typeof expression === 'boolean') return expression === negated ? [] : [new Map()];
  if ('leaf' in expression) {
    const key = canonicalJson(expression.leaf);
    return [new Map([[key, { key, condition: expression.leaf, negated }]])];
  }
  if ('not' in expression) return groupsOf(expression.not, !negated, path);
  const parts = 'all' in expression ? expression.all : expression.any;
  const isProduct = 'all' in expression !== negated;
  if (!isProduct) return parts.flatMap((part) => groupsOf(part, negated, path));
  let product: readonly Group[] = [new Map()];
  for (const part of parts) {
    const factors = groupsOf(part, negated, path);
    product = simplify(product.flatMap((group) => factors.flatMap((factor) => joinGroups(group, factor))));
    if (product.length > GROUPS_ON_THE_WAY_MAX) throw tooLarge(path);
  }
  return product;
}

/** The conjunction of both groups; empty when they contradict. */
function joinGroups(a: Group, b: Group): readonly Group[] {
  const group = new Map(a);
  for (const literal of b.values()) {
    if (group.get(literal.key)?.negated === !literal.negated) return [];
    group.set(literal.key, literal);
  }
  return [group];
}

/** Removes groups that another group subsumes. */
function simplify(groups: readonly Group[]): readonly Group[] {
  return groups.filter(
    (group, index) =>
      !groups.some((other, at) => at !== index && isWithin(other, group) && (other.size < group.size || at < index)),
  );
}

function isWithin(smaller: Group, larger: Group): boolean {
  return [...smaller.values()].every(({ key, negated }) => larger.get(key)?.negated === negated);
}

function conditionOf({ condition, negated }: Literal, total: boolean): Condition {
  const literal = negated ? contrary(condition) : condition;
  const { absent, ...rest } = literal;
  // Outside a negation, unknown counts as false.
  const isFalseWithout = absent !== undefined && (absent === 'match') === (literal.not === true);
  return isFalseWithout && !total ? rest : literal;
}

function contrary(condition: Condition): Condition {
  const { in: members, notIn, exists, absent, not: flipped, ...rest } = condition;
  if (flipped === true) {
    const { not: _, ...positive } = condition;
    return positive;
  }
  if (exists !== undefined) return { ...rest, exists: !exists };
  const turned = absent === undefined ? {} : ({ absent: absent === 'match' ? 'noMatch' : 'match' } as const);
  if (members !== undefined) return { ...rest, notIn: members, ...turned };
  if (notIn !== undefined) return { ...rest, in: notIn, ...turned };
  return { ...condition, not: true };
}

import type { Path, Problem } from '#kernel/base/failures.ts';
import { compileCel, problemText, type CelProgram } from '#kernel/cel/cel.ts';
import { KUBERNETES } from '#kernel/cel/libraries/kubernetes.ts';
import { optionalOf, STRING, typeText, type CelType } from '#kernel/cel/types.ts';
import { forbiddenProblem, invalid } from '#kernel/kinds/schema/problems.ts';
import type { SchemaNode, SchemaRule } from '#kernel/kinds/schema/schema-node.ts';
import { ITEMS_MAX, MEMBERS_MAX } from '#kernel/kinds/schema/weight.ts';
import { fieldsOf, parseJsonPath } from './json-path.ts';
import { asResource, celSizeOf, celTypeOf } from './rule-types.ts';

export const RULE_LIMITS = {
  /** Of one version. Each is compiled when the definition is written. */
  rulesMax: 300,
  /** Of all expressions of a version: compiling a thousand characters takes a millisecond. */
  charsMax: 50_000,
  /** Units that one rule may cost at worst, for all its values in one object. */
  worstCostMax: 10_000_000,
  /** Units that all rules of a version may cost at worst. */
  worstCostOfAllMax: 100_000_000,
  /** Units that one run of a rule may cost. */
  runCostMax: 1_000_000,
  /** Units that all rules about one object may cost: some 15 ms, in which nothing else is written. */
  objectCostMax: 1_000_000,
  expressionCharsMax: 10_000,
  messageCharsMax: 2_048,
} as const;

/** Values in one object: no rule runs more often, whatever schemas allow. */
const VALUES_MAX = 32_768;

/** A rule that can run. */
export interface CompiledRule {
  readonly rule: string;
  readonly program: CelProgram;
  readonly message: CelProgram | undefined;
  /** Where no expression gives one. */
  readonly text: string;
  readonly reason: NonNullable<SchemaRule['reason']>;
  /** The place of its problems, below the value. */
  readonly below: readonly string[];
  /** Whether it compares the value with the old one. */
  readonly isTransition: boolean;
  /** Whether it runs where there is no old value, too. */
  readonly isAlways: boolean;
}

/** The rules of a schema and of those within it; undefined where there are none. */
export interface RuleNode {
  readonly rules: readonly CompiledRule[];
  readonly node: SchemaNode;
  readonly properties: ReadonlyMap<string, RuleNode>;
  readonly additional?: RuleNode;
  readonly items?: RuleNode;
}

interface Compilation {
  readonly problems: Problem[];
  count: number;
  chars: number;
  worst: number;
}

/** Compiles all rules of the schema of a version; `path` is that of the schema. */
export function compileRules(
  schema: SchemaNode,
  path: Path,
): { readonly root: RuleNode | undefined; readonly problems: readonly Problem[] } {
  const compilation: Compilation = { problems: [], count: 0, chars: 0, worst: 0 };
  const root = compileNode(asResource(schema), path, { cardinality: 1, isComparable: true }, compilation);
  const { problems, worst } = compilation;
  if (problems.length === 0 && worst > RULE_LIMITS.worstCostOfAllMax) {
    const text = `x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of ${factor(worst, RULE_LIMITS.worstCostOfAllMax)} (${REMEDY})`;
    return { root, problems: [forbiddenProblem(path, text)] };
  }
  return { root, problems };
}

const REMEDY =
  'try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared';

function factor(cost: number, max: number): string {
  const times = cost / max;
  return times > 100 ? 'more than 100x' : `${times.toFixed(1)}x`;
}

/** Where a schema stands. */
interface SchemaPlace {
  /** How many values of it one object has at most. */
  readonly cardinality: number;
  /** Whether its values have old selves: not within lists that are no maps. */
  readonly isComparable: boolean;
}

function compileNode(node: SchemaNode, path: Path, place: SchemaPlace, compilation: Compilation): RuleNode | undefined {
  const rules = compileOwn(node, path, place, compilation);
  const { cardinality, isComparable } = place;
  const of = (child: SchemaNode, at: Path, more: SchemaPlace): RuleNode | undefined =>
    compileNode(child.embedded ? asResource(child) : child, at, more, compilation);
  const properties = new Map<string, RuleNode>();
  for (const [name, property] of node.properties) {
    const compiled = of(property, [...path, 'properties', name], place);
    if (compiled !== undefined) properties.set(name, compiled);
  }
  const times = (count: number) => Math.min(cardinality * count, VALUES_MAX);
  const items =
    node.items &&
    of(node.items, [...path, 'items'], {
      cardinality: times(Math.min(node.maxItems ?? ITEMS_MAX, ITEMS_MAX)),
      isComparable: isComparable && node.listType === 'map',
    });
  const additional =
    node.additional &&
    of(node.additional, [...path, 'additionalProperties'], {
      cardinality: times(Math.min(node.maxProperties ?? MEMBERS_MAX, MEMBERS_MAX)),
      isComparable: isComparable && node.mapType !== 'atomic',
    });
  if (rules.length === 0 && properties.size === 0 && items === undefined && additional === undefined) return undefined;
  return { rules, node, properties, ...(items && { items }), ...(additional && { additional }) };
}

function compileOwn(
  node: SchemaNode,
  path: Path,
  place: SchemaPlace,
  compilation: Compilation,
): readonly CompiledRule[] {
  const { validations = [] } = node;
  if (validations.length === 0) return [];
  const self = celTypeOf(node);
  const size = celSizeOf(node);
  return validations.flatMap((declared, index) => {
    const at = [...path, 'x-kubernetes-validations', index];
    if (isFull(compilation, declared, at)) return [];
    const known = { self, size, node, at, place };
    const { rule, problems, worst } = compileRule(declared, known);
    compilation.problems.push(...problems);
    compilation.worst += worst;
    return rule === undefined ? [] : [rule];
  });
}

/** Whether no more rules are compiled, which is a problem of the first of them. */
function isFull(compilation: Compilation, { rule, messageExpression = '' }: SchemaRule, at: Path): boolean {
  const wasFull = compilation.count > RULE_LIMITS.rulesMax || compilation.chars > RULE_LIMITS.charsMax;
  compilation.count += 1;
  compilation.chars += rule.length + messageExpression.length;
  const { count, chars, problems } = compilation;
  if (count <= RULE_LIMITS.rulesMax && chars <= RULE_LIMITS.charsMax) return false;
  if (!wasFull) {
    const text = `a version has at most ${RULE_LIMITS.rulesMax} rules, and ${RULE_LIMITS.charsMax} characters of expressions`;
    problems.push(forbiddenProblem(at, text));
  }
  return true;
}

interface RuleContext {
  readonly self: CelType;
  readonly size: ReturnType<typeof celSizeOf>;
  readonly node: SchemaNode;
  readonly at: Path;
  readonly place: SchemaPlace;
}

interface RuleResult {
  readonly rule: CompiledRule | undefined;
  readonly problems: readonly Problem[];
  /** Units that the rule costs at worst, for all its values. */
  readonly worst: number;
}

function compileRule(declared: SchemaRule, context: RuleContext): RuleResult {
  const { at, self, place } = context;
  const problems = textProblems(declared, context);
  const refuse = (...more: readonly Problem[]): RuleResult => ({
    rule: undefined,
    problems: [...problems, ...more],
    worst: 0,
  });
  if (problems.length > 0) return refuse();
  const isOptional = declared.optionalOldSelf === true;
  const plain = { self };
  const withOld = { self, oldSelf: isOptional ? optionalOf(self) : self };
  const compile = (text: string, variables: Readonly<Record<string, CelType>>) =>
    compileCel(text, {
      variables,
      libraries: KUBERNETES,
      sizes: Object.fromEntries(Object.keys(variables).map((name) => [name, context.size])),
    });
  // A rule that compiles without the old value does not compare with it.
  const alone = compile(declared.rule, plain);
  const isTransition = alone.program === undefined;
  const { program, problems: found = [] } = isTransition ? compile(declared.rule, withOld) : alone;
  const rulePath = [...at, 'rule'];
  if (program === undefined) {
    return refuse(
      ...found.map((one) => invalid(rulePath, declared.rule, `compilation failed: ${problemText(declared.rule, one)}`)),
    );
  }
  if (program.type.is !== 'bool' && program.type.is !== 'dyn') {
    return refuse(invalid(rulePath, declared.rule, `must evaluate to a bool, and not to ${typeText(program.type)}`));
  }
  if (isTransition && !place.isComparable) {
    const text = 'oldSelf cannot be used on the uncorrelatable portion of the schema within an atomic or set list';
    return refuse(invalid(rulePath, declared.rule, text));
  }
  if (isOptional && !isTransition) {
    return refuse(invalid([...at, 'optionalOldSelf'], true, 'may not be set if oldSelf is not used in rule'));
  }
  const worst = program.worstCost * place.cardinality;
  if (worst > RULE_LIMITS.worstCostMax) {
    const text = `estimated rule cost exceeds budget by factor of ${factor(worst, RULE_LIMITS.worstCostMax)} (${REMEDY})`;
    return refuse(forbiddenProblem(rulePath, text));
  }
  const message = messageOf(declared, at, (text) => compile(text, isTransition ? withOld : plain));
  if (message.problems.length > 0) return refuse(...message.problems);
  return {
    rule: {
      rule: declared.rule,
      program,
      message: message.program,
      text: declared.message ?? `failed rule: ${declared.rule.trim()}`,
      reason: declared.reason ?? 'FieldValueInvalid',
      below: declared.fieldPath === undefined ? [] : (pathBelow(declared.fieldPath) ?? []),
      isTransition,
      isAlways: !isTransition || isOptional,
    },
    problems: [],
    worst,
  };
}

function messageOf(
  { messageExpression }: SchemaRule,
  at: Path,
  compile: (text: string) => ReturnType<typeof compileCel>,
): { readonly program: CelProgram | undefined; readonly problems: readonly Problem[] } {
  if (messageExpression === undefined) return { program: undefined, problems: [] };
  const path = [...at, 'messageExpression'];
  const { program, problems = [] } = compile(messageExpression);
  if (program === undefined) {
    const texts = problems.map((one) => `messageExpression compilation failed: ${problemText(messageExpression, one)}`);
    return { program, problems: texts.map((text) => invalid(path, messageExpression, text)) };
  }
  if (program.type.is === STRING.is || program.type.is === 'dyn') return { program, problems: [] };
  const text = `messageExpression must evaluate to a string, and not to ${typeText(program.type)}`;
  return { program, problems: [invalid(path, messageExpression, text)] };
}

/** Problems of the texts of a rule, before anything is compiled. */
function textProblems(declared: SchemaRule, { at, node }: RuleContext): readonly Problem[] {
  const { rule, message, messageExpression, fieldPath } = declared;
  const problems: Problem[] = [];
  const limit = (name: string, text: string | undefined, max: number): void => {
    if (text !== undefined && text.length > max)
      problems.push(forbiddenProblem([...at, name], `has at most ${max} characters`));
  };
  limit('rule', rule, RULE_LIMITS.expressionCharsMax);
  limit('messageExpression', messageExpression, RULE_LIMITS.expressionCharsMax);
  limit('message', message, RULE_LIMITS.messageCharsMax);
  if (rule.trim() === '')
    problems.push({
      path: [...at, 'rule'],
      reason: 'FieldValueRequired',
      detail: 'Required value: rule is not specified',
    });
  if (message !== undefined && message.trim() === '') {
    problems.push(invalid([...at, 'message'], message, 'message must be non-empty if specified'));
  } else if (message?.includes('\n') === true) {
    problems.push(invalid([...at, 'message'], message, 'message must not contain line breaks'));
  } else if (message === undefined && rule.trim().includes('\n')) {
    problems.push({
      path: [...at, 'message'],
      reason: 'FieldValueRequired',
      detail: 'Required value: message must be specified if rule contains line breaks',
    });
  }
  if (fieldPath !== undefined && !leadsToField(fieldPath, node)) {
    problems.push(invalid([...at, 'fieldPath'], fieldPath, 'fieldPath must be a valid path'));
  }
  return problems;
}

function pathBelow(fieldPath: string): readonly string[] | undefined {
  const path = parseJsonPath(fieldPath);
  return 'problem' in path ? undefined : fieldsOf(path);
}

function leadsToField(fieldPath: string, node: SchemaNode): boolean {
  const fields = pathBelow(fieldPath);
  let at: SchemaNode | undefined = node;
  for (const field of fields ?? []) at = at?.properties.get(field) ?? at?.additional;
  return fields !== undefined && at !== undefined;
}

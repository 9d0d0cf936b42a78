import type { Path, Problem } from '#kernel/base/failures.ts';
import { compilePrune } from '#kernel/kinds/schema/prune.ts';
import { compileDefaults } from '#kernel/kinds/schema/defaults.ts';
import { withAlternatives } from '#kernel/kinds/schema/lift.ts';
import { linearPattern, withLinearPatterns } from '#kernel/kinds/schema/linear-pattern.ts';
import { forbiddenProblem, invalid } from '#kernel/kinds/schema/problems.ts';
import { readSchema, SchemaError, type SchemaNode } from '#kernel/kinds/schema/schema-node.ts';
import { compileValidate } from '#kernel/kinds/schema/validate.ts';
import { isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';
import { compileRules } from './compile-rules.ts';
import { structuralProblems } from './structural.ts';

/** Most problems of one schema that are named. */
const PROBLEMS_MAX = 20;

/** Defaults of one version: each is held against its schema when the definition is written. */
const DEFAULTS_MAX = 1_000;

/** Different patterns of one version: each takes some 0.3 ms when an object is first held against it. */
const PATTERNS_MAX = 256;

/** A schema that was read, or everything that is wrong with it. */
export type SchemaCheck =
  | { readonly node: SchemaNode; readonly problems?: undefined }
  | { readonly node?: undefined; readonly problems: readonly Problem[] };

/** Reads the schema of a version: it is structural, and its defaults keep to it. */
export function checkSchema(schema: JsonObject, path: Path): SchemaCheck {
  const structural = structuralProblems(schema, path);
  if (structural.length > 0) return { problems: structural.slice(0, PROBLEMS_MAX) };
  try {
    const node = withLinearPatterns(readSchema(schema));
    const problems = [
      ...(countDefaults(node) > DEFAULTS_MAX
        ? [forbiddenProblem(path, `a version has at most ${DEFAULTS_MAX} defaults`)]
        : defaultProblems(node, path)),
      ...metadataDefaults(schema, path),
      ...(patternsIn(node).size > PATTERNS_MAX
        ? [forbiddenProblem(path, `a version has at most ${PATTERNS_MAX} different patterns`)]
        : patternProblems(node, path)),
      ...compileRules(node, path).problems,
    ];
    return problems.length > 0 ? { problems: problems.slice(0, PROBLEMS_MAX) } : { node };
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return { problems: [{ path, reason: 'FieldValueInvalid', detail: `Invalid value: ${error.message}` }] };
  }
}

function countDefaults({ default: own, properties, items, additional }: SchemaNode): number {
  const children = [...properties.values(), ...(items ? [items] : []), ...(additional ? [additional] : [])];
  return children.reduce((sum, child) => sum + countDefaults(child), own === undefined ? 0 : 1);
}

function patternsIn(node: SchemaNode, found = new Set<string>()): ReadonlySet<string> {
  const { pattern, properties, items, additional, not, allOf, anyOf, oneOf } = node;
  if (pattern !== undefined) found.add(pattern);
  for (const one of [...properties.values(), ...allOf, ...anyOf, ...oneOf]) patternsIn(one, found);
  for (const one of [items, additional, not]) if (one) patternsIn(one, found);
  return found;
}

/** Patterns that are none, within alternatives too. */
function patternProblems(node: SchemaNode, path: Path): readonly Problem[] {
  const branches = (['allOf', 'anyOf', 'oneOf'] as const).flatMap((keyword) =>
    node[keyword].flatMap((branch, index) => patternProblems(branch, [...path, keyword, index])),
  );
  return [
    ...(node.pattern === undefined ? [] : problemsOfPattern(node.pattern, [...path, 'pattern'])),
    ...[...node.properties].flatMap(([name, property]) => patternProblems(property, [...path, 'properties', name])),
    ...(node.items ? patternProblems(node.items, [...path, 'items']) : []),
    ...(node.additional ? patternProblems(node.additional, [...path, 'additionalProperties']) : []),
    ...(node.not ? patternProblems(node.not, [...path, 'not']) : []),
    ...branches,
  ];
}

function problemsOfPattern(pattern: string, path: Path): readonly Problem[] {
  try {
    linearPattern(pattern);
    return [];
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return [invalid(path, pattern, error.message)];
  }
}

/** The problems that an object with a default in it would have. */
function defaultProblems(node: SchemaNode, path: Path): readonly Problem[] {
  return [
    ...(node.default === undefined ? [] : ownDefaultProblems(node, [...path, 'default'])),
    ...[...node.properties].flatMap(([name, property]) => defaultProblems(property, [...path, 'properties', name])),
    ...(node.items ? defaultProblems(node.items, [...path, 'items']) : []),
    ...(node.additional ? defaultProblems(node.additional, [...path, 'additionalProperties']) : []),
  ];
}

function ownDefaultProblems(node: SchemaNode, path: Path): readonly Problem[] {
  const structure = withAlternatives(node);
  const { value, unknown } = compilePrune(structure)(node.default);
  const [first] = unknown;
  if (first !== undefined) return [invalid([...path, ...first], node.default, 'must not have unknown fields')];
  const problems = compileValidate(node)(compileDefaults(structure)(value));
  return problems.map((problem) => ({ ...problem, path: [...path, ...problem.path] }));
}

function metadataDefaults({ properties }: JsonObject, path: Path): readonly Problem[] {
  const metadata = isObject(properties) ? properties['metadata'] : undefined;
  if (metadata === undefined || !JSON.stringify(metadata).includes('"default":')) return [];
  return [forbiddenProblem([...path, 'properties', 'metadata'], 'must not set default for metadata')];
}

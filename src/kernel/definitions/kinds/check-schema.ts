import type { Path, Problem } from '#kernel/base/failures.ts';
import { compilePrune } from '#kernel/kinds/schema/prune.ts';
import { compileDefaults } from '#kernel/kinds/schema/defaults.ts';
import { withAlternatives } from '#kernel/kinds/schema/lift.ts';
import { forbiddenProblem, invalid } from '#kernel/kinds/schema/problems.ts';
import { readSchema, SchemaError, type SchemaNode } from '#kernel/kinds/schema/schema-node.ts';
import { compileValidate } from '#kernel/kinds/schema/validate.ts';
import { isObject, type JsonObject } from '#kernel/kinds/schema/own.ts';
import { compileRules } from './compile-rules.ts';
import { structuralProblems } from './structural.ts';

/** Most problems of one schema that are named. */
const PROBLEMS_MAX = 20;

/** A schema that was read, or everything that is wrong with it. */
export type SchemaCheck =
  | { readonly node: SchemaNode; readonly problems?: undefined }
  | { readonly node?: undefined; readonly problems: readonly Problem[] };

/** Reads the schema of a version: it is structural, and its defaults keep to it. */
export function checkSchema(schema: JsonObject, path: Path): SchemaCheck {
  const structural = structuralProblems(schema, path);
  if (structural.length > 0) return { problems: structural.slice(0, PROBLEMS_MAX) };
  try {
    const node = readSchema(schema);
    const problems = [
      ...defaultProblems(node, path),
      ...metadataDefaults(schema, path),
      ...compileRules(node, path).problems,
    ];
    return problems.length > 0 ? { problems: problems.slice(0, PROBLEMS_MAX) } : { node };
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    return { problems: [{ path, reason: 'FieldValueInvalid', detail: `Invalid value: ${error.message}` }] };
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

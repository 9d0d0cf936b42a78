import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import { add, type Check, type CountsProblem, type Findings } from './findings.ts';
import { checkList } from './validate-list.ts';
import { checkObject } from './validate-object.ts';
import { checkNumber, checkString } from './validate-scalar.ts';
import { checkAlternatives, checkNot } from './validate-union.ts';
import { PATTERN_LIMITS } from './linear-pattern.ts';
import { forbiddenProblem, notSupportedProblem, typeInvalid } from './problems.ts';
import type { SchemaNode } from './schema-node.ts';
import { typeName, typeTest, wantedType } from './types.ts';

/** Parts of an object of a defined kind that are held against its schema: alternatives multiply them. Some 100 ms. */
export const VALIDATION_STEPS_MAX = 300_000;

/** Finds every problem in a value that counts (at most `problemsMax`). */
export type Validate = (value: unknown, counts?: CountsProblem) => readonly Problem[];

/** Compiles a schema to a function that finds the problems in a value. */
export function compileValidate(schema: SchemaNode, stepsMax = Infinity): Validate {
  const check = compileCheck(schema);
  return (value, counts) => {
    const problems: Problem[] = [];
    const left = { patternUnits: PATTERN_LIMITS.unitsMax, steps: stepsMax };
    check(value, { path: [], problems, left, counts });
    if (left.steps >= 0) return problems;
    const why = `it takes more than ${stepsMax} steps to hold it against its schema: shorten its lists, or use fewer alternatives (anyOf, oneOf, not)`;
    return [forbiddenProblem([], why)];
  };
}

function compileCheck(node: SchemaNode): Check {
  if (node.anything) return () => {};
  const accepts = typeTest(node);
  const wanted = wantedType(node);
  const checks = compileChecks(node);
  return (value, findings) => {
    if (value === null && node.nullable) return;
    if (!accepts(value)) {
      add(findings, typeInvalid([...findings.path], wanted, typeName(value)));
      return;
    }
    for (const check of checks) check(value, findings);
  };
}

function compileChecks(node: SchemaNode): readonly Check[] {
  return [
    node.enum && checkEnum(node.enum),
    checkString(node),
    checkNumber(node),
    checkList(node, compileCheck),
    checkObject(node, compileCheck),
    ...node.allOf.map(compileCheck),
    node.anyOf.length > 0 ? checkAlternatives(node.anyOf, 'anyOf', compileCheck) : undefined,
    node.oneOf.length > 0 ? checkAlternatives(node.oneOf, 'oneOf', compileCheck) : undefined,
    node.not && checkNot(compileCheck(node.not)),
  ].filter((check) => check !== undefined);
}

function checkEnum(allowed: readonly unknown[]): Check {
  const simple = new Set(allowed.filter((item) => typeof item !== 'object'));
  const deep = allowed.filter((item) => typeof item === 'object');
  return (value, findings: Findings) => {
    if (simple.has(value) || deep.some((item) => isDeepStrictEqual(item, value))) return;
    add(findings, notSupportedProblem([...findings.path], value, allowed));
  };
}

import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '#kernel/base/failures.ts';
import { add, type Check, type Findings } from './findings.ts';
import { checkList } from './validate-list.ts';
import { checkObject } from './validate-object.ts';
import { checkNumber, checkString } from './validate-scalar.ts';
import { checkAlternatives, checkNot } from './validate-union.ts';
import { PATTERN_LIMITS } from './linear-pattern.ts';
import { notSupportedProblem, typeInvalid } from './problems.ts';
import type { SchemaNode } from './schema-node.ts';
import { typeName, typeTest, wantedType } from './types.ts';

/** Compiles a schema to a function that finds every problem in a value (at most `problemsMax`). */
export function compileValidate(schema: SchemaNode): (value: unknown) => readonly Problem[] {
  const check = compileCheck(schema);
  return (value) => {
    const problems: Problem[] = [];
    check(value, { path: [], problems, patterns: { unitsLeft: PATTERN_LIMITS.unitsMax } });
    return problems;
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

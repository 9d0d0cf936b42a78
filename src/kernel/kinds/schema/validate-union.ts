import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import { add, takeStep, type Check, type Findings } from './findings.ts';
import { getOwn, isObject } from './own.ts';
import { invalid, notSupportedProblem, requiredProblem, typeInvalid } from './problems.ts';
import type { SchemaNode } from './schema-node.ts';
import { typeName, typeTest, wantedType } from './types.ts';

interface Branch {
  readonly check: Check;
  readonly accepts: (value: unknown) => boolean;
  readonly type: string;
}

/**
 * Checks of anyOf and oneOf. When it is clear which alternative was meant — by the value's type, or by a field that
 * holds a different constant in each — the problems of that one are reported, else that none fits and what is wrong in
 * the one that fits best.
 */
export function checkAlternatives(
  nodes: readonly SchemaNode[],
  keyword: 'anyOf' | 'oneOf',
  compile: (node: SchemaNode) => Check,
): Check {
  const branches = nodes.map((node) => ({ check: compile(node), accepts: typeTest(node), type: wantedType(node) }));
  const tag = tagOf(nodes);
  if (tag === undefined) return (value, findings) => checkAll(branches, keyword, value, findings);
  const byTag = new Map(tag.values.map((value, index) => [value, branches[index]]));
  return (value, findings) => {
    if (!isObject(value)) {
      add(findings, typeInvalid([...findings.path], 'object', typeName(value)));
      return;
    }
    const tagged = getOwn(value, tag.name);
    const branch = byTag.get(tagged);
    if (branch !== undefined) branch.check(value, findings);
    else if (tagged === undefined) add(findings, requiredProblem([...findings.path, tag.name]));
    else add(findings, notSupportedProblem([...findings.path, tag.name], tagged, tag.values));
  };
}

function checkAll(branches: readonly Branch[], keyword: 'anyOf' | 'oneOf', value: unknown, findings: Findings): void {
  const candidates = branches.filter((branch) => branch.accepts(value));
  const [only] = candidates;
  if (only === undefined) {
    const wanted = [...new Set(branches.map((branch) => branch.type))].join(',');
    add(findings, typeInvalid([...findings.path], wanted, typeName(value)));
    return;
  }
  if (candidates.length === 1) {
    only.check(value, findings);
    return;
  }
  let fitting = 0;
  let best: readonly Problem[] | undefined;
  for (const { check } of candidates) {
    if (!takeStep(findings)) return;
    const problems: Problem[] = [];
    check(value, { ...findings, problems, counts: undefined });
    if (problems.length === 0) fitting++;
    else if (best === undefined || problems.length < best.length) best = problems;
    if (fitting > 0 && keyword === 'anyOf') return;
  }
  if (fitting === 1) return;
  const rule = keyword === 'anyOf' ? 'at least one schema (anyOf)' : 'one and only one schema (oneOf)';
  const found = keyword === 'anyOf' ? '' : `. Found ${fitting === 0 ? 'none valid' : `${fitting} valid alternatives`}`;
  add(findings, mustOrNot(findings, `must validate ${rule}${found}`));
  if (fitting === 0) for (const problem of best ?? []) add(findings, problem);
}

export function checkNot(check: Check): Check {
  return (value, findings) => {
    const problems: Problem[] = [];
    check(value, { ...findings, problems, counts: undefined });
    if (problems.length === 0) add(findings, mustOrNot(findings, 'must not validate the schema (not)'));
  };
}

function mustOrNot(findings: Findings, rule: string): Problem {
  return invalid([...findings.path], '', `${JSON.stringify(fieldPath(findings.path))} ${rule}`);
}

/** The field that tells the alternatives apart: required in each, with one constant in each, all different. */
function tagOf(nodes: readonly SchemaNode[]): { name: string; values: readonly unknown[] } | undefined {
  for (const name of nodes[0]?.required ?? []) {
    const values: unknown[] = [];
    for (const node of nodes) {
      const allowed = node.properties.get(name)?.enum;
      if (node.type === 'object' && node.required.includes(name) && allowed?.length === 1) values.push(allowed[0]);
    }
    if (values.length === nodes.length && new Set(values).size === nodes.length) return { name, values };
  }
  return undefined;
}

import type { Problem } from '#kernel/base/failures.ts';

/** Most problems that are reported for one object. */
export const problemsMax = 50;

/** The place of a validation in a value, and the problems so far. */
export interface Findings {
  readonly path: (string | number)[];
  readonly problems: Problem[];
  /** Units that patterns of users may still cost. */
  readonly patterns: { unitsLeft: number };
}

export function add(findings: Findings, problem: Problem): void {
  if (findings.problems.length < problemsMax) findings.problems.push(problem);
}

/** Checks a part of the value. */
export function below(findings: Findings, segment: string | number, check: Check, value: unknown): void {
  findings.path.push(segment);
  check(value, findings);
  findings.path.pop();
}

export type Check = (value: unknown, findings: Findings) => void;

/** Compiles a schema when a value of it is first checked: most fields of large schemas are absent. */
export function lazyCheck<Node>(node: Node, compile: (node: Node) => Check): Check {
  let compiled: Check | undefined;
  return (value, findings) => (compiled ??= compile(node))(value, findings);
}

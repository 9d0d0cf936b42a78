import type { Problem } from '#kernel/base/failures.ts';

/** Most problems that are reported for one object. */
export const problemsMax = 50;

/** The place of a validation in a value, and the problems so far. */
export interface Findings {
  readonly path: (string | number)[];
  readonly problems: Problem[];
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

import type { Problem } from '#kernel/base/failures.ts';

/** The most problems that are reported for one object: enough to mend a file by, not a book. */
export const problemsMax = 50;

/** Where a validation stands in a value, and what it found so far. */
export interface Findings {
  readonly path: (string | number)[];
  readonly problems: Problem[];
}

export function add(findings: Findings, problem: Problem): void {
  if (findings.problems.length < problemsMax) findings.problems.push(problem);
}

/** Checks a part of the value at its place. */
export function below(findings: Findings, segment: string | number, check: Check, value: unknown): void {
  findings.path.push(segment);
  check(value, findings);
  findings.path.pop();
}

export type Check = (value: unknown, findings: Findings) => void;

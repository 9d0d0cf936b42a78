import type { Problem } from '#kernel/base/failures.ts';

/** Most problems that are reported for one object. */
export const problemsMax = 50;

/** The place of a validation in a value, and the problems so far. */
export interface Findings {
  readonly path: (string | number)[];
  readonly problems: Problem[];
  /** Units that patterns of users may still cost, and parts that may still be held against a schema, for the object at hand. */
  readonly left: { patternUnits: number; steps: number };
  /** Whether a problem counts; undefined: each does. */
  readonly counts: CountsProblem | undefined;
}

export type CountsProblem = (problem: Problem) => boolean;

export function add({ problems, counts }: Findings, problem: Problem): void {
  if (problems.length < problemsMax && counts?.(problem) !== false) problems.push(problem);
}

/** Takes one step; false when there are none left, and nothing more is checked. */
export function takeStep({ left }: Findings): boolean {
  left.steps -= 1;
  return left.steps >= 0;
}

/** Checks a part of the value. */
export function below(findings: Findings, segment: string | number, check: Check, value: unknown): void {
  if (!takeStep(findings)) return;
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

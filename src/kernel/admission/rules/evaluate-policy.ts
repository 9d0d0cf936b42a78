import { CelCostError, CelError } from '#kernel/cel/cel-error.ts';
import type { CelProgram } from '#kernel/cel/cel.ts';
import type { Value } from '#kernel/cel/values.ts';
import type { CompiledPolicy } from '../kinds/compile-policy.ts';

/** The values that expressions know. */
export interface PolicyInput {
  readonly object: Value;
  readonly oldObject: Value;
  readonly request: Value;
  readonly params: Value;
  readonly namespaceObject: Value;
}

/** A validation that is not true. */
export interface Violation {
  readonly message: string;
  readonly reason: CompiledPolicy['validations'][number]['reason'];
}

/** The result of one policy for one write. */
export interface PolicyResult {
  readonly violations: readonly Violation[];
  /** Expressions that failed, and why. */
  readonly failures: readonly string[];
}

const NOTHING: PolicyResult = { violations: [], failures: [] };

/** Evaluates a policy for one write. Each expression may cost `RUN_COST_MAX`. */
export function evaluatePolicy(policy: CompiledPolicy, input: PolicyInput): PolicyResult {
  const variables = variablesOf(policy, input);
  const run = (program: CelProgram): Value => program.run({ ...input, variables });
  const failures: string[] = [];
  const tryRun = (what: string, program: CelProgram): Value | undefined => {
    try {
      return run(program);
    } catch (error) {
      if (!(error instanceof CelError) && !(error instanceof CelCostError)) throw error;
      failures.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  for (const { name, program } of policy.conditions) {
    // One that is false outweighs others that fail.
    if (tryRun(`match condition "${name}"`, program) === false) return NOTHING;
  }
  if (failures.length > 0) return { violations: [], failures };
  const violations = policy.validations.flatMap(
    ({ expression, program, message, text, reason }): readonly Violation[] => {
      const value = tryRun(`expression '${expression.trim()}'`, program);
      if (value === true || value === undefined) return [];
      return [{ message: message === undefined ? text : textOr(() => run(message), text), reason }];
    },
  );
  return { violations, failures };
}

/** The text of an expression; as Kubernetes has it, one that fails or is of no line or several gives way to the fixed one. */
function textOr(run: () => Value, fixed: string): string {
  try {
    const text = run();
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : fixed;
  } catch (error) {
    if (!(error instanceof CelError) && !(error instanceof CelCostError)) throw error;
    return fixed;
  }
}

/** Each is made once, when an expression first asks for it. */
function variablesOf(policy: CompiledPolicy, input: PolicyInput): Value {
  const made = new Map<string, Value>();
  const variables: Record<string, Value> = {};
  for (const { name, program } of policy.variables) {
    const get = (): Value => {
      const known = made.get(name);
      if (known !== undefined) return known;
      const value = program.run({ ...input, variables });
      made.set(name, value);
      return value;
    };
    Object.defineProperty(variables, name, { enumerable: true, get });
  }
  return variables;
}

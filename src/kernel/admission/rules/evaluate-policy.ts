import { CelCostError, CelError } from '#kernel/cel/cel-error.ts';
import type { CelProgram, Purse } from '#kernel/cel/cel.ts';
import type { Value } from '#kernel/cel/values.ts';
import type { CheckBudget } from '../kinds/authorizer.ts';
import type { CompiledPolicy } from '../kinds/compile-policy.ts';

/** The values that expressions know. */
export interface PolicyInput {
  readonly object: Value;
  readonly oldObject: Value;
  readonly request: Value;
  readonly params: Value;
  readonly namespaceObject: Value;
  readonly authorizer: Value;
  readonly 'authorizer.requestResource': Value;
}

/** The units that expressions may still cost. */
export interface PolicyBudget {
  readonly purse: Purse;
  readonly checks: CheckBudget;
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
  /** For the audit record, by their keys. */
  readonly annotations: Readonly<Record<string, string>>;
}

const NOTHING: PolicyResult = { violations: [], failures: [], annotations: {} };

/** Units of one expression: some 10 ms. */
const EXPRESSION_COST_MAX = 250_000;
/** As in Kubernetes. */
const ANNOTATION_CHARS_MAX = 10_240;

/** Evaluates a policy for one write, within a budget. */
export function evaluatePolicy(policy: CompiledPolicy, input: PolicyInput, budget: PolicyBudget): PolicyResult {
  const { purse, checks } = budget;
  const variables = variablesOf(policy, input, budget);
  const run = (program: CelProgram): Value =>
    checks.during(() => program.run({ ...input, variables }, EXPRESSION_COST_MAX, purse));
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
  if (failures.length > 0) return { ...NOTHING, failures };
  const violations = policy.validations.flatMap(
    ({ expression, program, message, text, reason }): readonly Violation[] => {
      const value = tryRun(`expression '${expression.trim()}'`, program);
      if (value === true || value === undefined) return [];
      return [{ message: message === undefined ? text : textOr(() => run(message), text), reason }];
    },
  );
  const annotations: Record<string, string> = {};
  for (const { key, program } of policy.annotations) {
    const value = tryRun(`audit annotation "${key}"`, program);
    if (typeof value === 'string' && value !== '') annotations[key] = value.slice(0, ANNOTATION_CHARS_MAX);
  }
  return { violations, failures, annotations };
}

/** The text of an expression; as Kubernetes has it, one that fails or is of no line or several gives way to the fixed one. */
export function textOr(run: () => Value, fixed: string): string {
  try {
    const text = run();
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : fixed;
  } catch (error) {
    if (!(error instanceof CelError) && !(error instanceof CelCostError)) throw error;
    return fixed;
  }
}

/** Each is made once, when an expression first asks for it. */
function variablesOf(policy: CompiledPolicy, input: PolicyInput, { purse, checks }: PolicyBudget): Value {
  const made = new Map<string, Value>();
  const variables: Record<string, Value> = {};
  for (const { name, program } of policy.variables) {
    const get = (): Value => {
      const known = made.get(name);
      if (known !== undefined) return known;
      const value = checks.during(() => program.run({ ...input, variables }, EXPRESSION_COST_MAX, purse));
      made.set(name, value);
      return value;
    };
    Object.defineProperty(variables, name, { enumerable: true, get });
  }
  return variables;
}

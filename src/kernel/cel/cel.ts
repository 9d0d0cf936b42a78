import { CelSyntaxError, placeIn } from './cel-error.ts';
import { compile } from './compile.ts';
import { spend } from './compiled.ts';
import { parse } from './parse.ts';
import { Scope, type CelEnvironment, type CelProblem, type Evaluate, type Frame } from './scope.ts';
import type { CelType } from './types.ts';
import type { Value } from './values.ts';

/** An expression that was read, checked and compiled. */
export interface CelProgram {
  readonly type: CelType;
  /** Units that the most expensive run costs, by the sizes that types allow. */
  readonly worstCost: number;
  /**
   * @param values by the names of the variables; a variable without one fails where it is read
   * @param costMax units
   * @param purse pays what the run costs, and is the limit where it has less
   * @throws CelError, CelCostError
   */
  readonly run: (values: Readonly<Record<string, Value | undefined>>, costMax?: number, purse?: Purse) => Value;
}

/** Units that several runs share. */
export interface Purse {
  units: number;
}

/** Units that one run may cost, if nobody says less: what Kubernetes allows an expression. */
const RUN_COST_MAX = 10_000_000;

/** Either the program, or everything that keeps the text from being one. */
export type CelResult =
  | { readonly program: CelProgram; readonly problems?: undefined }
  | { readonly program?: undefined; readonly problems: readonly CelProblem[] };

/** Reads, checks and compiles an expression. */
export function compileCel(text: string, environment: CelEnvironment): CelResult {
  const scope = new Scope(environment);
  let compiled;
  try {
    compiled = compile(parse(text), scope);
  } catch (error) {
    if (!(error instanceof CelSyntaxError)) throw error;
    return { problems: [{ message: error.message, at: error.at }] };
  }
  if (scope.problems.length > 0) return { problems: scope.problems };
  const { evaluate, units, worst } = compiled;
  const run = running(Object.keys(environment.variables), evaluate, units);
  return { program: { type: scope.types.settle(compiled.type), worstCost: worst, run } };
}

function running(names: readonly string[], evaluate: Evaluate, units: number): CelProgram['run'] {
  return (values, costMost = RUN_COST_MAX, purse) => {
    const costMax = purse === undefined ? costMost : Math.min(costMost, purse.units);
    const frame: Frame = { values: names.map((name) => values[name] as Value), unitsLeft: costMax, costMax };
    try {
      spend(frame, units);
      return evaluate(frame);
    } finally {
      if (purse !== undefined) purse.units -= costMax - Math.max(0, frame.unitsLeft);
    }
  };
}

/** A problem with its place, as compilers write it: `3:14: undeclared reference to 'x'`. */
export function problemText(text: string, { message, at }: CelProblem): string {
  return `${placeIn(text, at)}: ${message}`;
}

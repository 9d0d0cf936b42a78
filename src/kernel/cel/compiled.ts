import { CelCostError, CelError } from './cel-error.ts';
import { type Evaluate, type Frame, type Scope } from './scope.ts';
import { UNKNOWN_SIZE, type Size } from './sizes.ts';
import type { Expr } from './syntax.ts';
import { DYN, ERROR, typeText, type CelType } from './types.ts';

/** An expression that can run, and what is known of it before. */
export interface CompiledExpr {
  readonly type: CelType;
  readonly evaluate: Evaluate;
  /** Units of one run, without those that loops and functions spend as they go. */
  readonly units: number;
  /** Units of the most expensive run. */
  readonly worst: number;
  readonly size: Size;
}

/** Compiles a part of an expression. */
export type Compile = (expr: Expr, scope: Scope) => CompiledExpr;

/** Spends units of what the run may cost. */
export function spend(frame: Frame, units: number): void {
  frame.unitsLeft -= units;
  if (frame.unitsLeft < 0) throw new CelCostError(frame.costMax);
}

/** Something that does not fit: a problem, or, where that is allowed, a failure when it runs. */
export function unknown(scope: Scope, message: string, at: number): CompiledExpr {
  if (!scope.isLenient) scope.report(message, at);
  const evaluate = (): never => {
    throw new CelError(message);
  };
  return { type: scope.isLenient ? DYN : ERROR, evaluate, units: 1, worst: 1, size: UNKNOWN_SIZE };
}

/** Reports where an expression is not of the type that it must have. */
export function requireType(
  scope: Scope,
  { type }: CompiledExpr,
  wanted: CelType,
  { at, where }: { readonly at: number; readonly where: string },
): void {
  if (scope.types.fits(type, wanted) || scope.isLenient) return;
  scope.report(`${where} is ${typeText(scope.types.settle(type))}, and must be ${typeText(wanted)}`, at);
}

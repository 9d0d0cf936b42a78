import { spend, unknown, type Compile, type CompiledExpr } from './compiled.ts';
import { noOverload, sizeOfResult, type CelFunction } from './functions.ts';
import { typeNameOf } from './parse.ts';
import { type Evaluate, type Scope } from './scope.ts';
import type { CallExpr, Expr } from './syntax.ts';
import { DYN, typeText, type CelType } from './types.ts';
import { Optional, type Value } from './values.ts';

/** The function that a call means, and its arguments; of a method, the first is what stands before the dot. */
interface Callee {
  readonly found: CelFunction;
  readonly args: readonly Expr[];
  readonly isMember: boolean;
}

export function compileCall(expr: CallExpr, scope: Scope, compile: Compile): CompiledExpr {
  const callee = calleeOf(expr, scope);
  if (callee === undefined) {
    const args = expr.target === undefined ? expr.args : [expr.target, ...expr.args];
    // Problems in them are reported, too.
    for (const arg of args) compile(arg, scope);
    return unknown(scope, `undeclared reference to '${expr.name}': there is no such function`, expr.at);
  }
  const { found, args, isMember } = callee;
  const parts = args.map((arg) => compile(arg, scope));
  const overloads = found.overloads.filter((one) => one.isMember === isMember && one.params.length === args.length);
  if (overloads.length === 0) {
    return unknown(scope, `found no overload of '${found.name}' for ${args.length} arguments`, expr.at);
  }
  const type = resultOf({ name: found.name, overloads }, parts, scope, expr.at);
  const evaluates = parts.map(({ evaluate }) => evaluate);
  const units = parts.reduce((total, part) => total + part.units, 1);
  return {
    type,
    evaluate:
      found.name === 'or' || found.name === 'orValue'
        ? orElse(evaluates, found.name === 'orValue')
        : calling(found, evaluates),
    units,
    worst: parts.reduce((total, part) => total + part.worst, 1) + Math.ceil(found.cost?.worst(parts) ?? 0),
    size: sizeOfResult(found, parts),
  };
}

function calleeOf({ name, target, args, isRoot }: CallExpr, scope: Scope): Callee | undefined {
  if (target === undefined) {
    const found = scope.function(isRoot ? `.${name}` : name);
    return found?.overloads.some(({ isMember }) => !isMember) === true ? { found, args, isMember: false } : undefined;
  }
  const namespace = typeNameOf(target);
  const [first = ''] = namespace?.split('.') ?? [];
  if (namespace !== undefined && scope.local(first) === undefined) {
    const found = scope.function(`${namespace}.${name}`);
    if (found !== undefined) return { found, args, isMember: false };
  }
  const found = scope.method(name);
  return found?.overloads.some(({ isMember }) => isMember) === true
    ? { found, args: [target, ...args], isMember: true }
    : undefined;
}

/** The type of the result: of the overloads that the arguments fit. */
function resultOf(
  { name, overloads }: Pick<CelFunction, 'name' | 'overloads'>,
  parts: readonly CompiledExpr[],
  scope: Scope,
  at: number,
): CelType {
  let result: CelType | undefined;
  for (const one of overloads) {
    // One for anything is for what no other one is for.
    if (result !== undefined && one.params.some(({ is }) => is === 'dyn')) continue;
    const tried = scope.types.fork();
    const [type, ...params] = tried.instance([one.result, ...one.params]) as [CelType, ...CelType[]];
    if (!parts.every((part, index) => tried.fits(part.type, params[index] as CelType))) continue;
    const resolved = tried.resolve(type);
    if (result === undefined) {
      scope.types.take(tried);
      result = resolved;
    } else if (typeText(result) !== typeText(resolved)) result = DYN;
  }
  if (result !== undefined) return result;
  if (!scope.isLenient) {
    const types = parts.map((part) => typeText(scope.types.settle(part.type)));
    scope.report(`found no matching overload for '${name}' applied to '(${types.join(', ')})'`, at);
    return { is: 'error' };
  }
  return DYN;
}

function calling({ call, cost }: CelFunction, parts: readonly Evaluate[]): Evaluate {
  if (cost !== undefined) {
    return (frame) => {
      const args = parts.map((part) => part(frame));
      spend(frame, Math.ceil(cost.of(args)));
      return call(...args);
    };
  }
  const [first, second] = parts as [Evaluate, Evaluate];
  if (parts.length === 1) return (frame) => call(first(frame));
  if (parts.length === 2) return (frame) => call(first(frame), second(frame));
  return (frame) => call(...parts.map((part) => part(frame)));
}

/** `a.or(b)` and `a.orValue(b)`: b is asked for only where a has no value. */
function orElse([optional, other]: readonly Evaluate[], isValue: boolean): Evaluate {
  return (frame) => {
    const found = optional?.(frame) as Value;
    if (!(found instanceof Optional)) throw noOverload('or', found);
    if (found.value === undefined) return other?.(frame) as Value;
    return isValue ? found.value : found;
  };
}

import type { Path } from '#kernel/base/failures.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { UnsupportedSource } from '../unsupported-source.ts';

/** A constant of JsonLogic. */
export type Constant = string | number | boolean | null;

/** An operand of a comparison. */
export type Operand =
  | { readonly kind: 'constant'; readonly value: Constant }
  | { readonly kind: 'list'; readonly values: readonly Constant[] }
  | { readonly kind: 'variable'; readonly name: string; readonly fallback: Constant }
  /** Seconds since 1970. */
  | { readonly kind: 'timestamp' };

const FLAGD = '$flagd.';

/** The operator of an object and its arguments; undefined when it is not an operation. */
export function operationIn(logic: unknown): { readonly operator: string; readonly input: unknown } | undefined {
  if (!isRecord(logic)) return undefined;
  const [[operator, input] = [], ...others] = Object.entries(logic);
  return operator === undefined || others.length > 0 ? undefined : { operator, input };
}

export function isConstant(value: unknown): value is Constant {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

/** Undefined for an operation whose result depends on the context. */
export function operandOf(logic: unknown, flagKey: string, path: Path): Operand | undefined {
  if (isConstant(logic)) return { kind: 'constant', value: logic };
  if (Array.isArray(logic)) {
    if (!logic.every(isConstant))
      throw new UnsupportedSource(path, 'a list of anything but constants is not supported');
    return { kind: 'list', values: logic };
  }
  const { operator, input } = operationIn(logic) ?? {};
  if (operator !== 'var') return undefined;
  const [name, fallback = null] = Array.isArray(input) ? (input as unknown[]) : [input];
  if (typeof name !== 'string' || name === '' || name.startsWith('../') || name.includes('\\') || !isConstant(fallback))
    throw new UnsupportedSource([...path, 'var'], 'this variable is not supported; it must name one attribute');
  if (name === `${FLAGD}timestamp`) return { kind: 'timestamp' };
  if (name === `${FLAGD}flagKey`) return { kind: 'constant', value: flagKey };
  if (name.startsWith(FLAGD)) return { kind: 'constant', value: fallback };
  return { kind: 'variable', name, fallback };
}

/** Arguments of an operation; a single one needs no list. */
export function argumentsOf(input: unknown): readonly unknown[] {
  return Array.isArray(input) ? input : [input];
}

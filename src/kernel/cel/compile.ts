import { CelError } from './cel-error.ts';
import { compileCall } from './compile-call.ts';
import { compileLoop } from './compile-loop.ts';
import { requireType, unknown, type CompiledExpr } from './compiled.ts';
import { typeNameOf } from './parse.ts';
import { type Evaluate, type Scope, type Variable } from './scope.ts';
import { SMALL, UNKNOWN_SIZE, largerSize, type Size } from './sizes.ts';
import type {
  BindExpr,
  ConditionalExpr,
  ConstantExpr,
  Expr,
  IdentExpr,
  ListExpr,
  LogicExpr,
  MapExpr,
  PresentExpr,
  SelectExpr,
} from './syntax.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DYN,
  ERROR,
  generalType,
  INT,
  listOf,
  mapOf,
  NULL,
  optionalOf,
  STRING,
  typeText,
  UINT,
  type CelType,
} from './types.ts';
import {
  CelMap,
  coerce,
  double,
  int,
  isCoerced,
  isMap,
  Optional,
  typeName,
  uint,
  valueInMap,
  type Value,
} from './values.ts';

/** Compiles an expression to closures; types that do not fit are reported to the scope. */
export function compile(expr: Expr, scope: Scope): CompiledExpr {
  switch (expr.is) {
    case 'constant':
      return compileConstant(expr);
    case 'ident':
      return compileIdent(expr, scope);
    case 'select':
      return compileSelect(expr, scope);
    case 'call':
      return compileCall(expr, scope, compile);
    case 'list':
      return compileList(expr, scope);
    case 'map':
      return compileMap(expr, scope);
    case 'message':
      return unknown(scope, `there is no type ${expr.type} of which values could be made`, expr.at);
    case 'logic':
      return compileLogic(expr, scope);
    case 'conditional':
      return compileConditional(expr, scope);
    case 'loop':
      return compileLoop(expr, scope, compile);
    case 'bind':
      return compileBind(expr, scope);
    case 'present':
      return compilePresent(expr, scope);
  }
}

const CONSTANT_TYPES = {
  null: NULL,
  bool: BOOL,
  int: INT,
  uint: UINT,
  double: DOUBLE,
  string: STRING,
  bytes: BYTES,
} as const;

function compileConstant({ type, value }: ConstantExpr): CompiledExpr {
  const constant = constantValue({ type, value });
  const size = { max: typeof value === 'string' || value instanceof Uint8Array ? value.length : 1 };
  return { type: CONSTANT_TYPES[type], evaluate: () => constant, units: 0, worst: 0, size };
}

function constantValue({ type, value }: Pick<ConstantExpr, 'type' | 'value'>): Value {
  if (typeof value === 'bigint') return type === 'uint' ? uint(value) : int(value);
  return typeof value === 'number' ? double(value) : value;
}

function compileIdent(expr: IdentExpr, scope: Scope): CompiledExpr {
  const { name, isRoot, at } = expr;
  const variable = (isRoot ? undefined : scope.local(name)) ?? scope.variable(isRoot ? `.${name}` : name);
  return variable === undefined ? unknown(scope, `undeclared reference to '${name}'`, at) : read(variable);
}

function read({ type, slot, constant, size }: Variable): CompiledExpr {
  if (slot === undefined) return { type, evaluate: () => constant as Value, units: 0, worst: 0, size };
  const evaluate: Evaluate = (frame) => {
    const value = frame.values[slot];
    if (value === undefined) throw new CelError('no such attribute: a variable has no value');
    return value;
  };
  return { type, evaluate, units: 1, worst: 1, size };
}

function compileSelect(expr: SelectExpr, scope: Scope): CompiledExpr {
  const variable = variableNamed(expr, scope);
  if (variable !== undefined) return read(variable);
  const { operand, field, isTest, isOptional, at } = expr;
  const of = compile(operand, scope);
  const type = fieldType(scope, of, field, at);
  const { evaluate } = of;
  const units = of.units + 1;
  const worst = of.worst + 1;
  const size = sizeOfField(of.size, field);
  if (isTest) {
    return { type: BOOL, evaluate: testing(evaluate, keyOf(scope, of, field)), units, worst, size: SMALL };
  }
  const isAbsentAllowed = isOptional || scope.types.resolve(of.type).is === 'optional';
  const plain = type.is === 'optional' && isAbsentAllowed ? type.of : type;
  const key = keyOf(scope, of, field);
  const select = selecting(evaluate, key, isOptional);
  return {
    type: isAbsentAllowed ? optionalOf(plain) : type,
    evaluate: isCoerced(plain) ? coercing(select, plain) : select,
    units,
    worst,
    size,
  };
}

function testing(operand: Evaluate, field: string): Evaluate {
  return (frame) => hasField(operand(frame), field);
}

function selecting(operand: Evaluate, field: string, isOptional: boolean): Evaluate {
  return (frame) => selectField(operand(frame), field, isOptional);
}

function coercing(evaluate: Evaluate, type: CelType): Evaluate {
  return (frame) => {
    const value = evaluate(frame);
    if (!(value instanceof Optional)) return coerce(value, type);
    return value.value === undefined ? value : new Optional(coerce(value.value, type));
  };
}

/** `a.b.c` where that is the name of a variable, and no loop has an `a`. */
function variableNamed(expr: SelectExpr, scope: Scope): Variable | undefined {
  if (expr.isTest || expr.isOptional) return undefined;
  const name = typeNameOf(expr);
  if (name === undefined) return undefined;
  const [first = ''] = name.split('.');
  return scope.local(first) === undefined ? scope.variable(name) : undefined;
}

/** The type of a field; of an optional, that of a field of its value. */
function fieldType(scope: Scope, { type }: CompiledExpr, field: string, at: number): CelType {
  const of = scope.types.resolve(type);
  switch (of.is) {
    case 'optional':
      return fieldType(scope, { type: of.of } as CompiledExpr, field, at);
    case 'map':
      return of.value;
    case 'object': {
      const found = of.fields.get(field);
      if (found !== undefined) return found;
      if (!scope.isLenient) scope.report(`undefined field '${field}': ${fieldsText(of)}`, at);
      return scope.isLenient ? DYN : ERROR;
    }
    case 'dyn':
    case 'param':
      return DYN;
    case 'error':
      return ERROR;
    default:
      if (!scope.isLenient) scope.report(`type '${typeText(of)}' does not support field selection`, at);
      return scope.isLenient ? DYN : ERROR;
  }
}

const NAMED_FIELDS_MAX = 20;

function fieldsText({ name, fields }: Extract<CelType, { is: 'object' }>): string {
  const names = fields.names();
  const more = names.length > NAMED_FIELDS_MAX ? ', …' : '';
  return `${name} has ${names.length === 0 ? 'no fields' : `${names.slice(0, NAMED_FIELDS_MAX).join(', ')}${more}`}`;
}

/** The key of a field in values: objects may have keys that no name can have. */
function keyOf(scope: Scope, { type }: CompiledExpr, field: string): string {
  const of = scope.types.resolve(type);
  const object = of.is === 'optional' ? of.of : of;
  return object.is === 'object' ? (object.fields.keyOf?.(field) ?? field) : field;
}

function sizeOfField(size: Size, field: string): Size {
  return size.field?.(field) ?? size.item ?? UNKNOWN_SIZE;
}

function selectField(operand: Value, field: string, isOptional: boolean): Value {
  if (operand instanceof Optional) {
    return operand.value === undefined ? operand : selectField(operand.value, field, true);
  }
  if (!isMap(operand)) throw new CelError(`no such overload: field ${field} of ${typeName(operand)}`);
  const found = valueInMap(operand, field);
  if (isOptional) return found === undefined ? Optional.NONE : new Optional(found);
  if (found === undefined) throw new CelError(`no such key: ${field}`);
  return found;
}

function hasField(operand: Value, field: string): boolean {
  if (operand instanceof Optional) return operand.value !== undefined && hasField(operand.value, field);
  if (!isMap(operand)) throw new CelError(`no such overload: has field ${field} of ${typeName(operand)}`);
  return valueInMap(operand, field) !== undefined;
}

function compileList({ items }: ListExpr, scope: Scope): CompiledExpr {
  let item: CelType | undefined;
  let units = 1;
  let worst = 1;
  let size = 0;
  const parts = items.map(({ value, isOptional }) => {
    const part = compile(value, scope);
    units += part.units;
    worst += part.worst;
    size = Math.max(size, part.size.max);
    item = join(scope, item, isOptional ? presentType(scope, part, value) : part.type);
    return { evaluate: part.evaluate, isOptional };
  });
  const evaluate = listing(parts);
  const type = listOf(item ?? scope.types.fresh());
  return { type, evaluate, units, worst, size: { max: items.length, item: { max: size } } };
}

function listing(parts: readonly { readonly evaluate: Evaluate; readonly isOptional: boolean }[]): Evaluate {
  const evaluates = parts.map(({ evaluate }) => evaluate);
  if (parts.every(({ isOptional }) => !isOptional)) return (frame) => evaluates.map((one) => one(frame));
  return (frame) =>
    parts.flatMap(({ evaluate, isOptional }) => {
      const value = evaluate(frame);
      return isOptional ? presentIn(value) : [value];
    });
}

function presentIn(value: Value): readonly Value[] {
  if (!(value instanceof Optional)) throw new CelError(`no such overload: ?${typeName(value)} is no optional`);
  return value.value === undefined ? [] : [value.value];
}

/** The type of what an optional element has. */
function presentType(scope: Scope, part: CompiledExpr, expr: Expr): CelType {
  const of = scope.types.fresh();
  requireType(scope, part, optionalOf(of), { at: expr.at, where: 'what follows ?' });
  return scope.types.resolve(of);
}

/** The type of elements of both types. */
function join(scope: Scope, a: CelType | undefined, b: CelType): CelType {
  if (a === undefined) return b;
  const [left, right] = [scope.types.resolve(a), scope.types.resolve(b)];
  const tried = scope.types.fork();
  if (!tried.fits(left, right)) return DYN;
  scope.types.take(tried);
  return generalType(left, right);
}

function compileMap({ entries }: MapExpr, scope: Scope): CompiledExpr {
  let keyType: CelType | undefined;
  let valueType: CelType | undefined;
  let units = 1;
  let worst = 1;
  let size = 0;
  const parts = entries.map(({ key, value, isOptional }) => {
    const [name, content] = [compile(key, scope), compile(value, scope)];
    units += name.units + content.units;
    worst += name.worst + content.worst;
    size = Math.max(size, content.size.max);
    keyType = join(scope, keyType, name.type);
    valueType = join(scope, valueType, isOptional ? presentType(scope, content, value) : content.type);
    return { key: name.evaluate, value: content.evaluate, isOptional };
  });
  const evaluate = mapping(parts);
  const type = mapOf(keyType ?? scope.types.fresh(), valueType ?? scope.types.fresh());
  return { type, evaluate, units, worst, size: { max: entries.length, item: { max: size } } };
}

function mapping(
  parts: readonly { readonly key: Evaluate; readonly value: Evaluate; readonly isOptional: boolean }[],
): Evaluate {
  return (frame) => {
    const map = new CelMap();
    for (const { key, value, isOptional } of parts) {
      const name = key(frame);
      const content = value(frame);
      if (!isOptional) map.add(name, content);
      else for (const present of presentIn(content)) map.add(name, present);
    }
    return map;
  };
}

function compileLogic({ operator, terms }: LogicExpr, scope: Scope): CompiledExpr {
  const parts = terms.map((term) => {
    const part = compile(term, scope);
    requireType(scope, part, BOOL, { at: term.at, where: `a term of ${operator}` });
    return part;
  });
  const evaluates = parts.map(({ evaluate }) => evaluate);
  return {
    type: BOOL,
    evaluate: absorbing(evaluates, operator === '||'),
    units: sum(parts, 'units') + 1,
    worst: sum(parts, 'worst') + 1,
    size: SMALL,
  };
}

/** The value that decides wherever it stands, else the first failure, else the other value. */
function absorbing(terms: readonly Evaluate[], decisive: boolean): Evaluate {
  return (frame) => {
    let failure: unknown;
    for (const term of terms) {
      try {
        const value = term(frame);
        if (value === decisive) return decisive;
        if (typeof value !== 'boolean') failure ??= new CelError(`no such overload: ${typeName(value)} in a condition`);
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return !decisive;
  };
}

function compileConditional({ condition, consequence, alternative, at }: ConditionalExpr, scope: Scope): CompiledExpr {
  const [test, yes, no] = [compile(condition, scope), compile(consequence, scope), compile(alternative, scope)];
  requireType(scope, test, BOOL, { at: condition.at, where: 'the condition of ?:' });
  const tried = scope.types.fork();
  const isFitting = tried.fits(yes.type, no.type);
  if (isFitting) scope.types.take(tried);
  else if (!scope.isLenient) {
    const texts = [yes, no].map(({ type }) => typeText(scope.types.settle(type)));
    scope.report(`the values of ?: are ${texts.join(' and ')}, and must be of one type`, at);
  }
  const evaluate = choosing(test.evaluate, yes.evaluate, no.evaluate);
  const isOpen = [yes, no].some(({ type }) => scope.types.resolve(type).is === 'dyn');
  return {
    type: isFitting && !isOpen ? join(scope, yes.type, no.type) : DYN,
    evaluate,
    units: test.units + yes.units + no.units + 1,
    worst: test.worst + Math.max(yes.worst, no.worst) + 1,
    size: largerSize(yes.size, no.size),
  };
}

function choosing(condition: Evaluate, then: Evaluate, otherwise: Evaluate): Evaluate {
  return (frame) => {
    const value = condition(frame);
    if (typeof value !== 'boolean') throw new CelError(`no such overload: ${typeName(value)} as a condition`);
    return value ? then(frame) : otherwise(frame);
  };
}

function compileBind({ name, value, body }: BindExpr, scope: Scope): CompiledExpr {
  const bound = compile(value, scope);
  return scope.within([{ name, type: bound.type, size: bound.size }], ([slot = 0]) => {
    const inner = compile(body, scope);
    const evaluate = binding(slot, bound.evaluate, inner.evaluate);
    return { ...inner, evaluate, units: bound.units + inner.units + 1, worst: bound.worst + inner.worst + 1 };
  });
}

function binding(slot: number, value: Evaluate, body: Evaluate): Evaluate {
  return (frame) => {
    frame.values[slot] = value(frame);
    return body(frame);
  };
}

function compilePresent({ optional, name, body, isFlat }: PresentExpr, scope: Scope): CompiledExpr {
  const given = compile(optional, scope);
  const of = scope.types.fresh();
  const known = scope.types.resolve(given.type);
  requireType(scope, given, optionalOf(of), { at: optional.at, where: 'what has optMap' });
  const type = known.is === 'dyn' ? DYN : scope.types.resolve(of);
  return scope.within([{ name, type, size: given.size }], ([slot = 0]) => {
    const inner = compile(body, scope);
    if (isFlat)
      requireType(scope, inner, optionalOf(scope.types.fresh()), { at: body.at, where: 'the result of optFlatMap' });
    const evaluate = presenting(slot, { optional: given.evaluate, body: inner.evaluate, isFlat });
    return {
      type: isFlat ? inner.type : optionalOf(inner.type),
      evaluate,
      units: given.units + inner.units + 1,
      worst: given.worst + inner.worst + 1,
      size: inner.size,
    };
  });
}

function presenting(
  slot: number,
  { optional, body, isFlat }: { readonly optional: Evaluate; readonly body: Evaluate; readonly isFlat: boolean },
): Evaluate {
  return (frame) => {
    const found = optional(frame);
    if (!(found instanceof Optional)) throw new CelError(`no such overload: optMap of ${typeName(found)}`);
    if (found.value === undefined) return found;
    frame.values[slot] = found.value;
    const made = body(frame);
    return isFlat ? made : new Optional(made);
  };
}

function sum(parts: readonly CompiledExpr[], of: 'units' | 'worst'): number {
  return parts.reduce((total, part) => total + part[of], 0);
}

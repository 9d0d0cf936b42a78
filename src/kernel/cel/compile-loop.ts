import { CelError } from './cel-error.ts';
import { requireType, spend, unknown, type Compile, type CompiledExpr } from './compiled.ts';
import { type Evaluate, type Frame, type Scope } from './scope.ts';
import { SMALL, UNKNOWN_SIZE, type Size } from './sizes.ts';
import type { LoopExpr } from './syntax.ts';
import { BOOL, DYN, INT, listOf, mapOf, typeText, type CelType } from './types.ts';
import { CelMap, isList, isMap, keysOfMap, typeName, valueInMap, type Value } from './values.ts';

/** Runs the body for each element; gives false to end the loop. */
type Visit = (frame: Frame, first: Value, second: Value) => boolean;

export function compileLoop(expr: LoopExpr, scope: Scope, compile: Compile): CompiledExpr {
  const { range, names, kind, at } = expr;
  const over = compile(range, scope);
  const types = loopTypes(scope, over.type, names.length);
  if (types === undefined) {
    const text = typeText(scope.types.settle(over.type));
    return unknown(scope, `expression of type '${text}' cannot be the range of ${kind}`, at);
  }
  const isList = scope.types.resolve(over.type).is === 'list';
  const first = names.length === 2 ? SMALL : itemSize(over.size);
  // Keys of a map are of any length.
  const sizes = [isList ? first : UNKNOWN_SIZE, itemSize(over.size)];
  const variables = names.map((name, index) => ({
    name,
    type: types[index] as CelType,
    size: sizes[index] as Size,
  }));
  return scope.within(variables, ([first = 0, second]) => {
    const filter = expr.filter === undefined ? undefined : compile(expr.filter, scope);
    const body = compile(expr.body, scope);
    if (filter !== undefined) requireType(scope, filter, BOOL, { at: expr.filter?.at ?? at, where: 'the filter' });
    if (isCondition(kind)) requireType(scope, body, BOOL, { at: expr.body.at, where: `the condition of ${kind}` });
    const perItem = (filter?.units ?? 0) + body.units + 1;
    const worstItem = (filter?.worst ?? 0) + body.worst + 1;
    const set = setting(first, second, perItem);
    const run = LOOPS[kind]({
      range: over.evaluate,
      filter: filter?.evaluate,
      body: body.evaluate,
      set,
      isPair: second !== undefined,
    });
    return {
      type: resultType(scope, expr, variables, body),
      evaluate: run,
      units: over.units + 1,
      worst: over.worst + 1 + over.size.max * worstItem,
      size:
        isCondition(kind) && kind !== 'filter'
          ? SMALL
          : { max: over.size.max, item: kind === 'filter' ? itemSize(over.size) : body.size },
    };
  });
}

/** Gives the variables of a loop their values, and spends what one turn costs. */
function setting(first: number, second: number | undefined, units: number): LoopParts['set'] {
  return (frame, one, other) => {
    spend(frame, units);
    frame.values[first] = one;
    if (second !== undefined) frame.values[second] = other;
  };
}

function itemSize(size: Size): Size {
  return size.item ?? UNKNOWN_SIZE;
}

function isCondition(kind: LoopExpr['kind']): boolean {
  return kind === 'all' || kind === 'exists' || kind === 'existsOne' || kind === 'filter';
}

/** Of the variables; undefined where nothing can be looped over. */
function loopTypes(scope: Scope, type: CelType, count: number): readonly CelType[] | undefined {
  const range = scope.types.resolve(type);
  if (range.is === 'list') return count === 1 ? [range.item] : [INT, range.item];
  if (range.is === 'map') return [range.key, range.value];
  if (range.is === 'dyn' || range.is === 'error' || range.is === 'param' || scope.isLenient) return [DYN, DYN];
  return undefined;
}

function resultType(
  scope: Scope,
  { kind }: LoopExpr,
  variables: readonly { readonly type: CelType }[],
  body: CompiledExpr,
): CelType {
  switch (kind) {
    case 'map':
    case 'transformList':
      return listOf(body.type);
    case 'filter':
      return listOf(variables[0]?.type ?? DYN);
    case 'transformMap':
      return mapOf(variables[0]?.type ?? DYN, body.type);
    case 'transformMapEntry':
      return scope.types.resolve(body.type).is === 'map' ? body.type : DYN;
    default:
      return BOOL;
  }
}

interface LoopParts {
  readonly range: Evaluate;
  readonly filter: Evaluate | undefined;
  readonly body: Evaluate;
  readonly set: (frame: Frame, first: Value, second: Value) => void;
  readonly isPair: boolean;
}

const LOOPS: Readonly<Record<LoopExpr['kind'], (parts: LoopParts) => Evaluate>> = {
  all: (parts) => deciding(parts, false),
  exists: (parts) => deciding(parts, true),
  existsOne: (parts) => (frame) => {
    let count = 0;
    each(parts, frame, () => {
      if (condition(parts.body, frame)) count += 1;
      return true;
    });
    return count === 1;
  },
  map: collecting,
  transformList: collecting,
  filter: (parts) => (frame) => {
    const taken: Value[] = [];
    each(parts, frame, (_frame, first) => {
      if (condition(parts.body, frame)) taken.push(first);
      return true;
    });
    return taken;
  },
  transformMap: (parts) => (frame) => {
    const map = new CelMap();
    each(parts, frame, (_frame, first) => {
      if (isTaken(parts, frame)) map.add(first, parts.body(frame));
      return true;
    });
    return map;
  },
  transformMapEntry: (parts) => (frame) => {
    const map = new CelMap();
    each(parts, frame, () => {
      if (!isTaken(parts, frame)) return true;
      const entries = parts.body(frame);
      if (!isMap(entries)) throw new CelError(`no such overload: an entry of ${typeName(entries)}`);
      for (const key of keysOfMap(entries)) map.add(key, valueInMap(entries, key) as Value);
      return true;
    });
    return map;
  },
};

function collecting(parts: LoopParts): Evaluate {
  return (frame) => {
    const made: Value[] = [];
    each(parts, frame, () => {
      if (isTaken(parts, frame)) made.push(parts.body(frame));
      return true;
    });
    return made;
  };
}

/** `all` and `exists`: one element decides, whatever fails at others. */
function deciding(parts: LoopParts, decisive: boolean): Evaluate {
  return (frame) => {
    let isDecided = false;
    let failure: CelError | undefined;
    each(parts, frame, () => {
      try {
        isDecided = condition(parts.body, frame) === decisive;
      } catch (error) {
        if (!(error instanceof CelError)) throw error;
        failure ??= error;
      }
      return !isDecided;
    });
    if (isDecided) return decisive;
    if (failure !== undefined) throw failure;
    return !decisive;
  };
}

function isTaken({ filter }: LoopParts, frame: Frame): boolean {
  return filter === undefined || condition(filter, frame);
}

function condition(evaluate: Evaluate, frame: Frame): boolean {
  const value = evaluate(frame);
  if (typeof value !== 'boolean') throw new CelError(`no such overload: ${typeName(value)} as a condition`);
  return value;
}

function each({ range, set, isPair }: LoopParts, frame: Frame, visit: Visit): void {
  const over = range(frame);
  if (isList(over)) {
    for (const [index, item] of over.entries()) {
      set(frame, isPair ? index : item, item);
      if (!visit(frame, isPair ? index : item, item)) return;
    }
  } else if (isMap(over)) {
    for (const key of keysOfMap(over)) {
      const value = valueInMap(over, key) as Value;
      set(frame, key, value);
      if (!visit(frame, key, value)) return;
    }
  } else throw new CelError(`no such overload: a loop over ${typeName(over)}`);
}

import type { Steps } from '#kernel/base/turns.ts';
import type { AttributeDeclaration, AttributeLookup } from '../language/attributes.ts';
import { absentTruth, isFlipped, isRange, plainSet } from '../compile-condition.ts';
import type { AudienceRule, Condition, Context } from '../language/language.ts';
import { declaredReader, plainValue, type Plain } from '../language/values.ts';
import { DimensionBuilder, type Dimension, type ConditionEffect, type AttributeValues } from './dimension.ts';

/** Bounds of ranges over one attribute in a bitmap; further ranges are tested one by one. */
const BOUNDS_MAX = 128;

type Groups = readonly AudienceRule['anyOf'][number][];

/**
 * The form in which a dimension can hold a condition: `member` of some values, or `range`; undefined when it is tested
 * one by one.
 */
function placeOf(condition: Condition, attribute: AttributeDeclaration): 'member' | 'range' | undefined {
  const { exists, ignoreCase = false, as } = condition;
  if (exists !== undefined) return 'member';
  if (ignoreCase || as !== undefined) return undefined;
  if (condition.in !== undefined || condition.notIn !== undefined) return 'member';
  const { type, multiValued } = attribute;
  if ((type !== 'number' && type !== 'timestamp') || multiValued || !isRange(condition)) return undefined;
  return boundsIn(condition).every((bound) => plainValue(type, bound) !== undefined) ? 'range' : undefined;
}

/**
 * Puts as many conditions as possible into dimensions, at most one of each group into each dimension. Groups with
 * conditions on undeclared attributes can never be true; the caller leaves them out.
 */
export class Dimensions {
  readonly #attributes: AttributeLookup;
  readonly #groups: number;
  readonly #boundsOf: ReadonlyMap<string, readonly number[]>;
  readonly #members = new Map<string, DimensionBuilder<Plain>>();
  readonly #ranges = new Map<string, DimensionBuilder<number>>();
  /** The last group in each dimension. */
  readonly #last = new Map<DimensionBuilder<Plain> | DimensionBuilder<number>, number>();

  constructor(groups: Groups, attributes: AttributeLookup) {
    this.#attributes = attributes;
    this.#groups = groups.length;
    this.#boundsOf = boundsOf(groups, attributes);
  }

  /** True when a dimension took the condition of this group, the highest so far. */
  add(group: number, condition: Condition): boolean {
    const attribute = this.#attributes.get(condition.attribute ?? '');
    const place = attribute === undefined ? undefined : placeOf(condition, attribute);
    if (attribute === undefined || place === undefined) return false;
    if (place === 'member') {
      const builder = atOrMake(this.#members, attribute.name, () => memberBuilder(attribute, this.#groups));
      if (this.#last.get(builder) === group) return false;
      this.#last.set(builder, group);
      builder.add(group, memberEffect(condition, attribute));
      return true;
    }
    const bounds = this.#boundsOf.get(attribute.name) ?? [];
    if (bounds.length > BOUNDS_MAX) return false;
    const builder = atOrMake(this.#ranges, attribute.name, () => rangeBuilder(attribute, bounds, this.#groups));
    if (this.#last.get(builder) === group) return false;
    this.#last.set(builder, group);
    builder.add(group, rangeEffect(condition, attribute, bounds));
    return true;
  }

  /** A step for each dimension. */
  *build(): Steps<Dimension[]> {
    const built: Dimension[] = [];
    for (const builder of [...this.#members.values(), ...this.#ranges.values()]) {
      built.push(builder.build());
      yield;
    }
    return built;
  }
}

function atOrMake<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function memberBuilder(attribute: AttributeDeclaration, groups: number): DimensionBuilder<Plain> {
  const { type, multiValued } = attribute;
  const read = declaredReader(attribute);
  return new DimensionBuilder(groups, multiValued, (context: Context, reading: AttributeValues<Plain>) => {
    const value = read(context);
    if (value === undefined || value === null) {
      reading.state = 'absent';
      return;
    }
    reading.state = 'values';
    if (!multiValued || !Array.isArray(value)) {
      const plain = plainValue(type, value);
      if (plain === undefined) reading.state = 'wrong';
      else take(reading, plain);
      return;
    }
    for (const one of value) {
      const plain = plainValue(type, one);
      if (plain === undefined) {
        reading.state = 'wrong';
        return;
      }
      take(reading, plain);
    }
  });
}

function take<Value>(reading: AttributeValues<Value>, value: Value): void {
  reading.values[reading.count] = value;
  reading.count += 1;
}

function memberEffect(condition: Condition, { type }: AttributeDeclaration): ConditionEffect<Plain> {
  const { exists, not = false } = condition;
  if (exists !== undefined) {
    const wanted = exists !== not;
    return { values: [], passes: !wanted, absent: !wanted, wrong: wanted };
  }
  return {
    values: plainSet(condition.in ?? condition.notIn ?? [], type, false),
    passes: !isFlipped(condition),
    absent: absentTruth(condition) === true,
    wrong: false,
  };
}

/*
 * The bounds of all ranges over an attribute cut the line into bounds and gaps between them. A range covers each of
 * these whole or not at all. The place 2i + 1 is the bound i, the place 2i is the gap before it.
 */

function rangeBuilder(
  attribute: AttributeDeclaration,
  bounds: readonly number[],
  groups: number,
): DimensionBuilder<number> {
  const { type } = attribute;
  const read = declaredReader(attribute);
  return new DimensionBuilder(groups, false, (context: Context, reading: AttributeValues<number>) => {
    const value = read(context);
    const plain = value === undefined || value === null ? undefined : plainValue(type, value);
    reading.state = value === undefined || value === null ? 'absent' : plain === undefined ? 'wrong' : 'values';
    if (typeof plain === 'number') take(reading, placeAmong(bounds, plain));
  });
}

function placeAmong(bounds: readonly number[], value: number): number {
  let [low, high] = [0, bounds.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return bounds[low] === value ? 2 * low + 1 : 2 * low;
}

function rangeEffect(
  condition: Condition,
  { type }: AttributeDeclaration,
  bounds: readonly number[],
): ConditionEffect<number> {
  const { atLeast, above, atMost, below } = condition;
  const last = 2 * bounds.length;
  const place = (bound: unknown, none: number) =>
    bound === undefined ? none : placeAmong(bounds, Number(plainValue(type, bound)));
  const from = Math.max(place(atLeast, 0), place(above, -1) + 1);
  const until = Math.min(place(atMost, last), place(below, last + 1) - 1);
  const isWanted = (at: number) => (at >= from && at <= until) !== isFlipped(condition);
  return {
    values: Array.from({ length: last + 1 }, (_, at) => at).filter(isWanted),
    passes: true,
    absent: absentTruth(condition) === true,
    wrong: false,
  };
}

function boundsOf(groups: Groups, attributes: AttributeLookup): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, Set<number>>();
  for (const { allOf } of groups) {
    for (const condition of allOf) {
      const attribute = attributes.get(condition.attribute ?? '');
      if (attribute === undefined || placeOf(condition, attribute) !== 'range') continue;
      const bounds = atOrMake(found, attribute.name, () => new Set<number>());
      for (const bound of boundsIn(condition)) bounds.add(Number(plainValue(attribute.type, bound)));
    }
  }
  return new Map([...found].map(([name, bounds]) => [name, [...bounds].sort((a, b) => a - b)]));
}

function boundsIn({ atLeast, above, atMost, below }: Condition): readonly unknown[] {
  return [atLeast, above, atMost, below].filter((bound) => bound !== undefined);
}

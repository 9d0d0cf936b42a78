import { eachOf, type Steps } from '#kernel/base/turns.ts';
import type { AttributeDeclaration, AttributeLookup } from '../language/attributes.ts';
import { absentTruth, isFlipped, isRange, plainSet } from '../compile-condition.ts';
import type { Condition, Context } from '../language/language.ts';
import { declaredReader, plainValue, type Plain } from '../language/values.ts';
import { DimensionBuilder, type Dimension, type ConditionEffect, type AttributeValues } from './dimension.ts';
import { integers, type Numbers } from '#kernel/base/numbers.ts';

/** Bounds of ranges over one attribute in a bitmap; further ranges are tested one by one. */
const BOUNDS_MAX = 128;

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

/** A condition of a group. */
export interface GroupCondition {
  readonly group: number;
  readonly condition: Condition;
}

/**
 * Puts as many conditions as possible into dimensions, at most one of each group into each dimension. Groups with
 * conditions on undeclared attributes can never be true; the caller leaves them out.
 */
export class Dimensions {
  readonly #attributes: AttributeLookup;
  readonly #members = new Map<string, DimensionBuilder<Plain>>();
  readonly #ranges = new Map<string, RangeBuilder>();
  /** The last group in each dimension. */
  readonly #last = new Map<DimensionBuilder<Plain> | RangeBuilder, number>();

  constructor(attributes: AttributeLookup) {
    this.#attributes = attributes;
  }

  /** True when a dimension took the condition of this group, the highest so far. */
  add(group: number, condition: Condition): boolean {
    const attribute = this.#attributes.get(condition.attribute ?? '');
    const place = attribute === undefined ? undefined : placeOf(condition, attribute);
    if (attribute === undefined || place === undefined) return false;
    const { name } = attribute;
    if (place === 'member') {
      const builder = atOrMake(this.#members, name, () => memberBuilder(attribute));
      if (!this.#isFirst(builder, group)) return false;
      builder.add(group, memberEffect(condition, attribute));
      return true;
    }
    const builder = atOrMake(this.#ranges, name, () => new RangeBuilder(attribute));
    if (!this.#isFirst(builder, group)) return false;
    builder.add(group, condition);
    return true;
  }

  /**
   * A step for each value of each attribute, and for each bound of ranges.
   * @param groups how many there are
   * @param leaveOut gets the conditions that were taken, but do not fit: ranges with too many bounds
   */
  *build(groups: number, leaveOut: (condition: GroupCondition) => void): Steps<Dimension[]> {
    const built: Dimension[] = [];
    for (const builder of this.#members.values()) built.push(yield* builder.build(groups));
    for (const builder of this.#ranges.values()) {
      if (builder.fits) built.push(yield* builder.build(groups));
      else yield* eachOf(builder.conditions, leaveOut);
    }
    return built;
  }

  #isFirst(builder: DimensionBuilder<Plain> | RangeBuilder, group: number): boolean {
    if (this.#last.get(builder) === group) return false;
    this.#last.set(builder, group);
    return true;
  }
}

function atOrMake<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function memberBuilder(attribute: AttributeDeclaration): DimensionBuilder<Plain> {
  const { type, multiValued } = attribute;
  const read = declaredReader(attribute);
  return new DimensionBuilder(multiValued, (context: Context, reading: AttributeValues<Plain>) => {
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

/** The dimension of all ranges over one attribute. */
class RangeBuilder {
  readonly conditions: GroupCondition[] = [];
  readonly #attribute: AttributeDeclaration;
  readonly #bounds = new Set<number>();

  constructor(attribute: AttributeDeclaration) {
    this.#attribute = attribute;
  }

  get fits(): boolean {
    return this.#bounds.size <= BOUNDS_MAX;
  }

  add(group: number, condition: Condition): void {
    this.conditions.push({ group, condition });
    for (const bound of boundsIn(condition)) {
      if (this.fits) this.#bounds.add(Number(plainValue(this.#attribute.type, bound)));
    }
  }

  *build(groups: number): Steps<Dimension> {
    const bounds = [...this.#bounds].sort((a, b) => a - b);
    const builder = rangeBuilder(this.#attribute, bounds);
    const [from, until] = [integers(), integers()];
    for (const { group, condition } of this.conditions) {
      const places = placesOf(condition, this.#attribute, bounds);
      from.push(places.from);
      until.push(places.until);
      builder.add(group, { values: [], passes: true, absent: absentTruth(condition) === true, wrong: false });
      yield;
    }
    return yield* builder.build(groups, listPlaces(this.conditions, { from, until }, 2 * bounds.length + 1));
  }
}

/** The groups of each place, one place at a time: all at once would be a list as long as ranges are wide. */
function* listPlaces(
  conditions: readonly GroupCondition[],
  { from, until }: { readonly from: Numbers<Int32Array>; readonly until: Numbers<Int32Array> },
  places: number,
): Iterable<readonly [number, { readonly passing: readonly number[]; readonly failing: readonly number[] }]> {
  for (let place = 0; place < places; place += 1) {
    const passing: number[] = [];
    for (const [at, { group, condition }] of conditions.entries()) {
      if ((place >= from.at(at) && place <= until.at(at)) !== isFlipped(condition)) passing.push(group);
    }
    yield [place, { passing, failing: [] }];
  }
}

function rangeBuilder(attribute: AttributeDeclaration, bounds: readonly number[]): DimensionBuilder<number> {
  const { type } = attribute;
  const read = declaredReader(attribute);
  return new DimensionBuilder(false, (context: Context, reading: AttributeValues<number>) => {
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

/** The first and the last place of a range; the condition that negates it passes everywhere else. */
function placesOf(
  { atLeast, above, atMost, below }: Condition,
  { type }: AttributeDeclaration,
  bounds: readonly number[],
): { readonly from: number; readonly until: number } {
  const last = 2 * bounds.length;
  const place = (bound: unknown, none: number) =>
    bound === undefined ? none : placeAmong(bounds, Number(plainValue(type, bound)));
  return {
    from: Math.max(place(atLeast, 0), place(above, -1) + 1),
    until: Math.min(place(atMost, last), place(below, last + 1) - 1),
  };
}

function boundsIn({ atLeast, above, atMost, below }: Condition): readonly unknown[] {
  return [atLeast, above, atMost, below].filter((bound) => bound !== undefined);
}

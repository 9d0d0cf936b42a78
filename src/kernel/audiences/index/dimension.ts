import type { Steps } from '#kernel/base/turns.ts';
import { allBut, clearBit, countBits, setBit, toMembers, type Bitmap, type Members } from './bitmap.ts';
import { integers } from '#kernel/base/numbers.ts';

/** Words of one block: enough to keep loops tight, few enough that an early end saves work. */
export const BLOCK_WORDS = 32;

/** Result of `aim` when every group is possible. */
export const EVERY_GROUP = Infinity;

/** One attribute under one kind of test, and the groups that are possible for each of its values. */
export interface Dimension {
  /**
   * Prepares a search for a context. Gives about how many groups are possible: exactly 0 for none, and `EVERY_GROUP`
   * when nothing is excluded.
   */
  readonly aim: (context: Readonly<Record<string, unknown>>) => number;
  /** Removes impossible groups from `block`, which begins with the word `first` of all. Called in ascending order. */
  readonly narrow: (block: Bitmap, first: number) => void;
}

/** The groups that one condition passes: by value, and for another value, none, or a wrong one. */
export interface ConditionEffect<Value> {
  /** Passes for each of these, and not for others; or fails for each of these, and passes for others. */
  readonly values: Iterable<Value>;
  readonly passes: boolean;
  readonly absent: boolean;
  readonly wrong: boolean;
}

/** The value of an attribute in a context: values in plain form, absent, or of the wrong type. */
export interface AttributeValues<Value> {
  state: 'absent' | 'wrong' | 'values';
  /**
   * The first `count` of these are the values. Reused arrays keep their length: emptying them would free their memory.
   */
  readonly values: Value[];
  count: number;
}

/** The effect of a value on the groups: those that pass or fail because of it, or all that are possible with it. */
type Posting =
  | { readonly allowed: Bitmap; readonly count: number }
  | { readonly passing: Members; readonly failing: Members; readonly more: number; readonly fewer: number };

/** The groups that pass and fail because of one value, each in ascending order. */
interface ValueGroups {
  readonly passing: readonly number[];
  readonly failing: readonly number[];
}

/** Builds a dimension group by group, in ascending order of their numbers. */
export class DimensionBuilder<Value> {
  readonly #read: (context: Readonly<Record<string, unknown>>, reading: AttributeValues<Value>) => void;
  readonly #multiValued: boolean;
  readonly #lists = new Map<Value, { passing: number[]; failing: number[] }>();
  /** Groups that fail for a value that is not listed, for none, for a wrong one. All others accept any value. */
  readonly #notOther = integers();
  readonly #notAbsent = integers();
  readonly #notWrong = integers();

  constructor(
    multiValued: boolean,
    read: (context: Readonly<Record<string, unknown>>, reading: AttributeValues<Value>) => void,
  ) {
    this.#read = read;
    this.#multiValued = multiValued;
  }

  /** A group can be added only once. */
  add(group: number, { values, passes, absent, wrong }: ConditionEffect<Value>): void {
    for (const value of values) {
      let lists = this.#lists.get(value);
      if (lists === undefined) this.#lists.set(value, (lists = { passing: [], failing: [] }));
      (passes ? lists.passing : lists.failing).push(group);
    }
    if (passes) this.#notOther.push(group);
    if (!absent) this.#notAbsent.push(group);
    if (!wrong) this.#notWrong.push(group);
  }

  /**
   * A step for each value.
   * @param groups how many there are
   * @param lists the groups of each value, where they were not added with their values
   */
  *build(groups: number, lists: Iterable<readonly [Value, ValueGroups]> = this.#lists): Steps<Dimension> {
    const other = allBut(this.#notOther, groups);
    yield;
    const absent = allBut(this.#notAbsent, groups);
    yield;
    const wrong = allBut(this.#notWrong, groups);
    const postings = new Map<Value, Posting>();
    for (const [value, list] of lists) {
      postings.set(value, this.#posting(list, other));
      yield;
    }
    return this.#dimension({ groups, other, absent, wrong, postings });
  }

  #dimension({ groups, other, absent, wrong, postings }: DimensionParts<Value>): Dimension {
    const counts = { other: countBits(other), absent: countBits(absent), wrong: countBits(wrong) };
    const read = this.#read;
    const reading: AttributeValues<Value> = { state: 'absent', values: [], count: 0 };
    const scratch = new Int32Array(BLOCK_WORDS);
    let base = other;
    const passing: Members[] = [];
    const failing: Members[] = [];
    let passingCount = 0;
    let failingCount = 0;
    return {
      aim: (context) => {
        passingCount = 0;
        failingCount = 0;
        reading.count = 0;
        read(context, reading);
        if (reading.state !== 'values') {
          base = reading.state === 'absent' ? absent : wrong;
          return counts[reading.state] === groups ? EVERY_GROUP : counts[reading.state];
        }
        base = other;
        let more = 0;
        let fewer = 0;
        for (let i = 0; i < reading.count; i += 1) {
          const posting = postings.get(reading.values[i] as Value);
          if (posting === undefined) continue;
          if ('allowed' in posting) {
            base = posting.allowed;
            return posting.count;
          }
          if (posting.more > 0) {
            passing[passingCount] = resetSearch(posting.passing);
            passingCount += 1;
          }
          if (posting.fewer > 0) {
            failing[failingCount] = resetSearch(posting.failing);
            failingCount += 1;
          }
          more += posting.more;
          fewer += posting.fewer;
        }
        if (counts.other === groups && fewer === 0) return EVERY_GROUP;
        if (counts.other === 0 && more === 0) return 0;
        // With several values a group may be counted more than once.
        return Math.max(1, counts.other + more - fewer);
      },
      narrow: (block, first) => {
        const words = block.length;
        if (passingCount + failingCount === 0) {
          for (let i = 0; i < words; i += 1) block[i] = (block[i] as number) & (base[first + i] as number);
          return;
        }
        for (let i = 0; i < words; i += 1) scratch[i] = base[first + i] as number;
        for (let i = 0; i < passingCount; i += 1) include(scratch, words, first, passing[i] as Members);
        for (let i = 0; i < failingCount; i += 1) exclude(scratch, words, first, failing[i] as Members);
        for (let i = 0; i < words; i += 1) block[i] = (block[i] as number) & (scratch[i] as number);
      },
    };
  }

  #posting(lists: ValueGroups, other: Bitmap): Posting {
    const passing = toMembers(lists.passing, other.length);
    const failing = toMembers(lists.failing, other.length);
    if (this.#multiValued || ('sorted' in passing && 'sorted' in failing)) {
      return { passing, failing, more: lists.passing.length, fewer: lists.failing.length };
    }
    // A context has only this value: its possible groups can be computed now.
    const allowed = other.slice();
    for (const group of lists.passing) setBit(allowed, group);
    for (const group of lists.failing) clearBit(allowed, group);
    return { allowed, count: countBits(allowed) };
  }
}

interface DimensionParts<Value> {
  readonly groups: number;
  readonly other: Bitmap;
  readonly absent: Bitmap;
  readonly wrong: Bitmap;
  readonly postings: ReadonlyMap<Value, Posting>;
}

function resetSearch(members: Members): Members {
  if ('sorted' in members) members.at = 0;
  return members;
}

function include(block: Bitmap, words: number, first: number, members: Members): void {
  if ('bits' in members) {
    for (let i = 0; i < words; i += 1) block[i] = (block[i] as number) | (members.bits[first + i] as number);
    return;
  }
  const { sorted } = members;
  const [start, end] = [first * 32, (first + words) * 32];
  let { at } = members;
  while (at < sorted.length && (sorted[at] as number) < end) {
    const offset = (sorted[at] as number) - start;
    // Blocks without a possible group were skipped.
    if (offset >= 0) block[offset >>> 5] = (block[offset >>> 5] as number) | (1 << (offset & 31));
    at += 1;
  }
  members.at = at;
}

function exclude(block: Bitmap, words: number, first: number, members: Members): void {
  if ('bits' in members) {
    for (let i = 0; i < words; i += 1) block[i] = (block[i] as number) & ~(members.bits[first + i] as number);
    return;
  }
  const { sorted } = members;
  const [start, end] = [first * 32, (first + words) * 32];
  let { at } = members;
  while (at < sorted.length && (sorted[at] as number) < end) {
    const offset = (sorted[at] as number) - start;
    if (offset >= 0) block[offset >>> 5] = (block[offset >>> 5] as number) & ~(1 << (offset & 31));
    at += 1;
  }
  members.at = at;
}

import { atOnce, type Steps } from '#kernel/base/turns.ts';
import { compileCondition, type RuleLookup } from '../compile-condition.ts';
import { Best } from './best.ts';
import { BLOCK_WORDS, EVERY_GROUP, type Dimension } from './dimension.ts';
import { Dimensions } from './dimensions.ts';
import type { AudienceRule, Condition, Context, Matcher } from '../language/language.ts';

export interface Candidate {
  /** Who it is for; undefined: everyone. */
  readonly rule: AudienceRule | undefined;
  /** No score of it exceeds this. */
  readonly upperBound: number;
}

/** Finds the candidates for a listener among many. A candidate is its position in the indexed list. */
export interface AudienceIndex {
  /**
   * The `k` candidates with the highest scores among those whose rule is true, best first; of equal ones the higher
   * bound, then the earlier position. Calls `score` in the order of bounds, and only while a candidate may still be
   * among the best; undefined excludes the candidate. `score` must not use this index.
   */
  readonly best: (
    context: Context,
    nowMs: number,
    k: number,
    score: (candidate: number) => number | undefined,
  ) => number[];
  /** All candidates whose rule is true, in the order of their bounds. */
  readonly matches: (context: Context, nowMs: number) => number[];
}

/** Visits a candidate whose rule is true; gives the bound that further candidates must exceed, NaN for all. */
type Visit = (candidate: number) => number;

/**
 * Numbers the candidates by descending bound, and the groups of their rules in the same order. The search visits blocks
 * of bitmaps from the best bound on, and skips the rest. Each attribute has bitmaps or lists of the groups that are
 * possible with a value. Where all of them meet, the remaining conditions are tested one by one, equal ones once.
 */
export function buildAudienceIndex(candidates: readonly Candidate[], lookup: RuleLookup): AudienceIndex {
  return atOnce(buildAudienceIndexInSteps(candidates, lookup));
}

/** The same in steps. Candidates that come in the order of their bounds spare a sort, which is one step. */
export function* buildAudienceIndexInSteps(candidates: readonly Candidate[], lookup: RuleLookup): Steps<AudienceIndex> {
  const order = candidates.map((_, index) => index);
  if (order.some((index) => index > 0 && boundOf(index) > boundOf(index - 1))) {
    order.sort((a, b) => boundOf(b) - boundOf(a) || a - b);
  }
  const groups: { candidate: number; allOf: Condition[] }[] = [];
  for (const candidate of order) {
    const { rule } = candidates[candidate] as Candidate;
    for (const { allOf } of rule?.anyOf ?? [{ allOf: [] }]) {
      if (allOf.every((condition) => mayBeTrue(condition, lookup))) groups.push({ candidate, allOf });
    }
    yield;
  }
  const candidateOf = Int32Array.from(groups, ({ candidate }) => candidate);
  const bounds = Float64Array.from(groups, ({ candidate }) => boundOf(candidate));
  const builder = new Dimensions(groups, lookup.attributes);
  const rest = new Rest(lookup);
  for (const [group, { allOf }] of groups.entries()) {
    rest.add(allOf.filter((condition) => !builder.add(group, condition)));
    yield;
  }
  const dimensions = (yield* builder.build()).map((dimension) => ({ dimension, possible: 0 }));
  const search = makeSearch(groups.length, { candidateOf, bounds, dimensions, rest });
  const best = new Best();
  return {
    best: (context, nowMs, k, score) => {
      if (k <= 0) return [];
      best.begin(k);
      search(context, nowMs, (candidate) => {
        const value = score(candidate);
        return value === undefined ? best.threshold() : best.add(candidate, value);
      });
      return best.takeAll();
    },
    matches: (context, nowMs) => {
      const found: number[] = [];
      search(context, nowMs, (candidate) => {
        found.push(candidate);
        return Number.NaN;
      });
      return found;
    },
  };

  function boundOf(candidate: number): number {
    return candidates[candidate]?.upperBound ?? -Infinity;
  }
}

/** Conditions on undeclared attributes or missing audiences are never true. */
function mayBeTrue({ attribute, audience }: Condition, { attributes, matcher }: RuleLookup): boolean {
  if (attribute !== undefined) return attributes.get(attribute) !== undefined;
  return audience === undefined || matcher(audience) !== undefined;
}

/** A dimension, and about how many groups it leaves in the running search. */
interface Narrowing {
  readonly dimension: Dimension;
  possible: number;
}

interface SearchTables {
  readonly candidateOf: Int32Array;
  readonly bounds: Float64Array;
  readonly dimensions: readonly Narrowing[];
  readonly rest: Rest;
}

function makeSearch(
  groups: number,
  { candidateOf, bounds, dimensions, rest }: SearchTables,
): (context: Context, nowMs: number, visit: Visit) => void {
  const words = (groups + 31) >>> 5;
  const whole = new Int32Array(BLOCK_WORDS);
  const lastBlock = whole.subarray(0, words % BLOCK_WORDS);
  const narrowing = [...dimensions];
  let isSearching = false;
  return (context, nowMs, visit) => {
    if (isSearching) throw new Error('a score function searched the same audience index');
    isSearching = true;
    try {
      run(context, nowMs, visit);
    } finally {
      isSearching = false;
    }
  };

  function run(context: Context, nowMs: number, visit: Visit): void {
    // The most selective dimension comes first. Sorted in place: there are few, and their order changes little.
    let count = 0;
    for (const one of dimensions) {
      one.possible = one.dimension.aim(context);
      if (one.possible === 0) return;
      if (one.possible === EVERY_GROUP) continue;
      let at = count;
      for (; at > 0 && (narrowing[at - 1] as Narrowing).possible > one.possible; at -= 1) {
        narrowing[at] = narrowing[at - 1] as Narrowing;
      }
      narrowing[at] = one;
      count += 1;
    }
    rest.begin();
    let threshold = Number.NaN;
    let visited = -1;
    const { ofGroup } = rest;
    for (let first = 0; first < words; first += BLOCK_WORDS) {
      if ((bounds[first * 32] as number) <= threshold) return;
      const block = first + BLOCK_WORDS <= words ? whole : lastBlock;
      block.fill(-1);
      const after = groups - first * 32;
      if (after < block.length * 32) block[block.length - 1] = (1 << (after & 31)) - 1;
      for (let i = 0; i < count; i += 1) (narrowing[i] as Narrowing).dimension.narrow(block, first);
      for (let i = 0; i < block.length; i += 1) {
        for (let bits = block[i] as number; bits !== 0; bits &= bits - 1) {
          const group = (first + i) * 32 + 31 - Math.clz32(bits & -bits);
          const candidate = candidateOf[group] as number;
          if ((bounds[group] as number) <= threshold) return;
          if (candidate === visited) continue;
          const conditions = ofGroup[group];
          if (conditions !== undefined && !rest.holds(conditions, context, nowMs)) continue;
          visited = candidate;
          threshold = visit(candidate);
        }
      }
    }
  }
}

const NOT_ASKED = 0;
const TRUE = 1;
const NOT_TRUE = 2;

/** Conditions that no bitmap holds. Equal ones share a number, and are tested once in a search. */
class Rest {
  /** Numbers of such conditions, for the groups that have any. */
  readonly ofGroup: (readonly number[] | undefined)[] = [];
  readonly #lookup: RuleLookup;
  readonly #numbers = new Map<string, number>();
  readonly #matchers: Matcher[] = [];
  #answers = new Uint8Array();

  constructor(lookup: RuleLookup) {
    this.#lookup = lookup;
  }

  /** Adds the conditions of the next group. */
  add(conditions: readonly Condition[]): void {
    this.ofGroup.push(conditions.length === 0 ? undefined : conditions.map((condition) => this.#numberOf(condition)));
  }

  /** Drops the answers of the previous search. */
  begin(): void {
    if (this.#answers.length === this.#matchers.length) this.#answers.fill(NOT_ASKED);
    else this.#answers = new Uint8Array(this.#matchers.length);
  }

  /** Whether all of these conditions are true. */
  holds(conditions: readonly number[], context: Context, nowMs: number): boolean {
    for (const number of conditions) {
      let answer = this.#answers[number] as number;
      if (answer === NOT_ASKED) {
        answer = this.#matchers[number]?.(context, nowMs) === true ? TRUE : NOT_TRUE;
        this.#answers[number] = answer;
      }
      if (answer !== TRUE) return false;
    }
    return true;
  }

  #numberOf(condition: Condition): number {
    const key = JSON.stringify(condition);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#matchers.length;
    this.#numbers.set(key, number);
    this.#matchers.push(compileCondition(condition, this.#lookup));
    return number;
  }
}

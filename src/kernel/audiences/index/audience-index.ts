import { atOnce, type Steps } from '#kernel/base/turns.ts';
import type { RuleLookup } from '../compile-condition.ts';
import { Best } from './best.ts';
import { wordsOf } from './bitmap.ts';
import { BLOCK_WORDS, EVERY_GROUP, type Dimension } from './dimension.ts';
import { Dimensions } from './dimensions.ts';
import type { AttributeLookup } from '../language/attributes.ts';
import type { AudienceRule, Context } from '../language/language.ts';
import { floats, integers } from '#kernel/base/numbers.ts';
import { RestBuilder, type Rest } from './rest.ts';

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
   * among the best; undefined excludes the candidate. A score is among them only above `threshold`, NaN while any is. `score` must
   * not use this index.
   */
  readonly best: (
    context: Context,
    nowMs: number,
    k: number,
    score: (candidate: number, threshold: number) => number | undefined,
  ) => number[];
  /** All candidates whose rule is true, in the order of their bounds. */
  readonly matches: (context: Context, nowMs: number) => number[];
  /** The same candidates where audiences are others; attributes are the same. Costs what the conditions on audiences do. */
  readonly withAudiences: (lookup: RuleLookup) => Steps<AudienceIndex>;
}

/** Visits a candidate whose rule is true; gives the bound that further candidates must exceed, NaN for all. */
type Visit = (candidate: number) => number;

/**
 * Numbers the candidates by descending bound, and the groups of their rules in the same order. The search visits blocks
 * of bitmaps from the best bound on, and skips the rest. Each attribute has bitmaps or lists of the groups that are
 * possible with a value. Where all of them meet, the remaining conditions are tested one by one, equal ones once.
 */
export function buildAudienceIndex(candidates: readonly Candidate[], lookup: RuleLookup): AudienceIndex {
  const boundOf = (candidate: number): number => candidates[candidate]?.upperBound ?? -Infinity;
  const order = candidates.map((_, index) => index).sort((a, b) => boundOf(b) - boundOf(a) || a - b);
  const builder = new AudienceIndexBuilder(lookup);
  for (const candidate of order) builder.add(candidate, candidates[candidate] as Candidate);
  return atOnce(builder.build());
}

/** Builds an index candidate by candidate, in the order of their bounds. Of a rule it keeps no more than what it needs. */
export class AudienceIndexBuilder {
  readonly #attributes: AttributeLookup;
  readonly #dimensions: Dimensions;
  readonly #rest: RestBuilder;
  readonly #candidateOf = integers();
  readonly #bounds = floats();

  constructor(lookup: RuleLookup) {
    this.#attributes = lookup.attributes;
    this.#dimensions = new Dimensions(lookup.attributes);
    this.#rest = new RestBuilder(lookup);
  }

  /** Adds the next candidate: its bound is not above those before. */
  add(candidate: number, { rule, upperBound }: Candidate): void {
    for (const { allOf } of rule?.anyOf ?? EVERYONE) {
      // Such a condition is never true.
      if (allOf.some(({ attribute }) => attribute !== undefined && this.#attributes.get(attribute) === undefined))
        continue;
      const group = this.#candidateOf.length;
      this.#candidateOf.push(candidate);
      this.#bounds.push(upperBound);
      for (const condition of allOf) if (!this.#dimensions.add(group, condition)) this.#rest.add(group, condition);
    }
  }

  *build(): Steps<AudienceIndex> {
    const groups = this.#candidateOf.length;
    const dimensions = yield* this.#dimensions.build(groups, ({ group, condition }) =>
      this.#rest.add(group, condition),
    );
    return indexOf({
      candidateOf: this.#candidateOf.toColumn(),
      bounds: this.#bounds.toColumn(),
      dimensions: dimensions.map((dimension) => ({ dimension, possible: 0 })),
      rest: yield* this.#rest.build(groups),
      search: { isUnderWay: false },
    });
  }
}

const EVERYONE: AudienceRule['anyOf'] = [{ allOf: [] }];

function indexOf(tables: SearchTables): AudienceIndex {
  const search = makeSearch(tables);
  const best = new Best();
  return {
    best: (context, nowMs, k, score) => {
      if (k <= 0) return [];
      best.begin(k);
      search(context, nowMs, (candidate) => {
        const value = score(candidate, best.threshold());
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
    withAudiences: function* (lookup) {
      return indexOf({ ...tables, rest: yield* tables.rest.withAudiences(lookup) });
    },
  };
}

/** A dimension, and about how many groups it leaves in the running search. */
interface Narrowing {
  readonly dimension: Dimension;
  possible: number;
}

interface SearchTables {
  /** By group. */
  readonly candidateOf: Int32Array;
  readonly bounds: Float64Array;
  readonly dimensions: readonly Narrowing[];
  readonly rest: Rest;
  /** One at a time: dimensions keep the position of the search. */
  readonly search: { isUnderWay: boolean };
}

function makeSearch({
  candidateOf,
  bounds,
  dimensions,
  rest,
  search,
}: SearchTables): (context: Context, nowMs: number, visit: Visit) => void {
  const groups = candidateOf.length;
  const words = wordsOf(groups);
  const whole = new Int32Array(BLOCK_WORDS);
  const lastBlock = whole.subarray(0, words % BLOCK_WORDS);
  const narrowing = [...dimensions];
  return (context, nowMs, visit) => {
    if (search.isUnderWay) throw new Error('a score function searched the same audience index');
    search.isUnderWay = true;
    try {
      run(context, nowMs, visit);
    } finally {
      search.isUnderWay = false;
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
          if (!rest.holds(group, context, nowMs)) continue;
          visited = candidate;
          threshold = visit(candidate);
        }
      }
    }
  }
}

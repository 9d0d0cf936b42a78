import type { Steps } from '#kernel/base/turns.ts';
import { compileCondition, type RuleLookup } from '../compile-condition.ts';
import type { Condition, Context, Matcher } from '../language/language.ts';
import { integers } from '#kernel/base/numbers.ts';

const NOT_ASKED = 0;
const TRUE = 1;
const NOT_TRUE = 2;

/** A condition that depends on audiences, and its number. */
interface AudienceCondition {
  readonly number: number;
  readonly condition: Condition;
}

/** Collects the conditions that no bitmap holds. Equal ones share a number. */
export class RestBuilder {
  readonly #lookup: RuleLookup;
  readonly #numbers = new Map<string, number>();
  readonly #matchers: Matcher[] = [];
  readonly #ofAudiences: AudienceCondition[] = [];
  /** Pairs, in any order. */
  readonly #groups = integers();
  readonly #conditions = integers();

  constructor(lookup: RuleLookup) {
    this.#lookup = lookup;
  }

  add(group: number, condition: Condition): void {
    this.#groups.push(group);
    this.#conditions.push(this.#numberOf(condition));
  }

  /** @param groups how many there are */
  *build(groups: number): Steps<Rest> {
    // A counting sort: first where the conditions of each group begin, then they themselves.
    const starts = new Int32Array(groups + 1);
    const pairs = this.#groups.length;
    for (let pair = 0; pair < pairs; pair += 1) {
      const after = this.#groups.at(pair) + 1;
      starts[after] = (starts[after] as number) + 1;
    }
    yield;
    for (let group = 0; group < groups; group += 1) {
      starts[group + 1] = (starts[group + 1] as number) + (starts[group] as number);
    }
    yield;
    const next = starts.slice();
    const conditions = new Int32Array(pairs);
    for (let pair = 0; pair < pairs; pair += 1) {
      const group = this.#groups.at(pair);
      const place = next[group] as number;
      conditions[place] = this.#conditions.at(pair);
      next[group] = place + 1;
    }
    return new Rest({ starts, conditions, matchers: this.#matchers, ofAudiences: this.#ofAudiences });
  }

  #numberOf(condition: Condition): number {
    const key = JSON.stringify(condition);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    const number = this.#matchers.length;
    this.#numbers.set(key, number);
    this.#matchers.push(compileCondition(condition, this.#lookup));
    if (condition.audience !== undefined) this.#ofAudiences.push({ number, condition });
    return number;
  }
}

interface RestParts {
  /** Where the conditions of each group begin, and where those of the last one end. */
  readonly starts: Int32Array;
  /** Their numbers. */
  readonly conditions: Int32Array;
  /** By number. */
  readonly matchers: readonly Matcher[];
  readonly ofAudiences: readonly AudienceCondition[];
}

/** Conditions that no bitmap holds. Each is tested once in a search. */
export class Rest {
  readonly #parts: RestParts;
  readonly #answers: Uint8Array;

  constructor(parts: RestParts) {
    this.#parts = parts;
    this.#answers = new Uint8Array(parts.matchers.length);
  }

  /** The same conditions with the audiences of another world. */
  *withAudiences(lookup: RuleLookup): Steps<Rest> {
    const matchers = [...this.#parts.matchers];
    for (const { number, condition } of this.#parts.ofAudiences) {
      matchers[number] = compileCondition(condition, lookup);
      yield;
    }
    const { starts, conditions, ofAudiences } = this.#parts;
    return new Rest({ starts, conditions, matchers, ofAudiences });
  }

  /** Drops the answers of the previous search. */
  begin(): void {
    this.#answers.fill(NOT_ASKED);
  }

  /** Whether all of these conditions of a group are true. */
  holds(group: number, context: Context, nowMs: number): boolean {
    const { starts, conditions, matchers } = this.#parts;
    const end = starts[group + 1] as number;
    for (let at = starts[group] as number; at < end; at += 1) {
      const number = conditions[at] as number;
      let answer = this.#answers[number] as number;
      if (answer === NOT_ASKED) {
        answer = matchers[number]?.(context, nowMs) === true ? TRUE : NOT_TRUE;
        this.#answers[number] = answer;
      }
      if (answer !== TRUE) return false;
    }
    return true;
  }
}

import type { Candidate } from '#kernel/audiences/index/audience-index.ts';
import { compileRule } from '#kernel/audiences/compile-audience.ts';
import type { RuleLookup } from '#kernel/audiences/compile-condition.ts';
import type { Context, Matcher } from '#kernel/audiences/language/language.ts';

interface SearchFor {
  /** How many are found. */
  readonly best: number;
  readonly nowMs: number;
  readonly lookup: RuleLookup;
}

/** Between 0.9 and 1, by the number of a candidate: how far its score is below its bound. */
export function scoreShare(number: number): number {
  return 0.9 + ((Math.imul(number + 1, 0x9e3779b1) >>> 0) / 2 ** 32) * 0.1;
}

/** Microseconds of one question, when all are asked so many times. */
export function microseconds(listeners: readonly Context[], times: number, ask: (context: Context) => unknown): number {
  const startedMs = performance.now();
  for (let time = 0; time < times; time += 1) for (const context of listeners) ask(context);
  return ((performance.now() - startedMs) * 1_000) / (listeners.length * times);
}

/** The best candidates of a listener, best first. */
export type Search = (context: Context) => number[];

function byBound(candidates: readonly Candidate[]): number[] {
  return candidates.map((_, number) => number).sort((a, b) => bound(b) - bound(a) || a - b);
  function bound(number: number): number {
    return candidates[number]?.upperBound ?? 0;
  }
}

/** Evaluates candidate after candidate in the order of their bounds, and stops when none can be among the best. */
export function linearSearch(
  candidates: readonly Candidate[],
  score: (number: number) => number,
  { best, nowMs, lookup }: SearchFor,
): Search {
  const order = byBound(candidates);
  const matchers = order.map((number): Matcher => {
    const rule = candidates[number]?.rule;
    return rule === undefined ? () => true : compileRule(rule, lookup);
  });
  return (context) => {
    const kept: Found[] = [];
    for (const [at, number] of order.entries()) {
      const worst = kept[best - 1]?.value;
      if (worst !== undefined && (candidates[number]?.upperBound ?? 0) <= worst) break;
      if (matchers[at]?.(context, nowMs) !== true) continue;
      keep(kept, { number, value: score(number) }, best);
    }
    return kept.map(({ number }) => number);
  };
}

/** Counts satisfied conditions along lists of the candidates of each value; cannot stop early. */
export function countingSearch(
  candidates: readonly Candidate[],
  score: (number: number) => number,
  { best }: Pick<SearchFor, 'best'>,
): Search {
  const postings = new Map<string, number[]>();
  const wanted = candidates.map(({ rule }, number) => {
    const conditions = rule?.anyOf[0]?.allOf ?? [];
    for (const { attribute = '', in: values = [] } of conditions) {
      for (const value of values) {
        const key = `${attribute} ${String(value)}`;
        const list = postings.get(key) ?? [];
        list.push(number);
        postings.set(key, list);
      }
    }
    return conditions.length;
  });
  const counts = new Uint8Array(candidates.length);
  return (context) => {
    counts.fill(0);
    for (const [attribute, value] of Object.entries(context)) {
      if (Array.isArray(value)) {
        // A condition counts once, also when several of the listener's values are named.
        const once = new Set(value.flatMap((each) => postings.get(`${attribute} ${String(each)}`) ?? []));
        for (const number of once) counts[number] = (counts[number] ?? 0) + 1;
      } else {
        for (const number of postings.get(`${attribute} ${String(value)}`) ?? [])
          counts[number] = (counts[number] ?? 0) + 1;
      }
    }
    const kept: Found[] = [];
    for (const [number, count] of counts.entries())
      if (count === wanted[number]) keep(kept, { number, value: score(number) }, best);
    return kept.map(({ number }) => number);
  };
}

interface Found {
  readonly number: number;
  readonly value: number;
}

/** Keeps the best, in order. */
function keep(kept: Found[], one: Found, best: number): void {
  const last = kept[best - 1];
  if (last !== undefined && one.value <= last.value) return;
  let at = kept.length;
  while (at > 0 && (kept[at - 1]?.value ?? 0) < one.value) at -= 1;
  kept.splice(at, 0, one);
  kept.length = Math.min(kept.length, best);
}

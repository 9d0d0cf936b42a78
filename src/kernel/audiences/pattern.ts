import { MATCHED_CHARS_MAX } from './compile-condition.ts';

/** Ways that a regular expression may have to try on one text: some milliseconds at the very most. */
const WAYS_MAX = 1_000_000;
const DEPTH_MAX = 20;

/**
 * Why a regular expression may not be used in a condition, as the end of a sentence; undefined when it may.
 *
 * Its syntax is JavaScript's with the flag `u` (for `codeUnits` without), without back-references and looking around. The engine tries one way
 * after another, so the ways that there are at worst are counted, and must not be too many: alternatives add up, what
 * stands in a row multiplies, `*` and `+` go through as many ways as the text has characters, and so does a beginning
 * that is not tied by `^`. A repeated group must leave no choice inside, which rules out all that is exponential.
 */
export function patternFault(pattern: string, codeUnits = false): string | undefined {
  try {
    void new RegExp(pattern, codeUnits ? '' : 'u');
  } catch (error) {
    return `is no regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
  // Without the flag u these are letters that are repeated, which would be counted wrongly.
  if (codeUnits && /\\[pPu]\{/.test(pattern)) return 'has \\p{ or \\u{, which code units do not have';
  const counted = countWays(pattern);
  if (typeof counted === 'string') return counted;
  return counted <= WAYS_MAX
    ? undefined
    : `may take too long: there are up to ${counted.toExponential(0)} ways to try on a text of ${MATCHED_CHARS_MAX} characters, and ${WAYS_MAX} are allowed; begin it with ^, or use fewer of * + ? {…} and |`;
}

function countWays(pattern: string): number | string {
  let at = 0;
  let fault: string | undefined;
  const ways = disjunction(0, true);
  return fault ?? ways;

  /** Alternatives; `outermost` ones may begin anywhere in the text. */
  function disjunction(depth: number, outermost: boolean): number {
    if (depth > DEPTH_MAX) fault ??= `has groups more than ${DEPTH_MAX} deep`;
    let sum = 0;
    for (;;) {
      const isTied = pattern[at] === '^';
      sum += sequence(depth) * (outermost && !isTied ? MATCHED_CHARS_MAX : 1);
      if (pattern[at] !== '|') return sum;
      at += 1;
    }
  }

  function sequence(depth: number): number {
    let product = 1;
    while (at < pattern.length && pattern[at] !== '|' && pattern[at] !== ')' && fault === undefined) {
      const inside = atom(depth);
      const [least, most] = repetition();
      // Each time round takes its choice again, and how often is a choice of its own.
      if (inside > 1 && most !== least)
        fault ??= 'repeats a group that itself leaves a choice; write it without * + ? | inside';
      product *= inside ** least * (most - least + 1);
    }
    return product;
  }

  /** One thing that may be repeated, and the ways to go through it. */
  function atom(depth: number): number {
    const char = pattern[at];
    if (char === '(') {
      if (pattern.startsWith('(?:', at)) at += 3;
      else if (/^\(\?<[^=!]/.test(pattern.slice(at, at + 4))) at = pattern.indexOf('>', at) + 1;
      else if (pattern[at + 1] === '?') {
        fault ??= 'looks ahead or behind, or sets flags, which conditions cannot';
        return 1;
      } else at += 1;
      const inside = disjunction(depth + 1, false);
      at += 1;
      return inside;
    }
    if (char === '[') {
      while (at < pattern.length && pattern[at] !== ']') at += pattern[at] === '\\' ? 2 : 1;
      at += 1;
      return 1;
    }
    if (char === '\\') {
      const next = pattern[at + 1] ?? '';
      if (/[1-9k]/.test(next)) fault ??= 'refers back to a group, which conditions cannot';
      at += 2;
      if (/[pPu]/.test(next) && pattern[at] === '{') at = pattern.indexOf('}', at) + 1;
      return 1;
    }
    at += 1;
    return 1;
  }

  function repetition(): [least: number, most: number] {
    const braces = /^\{(\d+)(,?)(\d*)\}/.exec(pattern.slice(at, at + 40));
    const char = pattern[at] ?? '';
    if (braces === null && !'*+?'.includes(char)) return [1, 1];
    if (char === '') return [1, 1];
    at += braces?.[0].length ?? 1;
    if (pattern[at] === '?') at += 1;
    if (braces === null) return [char === '+' ? 1 : 0, char === '?' ? 1 : MATCHED_CHARS_MAX];
    const [, least = '', comma, most = ''] = braces;
    if (comma === '') return [Number(least), Number(least)];
    return [Number(least), most === '' ? Math.max(Number(least), MATCHED_CHARS_MAX) : Number(most)];
  }
}

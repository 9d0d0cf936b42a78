/**
 * What one answer may spend on tests of texts and lists, in steps; a step takes 0.1 µs at worst. As much as the largest
 * regular expression on the longest text takes.
 */
export const ANSWER_STEPS_MAX = 100_000;
/** Characters that a plain test of a text looks at in one step: the worst texts take 14 ns a character. */
const CHARS_A_STEP = 8;

/** The context that was asked about last, and what its answer has spent. */
let context: object | undefined;
let spent = 0;

/**
 * Spends steps of the answer about a context; false when it has too few left, and then spends none. A test that may
 * spend nothing is unknown: which test that is depends on the question alone.
 */
export function spendSteps(asked: object, steps: number): boolean {
  if (asked !== context) {
    context = asked;
    spent = 0;
  }
  if (spent + steps > ANSWER_STEPS_MAX) return false;
  spent += steps;
  return true;
}

/** The steps of one plain look at so many characters. */
export function stepsOfText(chars: number): number {
  return 1 + Math.ceil(chars / CHARS_A_STEP);
}

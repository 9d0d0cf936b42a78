/**
 * Steps that one answer may spend on tests of texts and lists; a step takes 0.1 µs at worst. As much as the largest
 * regular expression takes on the longest text.
 */
export const ANSWER_STEPS_MAX = 100_000;
/** Characters that a plain test of a text reads in one step: the worst texts take 14 ns a character. */
const CHARS_A_STEP = 8;

/** The context of the last question, and the steps that its answer has spent. */
let context: object | undefined;
let spent = 0;

/**
 * Spends steps of the answer for a context; false when too few are left, and then spends none. A test without steps is
 * unknown: which test that is depends on the question alone.
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

/** The steps of reading so many characters once. */
export function stepsOfText(chars: number): number {
  return 1 + Math.ceil(chars / CHARS_A_STEP);
}

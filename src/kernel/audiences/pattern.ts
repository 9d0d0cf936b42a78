import { RE2JS } from 're2js';

/** A regular expression looks at texts up to this length; what a longer one would say is unknown. */
export const MATCHED_CHARS_MAX = 500;
/** Instructions of a compiled expression. `[a-z]{1,63}` has 128. */
const PROGRAM_SIZE_MAX = 200;
/** Compiling costs about as much as this many characters. */
const COMPILE_CHARS = 10;
/**
 * What one answer may spend on regular expressions, in instructions times characters: as much as the largest expression
 * on the longest text. The worst texts that were found take 0.1 µs a step, usual ones a hundredth of that.
 */
export const MATCH_STEPS_MAX = PROGRAM_SIZE_MAX * (MATCHED_CHARS_MAX + COMPILE_CHARS);
/** All compiled expressions together, in instructions: an instruction takes some 1.5 KB. */
const COMPILED_SIZE_MAX = 30_000;

/** Compiled expressions, least recently used first. */
const compiled = new Map<string, RE2JS>();
let compiledSize = 0;

/** The context that was asked about last, and what its answer has spent. */
let context: object | undefined;
let spent = 0;

/** Why a condition may not use a regular expression; `detail` is the end of a sentence that begins with it. */
export interface PatternFault {
  readonly reason: 'syntax' | 'size';
  readonly detail: string;
}

/** Checks an expression. Its syntax is that of RE2, whose time is linear in the text whatever the expression. */
export function patternFault(pattern: string): PatternFault | undefined {
  let size;
  try {
    size = RE2JS.compile(pattern).programSize();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const detail = `is not a regular expression of RE2, which has no look-around and no back-references: ${why}`;
    return { reason: 'syntax', detail };
  }
  if (size <= PROGRAM_SIZE_MAX) return undefined;
  const detail = `is too large: it compiles to ${size} instructions, and ${PROGRAM_SIZE_MAX} are allowed; a repetition such as {1,300} counts each time`;
  return { reason: 'size', detail };
}

/** Whether the expression is found in a text, for an answer about this context. Undefined is unknown. */
export type PatternTest = (text: string, asked: object) => boolean | undefined;

/**
 * Compiles an expression on its first use. The test is unknown for a text that is too long, for an expression that
 * cannot be compiled, and when the answer has spent what it may: which it is depends on the question alone.
 */
export function patternTest(pattern: string, ignoreCase = false): PatternTest {
  const key = ignoreCase ? `(?i)${pattern}` : pattern;
  let size: number | undefined;
  return (text, asked) => {
    if (text.length > MATCHED_CHARS_MAX) return undefined;
    size ??= compile(key)?.programSize() ?? Infinity;
    if (asked !== context) {
      context = asked;
      spent = 0;
    }
    const steps = size * (text.length + COMPILE_CHARS);
    if (spent + steps > MATCH_STEPS_MAX) return undefined;
    spent += steps;
    return compile(key)?.test(text);
  };
}

function compile(key: string): RE2JS | undefined {
  const known = compiled.get(key);
  if (known !== undefined) {
    compiled.delete(key);
    compiled.set(key, known);
    return known;
  }
  let made;
  try {
    made = RE2JS.compile(key);
  } catch {
    return undefined;
  }
  compiled.set(key, made);
  compiledSize += made.programSize();
  for (const [oldest, expression] of compiled) {
    if (compiledSize <= COMPILED_SIZE_MAX) break;
    compiled.delete(oldest);
    compiledSize -= expression.programSize();
  }
  return made;
}

import { RE2JS } from 're2js';
import { patternSize, type PatternSize } from './pattern-size.ts';
import { spendSteps } from './work-budget.ts';

/** A regular expression is applied to texts up to this length; longer ones are unknown. */
export const MATCHED_CHARS_MAX = 500;
/** Instructions of a compiled expression. `[a-z]{1,63}` has 128. */
const PROGRAM_SIZE_MAX = 150;
/** Compile cost of one expression at most; it is computed before anything is compiled. */
const SIZE_MAX: PatternSize = { instructions: 1_200, characters: 10_000 };
/** Steps of compiling one instruction. A character of a class takes one. */
export const INSTRUCTION_STEPS = 20;
/** Compile steps of all expressions of one rule: 50 of 40 characters. */
export const RULE_COMPILE_STEPS_MAX = 40_000;
/** Instructions of all compiled expressions together; an instruction takes some 1.5 KB. */
const COMPILED_SIZE_MAX = 30_000;

/** Compiled expressions, least recently used first. */
const compiled = new Map<string, RE2JS>();
let compiledSize = 0;

/** Why a condition may not use a regular expression; `detail` is the end of a sentence that begins with it. */
export interface PatternFault {
  readonly reason: 'syntax' | 'size';
  readonly detail: string;
}

/** Checks an expression. Its syntax is that of RE2, whose time is linear in the text for any expression. */
export function patternFault(pattern: string, ignoreCase = false): PatternFault | undefined {
  const { instructions, characters } = patternSize(pattern, ignoreCase);
  if (characters > SIZE_MAX.characters) {
    const detail = `has classes that are too large: they have ${characters} characters and ranges, and ${SIZE_MAX.characters} are allowed; without regard to case each character of a range counts, and \\p{L} counts as many as it has`;
    return { reason: 'size', detail };
  }
  if (instructions > SIZE_MAX.instructions) return tooLarge(instructions);
  let size;
  try {
    size = RE2JS.compile(keyOf(pattern, ignoreCase)).programSize();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const detail = `is not a regular expression of RE2, which has no look-around and no back-references: ${why}`;
    return { reason: 'syntax', detail };
  }
  return size <= PROGRAM_SIZE_MAX ? undefined : tooLarge(size);
}

function tooLarge(instructions: number): PatternFault {
  const detail = `is too large: it compiles to ${instructions} instructions, and ${PROGRAM_SIZE_MAX} are allowed; a repetition such as {1,300} counts each time`;
  return { reason: 'size', detail };
}

/** Upper bound of the steps that compiling an expression takes. */
export function compileSteps(pattern: string, ignoreCase = false): number {
  const { instructions, characters } = patternSize(pattern, ignoreCase);
  return instructions * INSTRUCTION_STEPS + characters;
}

/** Whether the expression is found in a text, for an answer about this context. undefined is unknown. */
export type PatternTest = (text: string, asked: object) => boolean | undefined;

/**
 * Compiles an expression on its first use. The test is unknown for a text that is too long, for an expression that may
 * not be compiled, and when the answer has spent its budget. The result depends on the question alone.
 */
export function patternTest(pattern: string, ignoreCase = false): PatternTest {
  const key = keyOf(pattern, ignoreCase);
  const { instructions, characters } = patternSize(pattern, ignoreCase);
  if (instructions > SIZE_MAX.instructions || characters > SIZE_MAX.characters) return () => undefined;
  const toCompile = compileSteps(pattern, ignoreCase);
  return (text, asked) => {
    if (text.length > MATCHED_CHARS_MAX || !spendSteps(asked, toCompile)) return undefined;
    const expression = compile(key);
    if (expression === undefined || !spendSteps(asked, expression.programSize() * text.length)) return undefined;
    return expression.test(text);
  };
}

function keyOf(pattern: string, ignoreCase: boolean): string {
  return ignoreCase ? `(?i)${pattern}` : pattern;
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

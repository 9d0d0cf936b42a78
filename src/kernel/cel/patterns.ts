import { RE2JS, RE2JSException } from 're2js';
import { CelError } from './cel-error.ts';

/** Patterns that stay compiled: nearly all are constants of rules. */
const COMPILED_MAX = 1_000;
/** Characters of a pattern. */
const PATTERN_CHARS_MAX = 1_000;
const compiled = new Map<string, RE2JS>();

/** Whether a part of the text matches, in a time that grows with both only (RE2). */
export function matchesPattern(text: string, pattern: string): boolean {
  return compilePattern(pattern).matcher(text).find();
}

/** @throws CelError where it is no pattern of RE2 */
export function compilePattern(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  if (pattern.length > PATTERN_CHARS_MAX) throw new CelError(`a pattern has at most ${PATTERN_CHARS_MAX} characters`);
  try {
    const made = RE2JS.compile(pattern);
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(pattern, made);
    return made;
  } catch (error) {
    if (error instanceof RE2JSException) throw new CelError(`"${pattern}" is no pattern of RE2: ${error.message}`);
    throw error;
  }
}

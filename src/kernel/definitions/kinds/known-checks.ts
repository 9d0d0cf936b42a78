import { createHash } from 'node:crypto';
import type { Problem } from '#kernel/base/failures.ts';
import type { DefinitionSpec } from './definition-spec.ts';

const LIMITS = {
  /** Weight of versions that are checked where the write is decided: some 5 ms. */
  atOnceMax: 16_384,
  /** Characters that take as long to check as a pattern, a rule, a default. */
  pattern: 1_000,
  rule: 500,
  default: 200,
  /** Definitions whose result is kept. */
  kept: 200,
} as const;

type Versions = DefinitionSpec['versions'];

const CHECKED = new Map<string, readonly Problem[]>();

/** The versions as a text, where checking them takes so long that it is not done where a write is decided. */
export function textOfHeavy(versions: Versions): string | undefined {
  const text = JSON.stringify(versions);
  const times = (keyword: string) => text.split(`"${keyword}":`).length - 1;
  const weight =
    text.length + times('pattern') * LIMITS.pattern + times('rule') * LIMITS.rule + times('default') * LIMITS.default;
  return weight > LIMITS.atOnceMax ? text : undefined;
}

/** The problems of versions that were checked before. */
export function knownProblems(text: string): readonly Problem[] | undefined {
  return CHECKED.get(keyOf(text));
}

export function keepProblems(text: string, problems: readonly Problem[]): void {
  const [oldest] = CHECKED.keys();
  if (CHECKED.size >= LIMITS.kept && oldest !== undefined) CHECKED.delete(oldest);
  CHECKED.set(keyOf(text), problems);
}

function keyOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

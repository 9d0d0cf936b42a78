import type { GuardrailVerdict } from '../evidence.ts';
import type { GuardrailStatus } from '../kinds/release-status.ts';

type KnownVerdict = Omit<GuardrailStatus, 'name' | 'shadow'> & Pick<GuardrailVerdict, 'isOfStage'>;

/** What is known of guardrails, by name: what the judge says now, or the failure that was read before. */
export type KnownVerdicts = ReadonlyMap<string, KnownVerdict>;

/**
 * A failure that the engine has read and written stays, whatever is said later: the judge weighs all of the evidence anew
 * at each look, and a source may die of the harm. That nothing measures the candidate stays until something does.
 */
export function withFailures(
  verdicts: ReadonlyMap<string, GuardrailVerdict>,
  written: readonly GuardrailStatus[] = [],
): KnownVerdicts {
  const failures = written.filter(({ name, outcome, figures }) => {
    if (outcome !== 'fail') return false;
    const now = verdicts.get(name)?.figures.of ?? 'nothing';
    return figures.of !== 'nothing' || now === 'nothing';
  });
  const known = new Map<string, KnownVerdict>(verdicts);
  for (const { name, shadow: _, ...verdict } of failures) known.set(name, { ...verdict, isOfStage: false });
  return known;
}

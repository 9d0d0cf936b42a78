import type { GuardrailVerdict } from '../evidence.ts';
import type { GuardrailStatus } from '../kinds/release-status.ts';

type EffectiveVerdict = Omit<GuardrailStatus, 'name' | 'shadow'> & Pick<GuardrailVerdict, 'isOfStage'>;

/** Verdicts by guardrail: the present one, or a stored failure. */
export type EffectiveVerdicts = ReadonlyMap<string, EffectiveVerdict>;

/**
 * A stored failure stays, whatever later verdicts are: the judge weighs all evidence anew at each look, and a source may go down
 * with the harm. The failure "nothing measures the candidate" ends with the first measurement.
 */
export function withFailures(
  verdicts: ReadonlyMap<string, GuardrailVerdict>,
  written: readonly GuardrailStatus[] = [],
): EffectiveVerdicts {
  const failures = written.filter(({ name, outcome, figures }) => {
    if (outcome !== 'fail') return false;
    const now = verdicts.get(name)?.figures.of ?? 'nothing';
    return figures.of !== 'nothing' || now === 'nothing';
  });
  const known = new Map<string, EffectiveVerdict>(verdicts);
  for (const { name, shadow: _, ...verdict } of failures) known.set(name, { ...verdict, isOfStage: false });
  return known;
}

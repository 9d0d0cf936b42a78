import type { GuardrailVerdict } from '../evidence.ts';
import type { GuardrailStatus } from '../kinds/release-status.ts';

type KnownVerdict = Omit<GuardrailStatus, 'name' | 'shadow'> & Pick<GuardrailVerdict, 'isOfStage'>;

/** Verdicts by guardrail: the present one, or a stored failure. */
export type KnownVerdicts = ReadonlyMap<string, KnownVerdict>;

/**
 * A stored failure stays, whatever later verdicts are: the judge weighs all evidence anew at each look, and a source may go down
 * with the harm. The failure "nothing measures the candidate" ends with the first measurement.
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

import type { ThresholdTally } from './fold.ts';
import type { ThresholdSpec } from './guardrail.ts';
import type { Judgement } from './judgement.ts';
import { count, figure, percent } from './phrases.ts';
import type { ThresholdFigures } from './verdict.ts';

/**
 * Fails once so many windows in a row were beyond the limit, for good; passes while the last so many were within it. One
 * window on the other side begins the row anew: it is about a state that lasts, not about a sum of bad moments.
 */
export function judgeThreshold(spec: ThresholdSpec, { windows }: ThresholdTally): Judgement {
  const consecutive = spec.consecutive ?? 1;
  const { value, count: closed, beyond, within, beyondMax, open } = windows;
  const figures: ThresholdFigures = { of: 'threshold', value, windows: closed, beyond, within, consecutive };
  const said = `${spec.name} ${value === null ? 'not measured yet' : shown(spec, value)} (limit ${limit(spec)})`;
  if (beyondMax >= consecutive) {
    return { outcome: 'fail', because: `${said}: was beyond it in ${rows(consecutive)}; rolls back.`, figures };
  }
  if (within >= consecutive) return { outcome: 'pass', because: `${said}: within it in ${rows(within)}.`, figures };
  const missing = Math.max(0, spec.unitsMin - open.units);
  return {
    outcome: 'undecided',
    because: `${said}: ${Math.max(beyond, within)} of ${rows(consecutive)} so far; the window that is open has ${count(open.units)} of ${count(spec.unitsMin)} units.`,
    figures,
    unitsNeeded: {
      toPass: missing + (consecutive - within - 1) * spec.unitsMin,
      toFail: missing + (consecutive - beyond - 1) * spec.unitsMin,
    },
  };
}

function rows(windows: number): string {
  return windows === 1 ? '1 window' : `${windows} windows in a row`;
}

function shown({ measure }: ThresholdSpec, value: number): string {
  return measure === 'rate' ? percent(value) : figure(value);
}

function limit(spec: ThresholdSpec): string {
  const { min, max } = spec;
  if (min === undefined) return max === undefined ? 'none' : shown(spec, max);
  return max === undefined ? `at least ${shown(spec, min)}` : `${shown(spec, min)} to ${shown(spec, max)}`;
}

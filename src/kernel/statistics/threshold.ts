import type { ThresholdSpec } from './guardrail.ts';
import type { Interval, Track } from './interval.ts';

/**
 * Windows of the candidate against a limit. A window is closed by the first interval with which it is long enough and has
 * enough units: little traffic makes windows longer, and none is judged on too few units. Plain data.
 */
export interface Windows {
  readonly open: { readonly spanMs: number; readonly units: number; readonly bad: number; readonly total: number };
  readonly value: number | null;
  readonly count: number;
  /** Windows in a row, up to the last, that were beyond the limit, or within it: one of the two is 0. */
  readonly beyond: number;
  readonly within: number;
  /** The most in a row that ever were beyond it: what failed once is not mended by the next good window. */
  readonly beyondMax: number;
}

const EMPTY = { spanMs: 0, units: 0, bad: 0, total: 0 };

export const NO_WINDOWS: Windows = { open: EMPTY, value: null, count: 0, beyond: 0, within: 0, beyondMax: 0 };

export function addToWindow(state: Windows, { fromMs, toMs, candidate }: Interval, spec: ThresholdSpec): Windows {
  const empty = candidate.units === 0;
  const open = {
    spanMs: state.open.spanMs + toMs - fromMs,
    units: state.open.units + candidate.units,
    bad: state.open.bad + (empty ? 0 : candidate.bad),
    total: state.open.total + (empty ? 0 : (candidate.total ?? 0)),
  };
  const value = measured(spec, open, candidate);
  if (open.spanMs < (spec.windowMs ?? 0) || open.units < spec.unitsMin || value === undefined)
    return { ...state, open };
  const isBeyond = (spec.max !== undefined && value > spec.max) || (spec.min !== undefined && value < spec.min);
  const beyond = isBeyond ? state.beyond + 1 : 0;
  return {
    open: EMPTY,
    value,
    count: state.count + 1,
    beyond,
    within: isBeyond ? 0 : state.within + 1,
    beyondMax: Math.max(state.beyondMax, beyond),
  };
}

function measured({ measure }: ThresholdSpec, open: Windows['open'], candidate: Track): number | undefined {
  switch (measure) {
    case 'rate':
      return open.units === 0 ? undefined : open.bad / open.units;
    case 'mean':
      return open.units === 0 ? undefined : open.total / open.units;
    case 'value':
      return candidate.value;
  }
}

/** One measured number beside a peer measured in the same run. */
export interface Figure {
  readonly name: string;
  readonly ours: number;
  /** The same work done by the peer; null where the goal is an absolute one. */
  readonly peer: number | null;
  readonly unit: string;
  /** ours / peer. */
  readonly ratio: number | null;
  /** The goal in words. */
  readonly goal: string;
  readonly met: boolean;
}

/** A figure whose goal is on the ratio to the peer: at least (`min`) or at most (`max`) this much. */
export function against(
  name: string,
  unit: string,
  ours: number,
  peer: number,
  goal: { readonly min: number } | { readonly max: number },
): Figure {
  const ratio = ours / peer;
  const [met, text] =
    'min' in goal ? [ratio >= goal.min, `ratio >= ${goal.min}`] : [ratio <= goal.max, `ratio <= ${goal.max}`];
  return { name, unit, ours: round(ours), peer: round(peer), ratio: round(ratio), goal: text, met };
}

/** A figure whose goal is a number of its own; the peer, where there is one, is shown for comparison. */
export function absolute(
  name: string,
  unit: string,
  ours: number,
  goal: { readonly min: number } | { readonly max: number },
  peer: number | null = null,
): Figure {
  const [met, text] =
    'min' in goal ? [ours >= goal.min, `>= ${goal.min} ${unit}`] : [ours <= goal.max, `<= ${goal.max} ${unit}`];
  return {
    name,
    unit,
    ours: round(ours),
    peer: peer === null ? null : round(peer),
    ratio: peer === null ? null : round(ours / peer),
    goal: text,
    met,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

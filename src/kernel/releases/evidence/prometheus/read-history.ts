import { createHash } from 'node:crypto';
import type { Counts, Interval } from '#kernel/statistics/interval.ts';
import { learnHistory } from '#kernel/statistics/learn-history.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import { INSTANCES_MAX, instancesOf, isAlike, type TrackSeries } from './pick-series.ts';

const LIMITS = {
  dayMs: 24 * 3_600_000,
  /** Windows of one day at most; of shorter ones the newest. */
  windowsMax: 1_440,
  /** Windows of one answer: few enough to be parsed in some milliseconds. */
  samplesMax: 6_000,
} as const;

/** Window ends: the first, the last, and the length. */
export interface Range {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** Runs both queries over a range, for stable; undefined without readable data. */
export type ReadRange = (
  range: Range,
) => Promise<{ readonly bad: TrackSeries; readonly total: TrackSeries } | undefined>;

/**
 * Learns from the day before a moment how two halves of the instances differ, window by window. Reads backwards, some windows at a
 * time, as long as there is data by instance.
 */
export async function readHistory(
  read: ReadRange,
  { beforeMs, windowMs }: { readonly beforeMs: number; readonly windowMs: number },
): Promise<TimeHistory | undefined> {
  const count = Math.min(LIMITS.windowsMax, Math.floor(LIMITS.dayMs / windowMs));
  const halves = new Halves(beforeMs - count * windowMs, windowMs, count);
  let instances: number = INSTANCES_MAX;
  for (let left = count; left > 0;) {
    const windows = Math.min(left, Math.max(1, Math.floor(LIMITS.samplesMax / instances)));
    const endMs = beforeMs - (count - left) * windowMs;
    const found = await read({ startMs: endMs - (windows - 1) * windowMs, endMs, stepMs: windowMs });
    if (found === undefined || !isAlike(found.total, found.bad)) break;
    halves.add(found.total, 'units');
    halves.add(found.bad, 'bad');
    instances = Math.max(found.total.series.length, found.bad.series.length);
    left -= windows;
  }
  return learnHistory(halves.windows());
}

type Half = Readonly<Record<'units' | 'bad', Float64Array>>;

/** Sums of two halves of the instances. The name decides the half; both have the same size. */
class Halves {
  readonly #fromMs: number;
  readonly #windowMs: number;
  readonly #count: number;
  readonly #halves: readonly [Half, Half];
  readonly #halfOf = new Map<string, Half>();

  constructor(fromMs: number, windowMs: number, count: number) {
    const half = (): Half => ({ units: new Float64Array(count), bad: new Float64Array(count) });
    this.#fromMs = fromMs;
    this.#windowMs = windowMs;
    this.#count = count;
    this.#halves = [half(), half()];
  }

  add(track: TrackSeries, what: 'units' | 'bad'): void {
    const instances = [...instancesOf(track)].map(([name, series]) => ({ name, series, order: digestOf(name) }));
    for (const { name, series } of instances.toSorted((a, b) => (a.order < b.order ? -1 : 1))) {
      const numbers = this.#half(name)[what];
      for (const { value, atMs } of series.flatMap(({ samples }) => samples)) {
        const index = Math.round((atMs - this.#fromMs) / this.#windowMs) - 1;
        numbers[index] = (numbers[index] ?? 0) + value;
      }
    }
  }

  #half(name: string): Half {
    const half = this.#halfOf.get(name) ?? this.#halves[this.#halfOf.size % 2 === 0 ? 0 : 1];
    this.#halfOf.set(name, half);
    return half;
  }

  windows(): readonly Interval[] {
    const [candidate, stable] = this.#halves;
    return Array.from({ length: this.#count }, (_, index) => ({
      fromMs: this.#fromMs + index * this.#windowMs,
      toMs: this.#fromMs + (index + 1) * this.#windowMs,
      candidate: countsIn(candidate, index),
      stable: countsIn(stable, index),
    }));
  }
}

function countsIn({ units, bad }: Half, index: number): Counts {
  return { units: units[index] ?? 0, bad: bad[index] ?? 0 };
}

function digestOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

import type { JudgedRelease } from '#kernel/releases/evidence.ts';
import { judgedSpec } from '#kernel/releases/evidence/judged-spec.ts';
import { intervalOf, type StoredWindow, type StoredAnswer } from '#kernel/releases/evidence/tally.ts';
import type { GuardrailSpec } from '#kernel/releases/kinds/guardrail-spec.ts';
import { faultOf } from '#kernel/statistics/interval.ts';
import { judge } from '#kernel/statistics/judge.ts';
import type { Verdict } from '#kernel/statistics/verdict.ts';

const SETTLE_MS = 2_000;
const EMPTY_MS = 180_000;

type MetricTraits = StoredWindow & { readonly reading: Extract<StoredAnswer, { at: 'measured' }> };

/** The verdict that the judge must give for a guardrail: from all stored windows at once, without state. */
export function oracle(
  guardrail: GuardrailSpec,
  windows: readonly StoredWindow[],
  lateMs: number,
  context: { readonly alpha: number; readonly beta: number; readonly metrics: number },
): Pick<Verdict, 'outcome' | 'figures'> | undefined {
  const newest = windows.at(-1);
  if (newest === undefined) return undefined;
  const measured = windows.filter((one): one is MetricTraits => one.reading.at === 'measured');
  const known = measured.findIndex(({ reading }) => reading.isBadMissing !== true);
  const counting = known < 0 ? [] : measured.slice(known);
  const unknown = { called: guardrail.name, better: 'fewer', of: 'events', isSplit: false } as const;
  const spec = judgedSpec(guardrail, measured[0]?.reading.measured ?? unknown);
  const nowMs = newest.toMs + lateMs;
  const intervals = (some: readonly MetricTraits[]) => some.map((one) => intervalOf(one, one.reading));
  const last = counting.findLastIndex((one) => faultOf(intervalOf(one, one.reading)) === undefined);
  const counted = counting[last];
  if (counted !== undefined) {
    const all = intervals(counting.slice(0, last + 1));
    const verdict = judge(spec, { at: 'intervals', intervals: all }, { ...context, nowMs: counted.toMs });
    if (verdict.outcome === 'fail' || (counted === newest && lateMs === 0)) return verdict;
  }
  const { reading } = newest;
  const at = { ...context, nowMs };
  if (reading.at === 'down') return judge(spec, reading, at);
  if (reading.at === 'measured') {
    if (counting.length === 0) return judge(spec, { at: 'empty', because: 'unknown' }, at);
    return judge(spec, { at: 'intervals', intervals: intervals(counting) }, at);
  }
  const counts = windows.flatMap(({ reading: one }) => (one.at === 'empty' ? (one.requests ?? []) : []));
  const requests = counts.reduce((sum, one) => sum + one, 0);
  const isLong = newest.toMs - (windows[0]?.fromMs ?? 0) >= EMPTY_MS;
  const isCounted = counts.length > 0 && measured.length === 0 && (requests === 0 || isLong);
  return judge(spec, isCounted ? { at: 'empty', requests } : { at: 'empty' }, at);
}

/** How late the next window is, in ms: the time since it should have begun, without the usual lag. */
export function lateness(
  { stage, seenMs, earlier }: JudgedRelease,
  isAlone: boolean,
  bake: number,
  { grainMs, lagMs }: { readonly grainMs: number; readonly lagMs: number },
  lastToMs: number,
  nowMs: number,
): number {
  const stretches = isAlone && stage === bake ? [...earlier] : [...earlier, { stage, seenMs }];
  const starts = stretches
    .filter((one) => !isAlone || one.stage !== bake)
    .map(({ seenMs: from, untilMs = Infinity }: { seenMs: number; untilMs?: number }) => ({
      from: Math.max(lastToMs, Math.ceil((from + SETTLE_MS) / grainMs) * grainMs),
      until: Math.floor(untilMs / grainMs) * grainMs,
    }));
  const next = starts.find(({ from, until }) => from < until)?.from ?? nowMs;
  return Math.max(0, nowMs - lagMs - next);
}

/** Faults of the stored windows of a guardrail: each must be over, and no time may be counted twice. */
export function windowFaults(windows: readonly StoredWindow[], nowMs: number): string[] {
  return windows.flatMap(({ fromMs, toMs }, index) => {
    const before = windows[index - 1]?.toMs ?? 0;
    const text = `${fromMs}–${toMs}`;
    return [
      ...(fromMs >= toMs ? [`${text} is no time`] : []),
      ...(fromMs < before ? [`${text} overlaps what ends at ${before}`] : []),
      ...(toMs > nowMs ? [`${text} is not over at ${nowMs}`] : []),
    ];
  });
}

/** Whether somebody of the candidate was counted in a whole window of the stage, since it was seen. */
export function hasOwnWindow(windows: readonly StoredWindow[], stage: number, seenMs: number): boolean {
  return windows.some(
    ({ reading, fromMs, stage: of }) =>
      of === stage && fromMs >= seenMs && reading.at === 'measured' && reading.candidate.units > 0,
  );
}

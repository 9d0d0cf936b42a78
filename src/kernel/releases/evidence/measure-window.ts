import { LATE, within, type Time } from '#kernel/base/time.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { dueWindow, windowMs, type DueWindow, type Schedule } from './due-window.ts';
import type { GuardrailLook } from './guardrail-look.ts';
import { misfit } from './judged-spec.ts';
import type { Measurement } from './measure-source.ts';
import { addKept, type Kept, type Tally } from './tally.ts';

const LIMITS = {
  /** A source that has not answered by then is down. */
  measureMs: 10_000,
  /** Of a source's own words. */
  becauseChars: 300,
} as const;

export type Reading = Exclude<Measurement, { readonly at: 'waits' }>;

export type MeasuredWindow =
  | { readonly at: 'measured'; readonly window: DueWindow; readonly reading: Reading }
  /** There is nothing so new. */
  | { readonly at: 'waits'; readonly because: string };

/** Measures what is due; undefined when nothing is. What fails or takes too long is down. */
export async function measureDueWindow(
  look: GuardrailLook,
  schedule: Schedule,
  time: Time,
): Promise<MeasuredWindow | undefined> {
  const { guardrail, source, nowMs } = look;
  const due = dueWindow(schedule, nowMs - source.lagMs);
  if (due === undefined) return undefined;
  const found = await inTime<MeasuredWindow>(
    (signal) => measure(look, schedule, signal),
    (because) => ({ at: 'measured', window: due, reading: { at: 'down', because } }),
    time,
  );
  return found.at === 'waits' ? found : { ...found, reading: fitting(guardrail, found.reading) };
}

/**
 * The first window that counts of what is compared by instance keeps what the day before the release taught, so that it is
 * judged again by the same. Without an answer there is no history.
 */
export async function withHistory(
  { release, guardrail, source }: GuardrailLook,
  schedule: Schedule,
  tally: Tally,
  { kept, time }: { readonly kept: Kept; readonly time: Time },
): Promise<Kept> {
  const { reading } = kept;
  if (guardrail.noWorse === undefined || reading.at !== 'measured' || reading.sources === undefined) return kept;
  const isFirst = tally.counted === undefined && addKept(guardrail, tally, kept).counted !== undefined;
  if (!isFirst || source.history === undefined) return kept;
  const beforeMs = release.earlier[0]?.seenMs ?? release.seenMs;
  const asked = { release: release.name, guardrail, beforeMs, windowMs: windowMs(schedule) };
  const work = source.history.bind(source, asked);
  const history = await inTime<TimeHistory | undefined>(work, () => undefined, time);
  return history === undefined ? kept : { ...kept, reading: { ...reading, history } };
}

async function measure(
  { release: { name }, guardrail, source, nowMs }: GuardrailLook,
  schedule: Schedule,
  signal: AbortSignal,
): Promise<MeasuredWindow> {
  const untilMs = await source.completeUntil(nowMs);
  const window = dueWindow(schedule, Math.min(untilMs, nowMs));
  if (window === undefined) {
    const until = Temporal.Instant.fromEpochMilliseconds(untilMs).toString({ smallestUnit: 'second' });
    return { at: 'waits', because: `it is complete until ${until} only` };
  }
  const reading = await source.measure({ release: name, guardrail, ...window }, signal);
  return reading.at === 'waits' ? reading : { at: 'measured', window, reading };
}

async function inTime<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
  down: (because: string) => Result,
  time: Time,
): Promise<Result> {
  const ended = new AbortController();
  try {
    const result = await within(work(ended.signal), LIMITS.measureMs, time);
    return result === LATE ? down(`it did not answer in ${LIMITS.measureMs / 1_000} s`) : result;
  } catch (error) {
    return down(error instanceof Error ? error.message : String(error));
  } finally {
    ended.abort();
  }
}

/** Numbers that the guardrail's test cannot take are as good as none. What a source says of itself is made fit to be kept. */
function fitting(guardrail: GuardrailSpec, reading: Reading): Reading {
  if (reading.at === 'down') return { ...reading, because: keepable(reading.because) };
  const wrong = reading.at === 'measured' ? misfit(guardrail, reading.measured) : undefined;
  return wrong === undefined ? reading : { at: 'down', because: wrong };
}

/** The database keeps no NUL, and no half of a character either. */
function keepable(text: string): string {
  return text.slice(0, LIMITS.becauseChars).replaceAll('\0', '\u{fffd}').toWellFormed();
}

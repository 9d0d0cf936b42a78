import { LATE, within, type Time } from '#kernel/base/time.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { dueWindow, windowMs, type DueWindow, type Schedule } from './due-window.ts';
import type { GuardrailLook } from './guardrail-look.ts';
import { misfit } from './judged-spec.ts';
import type { Measurement } from './measure-source.ts';
import { addKept, type StoredWindow, type Tally } from './tally.ts';

const LIMITS = {
  /** Timeout of a source. */
  measureMs: 10_000,
  /** Maximum length of a source's own message. */
  becauseChars: 300,
} as const;

export type WindowMeasurement = Exclude<Measurement, { readonly at: 'waits' }>;

export type MeasuredWindow =
  | { readonly at: 'measured'; readonly window: DueWindow; readonly reading: WindowMeasurement }
  /** The data has not arrived. */
  | { readonly at: 'waits'; readonly because: string };

/** Measures the due window; undefined when none is due. An error or a timeout counts as down. */
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
 * Adds the noise of the day before the release to the first counted window of a comparison by instance, so that the window is
 * always judged by the same. Without an answer there is no history.
 */
export async function withHistory(
  { release, guardrail, source }: GuardrailLook,
  schedule: Schedule,
  tally: Tally,
  { kept, time }: { readonly kept: StoredWindow; readonly time: Time },
): Promise<StoredWindow> {
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

/** Numbers that the guardrail's test cannot use count as down. The message of a source is made fit for storage. */
function fitting(guardrail: GuardrailSpec, reading: WindowMeasurement): WindowMeasurement {
  if (reading.at === 'down') return { ...reading, because: keepable(reading.because) };
  const wrong = reading.at === 'measured' ? misfit(guardrail, reading.measured) : undefined;
  return wrong === undefined ? reading : { at: 'down', because: wrong };
}

/** The database stores no NUL and no half of a surrogate pair. */
function keepable(text: string): string {
  return text.slice(0, LIMITS.becauseChars).replaceAll('\0', '\u{fffd}').toWellFormed();
}

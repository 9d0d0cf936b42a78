import type { Log } from '#kernel/base/log.ts';
import { LATE, within, type Time } from '#kernel/base/time.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import { judgeVersion, type Verdict } from '#kernel/statistics/verdict.ts';
import type { Evidence, GuardrailVerdict, Judged } from '../evidence.ts';
import { metricsOf, type GuardrailSpec } from '../kinds/guardrail-spec.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import { isBake } from '../kinds/stages-of.ts';
import { addMeasuredCells, clusteringsOf, scopeOf, type CellState } from './cell-state.ts';
import { dueWindow, nextStretch, windowMs, type DueWindow, type Schedule } from './due-window.ts';
import { misfit } from './judged-spec.ts';
import { readCellState } from './kept-cells.ts';
import { dropWindowsAfter, keepWindow, keptWindows } from './kept-windows.ts';
import type { HistoryAsked, MeasureSource, Measurement, Window } from './measure-source.ts';
import {
  addKept,
  isMeasuredIn,
  NO_TALLY,
  silence,
  verdictOf,
  type Kept,
  type KeptReading,
  type Tally,
} from './tally.ts';

const LIMITS = {
  /** A source that has not answered by then is down. */
  measureMs: 10_000,
  /** A release is judged by what there is after this; a slow source is taken at the next look. */
  patienceMs: 2_000,
  /** Of a source's own words. */
  becauseChars: 300,
  /** Releases whose evidence is kept folded in memory; of others it is read again. */
  releasesMax: 500,
  /** Windows without anything new before a source is said to be late. */
  lateWindows: 2,
} as const;

/** One guardrail of a release that is under way. */
interface Watched {
  tally: Tally;
  /** Why there is nothing new. */
  waits?: string;
  measuring?: Promise<void>;
}

type Watch = ReadonlyMap<string, Watched>;

/** Where the numbers of a guardrail come from. */
export type SourceOf = (guardrail: GuardrailSpec) => MeasureSource;

/**
 * Measures releases window by window, keeps every window before it is judged, and judges by all that are kept. What is in
 * memory is only folded from that: another engine goes on from the table and says the same.
 */
export function releaseEvidence(parts: {
  readonly database: Queryable;
  readonly sourceOf: SourceOf;
  readonly time: Time;
  readonly log: Log;
}): Evidence {
  const { database, sourceOf, time, log } = parts;
  const watched = new Map<string, Promise<Watch>>();

  return {
    verdicts: async (release, nowMs) => {
      const policy = release.spec.policy?.spec;
      if (policy === undefined) return new Map();
      const watch = await watchOf(release, policy);
      const measuring = policy.guardrails.map((one) => measureOnce(release, policy, one, watch, nowMs));
      await within(Promise.all(measuring), LIMITS.patienceMs, time);
      return new Map(
        policy.guardrails.flatMap((one) => {
          const verdict = judged(release, policy, one, watch, nowMs);
          return verdict === undefined ? [] : [[one.name, verdict] as const];
        }),
      );
    },
  };

  /** What is kept of a release, read when it is first asked for. */
  function watchOf({ uid }: Judged, { guardrails }: PolicySpec): Promise<Watch> {
    const known = watched.get(uid);
    // Set anew, so that the order of the map is that of the last use.
    watched.delete(uid);
    const watch = known ?? readWatch(uid, guardrails);
    watched.set(uid, watch);
    watch.catch(() => watched.delete(uid));
    const [oldest] = watched.keys();
    if (watched.size > LIMITS.releasesMax && oldest !== undefined) watched.delete(oldest);
    return watch;
  }

  async function readWatch(uid: string, guardrails: readonly GuardrailSpec[]): Promise<Watch> {
    const read = guardrails.map(async (one) => [one.name, { tally: await readTally(database, uid, one) }] as const);
    return new Map<string, Watched>(await Promise.all(read));
  }

  /** One measuring of a guardrail at a time; it goes on when nobody waits for it any more. */
  function measureOnce(
    release: Judged,
    policy: PolicySpec,
    guardrail: GuardrailSpec,
    watch: Watch,
    nowMs: number,
  ): Promise<void> {
    const one = watch.get(guardrail.name);
    if (one === undefined) return Promise.resolve();
    one.measuring ??= measureDue(release, policy, guardrail, one, nowMs)
      .catch((error: unknown) =>
        log.warn({ release: release.name, guardrail: guardrail.name, err: error }, 'a guardrail was not measured'),
      )
      .finally(() => {
        delete one.measuring;
      });
    return one.measuring;
  }

  async function measureDue(
    release: Judged,
    policy: PolicySpec,
    guardrail: GuardrailSpec,
    one: Watched,
    nowMs: number,
  ): Promise<void> {
    if (endMsOf(one.tally) > nowMs) {
      // The clock was ahead and went back: what has not happened yet is no evidence, and measuring goes on from now.
      await dropWindowsAfter(database, release.uid, guardrail.name, nowMs);
      one.tally = await readTally(database, release.uid, guardrail);
    }
    const source = sourceOf(guardrail);
    const schedule = scheduleOf(release, policy, guardrail, source, one);
    const due = dueWindow(schedule, nowMs - source.lagMs);
    if (due === undefined) return;
    const found = await inTime<Found>(
      (signal) => findWindow(release, guardrail, source, schedule, nowMs, signal),
      (because) => ({ window: due, reading: { at: 'down', because } }),
    );
    if (found.reading.at === 'waits') {
      one.waits = found.reading.because;
      return;
    }
    delete one.waits;
    const { uid, splits } = release;
    const { stage } = found.window;
    const scope = scopeOf(splits, stage);
    const { reading, cells } = await withClustering(fitting(guardrail, found.reading), uid, guardrail.name, {
      stage,
      scope,
      isAgain: isAgain(release, stage),
      fromMs: found.window.fromMs,
    });
    const measured: Kept = {
      guardrail: guardrail.name,
      ...found.window,
      scope,
      share: splits[stage]?.share ?? 0,
      reading,
      judgeVersion,
      atMs: nowMs,
    };
    const window = await withHistory(measured, one.tally, source, {
      release: release.name,
      guardrail,
      beforeMs: release.earlier[0]?.seenMs ?? release.seenMs,
      windowMs: windowMs(schedule),
    });
    // Whoever kept another one may have kept more since.
    one.tally = (await keepWindow(database, uid, window, cells))
      ? addKept(guardrail, one.tally, window)
      : await readTally(database, uid, guardrail);
  }

  /**
   * What a window keeps of its cells, and the state that the next one is added to. It is read each time and not kept in
   * memory: it is large, and another engine may have gone on with it. Where a clock leapt, what happened in the window may
   * be in it already, and is not told apart: then the cells of the window are not known.
   */
  async function withClustering(
    reading: Reading,
    uid: string,
    name: string,
    window: { readonly stage: number; readonly scope: number; readonly isAgain: boolean; readonly fromMs: number },
  ): Promise<{ readonly reading: KeptReading; readonly cells: CellState | undefined }> {
    if (reading.at !== 'measured') return { reading, cells: undefined };
    const { cells: measured, ...rest } = reading;
    if (measured === undefined) return { reading: rest, cells: undefined };
    const before = await readCellState(database, uid, name);
    if (measured.since === 'window' && window.fromMs < (before?.untilMs ?? 0))
      return { reading: rest, cells: undefined };
    const cells = addMeasuredCells(before?.state, measured, window);
    return { reading: { ...rest, clustering: clusteringsOf(cells) }, cells };
  }

  /**
   * The first window that counts of what is compared by instance keeps what the day before the release taught, so that it is
   * judged again by the same. Without an answer there is no history.
   */
  async function withHistory(kept: Kept, tally: Tally, source: MeasureSource, asked: HistoryAsked): Promise<Kept> {
    const { reading } = kept;
    const { noWorse } = asked.guardrail;
    if (noWorse === undefined || reading.at !== 'measured' || reading.sources === undefined) return kept;
    const isFirst = tally.counted === undefined && addKept(asked.guardrail, tally, kept).counted !== undefined;
    if (!isFirst || source.history === undefined) return kept;
    const work = source.history.bind(source, asked);
    const history = await inTime<TimeHistory | undefined>(work, () => undefined);
    return history === undefined ? kept : { ...kept, reading: { ...reading, history } };
  }

  /** What fails or takes too long is down. */
  async function inTime<Result>(
    work: (signal: AbortSignal) => Promise<Result>,
    down: (because: string) => Result,
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

  function judged(
    release: Judged,
    policy: PolicySpec,
    guardrail: GuardrailSpec,
    watch: Watch,
    nowMs: number,
  ): GuardrailVerdict | undefined {
    const one = watch.get(guardrail.name);
    if (one === undefined) return undefined;
    const source = sourceOf(guardrail);
    const schedule = scheduleOf(release, policy, guardrail, source, one);
    const fromMs = nextStretch(schedule)?.fromMs ?? nowMs;
    const lateMs = Math.max(0, nowMs - source.lagMs - fromMs);
    const { alpha, beta } = policy.judging;
    const context = { alpha, beta, metrics: metricsOf(policy.guardrails) };
    const verdict = verdictOf(guardrail, one.tally, lateMs, context);
    if (verdict !== undefined) {
      if (endMsOf(one.tally) > nowMs) return { ...aheadOfTime(verdict), isOfStage: false };
      return { ...verdict, isOfStage: isMeasuredIn(one.tally, release.stage, release.seenMs) };
    }
    if (one.waits === undefined || lateMs <= LIMITS.lateWindows * windowMs(schedule)) return undefined;
    return { ...silence(guardrail, one.waits, context), isOfStage: false };
  }
}

/** Whether a release was in a stage, in another one after it, and in it again: a stage was rolled back. */
function isAgain({ stage: now, earlier }: Judged, stage: number): boolean {
  const stages = [...earlier.map((one) => one.stage), now];
  const first = stages.indexOf(stage);
  const other = stages.findIndex((one, index) => index > first && one !== stage);
  return first >= 0 && other >= 0 && stages.indexOf(stage, other) >= 0;
}

type Reading = Exclude<Measurement, { readonly at: 'waits' }>;

interface Found {
  readonly window: DueWindow;
  readonly reading: Measurement;
}

async function findWindow(
  { name, stage: stageNow }: Judged,
  guardrail: GuardrailSpec,
  source: MeasureSource,
  schedule: Schedule,
  nowMs: number,
  signal: AbortSignal,
): Promise<Found> {
  const untilMs = await source.completeUntil(nowMs);
  const window = dueWindow(schedule, Math.min(untilMs, nowMs));
  if (window === undefined) {
    const until = Temporal.Instant.fromEpochMilliseconds(untilMs).toString({ smallestUnit: 'second' });
    const because = `it is complete until ${until} only`;
    return { window: { stage: stageNow, fromMs: untilMs, toMs: untilMs }, reading: { at: 'waits', because } };
  }
  const asked: Window = { release: name, guardrail, ...window };
  return { window, reading: await source.measure(asked, signal) };
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

/** While it bakes there is nobody to compare with: what compares is measured to the end of the stages before. */
function scheduleOf(
  { stage, seenMs, earlier }: Judged,
  policy: PolicySpec,
  { noWorse }: GuardrailSpec,
  { grainMs }: MeasureSource,
  { tally }: Watched,
): Schedule {
  const isAlone = noWorse !== undefined && isBake(policy, stage);
  const past = isAlone ? earlier.filter((one) => !isBake(policy, one.stage)) : earlier;
  return {
    grainMs,
    everyMs: durationMs(policy.judging.every),
    stretches: isAlone ? past : [...past, { stage, seenMs }],
    lastToMs: tally.latest?.toMs,
  };
}

function endMsOf({ latest }: Tally): number {
  return latest?.toMs ?? 0;
}

/** Evidence of a time that has not come yet: it is no success, and hides no failure. */
function aheadOfTime(verdict: Verdict): Verdict {
  if (verdict.outcome === 'fail') return verdict;
  return { ...verdict, outcome: 'stale', because: 'The newest data is of a time that is still to come.' };
}

/** All windows of a guardrail that are kept, folded. */
async function readTally(database: Queryable, uid: string, guardrail: GuardrailSpec): Promise<Tally> {
  let tally = NO_TALLY;
  for await (const page of keptWindows(database, uid, guardrail.name)) {
    for (const kept of page) tally = addKept(guardrail, tally, kept);
  }
  return tally;
}

import type { Log } from '#kernel/base/log.ts';
import { within, type Time } from '#kernel/base/time.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { judgeVersion } from '#kernel/statistics/verdict.ts';
import type { Evidence, GuardrailVerdict, JudgedRelease } from '../evidence.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { addMeasuredCells, clusteringsOf, scopeOf, type CellState } from './cell-state.ts';
import { endMsOf, isStageAgain, judgeGuardrail, scheduleOf, type GuardrailLook } from './guardrail-look.ts';
import { readCellState } from './kept-cells.ts';
import { dropWindowsAfter, keepWindow, keptWindows } from './kept-windows.ts';
import type { MeasureSource } from './measure-source.ts';
import { measureDueWindow, withHistory, type Reading } from './measure-window.ts';
import { addKept, NO_TALLY, type KeptReading, type Tally } from './tally.ts';

const LIMITS = {
  /** A release is judged by what there is after this; a slow source is taken at the next look. */
  patienceMs: 2_000,
  /** Releases whose evidence is kept folded in memory; of others it is read again. */
  releasesMax: 500,
} as const;

/** One guardrail of a release that is under way. */
interface WatchedGuardrail {
  tally: Tally;
  /** Why there is nothing new. */
  waits?: string;
  measuring?: Promise<void>;
}

type WatchedRelease = ReadonlyMap<string, WatchedGuardrail>;

/** Where the numbers of a guardrail come from. */
export type SourceOf = (guardrail: GuardrailSpec) => MeasureSource;

interface Parts {
  readonly database: Queryable;
  readonly sourceOf: SourceOf;
  readonly time: Time;
  readonly log: Log;
}

/**
 * Measures releases window by window, keeps every window before it is judged, and judges by all that are kept. What is in
 * memory is only folded from that: another engine goes on from the table and says the same.
 */
export class ReleaseEvidence implements Evidence {
  readonly #parts: Parts;
  readonly #watched = new Map<string, Promise<WatchedRelease>>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async verdicts(release: JudgedRelease, nowMs: number): Promise<ReadonlyMap<string, GuardrailVerdict>> {
    const policy = release.spec.policy?.spec;
    if (policy === undefined) return new Map();
    const watch = await this.#watch(release.uid, policy.guardrails);
    const looks = policy.guardrails.flatMap((guardrail) => {
      const watched = watch.get(guardrail.name);
      const look = { release, policy, guardrail, source: this.#parts.sourceOf(guardrail), nowMs };
      return watched === undefined ? [] : [{ look, watched }];
    });
    const measuring = looks.map(({ look, watched }) => this.#measureOnce(look, watched));
    await within(Promise.all(measuring), LIMITS.patienceMs, this.#parts.time);
    return new Map(
      looks.flatMap(({ look, watched: { tally, waits } }) => {
        const verdict = judgeGuardrail(look, tally, waits);
        return verdict === undefined ? [] : [[look.guardrail.name, verdict] as const];
      }),
    );
  }

  /** What is kept of a release, read when it is first asked for. */
  #watch(uid: string, guardrails: readonly GuardrailSpec[]): Promise<WatchedRelease> {
    const known = this.#watched.get(uid);
    // Set anew, so that the order of the map is that of the last use.
    this.#watched.delete(uid);
    const watch = known ?? this.#readWatch(uid, guardrails);
    this.#watched.set(uid, watch);
    watch.catch(() => this.#watched.delete(uid));
    const [oldest] = this.#watched.keys();
    if (this.#watched.size > LIMITS.releasesMax && oldest !== undefined) this.#watched.delete(oldest);
    return watch;
  }

  async #readWatch(uid: string, guardrails: readonly GuardrailSpec[]): Promise<WatchedRelease> {
    const { database } = this.#parts;
    const read = guardrails.map(async (one) => [one.name, { tally: await readTally(database, uid, one) }] as const);
    return new Map<string, WatchedGuardrail>(await Promise.all(read));
  }

  /** One measuring of a guardrail at a time; it goes on when nobody waits for it any more. */
  #measureOnce(look: GuardrailLook, watched: WatchedGuardrail): Promise<void> {
    const { release, guardrail } = look;
    watched.measuring ??= this.#measureDue(look, watched)
      .catch((error: unknown) => {
        const about = { release: release.name, guardrail: guardrail.name, err: error };
        this.#parts.log.warn(about, 'releases: guardrail not measured');
      })
      .finally(() => {
        delete watched.measuring;
      });
    return watched.measuring;
  }

  async #measureDue(look: GuardrailLook, watched: WatchedGuardrail): Promise<void> {
    const { database, time } = this.#parts;
    const { release, guardrail, nowMs } = look;
    const { uid } = release;
    if (endMsOf(watched.tally) > nowMs) {
      // The clock was ahead and went back: what has not happened yet is no evidence, and measuring goes on from now.
      await dropWindowsAfter(database, uid, guardrail.name, nowMs);
      watched.tally = await readTally(database, uid, guardrail);
    }
    const schedule = scheduleOf(look, watched.tally);
    const found = await measureDueWindow(look, schedule, time);
    if (found === undefined) return;
    if (found.at === 'waits') {
      watched.waits = found.because;
      return;
    }
    delete watched.waits;
    const { stage, fromMs } = found.window;
    const scope = scopeOf(release.splits, stage);
    const window = { stage, scope, isAgain: isStageAgain(release, stage), fromMs };
    const { reading, cells } = await withClustering(database, look, found.reading, window);
    const share = release.splits[stage]?.share ?? 0;
    const measured = { guardrail: guardrail.name, ...found.window, scope, share, reading, judgeVersion, atMs: nowMs };
    const kept = await withHistory(look, schedule, watched.tally, { kept: measured, time });
    // Whoever kept another one may have kept more since.
    watched.tally = (await keepWindow(database, uid, kept, cells))
      ? addKept(guardrail, watched.tally, kept)
      : await readTally(database, uid, guardrail);
  }
}

interface ClusteredWindow {
  readonly stage: number;
  readonly scope: number;
  readonly isAgain: boolean;
  readonly fromMs: number;
}

/**
 * What a window keeps of its cells, and the state that the next one is added to. It is read each time and not kept in
 * memory: it is large, and another engine may have gone on with it. Where a clock leapt, what happened in the window may
 * be in it already, and is not told apart: then the cells of the window are not known.
 */
async function withClustering(
  database: Queryable,
  { release: { uid }, guardrail: { name } }: GuardrailLook,
  reading: Reading,
  window: ClusteredWindow,
): Promise<{ readonly reading: KeptReading; readonly cells: CellState | undefined }> {
  if (reading.at !== 'measured') return { reading, cells: undefined };
  const { cells: measured, ...rest } = reading;
  if (measured === undefined) return { reading: rest, cells: undefined };
  const before = await readCellState(database, uid, name);
  if (measured.since === 'window' && window.fromMs < (before?.untilMs ?? 0)) return { reading: rest, cells: undefined };
  const cells = addMeasuredCells(before?.state, measured, window);
  return { reading: { ...rest, clustering: clusteringsOf(cells) }, cells };
}

/** All windows of a guardrail that are kept, folded. */
async function readTally(database: Queryable, uid: string, guardrail: GuardrailSpec): Promise<Tally> {
  let tally = NO_TALLY;
  for await (const page of keptWindows(database, uid, guardrail.name)) {
    for (const kept of page) tally = addKept(guardrail, tally, kept);
  }
  return tally;
}

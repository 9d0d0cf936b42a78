import type { Log } from '#kernel/base/log.ts';
import { within, type Time } from '#kernel/base/time.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { judgeVersion } from '#kernel/statistics/verdict.ts';
import type { Evidence, GuardrailVerdict, JudgedRelease } from '../evidence.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import { addMeasuredCells, clusteringsOf, scopeOf, type CellState } from './cell-state.ts';
import { endMsOf, isStageAgain, judgeGuardrail, scheduleOf, type GuardrailLook } from './guardrail-look.ts';
import { readCellState } from './stored-cells.ts';
import { dropWindowsAfter, storeWindow, readWindows } from './stored-windows.ts';
import type { MeasureSource } from './measure-source.ts';
import { measureDueWindow, withHistory, type WindowMeasurement } from './measure-window.ts';
import { addKept, NO_TALLY, type StoredAnswer, type Tally } from './tally.ts';

const LIMITS = {
  /** Time limit of one look: a slow source is read at the next one. */
  patienceMs: 2_000,
  /** Releases whose folded evidence is cached; that of others is read again. */
  releasesMax: 500,
} as const;

/** One guardrail of an open release. */
interface WatchedGuardrail {
  tally: Tally;
  /** Why there is no new data. */
  waits?: string;
  measuring?: Promise<void>;
}

type WatchedRelease = ReadonlyMap<string, WatchedGuardrail>;

/** The source of a guardrail. */
export type SourceOf = (guardrail: GuardrailSpec) => MeasureSource;

interface Parts {
  readonly database: Queryable;
  readonly sourceOf: SourceOf;
  readonly time: Time;
  readonly log: Log;
}

/**
 * Measures releases window by window, stores every window before it is judged, and judges all stored ones. Memory has only their
 * folded state: another engine continues from the table with the same verdicts.
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

  /** The stored state of a release, read at the first request. */
  #watch(uid: string, guardrails: readonly GuardrailSpec[]): Promise<WatchedRelease> {
    const known = this.#watched.get(uid);
    // Set again, so that the map is in order of use.
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

  /** One measurement of a guardrail at a time; it continues when nobody waits for it any more. */
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
      // The clock was ahead and went back: future windows are no evidence, and measuring continues from now.
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
    // Another engine stored a window, and may have stored more since.
    watched.tally = (await storeWindow(database, uid, kept, cells))
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
 * The clustering of a window, and the state that the next one is added to. It is read each time and not cached: it is large, and
 * another engine may have continued it. After a leap of the clock the state may already include events of the window, which cannot
 * be separated: then the window has no cells.
 */
async function withClustering(
  database: Queryable,
  { release: { uid }, guardrail: { name } }: GuardrailLook,
  reading: WindowMeasurement,
  window: ClusteredWindow,
): Promise<{ readonly reading: StoredAnswer; readonly cells: CellState | undefined }> {
  if (reading.at !== 'measured') return { reading, cells: undefined };
  const { cells: measured, ...rest } = reading;
  if (measured === undefined) return { reading: rest, cells: undefined };
  const before = await readCellState(database, uid, name);
  if (measured.since === 'window' && window.fromMs < (before?.untilMs ?? 0)) return { reading: rest, cells: undefined };
  const cells = addMeasuredCells(before?.state, measured, window);
  return { reading: { ...rest, clustering: clusteringsOf(cells) }, cells };
}

/** All stored windows of a guardrail, folded. */
async function readTally(database: Queryable, uid: string, guardrail: GuardrailSpec): Promise<Tally> {
  let tally = NO_TALLY;
  for await (const page of readWindows(database, uid, guardrail.name)) {
    for (const kept of page) tally = addKept(guardrail, tally, kept);
  }
  return tally;
}

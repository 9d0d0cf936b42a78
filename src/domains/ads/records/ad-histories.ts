import { createHmac } from 'node:crypto';
import { Unavailable } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Eraser } from '#kernel/events/erasure.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { openGroup } from '#kernel/quotas/group.ts';
import type { Histories, HistoryRow, HistorySubject } from '../history/histories.ts';
import { adRefusal } from '../refusals.ts';
import {
  EMPTY_HISTORY,
  historyEndMs,
  withoutEnded,
  withPlayed,
  withServed,
  type AdHistory,
} from '../rules/ad-history.ts';
import { withReward } from '../rules/ad-load.ts';
import { CAP_SCOPES, type CapScope } from '../rules/frequency.ts';
import { decodeHistory, encodeHistory } from './history-codec.ts';
import { readRows, writeRows, type RowChange, type StoredRow } from './history-rows.ts';

const LIMITS = {
  /** Of a pseudonym: 128 bits. */
  keyBytes: 16,
  /** Attempts to note an impression or a reward beside decisions for the same listener. */
  changeRoundsMax: 8,
  /** Rows that one statement of `tidy` drops. */
  droppedMax: 10_000,
} as const;

const DAY_MS = 86_400_000;

export interface AdHistories extends Histories {
  readonly erasers: readonly Eraser[];
  readonly tidy: (nowMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Histories in PostgreSQL, a row for each id, and its key a keyed hash of it. Decisions that arrive together are read in one
 * statement and written in another. A row is written only if it is as it was read, so what several processes or requests
 * decide at once for one listener never adds up to more than a cap.
 */
export function openAdHistories(parts: {
  readonly database: Database;
  /** The same in all processes of the installation. */
  readonly secret: Buffer;
  readonly log: Log;
}): AdHistories {
  const { database, secret, log } = parts;
  const reads = openGroup<readonly string[]>((questions) => readAll(database, questions), storageFailure);
  const writes = openGroup<readonly RowChange[]>((decisions) => writeAll(database, decisions), storageFailure);

  return {
    read: async (subject, signal) => {
      const keys = keysOf(secret, subject);
      if (keys.size === 0) return { rows: new Map() };
      const stored = await reads.ask([...keys.values()], toRows, signal);
      return { rows: new Map(Array.from(keys, ([scope, key], index) => [scope, rowOf(key, stored[index])])) };
    },
    add: async (known, exposures, nowMs, signal) => {
      const listener = known.rows.get('listener')?.key;
      const changes = Array.from(known.rows).flatMap(([scope, row]) => {
        const served = exposures.get(scope) ?? [];
        if (served.length === 0 && row.isCleaned !== true) return [];
        const history = withServed(withoutEnded(row.history, nowMs), served);
        return [changeOf({ ...row, history }, scope === 'device' || scope === 'session' ? listener : undefined)];
      });
      return changes.length === 0 || writes.ask(changes, (outcome) => outcome as boolean, signal);
    },
    confirm: (subject, exposure, nowMs) => change(subject, (history) => withPlayed(history, exposure, nowMs)),
    reward: (subject, untilMs) => change(subject, (history) => withReward(history, untilMs)),
    erasers: [{ store: 'ad-histories', erase }],
    tidy: async (nowMs) => {
      let dropped: number;
      do dropped = await dropEnded(database, nowMs);
      while (dropped === LIMITS.droppedMax);
    },
    close: async () => {
      await Promise.all([reads.close(), writes.close()]);
    },
  };

  /** Changes rows that are there, beside decisions; undefined leaves one as it is. */
  async function change(
    subject: HistorySubject,
    changed: (history: AdHistory) => AdHistory | undefined,
  ): Promise<void> {
    const keys = [...keysOf(secret, subject).values()];
    for (let round = 1; round <= LIMITS.changeRoundsMax; round += 1) {
      const stored = await reads.ask(keys, toRows);
      const changes = keys.flatMap((key, index) => {
        if (stored[index] === undefined) return [];
        const row = rowOf(key, stored[index]);
        const history = changed(row.history);
        return history === undefined ? [] : [changeOf({ ...row, history }, undefined)];
      });
      if (changes.length === 0 || (await writes.ask(changes, (outcome) => outcome as boolean))) return;
    }
    throw storageFailure(new Error('other decisions for the listener were always first'));
  }

  /** The rows of the listener, of the household that is named by them, and of devices and sessions they used last. */
  async function erase(listener: string): Promise<number> {
    const own = keysOf(secret, { listener, household: listener });
    const keys = [...own.values()];
    const [row] = await database.query<{ count: number }>({
      text: `with own as (
          select decode(asked, 'hex') as key from unnest($1::text[]) as a (asked)
          union select key from backline.ad_histories where listener = decode($2, 'hex')
        ), gone as (
          delete from backline.ad_histories where key in (select key from own) returning 1
        ) select count(*) from gone`,
      values: [keys, own.get('listener') ?? ''],
    });
    return row?.count ?? 0;
  }

  function storageFailure(error: unknown): Error {
    log.error({ err: error }, 'ad histories: cannot read or commit; breaks have no capped ads');
    const why = error instanceof Unavailable ? error.message : 'The database did not confirm it.';
    return adRefusal('history-not-stored', why, { retryAfterSeconds: 1 });
  }
}

function toRows(outcome: unknown): readonly (StoredRow | undefined)[] {
  return outcome as readonly (StoredRow | undefined)[];
}

export function keysOf(secret: Buffer, subject: HistorySubject): ReadonlyMap<CapScope, string> {
  const keys = new Map<CapScope, string>();
  for (const scope of CAP_SCOPES) {
    const id = subject[scope];
    if (id !== undefined) keys.set(scope, pseudonymOf(secret, scope, id));
  }
  return keys;
}

function pseudonymOf(secret: Buffer, scope: CapScope, id: string): string {
  return createHmac('sha256', secret)
    .update(`${scope} ${id}`)
    .digest('hex')
    .slice(0, LIMITS.keyBytes * 2);
}

function rowOf(key: string, stored: StoredRow | undefined): HistoryRow {
  if (stored === undefined) return { key, version: undefined, history: EMPTY_HISTORY };
  return { key, version: stored.version, history: decodeHistory(stored.history) };
}

function changeOf({ key, version, history }: HistoryRow, listener: string | undefined): RowChange {
  const untilDay = Math.floor(historyEndMs(history) / DAY_MS) + 1;
  return { key, version, untilDay, listener, history: encodeHistory(history) };
}

/** Rows of each question, in the order of its keys. */
async function readAll(
  database: Database,
  questions: readonly (readonly string[])[],
): Promise<readonly (readonly (StoredRow | undefined)[])[]> {
  const rows = await readRows(database, new Set(questions.flat()));
  return questions.map((keys) => keys.map((key) => rows.get(key)));
}

/** Of several decisions on one row only the first can be right about what it read. */
async function writeAll(database: Database, decisions: readonly (readonly RowChange[])[]): Promise<readonly boolean[]> {
  const taken = new Set<string>();
  const isFirst = decisions.map((changes) => {
    if (changes.some(({ key }) => taken.has(key))) return false;
    for (const { key } of changes) taken.add(key);
    return true;
  });
  const written = await writeRows(
    database,
    decisions.filter((_, index) => isFirst[index]),
  );
  let next = 0;
  return isFirst.map((first) => first && written[next++] === true);
}

/** Drops rows of which nothing counts any more; gives how many. */
async function dropEnded(database: Database, nowMs: number): Promise<number> {
  const rows = await database.patient.query({
    text: `delete from backline.ad_histories where key in (
        select key from backline.ad_histories where until_day <= $1 limit $2 for update skip locked
      ) returning 1`,
    values: [Math.floor(nowMs / DAY_MS), LIMITS.droppedMax],
  });
  return rows.length;
}

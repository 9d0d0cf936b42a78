import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import { waitForAbort, pause, systemTime } from '#kernel/base/time.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { StoredChange, StoredEntry } from './entry.ts';
import { type ChangeRow, type KnownKinds, RowReader } from './load.ts';
import type { Memory } from './memory.ts';
import type { TextsAtRest } from './texts-at-rest.ts';
import { CHANGES_CHANNEL } from './writer-session.ts';

/** Rows that one round trip brings at most. */
const ROWS_MAX = 5_000;
/** A notification can be lost with its connection: this is how long it may go unnoticed. */
const POLL_MS = 1_000;
/** How soon a read that failed is tried again while somebody waits for it. */
const RETRY_MS = 200;

/**
 * Brings what another process wrote into the memory of this one, in the order in which it was written. Numbers of
 * changes have no gaps and become visible in order, so that reading on from the last one misses nothing.
 */
export class Tail {
  readonly #database: Database;
  readonly #memory: Memory;
  readonly #kinds: KnownKinds;
  readonly #texts: TextsAtRest;
  readonly #publish: (changes: readonly StoredChange[]) => void;
  readonly #log: Log | undefined;
  readonly #reading: Outage;
  #pulling: Promise<void> | undefined;
  /** Something was announced while a pull was under way. */
  #again = false;
  /** While this process writes itself, the memory is ahead of what can be read. */
  #paused = false;
  readonly #stopping = new AbortController();
  readonly #ended = waitForAbort(this.#stopping.signal);
  /** When the last read began that found nothing more, in steady time: the memory was current then. */
  #currentAtMs = performance.now();
  readonly #poll: NodeJS.Timeout;
  #waiting: { readonly version: number; readonly done: () => void }[] = [];
  readonly #listening: Promise<void>;
  #tellBroken: (why: string) => void = () => {};
  /** Resolves when the record no longer continues where the memory is: the process has to start anew. */
  readonly broken: Promise<string> = new Promise((tell) => (this.#tellBroken = tell));

  constructor(parts: {
    readonly database: Database;
    readonly memory: Memory;
    readonly kinds: KnownKinds;
    readonly texts: TextsAtRest;
    readonly publish: (changes: readonly StoredChange[]) => void;
    readonly log: Log | undefined;
  }) {
    this.#database = parts.database;
    this.#memory = parts.memory;
    this.#kinds = parts.kinds;
    this.#texts = parts.texts;
    this.#publish = parts.publish;
    this.#log = parts.log;
    this.#reading = new Outage(parts.log, 'change feed: cannot read');
    this.#poll = setInterval(() => this.#pullSoon(), POLL_MS);
    this.#listening = this.#listen();
  }

  /** Milliseconds since the memory was last known to show everything that was written. */
  get behindMs(): number {
    return performance.now() - this.#currentAtMs;
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** Resolves when the memory shows everything up to a version, or when reading has stopped. */
  async reach(version: number): Promise<void> {
    if (this.#memory.version >= version || this.#stopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ version, done: resolve });
    this.#pullSoon();
    await promise;
  }

  /** Stops reading, because this process is the writer now; the memory must have reached the last version. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#pulling;
  }

  /** @param behindMs since when this process may not have been the writer any more, in milliseconds before now */
  resume(behindMs: number): void {
    this.#currentAtMs = performance.now() - behindMs;
    this.#paused = false;
    this.#pullSoon();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#poll);
    // Nobody is to wait for what will not be read any more.
    for (const { done } of this.#waiting.splice(0)) done();
    await this.#listening;
    await this.#pulling;
  }

  /** Wakes the waiters of versions that this process itself has written. */
  wakeWaiting(): void {
    const reached = this.#waiting.filter(({ version }) => version <= this.#memory.version);
    if (reached.length === 0) return;
    this.#waiting = this.#waiting.filter(({ version }) => version > this.#memory.version);
    for (const { done } of reached) done();
  }

  async #listen(): Promise<void> {
    const outage = new Outage(this.#log, 'change feed: LISTEN failed, polling');
    while (!this.#stopped) {
      let waitMs = 0;
      try {
        const connection = await this.#database.connect();
        await connection.listen(CHANGES_CHANNEL, () => this.#pullSoon());
        outage.noteRecovery();
        this.#pullSoon();
        await Promise.race([connection.lost, this.#ended]);
        await connection.close();
      } catch (error) {
        waitMs = outage.noteFailure(error);
      }
      await pause(systemTime, waitMs, this.#stopping.signal);
    }
  }

  #pullSoon(): void {
    if (this.#paused || this.#stopped) return;
    this.#again = true;
    this.#pulling ??= this.#pullAll().finally(() => {
      this.#pulling = undefined;
    });
  }

  async #pullAll(): Promise<void> {
    const outage = this.#reading;
    while (this.#again && !this.#paused && !this.#stopped) {
      this.#again = false;
      try {
        if (await this.#pull()) this.#again = true;
        outage.noteRecovery();
      } catch (error) {
        outage.noteFailure(error);
        await pause(systemTime, RETRY_MS, this.#stopping.signal);
        this.#again = this.#waiting.length > 0;
      }
    }
  }

  /** True when there may be more. */
  async #pull(): Promise<boolean> {
    const from = this.#memory.version;
    const beganMs = performance.now();
    const rows = await this.#database.query<ChangeRow>({
      name: 'tail',
      text: `
        select version, type, kind, namespace, name, body
        from backline.changes where version > $1 order by version limit ${ROWS_MAX}`,
      values: [from],
    });
    const last = rows.at(-1);
    if (this.#paused) return false;
    if (rows.length < ROWS_MAX) this.#currentAtMs = beganMs;
    if (last === undefined) return false;
    if (rows[0]?.version !== from + 1) {
      this.#stopping.abort();
      this.#tellBroken(
        `The record of changes no longer continues after version ${from}: it was compacted or restored.`,
      );
      return false;
    }
    const changes = this.#changesOf(rows);
    this.#memory.publish(changes, last.version);
    this.wakeWaiting();
    if (changes.length > 0) this.#publish(changes);
    return rows.length === ROWS_MAX;
  }

  #changesOf(rows: readonly ChangeRow[]): StoredChange[] {
    const reader = new RowReader(this.#kinds, this.#texts);
    const states = new Map<string, StoredEntry | undefined>();
    const changes: StoredChange[] = [];
    for (const row of rows) {
      const entry = reader.entry(row);
      if (entry === undefined) continue;
      const object = `${row.kind}\0${entry.key}`;
      const before = states.has(object)
        ? states.get(object)
        : this.#memory.get(entry.kind, entry.namespace, entry.name);
      changes.push({ version: row.version, type: row.type, entry, before });
      states.set(object, row.type === 'DELETED' ? undefined : entry);
    }
    return changes;
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
import { bigintArray, textArray } from '#kernel/postgres/arrays.ts';
import type { Connection, Database } from '#kernel/postgres/database.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import { type Batch, finalStates } from './plan-batch.ts';
import type { TextsAtRest } from './texts-at-rest.ts';

const LOCK_POLL_MS = 50;
/** Where the writer tells the other processes that there is something new. */
export const CHANGES_CHANNEL = 'backline_changes';
const RECONNECT_MS = 100;
const MIB = 1024 * 1024;
/** A batch of so many characters is committed within the time that any statement has; each MiB more takes a second more. */
const QUICK_CHARACTERS_MAX = MIB;

/**
 * The right to write: a connection that holds the writer's advisory lock, and an epoch that no other writer ever had.
 * PostgreSQL drops the lock with the connection's server process, after its transaction ended one way or the other:
 * who gets the lock knows that nothing of the previous holder is still under way.
 * (So the connection has to be a real session; a pooler that shares sessions between transactions will not do.)
 */
export class WriterSession {
  readonly epoch: number;
  readonly #database: Database;
  readonly #texts: TextsAtRest;
  #connection: Connection;
  #backend: Backend;
  /** When the last statement was sent that was answered: then, at least, the right to write was ours. */
  #confirmedAt: Moment = momentNow();
  /** How much longer than any statement the one under way may take. */
  #patienceMs = 0;

  private constructor(parts: {
    readonly database: Database;
    readonly texts: TextsAtRest;
    readonly connection: Connection;
    readonly backend: Backend;
    readonly epoch: number;
  }) {
    this.#database = parts.database;
    this.#texts = parts.texts;
    this.#connection = parts.connection;
    this.#backend = parts.backend;
    this.epoch = parts.epoch;
  }

  /**
   * Waits for the lock, then begins a new epoch. Refuses `resources/other-writer` when somebody else keeps it for
   * `waitSeconds`, or when `stop` says that it need not be waited for any longer.
   */
  static async open(
    database: Database,
    options: { address: string; waitSeconds: number; texts: TextsAtRest; pollMs?: number; stop?: () => boolean },
  ): Promise<{ session: WriterSession; version: number }> {
    const { pollMs = LOCK_POLL_MS, stop = () => false } = options;
    const connection = await database.connect();
    try {
      for (let waited = 0; !(await tryLock(connection)); waited += pollMs) {
        if (waited >= options.waitSeconds * 1000 || stop()) throw await otherWriter(connection);
        await sleep(pollMs);
      }
      const backend = await prepare(connection);
      const [row] = await connection.query<{ epoch: number; version: number }>({
        text: 'update backline.writer set epoch = epoch + 1, address = $1, patience_ms = 0 returning epoch, version',
        values: [options.address],
      });
      if (row === undefined) throw new Error('backline.writer has no row');
      return {
        session: new WriterSession({ database, texts: options.texts, connection, backend, epoch: row.epoch }),
        version: row.version,
      };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  get isLost(): boolean {
    return this.#connection.isLost();
  }

  /** Milliseconds since the right to write was last known to be ours. */
  get behindMs(): number {
    return msSince(this.#confirmedAt);
  }

  /** Milliseconds since the database last answered, above what the statement under way may take. */
  get silentMs(): number {
    return this.behindMs - this.#patienceMs;
  }

  /**
   * Shows the others that this writer is there, and itself that it still is the writer. False when it is not, or when the
   * order of writes is not where it left it.
   */
  async beat(version: number, patienceMs = 0): Promise<boolean> {
    const rows = await this.#ask<{ epoch: number }>({
      name: 'beat',
      text: `
        update backline.writer set beat = beat + 1, patience_ms = $3 where epoch = $1 and version = $2 returning epoch`,
      values: [this.epoch, version, patienceMs],
    });
    return rows.length === 1;
  }

  /** Gives the connection up at once; what is under way on it ends as lost. */
  abort(): void {
    this.#connection.abort();
  }

  async #ask<Row extends object>(statement: Parameters<Connection['query']>[0]): Promise<Row[]> {
    const sentAt = momentNow();
    const connection = this.#connection;
    try {
      return await connection.query<Row>(statement);
    } finally {
      // An answer that refuses is an answer too.
      if (!connection.isLost()) this.#confirmedAt = sentAt;
    }
  }

  /** Resolves when the present connection is gone. */
  get lost(): Promise<void> {
    return this.#connection.lost;
  }

  /**
   * Writes a batch in one statement, which is one transaction and one round trip. False when the epoch or the version
   * is not what this writer left: then nothing was written, and the right to write is gone.
   */
  async commit(batch: Batch): Promise<boolean> {
    const patienceMs = (Math.max(0, batch.characters - QUICK_CHARACTERS_MAX) / MIB) * 1000;
    if (patienceMs === 0) return this.#write(batch);
    // The others are notified first: they see nothing of it until it is committed.
    if (!(await this.beat(batch.after, Math.ceil(patienceMs)))) return false;
    this.#patienceMs = patienceMs;
    try {
      return await this.#write(batch);
    } finally {
      this.#patienceMs = 0;
    }
  }

  async #write(batch: Batch): Promise<boolean> {
    const { records, revisions } = batch;
    const entries = records.map(({ change }) => change.entry);
    const { kept, gone } = finalStates(records);
    const rows = await this.#ask<{ held: boolean }>({
      name: 'commit-batch',
      text: COMMIT_BATCH,
      values: [
        this.epoch,
        batch.after,
        batch.lastVersion,
        batch.now.toString(),
        bigintArray(entries.map((entry) => entry.version)),
        textArray(records.map(({ author }) => author.requestId)),
        textArray(records.map(({ author }) => author.user)),
        textArray(records.map(({ change }) => change.type)),
        textArray(entries.map((entry) => entry.kind.id)),
        textArray(entries.map((entry) => entry.namespace)),
        textArray(entries.map((entry) => entry.name)),
        textArray(
          entries.map(({ kind, namespace, name, text }) => this.#texts.toDatabase(kind, namespace, name, text)),
        ),
        textArray(gone.map((entry) => entry.kind.id)),
        textArray(gone.map((entry) => entry.namespace)),
        textArray(gone.map((entry) => entry.name)),
        textArray(kept.map((entry) => entry.kind.id)),
        textArray(kept.map((entry) => entry.namespace)),
        textArray(kept.map((entry) => entry.name)),
        bigintArray(kept.map((entry) => entry.version)),
        textArray(revisions.map((revision) => revision.kind.id)),
        textArray(revisions.map((revision) => revision.name)),
        textArray(revisions.map((revision) => revision.content.hash)),
        bigintArray(revisions.map((revision) => revision.content.generation)),
        textArray(revisions.map((revision) => JSON.stringify(revision.content.spec))),
        bigintArray(revisions.map((revision) => revision.version)),
        textArray(records.map(({ author }) => (author.caller === undefined ? '' : JSON.stringify(author.caller)))),
        textArray(records.map(({ writeId }) => writeId)),
        bigintArray(records.map(({ change: { version, write = version } }) => write)),
      ],
    });
    return rows.length === 1;
  }

  /**
   * Gets the right back after the connection was lost: the version that the database is at, which settles whether the
   * last batch was committed; or 'taken' when another process wrote in between, or 'stopped' when `stop` is true.
   */
  async resume(stop: () => boolean, log: Log | undefined): Promise<number | 'taken' | 'stopped'> {
    await this.#connection.close().catch(() => {});
    const outage = new Outage(log, 'writer lock: cannot reach the database');
    while (!stop()) {
      let connection: Connection | undefined;
      try {
        const sentAt = momentNow();
        connection = await this.#database.connect();
        // The old server process may not have noticed that its client is gone, and would keep the lock for hours.
        await connection.query({
          text: 'select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start::text = $2',
          values: [this.#backend.pid, this.#backend.startedAt],
        });
        if (await tryLock(connection)) {
          const backend = await prepare(connection);
          const [row] = await connection.query<{ epoch: number; version: number }>(
            'select epoch, version from backline.writer',
          );
          if (row?.epoch === this.epoch && !stop()) {
            this.#connection = connection;
            this.#backend = backend;
            this.#confirmedAt = sentAt;
            return row.version;
          }
          await connection.close();
          return row?.epoch === this.epoch ? 'stopped' : 'taken';
        }
        const [row] = await connection.query<{ epoch: number }>('select epoch from backline.writer');
        await connection.close();
        if (row?.epoch !== this.epoch) return 'taken';
      } catch (error) {
        await connection?.close().catch(() => {});
        outage.noteFailure(error);
      }
      await sleep(RECONNECT_MS);
    }
    return 'stopped';
  }

  /**
   * Whether a batch that ends with this version is in the record as ours. Conclusive once another epoch has begun:
   * nothing of ours can be committed any more.
   */
  async wasCommitted(lastVersion: number): Promise<boolean> {
    const rows = await this.#database.query<object>({
      text: 'select from backline.changes where version = $1 and epoch = $2',
      values: [lastVersion, this.epoch],
    });
    return rows.length === 1;
  }

  async close(): Promise<void> {
    await this.#connection.close().catch(() => {});
  }
}

/**
 * A moment by two clocks: the steady one stands still while a machine is suspended, and the other one can be set. What has
 * passed is what the one says that says more.
 */
interface Moment {
  readonly steadyMs: number;
  readonly wallMs: number;
}

function momentNow(): Moment {
  return { steadyMs: performance.now(), wallMs: Date.now() };
}

function msSince({ steadyMs, wallMs }: Moment): number {
  return Math.max(performance.now() - steadyMs, Date.now() - wallMs);
}

/** A server process: its pid alone might be another one's later. */
interface Backend {
  readonly pid: number;
  readonly startedAt: string;
}

async function tryLock(connection: Connection): Promise<boolean> {
  const [row] = await connection.query<{ locked: boolean }>(
    `select pg_try_advisory_lock(${ADVISORY_LOCKS.resourceWriter}) as locked`,
  );
  return row?.locked === true;
}

async function prepare(connection: Connection): Promise<Backend> {
  // The one statement of this session is planned once, maybe on empty tables. A plan that scans `objects` would be
  // kept as they grow; with scans ruled out every plan goes through the primary key.
  await connection.query(
    'set plan_cache_mode = force_generic_plan; set enable_seqscan = off; ' +
      'set enable_hashjoin = off; set enable_mergejoin = off; set synchronous_commit = on',
  );
  const [row] = await connection.query<Backend>(
    'select pid, backend_start::text as "startedAt" from pg_stat_activity where pid = pg_backend_pid()',
  );
  if (row === undefined) throw new Error('the session is not in pg_stat_activity');
  return row;
}

async function otherWriter(connection: Connection): Promise<Refusal> {
  const [row] = await connection.query<{ address: string }>('select address from backline.writer');
  const where = row?.address ? ` (at ${row.address})` : '';
  return resourceRefusal('other-writer', `Another process${where} writes to this database.`);
}

/**
 * Every part hangs on the first one: it finds no row, and nothing happens, unless this writer's epoch is the current
 * one and the order of writes is where this writer left it.
 */
const COMMIT_BATCH = `
  with fence as (
    update backline.writer set version = $3 where epoch = $1 and version = $2
    returning true as held
  ), recorded as (
    insert into backline.changes (version, epoch, at, request_id, author, type, kind, namespace, name, body, caller,
      write_id, write)
    select c.version, $1, $4::timestamptz, c.request_id, c.author, c.type, c.kind, c.namespace, c.name, c.body,
      c.caller, c.write_id, c.write
    from fence, unnest($5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
      $12::text[], $26::text[], $27::text[], $28::bigint[])
      as c (version, request_id, author, type, kind, namespace, name, body, caller, write_id, write)
  ), removed as (
    delete from backline.objects o
    using fence, unnest($13::text[], $14::text[], $15::text[]) as d (kind, namespace, name)
    where o.kind = d.kind and o.namespace = d.namespace and o.name = d.name
  ), current as (
    insert into backline.objects (kind, namespace, name, version)
    select p.kind, p.namespace, p.name, p.version
    from fence, unnest($16::text[], $17::text[], $18::text[], $19::bigint[]) as p (kind, namespace, name, version)
    on conflict (kind, namespace, name) do update set version = excluded.version
  ), accepted as (
    insert into backline.revisions (kind, name, hash, generation, spec, version, at)
    select r.kind, r.name, r.hash, r.generation, r.spec, r.version, $4::timestamptz
    from fence, unnest($20::text[], $21::text[], $22::text[], $23::bigint[], $24::text[], $25::bigint[])
      as r (kind, name, hash, generation, spec, version)
    on conflict (kind, name, hash) do nothing
  )
  select held, pg_notify('${CHANGES_CHANNEL}', '') from fence`;

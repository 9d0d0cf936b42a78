import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { Client, DatabaseError, Pool, type PoolClient, types } from 'pg';
import { to as copyTo } from 'pg-copy-streams';

/** A value for a `$n` of a statement. Binary array values are made by `textArray` and `bigintArray`. */
type SqlValue = string | number | bigint | boolean | null | Buffer | readonly string[] | readonly number[];

/** A statement; with a name the server parses it once for each connection. */
interface Statement {
  readonly text: string;
  readonly values?: readonly SqlValue[];
  readonly name?: string;
}

/** Rows as they come: the caller names the shape of its own SELECT. */
export interface Queryable {
  readonly query: <Row extends object>(statement: Statement | string) => Promise<Row[]>;
}

/** One connection of its own, for what lives as long as a session: advisory locks, transactions. */
export interface Connection extends Queryable {
  /** Resolves when the connection is gone, whoever ended it. */
  readonly lost: Promise<void>;
  readonly isLost: () => boolean;
  /** Calls back at each NOTIFY on the channel, with what it says, as long as the connection is there. */
  readonly listen: (channel: string, listener: (payload: string) => void) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What a COPY … TO STDOUT gives. */
interface CopyOut {
  /** Fails when the server or the connection does; without an error it is complete. */
  readonly stream: Readable;
  /** How many rows there were, once the stream has ended. Fails like the stream. */
  readonly rows: Promise<number>;
}

/** The only door to SQL. */
export interface Database extends Queryable {
  readonly connect: () => Promise<Connection>;
  /** Streams at the pace of the reader, on a connection that is taken until the stream has ended or is destroyed. */
  readonly copyOut: (statement: string) => Promise<CopyOut>;
  /** Runs `work` in one transaction: commits what it did, or rolls back and throws what it threw. */
  readonly transaction: <Result>(work: (connection: Queryable) => Promise<Result>) => Promise<Result>;
  readonly close: () => Promise<void>;
}

const POOL_SIZE = 10;
const CONNECT_MS_MAX = 10_000;
const IDLE_MS_MAX = 30_000;

export function openDatabase(url: string): Database {
  const config = {
    connectionString: url,
    application_name: 'backline',
    connectionTimeoutMillis: CONNECT_MS_MAX,
    keepAlive: true,
    // Times travel with their offset; the zone only makes them readable in the server's own log and in psql. Compiling
    // our short statements to machine code takes a hundred times as long as running them.
    options: '-c timezone=UTC -c datestyle=ISO -c jit=off',
    types: { getTypeParser },
  };
  const pool = new Pool({ ...config, max: POOL_SIZE, idleTimeoutMillis: IDLE_MS_MAX });
  // An idle connection that breaks is replaced by the pool; the next query tells whether the server is there.
  pool.on('error', () => {});
  // The pool takes its listener off a client whose query failed; one that breaks in that moment must not end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return {
    query: (statement) => run(pool, statement),
    connect: async () => {
      const client = new Client(config);
      let gone = false;
      const lost = new Promise<void>((resolve) => {
        const end = (): void => {
          gone = true;
          resolve();
        };
        client.on('error', end);
        client.on('end', end);
      });
      await client.connect();
      return {
        query: (statement) => run(client, statement),
        lost,
        isLost: () => gone,
        listen: async (channel, listener) => {
          client.on('notification', (notification) => {
            if (notification.channel === channel) listener(notification.payload ?? '');
          });
          await client.query(`listen ${client.escapeIdentifier(channel)}`);
        },
        close: () => client.end(),
      };
    },
    copyOut: async (statement) => {
      const client = await pool.connect();
      const ignore = (): void => {};
      // A connection that breaks says so through the stream.
      client.on('error', ignore);
      const stream = client.query(copyTo(statement));
      const rows = finished(stream).then(
        async () => {
          // The count comes after the last row: when the next statement is answered, it is there.
          await client.query('select');
          client.off('error', ignore);
          client.release();
          return stream.rowCount;
        },
        (error: unknown) => {
          client.release(true);
          throw error;
        },
      );
      rows.catch(ignore);
      return { stream, rows };
    },
    transaction: async (work) => {
      const client = await pool.connect();
      let broken = false;
      // A connection that breaks between two statements says so by an event, which would end the process.
      const note = (): void => {
        broken = true;
      };
      client.on('error', note);
      try {
        await client.query('begin');
        const result = await work({ query: (statement) => run(client, statement) });
        await client.query('commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch(() => {
          broken = true;
        });
        throw error;
      } finally {
        client.off('error', note);
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
}

async function run<Row extends object>(
  client: Pool | PoolClient | Client,
  statement: Statement | string,
): Promise<Row[]> {
  const query = typeof statement === 'string' ? { text: statement } : statement;
  const result = await client.query<Row>({ ...query, values: [...(query.values ?? [])] });
  return result.rows;
}

/** The same server, another database. */
export function urlOfDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

const INT8 = types.builtins.INT8;
const TIMESTAMPTZ = types.builtins.TIMESTAMPTZ;

/**
 * bigint becomes a number: everything that we count stays below 2^53, and what does not must not be rounded silently.
 * timestamptz becomes a Temporal.Instant. Everything else is as in `pg`: numeric stays text, json is parsed.
 */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (format === 'binary') return types.getTypeParser(oid, 'binary');
  if (oid === INT8) return parseBigint;
  if (oid === TIMESTAMPTZ) return (text) => Temporal.Instant.from(text);
  return types.getTypeParser(oid, 'text');
}

function parseBigint(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`the database holds ${text}, which is beyond 2^53`);
  return value;
}

/** SQLSTATEs that end the session: class 08, an administrator's shutdown, a crash, a server that is starting. */
const SESSION_ENDS = /^(08|57P0[1-5])/;

/**
 * Whether the connection is gone, so that the outcome of what was under way is unknown. Any other error is the
 * server's answer: the statement, and with it its transaction, did not happen.
 */
export function isConnectionLost(error: unknown): boolean {
  return !(error instanceof DatabaseError) || error.code === undefined || SESSION_ENDS.test(error.code);
}

import type { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { Client, DatabaseError, Pool, type PoolClient, types } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { Unavailable } from '#kernel/base/failures.ts';
import { postgresRefusal } from './refusals.ts';
import { within } from '#kernel/base/time.ts';

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
  /** Resolves when the connection is gone, by either side. */
  readonly lost: Promise<void>;
  readonly isLost: () => boolean;
  /** Calls back at each NOTIFY on the channel, with what it says, as long as the connection is there. */
  readonly listen: (channel: string, listener: (payload: string) => void) => Promise<void>;
  /** Gives it up at once, whatever is under way and whether or not the server hears of it. */
  readonly abort: () => void;
  readonly close: () => Promise<void>;
}

/** Statements of one transaction. */
export interface Transaction extends Queryable {
  /** The rows of a COPY … TO STDOUT, at the pace of the reader, who reads all of them before the next statement. */
  readonly copyOut: (statement: string) => AsyncIterable<Buffer>;
  /** Rows for a COPY … FROM STDIN, at the pace of the server. */
  readonly copyIn: (statement: string, rows: AsyncIterable<Buffer>) => Promise<void>;
}

/** Statements, alone and in transactions. */
interface Transactions extends Queryable {
  /** Runs `work` in one transaction: commits what it did, or rolls back and throws what it threw. */
  readonly transaction: <Result>(work: (connection: Transaction) => Promise<Result>) => Promise<Result>;
}

/** The rows of a COPY … TO STDOUT. */
interface CopyOut {
  /** Fails when the server or the connection does; without an error it is complete. */
  readonly stream: Readable;
  /** How many rows there were, once the stream has ended. Fails like the stream. */
  readonly rows: Promise<number>;
}

/**
 * The only door to SQL. A statement that is not answered in ten seconds fails with `Unavailable`, and its connection is
 * given up; so does one whose server is away, or cannot take it for now.
 */
export interface Database extends Transactions {
  /** @param patience of its statements; that of requests, or that of housekeeping */
  readonly connect: (patience?: 'request' | 'housekeeping') => Promise<Connection>;
  /** For what may take long and must not hold up requests: reading everything at the start, tidying up, changing tables. */
  readonly patient: Transactions;
  /** Streams at the pace of the reader, on a connection that is taken until the stream has ended or is destroyed. */
  readonly copyOut: (statement: string) => Promise<CopyOut>;
  readonly close: () => Promise<void>;
}

const LIMITS = {
  /** Connections for requests. */
  poolSize: 10,
  /** Connections for housekeeping: two jobs at a time, and a COPY beside each. */
  patientPoolSize: 4,
  connectMs: 5_000,
  idleMs: 30_000,
  /** How long requests wait for one statement. */
  requestMs: 10_000,
  /** The longest that one step of housekeeping may take. */
  housekeepingMs: 3_600_000,
  /** The server is asked to end a statement this much before we stop waiting for its answer. */
  answerMs: 1_000,
  /** How long an ordered goodbye may take. */
  goodbyeMs: 1_000,
} as const;

/**
 * Of the server, for clients that vanish without a word: their sessions, and the locks that they hold, end after ten
 * seconds without an answer, and a transaction that nobody goes on with after a minute.
 */
const SERVER_OPTIONS = [
  'tcp_keepalives_idle=5',
  'tcp_keepalives_interval=2',
  'tcp_keepalives_count=3',
  'idle_in_transaction_session_timeout=60000',
];

export function openDatabase(url: string): Database {
  requireUrl(url);
  const config = {
    connectionString: url,
    application_name: 'backline',
    connectionTimeoutMillis: LIMITS.connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: LIMITS.requestMs,
    // Times travel with their offset; the zone only makes them readable in the server's own log and in psql. Compiling
    // our short statements to machine code takes a hundred times as long as running them.
    options: ['timezone=UTC', 'datestyle=ISO', 'jit=off', ...SERVER_OPTIONS].map((option) => `-c ${option}`).join(' '),
    types: { getTypeParser },
  };
  const pool = openPool({ ...config, ...FOR_REQUESTS, max: LIMITS.poolSize });
  const patientPool = openPool({ ...config, ...FOR_HOUSEKEEPING, max: LIMITS.patientPoolSize });
  return {
    ...transactionsOn(pool),
    patient: transactionsOn(patientPool),
    connect: (patience = 'request') =>
      connect({ ...config, ...(patience === 'request' ? FOR_REQUESTS : FOR_HOUSEKEEPING) }),
    copyOut: async (statement) => {
      const client = await acquire(patientPool);
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
          throw asFailure(error);
        },
      );
      rows.catch(ignore);
      return { stream, rows };
    },
    close: async () => {
      await Promise.all([waitForEnd(pool.end()), waitForEnd(patientPool.end())]);
    },
  };
}

const FOR_REQUESTS = { statement_timeout: LIMITS.requestMs, query_timeout: LIMITS.requestMs + LIMITS.answerMs };
/** Only the server ends these. (The driver would go on counting after the end of a COPY.) */
const FOR_HOUSEKEEPING = { statement_timeout: LIMITS.housekeepingMs };

function openPool(config: ConstructorParameters<typeof Pool>[0]): Pool {
  const pool = new Pool({ ...config, idleTimeoutMillis: LIMITS.idleMs });
  // An idle connection that breaks is replaced by the pool; the next query tells whether the server is there.
  pool.on('error', () => {});
  // The pool takes its listener off a client whose query failed; one that breaks in that moment must not end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

async function acquire(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw asFailure(error);
  }
}

function transactionsOn(pool: Pool): Transactions {
  return {
    query: (statement) => run(pool, statement),
    transaction: async (work) => {
      const client = await acquire(pool);
      let broken = false;
      // A connection that breaks between two statements says so by an event, which would end the process.
      const note = (): void => {
        broken = true;
      };
      client.on('error', note);
      try {
        await run(client, 'begin');
        const result = await work({
          query: (statement) => run(client, statement),
          copyOut: async function* (statement) {
            // A caller that stops in between leaves a connection that cannot be used again.
            broken = true;
            try {
              yield* client.query(copyTo(statement)) as AsyncIterable<Buffer>;
            } catch (error) {
              throw asFailure(error);
            }
            broken = false;
          },
          copyIn: async (statement, rows) => {
            try {
              await pipeline(rows, client.query(copyFrom(statement)));
            } catch (error) {
              throw asFailure(error);
            }
          },
        });
        await run(client, 'commit');
        return result;
      } catch (error) {
        // Behind a statement that is not answered nothing else is.
        if (error instanceof Unavailable) broken = true;
        else if (!broken) await run(client, 'rollback').catch(note);
        throw error;
      } finally {
        client.off('error', note);
        client.release(broken);
      }
    },
  };
}

async function connect(config: ConstructorParameters<typeof Client>[0]): Promise<Connection> {
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
  // With a statement under way it cuts the connection, as it does when that is dead already.
  const close = (): Promise<void> => waitForEnd(client.end());
  try {
    await client.connect();
  } catch (error) {
    void close();
    throw asFailure(error);
  }
  const query: Queryable['query'] = async (statement) => {
    try {
      return await run(client, statement);
    } catch (error) {
      // Its answer may still come, and would be taken for that of the next statement.
      if (error instanceof Unavailable && error.isSilent) void close();
      throw error;
    }
  };
  return {
    query,
    lost,
    isLost: () => gone,
    listen: async (channel, listener) => {
      client.on('notification', (notification) => {
        if (notification.channel === channel) listener(notification.payload ?? '');
      });
      await query(`listen ${client.escapeIdentifier(channel)}`);
    },
    abort: () => {
      streamOf(client).destroy();
    },
    close,
  };
}

/** The socket of a client, which the driver does not show in its types. */
function streamOf(client: Client): { readonly destroy: () => void } {
  return (client as unknown as { readonly connection: { readonly stream: { readonly destroy: () => void } } })
    .connection.stream;
}

/** Waits for an ordered end, but not for a server that does not answer. */
async function waitForEnd(ending: Promise<void>): Promise<void> {
  await within(ending, LIMITS.goodbyeMs).catch(() => {});
}

async function run<Row extends object>(
  client: Pool | PoolClient | Client,
  statement: Statement | string,
): Promise<Row[]> {
  const query = typeof statement === 'string' ? { text: statement } : statement;
  try {
    const result = await client.query<Row>({ ...query, values: [...(query.values ?? [])] });
    return result.rows;
  } catch (error) {
    throw asFailure(error);
  }
}

/** A server and database as a log may name them: without the password. */
export function databaseName(url: string): string {
  const { hostname, port, pathname, searchParams } = new URL(url);
  const host = searchParams.get('host') ?? `${hostname || 'localhost'}${port === '' ? '' : `:${port}`}`;
  return `${host}${pathname}`;
}

function requireUrl(url: string): void {
  const isRight = /^postgres(ql)?:\/\//.test(url) && URL.canParse(url);
  if (isRight) return;
  throw postgresRefusal('bad-url', 'The address of the database is not one of PostgreSQL.');
}

/** SQLSTATEs of what only the operator can mend, and how. */
const OF_OPERATOR: Readonly<Record<string, string>> = {
  '3D000': 'Create the database, or name another one in DATABASE_URL.',
  '28P01': 'Check the user and password in DATABASE_URL.',
  '28000': 'Check the user in DATABASE_URL, and what pg_hba.conf says about it.',
  '42501': 'Let the user own the schema "backline": grant create on database NAME to USER.',
  '42P10': 'Part of the schema is missing, as after half a restore: restore into an empty database again.',
  '42P01': 'Part of the schema is missing, as after half a restore: restore into an empty database again.',
};

/** An error of the server at the start, or its absence, as a refusal for the operator; other errors as they are. */
export function operatorsError(error: unknown): unknown {
  const answer = error instanceof Unavailable ? error.cause : error;
  const remedy = answer instanceof DatabaseError ? OF_OPERATOR[answer.code ?? ''] : undefined;
  if (answer instanceof DatabaseError && remedy !== undefined) {
    return postgresRefusal('not-usable', `PostgreSQL says: ${answer.message}.`, { remedy });
  }
  if (!(error instanceof Unavailable)) return error;
  return postgresRefusal('away', error.message, { remedy: 'Start again when the database answers and takes writes.' });
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
 * Failures that pass: no room or no connections left, no writes, a timeout; and a refused login, as after a change of
 * passwords.
 */
const CANNOT_NOW = /^(28|3D000|53|55000|57014|25006|25P03|58030)/;
/** The driver's messages about a silent server. */
const SILENT = new Set(['Query read timeout', 'timeout expired']);

/** An error in the terms of callers: whether it may help to try again, and in words. Others are bugs, or for the caller. */
function asFailure(error: unknown): unknown {
  if (error instanceof Unavailable || !(error instanceof Error)) return error;
  const code = error instanceof DatabaseError ? (error.code ?? '') : '';
  if (error instanceof DatabaseError && !SESSION_ENDS.test(code) && !CANNOT_NOW.test(code)) return error;
  if (!(error instanceof DatabaseError) && !isOfConnection(error)) return error;
  const isSilent = SILENT.has(error.message);
  const why = isSilent
    ? 'it does not answer'
    : error.message === 'timeout exceeded when trying to connect'
      ? 'no connection is free'
      : sentenceOf(error);
  return new Unavailable('postgres/away', `The database cannot do this now: ${why}.`, { cause: error, isSilent });
}

/** Errors of sockets have a code of the operating system; those of the driver are known by their texts. */
function isOfConnection(error: Error): boolean {
  if (SILENT.has(error.message) || 'syscall' in error) return true;
  return /^(Connection terminated|Client was closed|Client has encountered|timeout exceeded|Cannot use a pool)/.test(
    error.message,
  );
}

/** A connection to several addresses fails with an error that has no message of its own. */
function sentenceOf(error: Error): string {
  const [first] = error instanceof AggregateError ? error.errors : [];
  const text = first instanceof Error ? first.message : error.message;
  return text.replace(/\.$/, '');
}

/**
 * Whether the session takes no writes, as one that began on a server which then was a replica: a new one may take them.
 */
export function isReadOnlySession(error: unknown): boolean {
  const first = error instanceof Unavailable ? error.cause : error;
  return first instanceof DatabaseError && first.code === '25006';
}

/**
 * Whether the connection is gone, so that the outcome of what was under way is unknown. Any other error is the
 * server's answer: the statement, and with it its transaction, did not happen.
 */
export function isConnectionLost(error: unknown): boolean {
  const first = error instanceof Unavailable ? error.cause : error;
  return !(first instanceof DatabaseError) || first.code === undefined || SESSION_ENDS.test(first.code);
}

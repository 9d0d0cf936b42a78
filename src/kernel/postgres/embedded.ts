import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { chown, mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Refusal } from '#kernel/base/failures.ts';
import { postgresRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { type Account, canEnter, serverAccount } from './account.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { findHome } from './home.ts';
import { takeOwnerLock } from './owner-lock.ts';
import { clearOrphan, isServedBy, isServerOf, readPostmaster, stopServer } from './postmaster.ts';

export interface EmbeddedPostgres {
  /** A connection string for us and for `psql`: over a socket that only our own user can open. */
  readonly url: string;
  readonly pid: number;
  /** Where the data, the log and the lock are; not always the directory asked for (see `findHome`). */
  readonly home: string;
  /** Resolves with a sentence if the server ends before `close` was called; otherwise never. */
  readonly died: Promise<string>;
  /** Stops the server in order and gives up the directory. */
  readonly close: () => Promise<void>;
}

const READY_POLL_MS = 20;
/** Recovery after a crash replays at most a few checkpoints of work; beyond this something is wrong. */
const START_SECONDS_MAX = 300;
/** Processes of a killed server leave its memory within moments; each try takes about 100 ms. */
const START_TRIES_MAX = 30;
const SUPERUSER = 'backline';
const DRAFT = 'data.draft-';
/** Of the systems we run on, macOS allows the least for the path of a socket, its final NUL included. */
const SOCKET_PATH_BYTES_MAX = 103;

/**
 * Starts a PostgreSQL of our own on a directory, which is initialised at the first start. One process owns the
 * directory at a time: a second one is refused with the pid of the first. Whatever an earlier owner left behind when
 * it was killed (its server, stale files) is cleared first.
 */
export async function startEmbeddedPostgres(options: {
  readonly dataDirectory: string;
  readonly log?: Log;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal | undefined;
  /** Settings of PostgreSQL that go before ours. */
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<EmbeddedPostgres> {
  const home = await findHome(options.dataDirectory);
  const lock = takeOwnerLock(join(home, 'lock'));
  if ('heldBy' in lock) throw inUse(home, lock.heldBy);
  try {
    const data = join(home, 'data');
    // Somebody may have removed the file of the lock, as it is empty.
    if (lock.formerOwner !== undefined && isServedBy(lock.formerOwner, data)) throw inUse(home, lock.formerOwner);
    lock.sign();
    const account = serverAccount(existsSync(data) ? data : undefined);
    const binaries = await findBinaries(account);
    if (existsSync(data)) checkData(data, binaries);
    else await initialise({ home, data, binaries, account, signal: options.signal });
    await clearOrphan(data, options.log);
    const sockets = await prepareSocketDirectory(home, account);
    const server = await startServer({ binaries, data, home, sockets, account, settings: options.settings ?? {} });

    let closing = false;
    const died = new Promise<string>((tell) => {
      server.once('exit', () => {
        if (!closing) tell(`PostgreSQL ${ending(server)}. Its log is ${logFile(home)}.`);
      });
    });
    const pid = server.pid ?? 0;
    const close = async (): Promise<void> => {
      closing = true;
      await stopServer(pid, () => server.exitCode === null && server.signalCode === null);
      await rm(sockets, { recursive: true, force: true });
      lock.release();
    };
    return { url: urlAt(sockets), pid, home, died, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The address of the server that another process runs on a directory; undefined where none runs. */
export async function runningPostgres(dataDirectory: string): Promise<string | undefined> {
  const data = join(await findHome(dataDirectory), 'data');
  const found = readPostmaster(data);
  return found?.ready === true && isServerOf(found.pid, data) ? urlAt(found.sockets) : undefined;
}

function urlAt(sockets: string): string {
  return `postgresql:///postgres?host=${sockets}&user=${SUPERUSER}`;
}

function inUse(home: string, by: number | undefined): Refusal {
  const holder = by === undefined ? 'another process' : `the process ${by}`;
  return postgresRefusal('in-use', `The data in ${home} is in use by ${holder}.`);
}

/** Creates the data directory, whole or not at all. */
async function initialise(parts: {
  readonly home: string;
  readonly data: string;
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  readonly signal: AbortSignal | undefined;
}): Promise<void> {
  const { home, data, binaries, account, signal } = parts;
  for (const name of await readdir(home)) {
    if (name.startsWith(DRAFT)) await rm(join(home, name), { recursive: true, force: true, maxRetries: 10 });
  }
  // The name is new each time: the initdb of a killed start may still be at work on its own, and tidies up after itself.
  const draft = await mkdtemp(join(home, DRAFT));
  if (account !== undefined) await chown(draft, account.uid, account.gid);
  const initdb = spawn(
    binaries.initdb,
    // Text compares by code units, as it does in our own memory.
    ['-D', draft, '-U', SUPERUSER, '--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'].concat(
      // Only our own user can enter the socket's directory, and there is no other way in.
      ['--locale=C', '--auth=trust', '--no-instructions'],
      // A new segment of the log is filled with zeros while all wait: 3 ms for one of 1 MB, 50 ms for one of 16.
      ['--wal-segsize=1'],
    ),
    // A session of its own: Ctrl-C in a terminal is for us, who end it.
    { ...account, cwd: '/', env: {}, detached: true, stdio: ['ignore', 'ignore', 'pipe'], ...(signal && { signal }) },
  );
  initdb.on('error', () => {});
  let printed = '';
  initdb.stderr.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await once(initdb, 'close');
  signal?.throwIfAborted();
  if (initdb.exitCode !== 0) {
    throw postgresRefusal(
      'not-initialised',
      `The data directory ${data} could not be made: initdb ${ending(initdb)}: ${printed.trim()}`,
    );
  }
  await rename(draft, data);
  const parent = await open(home);
  await parent.sync();
  await parent.close();
}

function checkData(data: string, binaries: Binaries): void {
  const { uid } = statSync(data);
  const ourUid = process.getuid?.();
  if (ourUid !== 0 && uid !== ourUid) {
    throw postgresRefusal('not-ours', `${data} belongs to the user with uid ${uid}, not to ours.`);
  }
  const major = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (major === String(binaries.major)) return;
  throw postgresRefusal(
    'other-major',
    `${data} was written by PostgreSQL ${major}, and this program comes with PostgreSQL ${binaries.major}.`,
  );
}

/** A short path that only the server's user can enter. */
async function prepareSocketDirectory(home: string, account: Account | undefined): Promise<string> {
  const name = `backline-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`;
  const parent = [tmpdir(), '/tmp'].find(
    (path) => Buffer.byteLength(join(path, name, '.s.PGSQL.5432')) < SOCKET_PATH_BYTES_MAX && canEnter(account, path),
  );
  const directory = join(parent ?? '/tmp', name);
  try {
    // A killed server left this without an owner: we hold the lock.
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    throw postgresRefusal(
      'no-socket-directory',
      `${directory}, where the server's socket goes, cannot be made: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  if (account !== undefined) await chown(directory, account.uid, account.gid);
  return directory;
}

interface Start {
  readonly binaries: Binaries;
  readonly data: string;
  readonly home: string;
  readonly sockets: string;
  readonly account: Account | undefined;
  readonly settings: Readonly<Record<string, string>>;
}

/** Starts the server and waits until it takes connections. */
async function startServer(start: Start): Promise<ChildProcess> {
  const log = logFile(start.home);
  for (let tries = 1; ; tries++) {
    if (existsSync(log)) await rename(log, `${log}.previous`);
    const server = await spawnServer(start, log);
    if (await becomesReady(server, start.data)) return server;
    const printed = readFileSync(log, 'utf8');
    if (printed.includes('pre-existing shared memory block') && tries < START_TRIES_MAX) {
      await sleep(100);
      continue;
    }
    const reason = /^.*(?:FATAL|PANIC):\s*(.*)$/m.exec(printed)?.[1] ?? printed.trim().split('\n').at(-1);
    throw postgresRefusal('did-not-start', `PostgreSQL ${ending(server)}: ${reason}.`, {
      remedy: `See ${log}.`,
    });
  }
}

async function spawnServer({ binaries, data, sockets, account, ...start }: Start, log: string): Promise<ChildProcess> {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: sockets,
    unix_socket_permissions: '0700',
    fsync: 'on',
    synchronous_commit: 'on',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    // It would take these from the size of a segment, and make a checkpoint for every 33 MB. After each of them a page goes into
    // the log whole when it is first changed: among 9,000 listeners 5 KB for each of their charges, instead of 400 bytes.
    max_wal_size: '1GB',
    min_wal_size: '256MB',
    ...start.settings,
  };
  const logHandle = await open(log, 'w', 0o600);
  const server = spawn(
    binaries.postgres,
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    // A session of its own: Ctrl-C in a terminal is for us, who stop the server when we are done with it.
    { ...account, cwd: '/', env: {}, detached: true, stdio: ['ignore', logHandle.fd, logHandle.fd] },
  );
  server.on('error', () => {});
  await logHandle.close();
  return server;
}

/** False when the server ended instead. */
async function becomesReady(server: ChildProcess, data: string): Promise<boolean> {
  for (let waited = 0; waited < START_SECONDS_MAX * 1000; waited += READY_POLL_MS) {
    if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) return false;
    const postmaster = readPostmaster(data);
    if (postmaster?.pid === server.pid && postmaster.ready) return true;
    await sleep(READY_POLL_MS);
  }
  server.kill('SIGQUIT');
  await once(server, 'exit');
  return false;
}

function ending(child: ChildProcess): string {
  if (child.pid === undefined) return 'could not be run';
  return child.signalCode === null ? `ended with exit code ${child.exitCode}` : `was ended by ${child.signalCode}`;
}

function logFile(home: string): string {
  return join(home, 'postgres.log');
}

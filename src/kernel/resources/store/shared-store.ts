import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import type { Author, Change, Outcome, Place, Store } from '../store-contract.ts';
import type { StoredChange } from './entry.ts';
import {
  type Deliver,
  ForwardedOnce,
  type ForwardedAnswer,
  type ForwardedWrite,
  outcomeOf,
  refusalOfAnswer,
  UNDECIDED,
  type WriterAddress,
} from './forwarding.ts';
import { STORE_LIMITS } from './limits.ts';
import { type ChangeRow, loadMemory, RowReader } from './load.ts';
import type { StoreOptions } from './open-store.ts';
import { NOT_WRITER, OUTCOME_UNKNOWN, Sequencer, TAKEN_OVER } from './sequencer.ts';
import { Tail } from './tail.ts';
import { storeReads } from './reads.ts';
import { textsAtRest } from './texts-at-rest.ts';
import { WriterSession } from './writer-session.ts';

/** How often a standby tries to become the writer. */
const CAMPAIGN_POLL_MS = 150;
const RETRY_MS = 50;
const DATABASE_RETRY_MS = 300;
/** How long a write waits for a writer before the caller is told to try again. */
const WRITE_MS_MAX = 10_000;
/** How long a read waits for what was written elsewhere. */
const FRESH_MS_MAX = 5_000;
/** How often a standby looks whether the writer answers, and how many silences in a row make it dead. */
const HEALTH_POLL_MS = 1_000;
const SILENCES_MAX = 3;

/** One of several processes on one database. Reads come from its own memory; writes go to whoever writes. */
export interface SharedStore<Operation> extends Store<Operation> {
  readonly isWriter: () => boolean;
  /** Calls back when this process becomes the writer, and when it ceases to be. */
  readonly onWriter: (listener: (isWriter: boolean) => void) => void;
  /** Carries out what another process forwarded, once. */
  readonly receive: (write: ForwardedWrite<Operation>) => Promise<ForwardedAnswer>;
}

export interface SharedStoreOptions<Operation> extends Omit<StoreOptions<Operation>, 'address'> {
  /** How the others reach this process; known only when it listens. */
  readonly address: () => WriterAddress;
  readonly deliver: Deliver<Operation>;
  /** Whether the process at an address answers at all. */
  readonly answers: (address: WriterAddress) => Promise<boolean>;
  /** The object that an operation is about. */
  readonly placeOf: (operation: Operation) => Place;
}

/**
 * Opens the store as one of several processes. Each keeps everything in memory and follows the record of changes; one,
 * whoever holds the advisory lock, writes. When the writer ends, or no longer answers, another takes over within a
 * second; writes under way are settled by their ids in the record, so that each is carried out once.
 */
export async function openSharedStore<Operation>(
  options: SharedStoreOptions<Operation>,
): Promise<SharedStore<Operation>> {
  const { database, kinds, decide, clock = systemClock, log } = options;
  const limits = { ...STORE_LIMITS, ...options.limits };
  const texts = textsAtRest(kinds, options.sealing);
  const kindsById = new Map(kinds.map((kind) => [kind.id, kind]));
  const memory = await loadMemory(database, {
    kinds,
    limits: { changes: limits.changesInWindow, characters: limits.charactersInWindow },
    texts,
    log,
  });
  const listeners = new Set<(changes: readonly Change[]) => void>();
  const roleListeners: ((isWriter: boolean) => void)[] = [];
  const once = new ForwardedOnce<Operation>();
  const { promise: lost, resolve: tellLost } = Promise.withResolvers<string>();
  let sequencer: Sequencer<Operation> | undefined;
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  let stopping = false;
  /** Many who want to read what is newest share one look at the database. */
  let looking: Promise<void> | undefined;
  const tail = new Tail({ database, memory, kinds, texts, publish, log });
  void tail.broken.then(tellLost);
  const firstRound = Promise.withResolvers<void>();
  const campaigning = campaign();
  const watching = watchWriter();
  await firstRound.promise;

  return {
    ...storeReads({ memory, kinds, database, texts, clock }),
    subscribe: (listener) => {
      const call = (changes: readonly Change[]): void => listener(changes);
      listeners.add(call);
      return () => listeners.delete(call);
    },
    write,
    fresh,
    isWriter: () => sequencer !== undefined,
    onWriter: (listener) => {
      roleListeners.push(listener);
      if (sequencer !== undefined) listener(true);
    },
    receive: (forwarded) => {
      const writer = sequencer;
      if (writer === undefined) return Promise.reject(noWriter('This process does not write.'));
      return once.take(forwarded, () =>
        writer.write(forwarded.operations, forwarded.author, forwarded.dryRun, forwarded.id),
      );
    },
    lost,
    close: async () => {
      stopping = true;
      stop.abort();
      await sequencer?.close();
      await Promise.all([tail.stop(), campaigning, watching]);
    },
  };

  function publish(changes: readonly StoredChange[]): void {
    for (const listener of listeners) {
      try {
        listener(changes);
      } catch (error) {
        log?.error({ err: error }, 'a subscriber to resource changes failed');
      }
    }
  }

  /** Waits for the right to write, writes as long as it has it, and waits again. */
  async function campaign(): Promise<void> {
    while (!stopping) {
      let session: WriterSession | undefined;
      try {
        // The first try may fail at once, when there is a writer: then this process is ready as a standby.
        const pollMs = CAMPAIGN_POLL_MS;
        const address = JSON.stringify(options.address());
        const opened = await WriterSession.open(database, {
          address,
          texts,
          pollMs,
          waitSeconds: Infinity,
          stop: () => {
            firstRound.resolve();
            return stopping;
          },
        });
        session = opened.session;
        await tail.reach(opened.version);
        if (stopping) return await session.close();
        await tail.pause();
        sequencer = new Sequencer({ memory, session, decide, clock, limits, log });
        sequencer.subscribe((changes) => {
          tail.arrived();
          publish(changes as readonly StoredChange[]);
        });
        log?.info({ epoch: session.epoch }, 'this process writes now');
        for (const listener of roleListeners) listener(true);
        firstRound.resolve();
        const why = await Promise.race([sequencer.lost, closed(sequencer)]);
        sequencer = undefined;
        for (const listener of roleListeners) listener(false);
        if (why === undefined) return;
        if (why.code !== TAKEN_OVER) return tellLost(why.message);
        log?.warn(why.message);
        tail.resume();
      } catch (error) {
        await session?.close();
        if (stopping) return;
        log?.warn({ err: error }, 'the right to write cannot be asked for; trying again');
        await pause(DATABASE_RETRY_MS);
      }
    }
  }

  async function closed(writer: Sequencer<Operation>): Promise<undefined> {
    await writer.finished;
    return undefined;
  }

  /** A writer that holds the lock but no longer answers (stopped, cut off) loses its session, and with it the lock. */
  async function watchWriter(): Promise<void> {
    let silences = 0;
    let epochSeen = -1;
    while (!stopping) {
      await pause(HEALTH_POLL_MS);
      if (sequencer !== undefined || stopping) {
        silences = 0;
        continue;
      }
      try {
        const writer = await writerNow();
        if (writer.address === undefined) continue;
        if (writer.epoch !== epochSeen) silences = 0;
        epochSeen = writer.epoch;
        silences = (await options.answers(writer.address)) ? 0 : silences + 1;
        if (silences < SILENCES_MAX) continue;
        silences = 0;
        log?.warn({ url: writer.address.url }, 'the writer does not answer; taking its place');
        await database.query({
          text: `select pg_terminate_backend(pid) from pg_locks
            where locktype = 'advisory' and granted and objid = $1 and database = (select oid from pg_database where datname = current_database())`,
          values: [ADVISORY_LOCKS.resourceWriter],
        });
      } catch (error) {
        log?.debug({ err: error }, 'the writer cannot be looked after');
      }
    }
  }

  /** Ends early when the store closes. */
  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
  }

  async function writerNow(): Promise<{ epoch: number; version: number; address: WriterAddress | undefined }> {
    const [row] = await database.query<{ epoch: number; version: number; address: string }>({
      name: 'writer',
      text: 'select epoch, version, address from backline.writer',
    });
    if (row === undefined) throw new Error('backline.writer has no row');
    const { epoch, version, address } = row;
    return { epoch, version, address: address === '' ? undefined : (JSON.parse(address) as WriterAddress) };
  }

  function fresh(): Promise<void> | undefined {
    if (sequencer !== undefined) return undefined;
    looking ??= new Promise((resolve) => setImmediate(resolve))
      .then(() => {
        looking = undefined;
        return writerNow();
      })
      .then(({ version }) => Promise.race([tail.reach(version), sleep(FRESH_MS_MAX, 'late', { ref: false })]))
      .then((late) => {
        if (late === undefined) return;
        throw new Refusal('resources/not-fresh', 'ServiceUnavailable', 'This process lags behind the writer.', {
          retryAfterSeconds: 1,
          remedy: 'Try again in a moment, or read with resourceVersion=0 what it has.',
        });
      });
    return looking;
  }

  async function write(
    operations: readonly Operation[],
    author: Author,
    { dryRun = false }: { dryRun?: boolean } = {},
  ): Promise<readonly Outcome[]> {
    if (sequencer !== undefined && !stopping) {
      try {
        return await sequencer.write(operations, author, dryRun);
      } catch (error) {
        if (!wasNotWritten(error) || stopping) throw error;
      }
    }
    return forward({ id: randomUUID(), operations, author, dryRun });
  }

  /** Sends a write to whoever writes, until there is an answer; settles by the record what was sent without one. */
  async function forward(forwarded: ForwardedWrite<Operation>): Promise<readonly Outcome[]> {
    const giveUp = performance.now() + WRITE_MS_MAX;
    /** The epoch in which it was last sent without an answer: while that lasts it may still be carried out. */
    let unanswered: number | undefined;
    while (performance.now() < giveUp && !stopping) {
      try {
        const writer = await writerNow();
        // In a later epoch nothing of an earlier one can still be committed: the record is conclusive.
        if (unanswered !== undefined && writer.epoch > unanswered) {
          const found = await recorded(forwarded);
          if (found !== undefined) return found;
          unanswered = undefined;
        }
        if (sequencer !== undefined && unanswered === undefined) {
          return await sequencer.write(forwarded.operations, forwarded.author, forwarded.dryRun, forwarded.id);
        }
        if (writer.address !== undefined && sequencer === undefined) {
          unanswered = writer.epoch;
          const answer = await options.deliver(writer.address, forwarded);
          if ('outcomes' in answer) {
            const outcomes = answer.outcomes.map((plain) => outcomeOf(plain, kindsById));
            const reached = Math.max(...answer.outcomes.map(({ version }) => version), 0);
            if (!forwarded.dryRun) await tail.reach(reached);
            return outcomes;
          }
          const refusal = refusalOfAnswer(answer);
          if (!UNDECIDED.has(refusal.code)) throw refusal;
          if (wasNotWritten(refusal)) unanswered = undefined;
        }
      } catch (error) {
        if (error instanceof Refusal && !UNDECIDED.has(error.code)) throw error;
        if (wasNotWritten(error)) unanswered = undefined;
        log?.debug({ err: error }, 'a write was not answered; finding out what became of it');
      }
      await pause(RETRY_MS);
    }
    throw unanswered === undefined || forwarded.dryRun
      ? noWriter('No process writes at the moment.')
      : outcomeUnknown();
  }

  /** What a forwarded write did, if it is in the record. */
  async function recorded(forwarded: ForwardedWrite<Operation>): Promise<readonly Outcome[] | undefined> {
    const rows = await database.query<ChangeRow>({
      text: `
        select version, type, kind, namespace, name, body
        from backline.changes where write_id = $1 order by version`,
      values: [forwarded.id],
    });
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    await tail.reach(last.version);
    const reader = new RowReader(kinds, texts);
    return forwarded.operations.map((operation): Outcome => {
      const { kind, namespace, name } = options.placeOf(operation);
      const row = rows.find((one) => one.kind === kind && one.namespace === namespace && one.name === name);
      const entry = row === undefined ? undefined : reader.entry(row);
      if (row !== undefined && entry !== undefined) return { did: DID[row.type], entry };
      const kept = kindsById.get(kind);
      const current = kept === undefined ? undefined : memory.get(kept, namespace, name);
      if (current === undefined) throw outcomeUnknown();
      return { did: 'nothing', entry: current };
    });
  }
}

const DID = { ADDED: 'created', MODIFIED: 'changed', DELETED: 'removed' } as const;

function wasNotWritten(error: unknown): boolean {
  return error instanceof Refusal && (error.code === NOT_WRITER || error.code === TAKEN_OVER);
}

function noWriter(message: string): Refusal {
  return new Refusal(NOT_WRITER, 'ServiceUnavailable', message, {
    retryAfterSeconds: 1,
    remedy: 'Try again in a moment; nothing was written.',
  });
}

function outcomeUnknown(): Refusal {
  return new Refusal(
    OUTCOME_UNKNOWN,
    'ServiceUnavailable',
    'The writer went away during the write and nobody took its place in time: whether it was written is not known.',
    { retryAfterSeconds: 1, remedy: 'Read the object again before repeating the write.' },
  );
}

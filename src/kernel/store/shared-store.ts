import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { Outage } from '#kernel/base/outage.ts';
import { LATE, within } from '#kernel/base/time.ts';
import { ADVISORY_LOCKS } from '#kernel/postgres/locks.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Author, Change, KindStore, Outcome, Place, Store } from './contract.ts';
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
import { type ChangeRow, loadKind, loadMemory, RowReader } from './load.ts';
import type { StoreOptions } from './open-store.ts';
import { GAVE_WAY, NOT_WRITER, OUTCOME_UNKNOWN, Sequencer, TAKEN_OVER } from './sequencer.ts';
import { Tail } from './tail.ts';
import { storeReads } from './reads.ts';
import { requireSealable, textsAtRest } from './texts-at-rest.ts';
import { OTHER_WRITER, WriterSession } from './writer-session.ts';

/** How often a standby tries to become the writer. */
const CAMPAIGN_POLL_MS = 150;
const RETRY_MS = 50;
/** How long a write waits for a writer before the caller is told to try again. */
const WRITE_MS_MAX = 10_000;
/** How long it takes at most to look up what became of one that this process began itself. */
const SETTLE_MS_MIN = 2_000;

/** One of several processes on one database. Reads come from its own memory; writes go to whoever writes. */
export interface SharedStore<Operation> extends Store<Operation>, KindStore {
  readonly isWriter: () => boolean;
  /** Calls back when this process becomes the writer, and when it ceases to be. */
  readonly onWriter: (listener: (isWriter: boolean) => void) => void;
  /** Why what it shows may be old, or why nothing can be written; undefined when all is well. */
  readonly problem: () => string | undefined;
  /** Why this process, which writes, can write nothing for now although the database answers. */
  readonly refusedBecause: () => string | undefined;
  /** Carries out what another process forwarded, once. */
  readonly receive: (write: ForwardedWrite<Operation>) => Promise<ForwardedAnswer>;
}

export interface SharedStoreOptions<Operation> extends Omit<StoreOptions<Operation>, 'address'> {
  /** How the others reach this process; known only when it listens. */
  readonly address: () => WriterAddress;
  readonly deliver: Deliver<Operation>;
  /** The object that an operation is about. */
  readonly placeOf: (operation: Operation) => Place;
}

/**
 * Opens the store as one of several processes. Each keeps everything in memory and follows the record of changes; one,
 * whoever holds the advisory lock, writes. When the writer ends another takes over within a second; when it falls silent,
 * or the database no longer hears it, within ten. Writes under way are settled by their ids in the record, so that each is
 * carried out once.
 */
export async function openSharedStore<Operation>(
  options: SharedStoreOptions<Operation>,
): Promise<SharedStore<Operation>> {
  const { database, kinds, decide, clock = systemClock, log } = options;
  const limits = { ...STORE_LIMITS, ...options.limits };
  const texts = textsAtRest(kinds, options.sealing);
  const known = new Map(kinds.map((kind) => [kind.id, kind]));
  const memory = await loadMemory(database, {
    kinds: known,
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
  const tail = new Tail({ database, memory, kinds: known, texts, publish, log });
  void tail.broken.then(tellLost);
  const firstRound = Promise.withResolvers<void>();
  /** Those who wait for an answer of the writer of an epoch: called when another one has begun. */
  const waitingForEpoch = new Map<AbortController, number>();
  const campaigning = campaign();
  const watching = watchWriter();
  await firstRound.promise;

  return {
    ...storeReads({ memory, kinds: known, database, texts, clock }),
    subscribe: (listener) => {
      const call = (changes: readonly Change[]): void => listener(changes);
      listeners.add(call);
      return () => listeners.delete(call);
    },
    write,
    fresh,
    behindMs,
    problem: () => {
      const seconds = Math.floor(behindMs() / 1000);
      return behindMs() > limits.silentMs
        ? `the database has confirmed nothing for ${seconds} s; what is shown may be old, and nothing can be written`
        : undefined;
    },
    refusedBecause: () => sequencer?.refusedBecause,
    isWriter: () => sequencer?.isConfirmed === true,
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
    adopt,
    drop: (kind) => {
      known.delete(kind.id);
      memory.drop(kind);
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

  /** Takes in a kind: first what is written of it from now on, then what there was before. */
  async function adopt(kind: Kind): Promise<void> {
    if (known.has(kind.id)) throw new Error(`the store has the kind ${kind.id} already`);
    requireSealable(kind, options.sealing);
    known.set(kind.id, kind);
    const adoptedAt = memory.adopt(kind);
    try {
      const { version, rows } = await loadKind(database, kind);
      await tail.reach(version);
      const reader = new RowReader(known, texts);
      memory.fill(
        kind,
        rows.flatMap((row) => reader.entry(row) ?? []),
        adoptedAt,
      );
    } catch (error) {
      known.delete(kind.id);
      throw error;
    }
  }

  /** Milliseconds since what this process shows was last known to be all that there is. */
  function behindMs(): number {
    return (sequencer ?? tail).behindMs;
  }

  /** Waits for the right to write, writes as long as it has it, and waits again. */
  async function campaign(): Promise<void> {
    const outage = new Outage(log, 'the writer lock cannot be asked for');
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
        if (opened.version < memory.version) {
          await session.close();
          return tellLost(restored(opened.version, memory.version));
        }
        await tail.reach(opened.version);
        if (stopping) return await session.close();
        await tail.pause();
        outage.ended();
        noticeEpoch(session.epoch);
        sequencer = new Sequencer({ memory, session, decide, clock, limits, log, givesWay: true });
        sequencer.subscribe((changes) => {
          tail.arrived();
          publish(changes as readonly StoredChange[]);
        });
        log?.info({ epoch: session.epoch }, 'this process writes now');
        for (const listener of roleListeners) listener(true);
        firstRound.resolve();
        const why = await Promise.race([sequencer.lost, closed(sequencer)]);
        const { behindMs: silentMs } = sequencer;
        sequencer = undefined;
        for (const listener of roleListeners) listener(false);
        if (why === undefined) return;
        if (!CAN_GO_ON.has(why.code)) return tellLost(why.message);
        tail.resume(silentMs);
      } catch (error) {
        await session?.close();
        if (stopping) return;
        if (error instanceof Refusal && error.code === OTHER_WRITER) await pause(CAMPAIGN_POLL_MS);
        else await pause(outage.failed(error));
      }
    }
  }

  async function closed(writer: Sequencer<Operation>): Promise<undefined> {
    await writer.finished;
    return undefined;
  }

  /**
   * A writer that holds the lock but is stopped, or cut off from the database, loses its session, and with it the lock.
   * Whether it is there shows in its row alone: what it answers to others says nothing of whether it can write.
   */
  async function watchWriter(): Promise<void> {
    let silentLooks = 0;
    let lastSeen = '';
    while (!stopping) {
      await pause(limits.beatMs);
      if (stopping) return;
      if (sequencer !== undefined) {
        silentLooks = 0;
        continue;
      }
      try {
        const { epoch, version, beat, patienceMs, address } = await writerNow();
        noticeEpoch(epoch);
        const seen = `${epoch} ${version} ${beat}`;
        silentLooks = seen === lastSeen && address !== undefined ? silentLooks + 1 : 0;
        lastSeen = seen;
        if (silentLooks < limits.silentLooks + patienceMs / limits.beatMs) continue;
        silentLooks = 0;
        log?.warn({ url: address?.url, epoch }, 'the writer shows no sign of life; taking its place');
        await database.query({
          text: END_SILENT_WRITER,
          values: [ADVISORY_LOCKS.resourceWriter, epoch, version, beat],
        });
      } catch (error) {
        // Whoever cannot see the writer knows nothing about it.
        silentLooks = 0;
        log?.debug({ err: error }, 'the writer cannot be looked after');
      }
    }
  }

  /** Ends the waiting for answers of writers of earlier epochs. */
  function noticeEpoch(epoch: number): void {
    for (const [waiting, sentIn] of waitingForEpoch) if (epoch > sentIn) waiting.abort();
  }

  /** Ends early when the store closes. */
  async function pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: stop.signal }).catch(() => {});
  }

  async function writerNow(): Promise<WriterRow> {
    // Never more than there is in the database, whatever is written meanwhile.
    const { version: known } = memory;
    const [row] = await database.query<Omit<WriterRow, 'address'> & { readonly address: string }>({
      name: 'writer',
      text: 'select epoch, version, beat, patience_ms as "patienceMs", address from backline.writer',
    });
    if (row === undefined) throw new Error('backline.writer has no row');
    if (row.version < known) tellLost(restored(row.version, known));
    const { address } = row;
    return { ...row, address: address === '' ? undefined : (JSON.parse(address) as WriterAddress) };
  }

  function fresh(): Promise<void> | undefined {
    if (sequencer?.isConfirmed === true) return undefined;
    looking ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      looking = undefined;
      return withinFreshTime(catchUp(), limits.freshMs);
    });
    return looking;
  }

  /** Gets everything that was acknowledged anywhere until now. */
  async function catchUp(): Promise<void> {
    const { epoch, version } = await writerNow();
    // It was paused or cut off, and somebody else has written since.
    if (sequencer !== undefined && sequencer.epoch !== epoch) sequencer.doubt();
    await tail.reach(version);
  }

  async function write(
    operations: readonly Operation[],
    author: Author,
    { dryRun = false }: { dryRun?: boolean } = {},
  ): Promise<readonly Outcome[]> {
    const sent: ForwardedWrite<Operation> = { id: randomUUID(), operations, author, dryRun };
    const giveUp = performance.now() + WRITE_MS_MAX;
    if (sequencer === undefined || stopping) return forward(sent, undefined, giveUp);
    const { epoch } = sequencer;
    try {
      return await sequencer.write(operations, author, dryRun, sent.id);
    } catch (error) {
      if (stopping || !isUndecided(error)) throw error;
      // However long this process itself has tried: what became of it is looked up.
      return forward(
        sent,
        wasNotWritten(error) ? undefined : epoch,
        Math.max(giveUp, performance.now() + SETTLE_MS_MIN),
      );
    }
  }

  /**
   * Sends a write to whoever writes, until there is an answer; settles by the record what was sent without one.
   *
   * @param unansweredIn the epoch in which it was last sent without an answer: while that lasts it may still be carried out
   * @param giveUp when the caller is told to try again, by the steady clock
   */
  async function forward(
    forwarded: ForwardedWrite<Operation>,
    unansweredIn: number | undefined,
    giveUp: number,
  ): Promise<readonly Outcome[]> {
    let unanswered = unansweredIn;
    while (performance.now() < giveUp && !stopping) {
      try {
        const writer = await within(writerNow(), giveUp - performance.now());
        if (writer === LATE) break;
        // In a later epoch nothing of an earlier one can still be committed: the record is conclusive.
        if (unanswered !== undefined && writer.epoch > unanswered) {
          const found = await recorded(forwarded);
          if (found !== undefined) return found;
          unanswered = undefined;
        }
        if (sequencer !== undefined && unanswered === undefined) {
          const { epoch } = sequencer;
          unanswered = epoch;
          return await sequencer.write(forwarded.operations, forwarded.author, forwarded.dryRun, forwarded.id);
        }
        if (writer.address !== undefined && sequencer === undefined) {
          unanswered = writer.epoch;
          const answer = await deliverInEpoch(writer.address, writer.epoch, forwarded, giveUp - performance.now());
          if ('outcomes' in answer) {
            const outcomes = answer.outcomes.map((plain) => outcomeOf(plain, known));
            const reached = Math.max(...answer.outcomes.map(({ version }) => version), 0);
            if (!forwarded.dryRun) await tail.reach(reached);
            return outcomes;
          }
          throw refusalOfAnswer(answer);
        }
      } catch (error) {
        if (error instanceof Refusal && !isUndecided(error)) throw error;
        if (wasNotWritten(error)) unanswered = undefined;
        log?.debug({ err: error }, 'a write was not answered; finding out what became of it');
      }
      await pause(RETRY_MS);
    }
    throw unanswered === undefined || forwarded.dryRun
      ? noWriter('No process writes at the moment.')
      : outcomeUnknown();
  }

  /** Waits for the answer of a writer only as long as that is the writer. */
  async function deliverInEpoch(
    address: WriterAddress,
    epoch: number,
    forwarded: ForwardedWrite<Operation>,
    leftMs: number,
  ): Promise<ForwardedAnswer> {
    const ended = new AbortController();
    const limit = setTimeout(() => ended.abort(), leftMs);
    waitingForEpoch.set(ended, epoch);
    try {
      return await options.deliver(address, forwarded, ended.signal);
    } finally {
      clearTimeout(limit);
      waitingForEpoch.delete(ended);
    }
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
    const reader = new RowReader(known, texts);
    return forwarded.operations.map((operation): Outcome => {
      const { kind, namespace, name } = options.placeOf(operation);
      const row = rows.find((one) => one.kind === kind && one.namespace === namespace && one.name === name);
      const entry = row === undefined ? undefined : reader.entry(row);
      if (row !== undefined && entry !== undefined) return { did: DID[row.type], entry };
      const kept = known.get(kind);
      const current = kept === undefined ? undefined : memory.get(kept, namespace, name);
      if (current === undefined) throw outcomeUnknown();
      return { did: 'nothing', entry: current };
    });
  }
}

const DID = { ADDED: 'created', MODIFIED: 'changed', DELETED: 'removed' } as const;

/** Refusals after which a process that wrote is a standby: others write, or can. */
const CAN_GO_ON: ReadonlySet<string> = new Set([TAKEN_OVER, GAVE_WAY, OUTCOME_UNKNOWN]);
const NOT_WRITTEN: ReadonlySet<string> = new Set([NOT_WRITER, TAKEN_OVER, GAVE_WAY]);

function isUndecided(error: unknown): boolean {
  return error instanceof Refusal && UNDECIDED.has(error.code);
}

function wasNotWritten(error: unknown): boolean {
  return error instanceof Refusal && NOT_WRITTEN.has(error.code);
}

/** Ends the session that holds the lock, unless it has shown a sign of life meanwhile. */
const END_SILENT_WRITER = `
  select pg_terminate_backend(l.pid) from pg_locks l, backline.writer w
  where l.locktype = 'advisory' and l.granted and l.objid = $1
    and l.database = (select oid from pg_database where datname = current_database())
    and w.epoch = $2 and w.version = $3 and w.beat = $4`;

interface WriterRow {
  readonly epoch: number;
  readonly version: number;
  readonly beat: number;
  readonly patienceMs: number;
  readonly address: WriterAddress | undefined;
}

async function withinFreshTime(catchingUp: Promise<void>, ms: number): Promise<void> {
  if ((await within(catchingUp, ms)) !== LATE) return;
  throw new Refusal('resources/not-fresh', 'ServiceUnavailable', 'This process lags behind the writer.', {
    retryAfterSeconds: 1,
    remedy: 'Try again in a moment, or read with resourceVersion=0 what it has.',
  });
}

/** Why a process has to start anew: it shows what the database no longer holds. */
function restored(version: number, known: number): string {
  return `The database is at version ${version} and was at ${known} before: it was restored or replaced.`;
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

import { setMaxListeners } from 'node:events';
import { systemClock } from '#kernel/base/clock.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { LATE, within } from '#kernel/base/time.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { campaign } from './campaign.ts';
import type { Change, KindStore, Place, Store, Unblock, WriteLimit } from './contract.ts';
import type { StoredChange } from './entry.ts';
import {
  type Deliver,
  ForwardedOnce,
  type ForwardedAnswer,
  type ForwardedWrite,
  type WriterAddress,
} from './forwarding.ts';
import { STORE_LIMITS, type StoreLimits } from './limits.ts';
import { loadKind, loadMemory, RowReader } from './load.ts';
import type { StoreOptions } from './open-store.ts';
import { storeReads } from './reads.ts';
import { type SharedParts, writerNow } from './shared-parts.ts';
import { noWriter, sharedWrites } from './shared-writes.ts';
import { Tail } from './tail.ts';
import { requireSealable, textsAtRest } from './texts-at-rest.ts';
import { watchWriter } from './watch-writer.ts';
import { WriterRole } from './writer-role.ts';

/** One of several processes on one database. Reads come from its own memory; writes go to the writer. */
export interface SharedStore<Operation> extends Store<Operation>, KindStore {
  readonly isWriter: () => boolean;
  /** Calls back when this process becomes the writer, and when it ceases to be. */
  readonly onWriter: (listener: (isWriter: boolean) => void) => void;
  /** Why what it shows may be old, or why nothing can be written; undefined when all is well. */
  readonly problem: () => string | undefined;
  /** Why nothing can be written for now: the database takes no writes, or does not answer. */
  readonly refusedBecause: () => string | undefined;
  /** Carries out what another process forwarded, once. */
  readonly receive: (write: ForwardedWrite<Operation>, limit?: WriteLimit) => Promise<ForwardedAnswer>;
}

export interface SharedStoreOptions<Operation> extends Omit<StoreOptions<Operation>, 'address'> {
  /** How the others reach this process; known only when it listens. */
  readonly address: () => WriterAddress;
  readonly deliver: Deliver<Operation>;
  /** The object of an operation. */
  readonly placeOf: (operation: Operation) => Place;
  readonly unblock?: Unblock;
}

/**
 * Opens the store as one of several processes. Each keeps everything in memory and follows the record of changes. The
 * holder of the advisory lock writes. When the writer ends another takes over within a second; when it hangs or is cut off from
 * the database, after six seconds without a heartbeat. Writes under way are settled by their ids in the record, so that each
 * is carried out once.
 */
export async function openSharedStore<Operation>(
  options: SharedStoreOptions<Operation>,
): Promise<SharedStore<Operation>> {
  const { database, decide, clock = systemClock, log, address, deliver, placeOf, unblock } = options;
  const limits = { ...STORE_LIMITS, ...options.limits };
  const texts = textsAtRest(options.kinds, options.sealing);
  const kinds = new Map(options.kinds.map((kind) => [kind.id, kind]));
  const memory = await loadMemory(database, {
    kinds,
    limits: { changes: limits.changesInWindow, characters: limits.charactersInWindow },
    texts,
    log,
  });
  const listeners = new Set<(changes: readonly Change[]) => void>();
  const role = new WriterRole<Operation>();
  const once = new ForwardedOnce<Operation>();
  const { promise: lost, resolve: tellLost } = Promise.withResolvers<string>();
  const stopping = new AbortController();
  const stop = stopping.signal;
  setMaxListeners(0, stop);
  const tail = new Tail({ database, memory, kinds, texts, publish, log });
  void tail.broken.then(tellLost);
  const parts: SharedParts<Operation> = {
    database,
    memory,
    kinds,
    texts,
    tail,
    role,
    limits,
    clock,
    log,
    stop,
    tellLost,
  };
  const firstRound = Promise.withResolvers<void>();
  const campaigning = campaign({ ...parts, decide, address, publish, unblock }, firstRound.resolve);
  const watching = watchWriter(parts);
  await firstRound.promise;

  return {
    ...storeReads({ memory, kinds, database, texts, decide, clock, unblock }),
    subscribe: (listener) => {
      const call = (changes: readonly Change[]): void => listener(changes);
      listeners.add(call);
      return () => listeners.delete(call);
    },
    write: sharedWrites({ ...parts, deliver, placeOf }),
    fresh: freshness(parts),
    behindMs,
    problem: () => {
      const silence = describeSilence(behindMs(), limits);
      return silence && `${silence}; what is shown may be old, and nothing can be written`;
    },
    refusedBecause: () => role.refusedBecause ?? describeSilence(behindMs(), limits),
    isWriter: () => role.sequencer?.isConfirmed === true,
    onWriter: (listener) => role.onChange(listener),
    receive: (forwarded, limit) => {
      const { sequencer } = role;
      if (sequencer === undefined) return Promise.reject(noWriter('This process does not write.'));
      return once.take(forwarded, () => sequencer.write(forwarded, limit?.signal));
    },
    adopt: (kind) => adoptKind(parts, kind, options.sealing),
    redefine: (kind) => redefineKind(parts, kind),
    drop: (kind) => dropKind(parts, kind),
    lost,
    close: async () => {
      stopping.abort();
      await role.sequencer?.close();
      await Promise.all([tail.stop(), campaigning, watching]);
    },
  };

  function publish(changes: readonly StoredChange[]): void {
    for (const listener of listeners) {
      try {
        listener(changes);
      } catch (error) {
        log?.error({ err: error }, 'store: a subscriber to changes failed');
      }
    }
  }

  /** Milliseconds since what this process shows was last known to be all that there is. */
  function behindMs(): number {
    return (role.sequencer ?? tail).behindMs;
  }
}

function describeSilence(ms: number, { silentMs }: Pick<StoreLimits, 'silentMs'>): string | undefined {
  return ms > silentMs ? `the database has confirmed nothing for ${Math.floor(ms / 1000)} s` : undefined;
}

/** Entries have index keys, fields for selectors, and a spec of their own, by the definition of the time when they were made. */
function redefineKind<Operation>({ memory, kinds }: SharedParts<Operation>, kind: Kind): Promise<void> | undefined {
  const before = kinds.get(kind.id);
  if (before === undefined) throw new Error(`the store has no kind ${kind.id}`);
  kinds.set(kind.id, kind);
  const fieldsOf = ({ indexes = {}, selectableFields = {}, released }: Kind): string =>
    [String(released), ...[indexes, selectableFields].map((all) => Object.keys(all).toSorted().join())].join(' ');
  return fieldsOf(before) === fieldsOf(kind) ? undefined : inTurns(memory.reindex(kind));
}

/** Takes in a kind: first what is written of it from now on, then what there was before. */
async function adoptKind<Operation>(
  { database, memory, kinds, texts, tail }: SharedParts<Operation>,
  kind: Kind,
  sealing: StoreOptions<Operation>['sealing'],
): Promise<void> {
  requireSealable(kind, sealing);
  if (kinds.has(kind.id)) throw new Error(`the store has the kind ${kind.id} already`);
  kinds.set(kind.id, kind);
  const adoptedAt = memory.adopt(kind);
  try {
    const { version, rows } = await loadKind(database, kind);
    await tail.reach(version);
    const reader = new RowReader(kinds, texts);
    const entries = rows.flatMap((row) => reader.entry(row) ?? []);
    memory.fill(kind, entries, adoptedAt);
  } catch (error) {
    kinds.delete(kind.id);
    throw error;
  }
}

function dropKind<Operation>({ memory, kinds }: SharedParts<Operation>, kind: Kind): void {
  kinds.delete(kind.id);
  memory.drop(kind);
}

/** As `Store.fresh`. Many who want to read what is newest share one look at the database. */
function freshness<Operation>(parts: SharedParts<Operation>): Store<Operation>['fresh'] {
  const { role, tail, limits } = parts;
  let looking: Promise<void> | undefined;
  return () => {
    if (role.sequencer?.isConfirmed === true) return undefined;
    looking ??= new Promise((resolve) => setImmediate(resolve)).then(() => {
      looking = undefined;
      return withinFreshTime(catchUp(), limits.freshMs);
    });
    return looking;
  };

  /** Gets everything that was acknowledged anywhere until now. */
  async function catchUp(): Promise<void> {
    const { epoch, version } = await writerNow(parts);
    const { sequencer } = role;
    // It was paused or cut off, and another process has written since.
    if (sequencer !== undefined && sequencer.epoch !== epoch) sequencer.doubt();
    await tail.reach(version);
  }
}

async function withinFreshTime(catchingUp: Promise<void>, ms: number): Promise<void> {
  if ((await within(catchingUp, ms)) !== LATE) return;
  throw resourceRefusal('not-fresh', 'This process lags behind the writer.', {
    retryAfterSeconds: 1,
  });
}

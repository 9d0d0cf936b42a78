import { type Clock, systemClock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Decide, Sealing, Store } from './contract.ts';
import { STORE_LIMITS, type StoreLimits } from './limits.ts';
import { loadMemory } from './load.ts';
import { Sequencer } from './sequencer.ts';
import { storeReads } from './reads.ts';
import { textsAtRest } from './texts-at-rest.ts';
import { WriterSession } from './writer-session.ts';

export interface StoreOptions<Operation> {
  /** Migrated. Its URL must lead to real sessions, not to a pooler that shares them. */
  readonly database: Database;
  /** All kinds that can be read and written. Objects of other kinds stay in the database untouched. */
  readonly kinds: readonly Kind[];
  readonly decide: Decide<Operation>;
  readonly clock?: Clock;
  readonly log?: Log;
  /** How to keep the objects of confidential kinds; needed when there are such kinds. */
  readonly sealing?: Sealing;
  readonly limits?: Partial<StoreLimits>;
  /** Where other processes reach this one while it is the writer. */
  readonly address?: string;
}

/**
 * Opens the store as its writer. Waits for a previous writer to end, and refuses `resources/other-writer` if it does
 * not.
 */
export async function openStore<Operation>(options: StoreOptions<Operation>): Promise<Store<Operation>> {
  const { database, kinds, decide, clock = systemClock, log, address = '' } = options;
  const limits = { ...STORE_LIMITS, ...options.limits };
  const texts = textsAtRest(kinds, options.sealing);
  const { session } = await WriterSession.open(database, {
    address,
    waitSeconds: limits.writerWaitSeconds,
    texts,
  });
  const windowLimits = { changes: limits.changesInWindow, characters: limits.charactersInWindow };
  const known = new Map(kinds.map((kind) => [kind.id, kind]));
  const memory = await loadMemory(database, { kinds: known, limits: windowLimits, texts, log }).catch(async (error) => {
    await session.close();
    throw error;
  });
  const sequencer = new Sequencer({ memory, session, decide, clock, limits, log });
  return {
    ...storeReads({ memory, kinds: known, database, texts, decide, clock, unblock: undefined }),
    subscribe: (listener) => sequencer.subscribe(listener),
    write: (operations, author, { dryRun = false, limit } = {}) =>
      sequencer.write({ id: '', operations, author, dryRun }, limit?.signal),
    fresh: () => undefined,
    behindMs: () => sequencer.behindMs,
    lost: sequencer.lost.then(({ message }) => message),
    close: () => sequencer.close(),
  };
}

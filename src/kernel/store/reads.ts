import type { Clock } from '#kernel/base/clock.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { Decide, Store, Unblock } from './contract.ts';
import { forecastEach, forecastUnblocked } from './forecast.ts';
import {
  compactHistory,
  readDeclarations,
  readDeletion,
  readHistory,
  readPast,
  readRevision,
  readUntouched,
} from './history.ts';
import type { KnownKinds } from './load.ts';
import type { Memory } from './memory.ts';
import { BatchPlan } from './plan-batch.ts';
import type { TextsAtRest } from './texts-at-rest.ts';

/** The part of a store that every process has: the present from memory, the past from the database. */
type StoreReads<Operation> = Omit<Store<Operation>, 'write' | 'subscribe' | 'fresh' | 'behindMs' | 'lost' | 'close'>;

export function storeReads<Operation>(parts: {
  readonly memory: Memory;
  readonly kinds: KnownKinds;
  readonly database: Database;
  readonly texts: TextsAtRest;
  readonly decide: Decide<Operation>;
  readonly clock: Clock;
  readonly unblock: Unblock | undefined;
}): StoreReads<Operation> {
  const { memory, kinds, database, decide, clock, unblock } = parts;
  // Each by itself: a request is reviewed as a whole, when it is written.
  const decideOne: Decide<Operation> = (...given) => decide(...given);
  return {
    get: (kind, namespace, name) => memory.get(kind, namespace, name),
    find: (kind, index, value) => memory.find(kind, index, value),
    version: () => memory.version,
    watchFloor: () => memory.watchFloor,
    list: (kind, options) => memory.list(kind, options),
    count: (kind) => memory.count(kind),
    changesSince: (from, kind) => memory.changesSince(from, kind),
    history: (kind, namespace, name, bounds) => readHistory(parts, kind, { namespace, name }, bounds),
    declarations: (kind, name, page) => readDeclarations(parts, kind, name, page),
    past: (kind, at, scope) => readPast(parts, kind, at, scope),
    forecast: (operations, author) =>
      forecastUnblocked(
        () => inTurns(forecastEach(operations, author, new BatchPlan(memory, decideOne, clock()))),
        unblock,
      ),
    findDeletion: (kind, namespace, name, uid) => readDeletion(parts, kind, { namespace, name, uid }),
    findUntouched: (kind, before, limit) => readUntouched(database, kind, before, limit),
    revision: (kind, name, hash) => readRevision(database, kind, name, hash),
    compact: async ({ historyDays }) => {
      const { floor, dropped } = await compactHistory(database, [...kinds.values()], clock(), historyDays);
      memory.liftWatchFloor(floor);
      return dropped;
    },
  };
}

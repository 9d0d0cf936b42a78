import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { quotaRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { hashPrefix, murmurBucket } from '#kernel/audiences/bucketing/murmur3.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { amountOf } from './rules/amount.ts';
import { checkBuckets, checkItems, checkName, checkSubject, checkTtl } from './rules/check-request.ts';
import type { Answer, OperationName, Quotas, SessionName, Signer, Source } from './rules/contract.ts';
import { openCounterCache } from './counter-cache.ts';
import { openLease, signLease } from './rules/offline-lease.ts';
import type { Charge, Item } from './rules/operation.ts';
import { quotaMetrics } from './quota-metrics.ts';
import { eraseSubject, subjectsFrom } from './records/erase.ts';
import { findOperations } from './records/read-book.ts';
import { listUse } from './records/list-use.ts';
import { readEndedSlices, recallSlices, readRecalledSlices } from './records/slices.ts';
import { subjectsWithExpired, tidyRecords } from './records/tidy.ts';
import { openRecentCounters } from './rules/recent-counters.ts';
import { openSlices } from './slices.ts';
import { openStore, type Store } from './store.ts';

/**
 * The shard of a subject is permanent. Adding a database needs a migration of subjects, not a change of this number.
 */
const SHARD_SALT = hashPrefix('backline-quotas|');
/** Reservations that one run of `tidy` settles. */
const SETTLED_MAX = 1_000;

interface Shard {
  readonly database: Database;
  readonly store: Store;
}

/** The databases that hold the subjects, and the parts that all of them share. */
interface Shards {
  readonly shards: readonly Shard[];
  readonly shardOf: (subject: string) => Shard;
  readonly charge: (charge: Charge, signal?: AbortSignal) => Promise<Answer>;
  readonly recent: ReturnType<typeof openRecentCounters>;
  readonly cache: ReturnType<typeof openCounterCache>;
  readonly signer: Signer;
  readonly clock: Clock | undefined;
  readonly log: Log;
}

/**
 * Opens the quotas of an installation.
 *
 * @param databases one, or several that share the subjects by a hash of their name; number and order are permanent
 * @param clock replaces the time of the databases in tests
 */
export function openQuotas(parts: {
  readonly databases: readonly [Database, ...Database[]];
  readonly clock?: Clock;
  readonly signer: Signer;
  readonly log: Log;
  readonly registry: Registry;
}): Quotas {
  const { databases, clock, signer, log, registry } = parts;
  const metrics = quotaMetrics(registry, () => shards.reduce((sum, { store }) => sum + store.waiting(), 0));
  const recent = openRecentCounters(() => performance.now());
  const cache = openCounterCache();
  const shards = databases.map((database) => ({
    database,
    store: openStore({ database, clock, signer, log, metrics, recent, cache }),
  }));

  const shardOf: Shards['shardOf'] = (subject) => {
    const shard = shards[murmurBucket(SHARD_SALT, subject, shards.length)];
    if (shard === undefined) throw new Error('no database for this hash');
    return shard;
  };
  const all: Shards = {
    shards,
    shardOf,
    charge: (charge, signal) => shardOf(charge.subject).store.operate({ kind: 'charge', ...charge }, signal),
    recent,
    cache,
    signer,
    clock,
    log,
  };
  return {
    ...answersOf(all),
    ...chargesOf(all),
    ...settlementsOf(all),
    ...slotsOf(all),
    ...offlineOf(all),
    ...slicesOf(all),
    ...upkeepOf(all),
  };
}

/** Answers without a change. */
function answersOf({ shardOf, recent, cache }: Shards): Pick<Quotas, 'check' | 'listUse' | 'find' | 'peek'> {
  return {
    check: async (check, signal) => {
      checkSubject(check.subject);
      checkSource(check);
      amountOf(check.amount, 0);
      return shardOf(check.subject).store.check(check, signal);
    },
    listUse: async (request) => {
      checkSubject(request.subject);
      return listUse(shardOf(request.subject).database, request);
    },
    find: async (subjects, key) => {
      checkName('key', key);
      subjects.forEach(checkSubject);
      const byShard = Map.groupBy(subjects, (subject) => shardOf(subject).database);
      const found = (
        await Promise.all([...byShard].map(([database, own]) => findOperations(database, own, key)))
      ).flat();
      return found.toSorted((a, b) => subjects.indexOf(a.subject) - subjects.indexOf(b.subject))[0];
    },
    peek: (check, ageMsMax) => cache.check(check, ageMsMax) ?? recent.check(check, ageMsMax),
  };
}

/** Takes units: at once, together, or for a while. */
function chargesOf({ shardOf, charge }: Shards): Pick<Quotas, 'consume' | 'batch' | 'reserve'> {
  return {
    consume: async (request, signal) => {
      const { partial = false, usedAtMs, countsAtMs, isOfOldPlan, isFree } = request;
      const manner = partial ? 'partial' : 'whole';
      const wanted: Charge = {
        ...singleCharge(request),
        manner,
        ...(usedAtMs === undefined ? {} : { usedAtMs }),
        ...(countsAtMs === undefined ? {} : { countsAtMs }),
        ...(isOfOldPlan === undefined ? {} : { isOfOldPlan }),
        ...(isFree === undefined ? {} : { isFree }),
      };
      return charge(wanted, signal);
    },
    batch: async ({ subject, key, items, request, isFree }, signal) => {
      checkOperationName({ subject, key });
      checkItems(items);
      const all = items.map((item): Item => ({ ...item, subject: item.subject ?? subject }));
      for (const item of all) {
        checkSubject(item.subject);
        checkSource(item);
        amountOf(item.amount, 1);
        if (shardOf(item.subject) !== shardOf(subject)) throw acrossShards(subject, item.subject);
      }
      const more = { ...(request === undefined ? {} : { request }), ...(isFree === undefined ? {} : { isFree }) };
      return charge({ subject, key, items: all, manner: 'whole', ...more }, signal);
    },
    reserve: async (request, signal) => {
      checkTtl(request.ttlMs);
      const hold = { kind: 'reservation', owner: '', ttlMs: request.ttlMs } as const;
      return charge({ ...singleCharge(request), manner: 'whole', hold }, signal);
    },
  };
}

/** Settles and refunds units that were taken. */
function settlementsOf({ shardOf }: Shards): Pick<Quotas, 'extend' | 'commit' | 'release' | 'refund' | 'carry'> {
  return {
    extend: async (request, signal) => {
      checkReference(request);
      checkTtl(request.ttlMs);
      return shardOf(request.subject).store.operate({ kind: 'extend', ...request }, signal);
    },
    commit: async (request, signal) => {
      checkReference(request);
      amountOf(request.amount, 0);
      return shardOf(request.subject).store.operate({ kind: 'commit', ...request }, signal);
    },
    release: async (request, signal) => {
      checkReference(request);
      return shardOf(request.subject).store.operate({ kind: 'release', ...request }, signal);
    },
    refund: async (request, signal) => {
      checkReference(request);
      if (request.amount !== undefined) amountOf(request.amount, 1);
      return shardOf(request.subject).store.operate({ kind: 'refund', ...request }, signal);
    },
    carry: async (request) => {
      checkOperationName(request);
      checkItems(request.moves);
      for (const { from, to } of request.moves) for (const bucket of [from, to]) checkBuckets([bucket]);
      return shardOf(request.subject).store.operate({ kind: 'carry', ...request });
    },
  };
}

/** Slots for concurrent use. */
function slotsOf({ shardOf }: Shards): Pick<Quotas, 'acquire' | 'heartbeat' | 'leave'> {
  return {
    acquire: async (request, signal) => {
      checkSession(request);
      checkName('holder', request.holder);
      checkBuckets(request.buckets);
      checkTtl(request.ttlMs);
      return shardOf(request.subject).store.slot({ kind: 'acquire', ...request }, signal);
    },
    heartbeat: async (request, signal) => {
      checkSession(request);
      checkTtl(request.ttlMs);
      return shardOf(request.subject).store.slot({ kind: 'heartbeat', ...request }, signal);
    },
    leave: async (request) => {
      checkSession(request);
      return shardOf(request.subject).store.slot({ kind: 'leave', ...request });
    },
  };
}

/** Leases of devices that are offline. */
function offlineOf({ shardOf, charge, signer }: Shards): Pick<Quotas, 'grantOffline' | 'lease' | 'reconcile'> {
  return {
    grantOffline: async (request, signal) => {
      const { device, owner, subject, key, quota, amount, ttlMs } = request;
      checkName('device', device);
      checkTtl(ttlMs);
      const hold = { kind: 'offline', owner: device, ttlMs } as const;
      const answer = await charge({ ...singleCharge(request), manner: 'whole', hold }, signal);
      const { outcome, expiresAtMs: notAfterMs } = answer;
      if (outcome !== 'granted' || notAfterMs === undefined) return answer;
      return {
        ...answer,
        lease: signLease(signer, { subject, key, device, owner, quota, budget: amount, notAfterMs }),
      };
    },
    lease: (token, device) => openLease(signer, token, device),
    reconcile: async ({ key, lease: token, device, used, buckets }, signal) => {
      const lease = openLease(signer, token, device);
      checkName('key', key);
      checkBuckets(buckets ?? []);
      const { subject, key: of, budget, notAfterMs } = lease;
      const commit = {
        kind: 'commit',
        late: true,
        subject,
        key,
        of,
        amount: amountOf(used, 0),
        over: 'record',
        ...(buckets === undefined ? {} : { buckets }),
      } as const;
      const answer = await shardOf(subject)
        .store.operate(commit, signal)
        .catch((error: unknown) => {
          throw error instanceof Refusal && error.code === 'quotas/reservation-settled'
            ? replayRefusal(lease.device, of)
            : error;
        });
      const overBudget = Math.max(0, used - budget);
      return { ...answer, return: answer.atMs < notAfterMs ? 'in-time' : 'expired', overBudget };
    },
  };
}

/** Budgets that nodes spend in slices. */
function slicesOf({ shardOf, shards, clock, log }: Shards): Pick<Quotas, 'slices' | 'endedSlices' | 'settleSlice'> {
  /** The rows of all databases. One that is away keeps nothing of the others; rejects when all are away. */
  const fromEach = async <Row>(read: (shard: Shard) => Promise<readonly Row[]>): Promise<readonly Row[]> => {
    const results = await Promise.allSettled(shards.map(read));
    const [failure, ...more] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    if (failure !== undefined && more.length + 1 === shards.length) throw failure;
    if (failure !== undefined)
      log.warn({ err: failure }, 'quota slices: a quota database is away; going on with the others');
    return results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  };
  return {
    slices: (node) => {
      checkName('name of the node', node.name);
      return openSlices(node, {
        storeOf: (subject) => {
          const { store, database } = shardOf(subject);
          return {
            operate: store.operate,
            recall: (of, buckets) => recallSlices(database, { subject: of, buckets, node: node.name }, clock?.()),
          };
        },
        readRecalled: (name) => fromEach(({ database }) => readRecalledSlices(database, name)),
        log,
      });
    },
    endedSlices: () => fromEach(({ database }) => readEndedSlices(database, clock?.())),
    settleSlice: async ({ subject, slice, settled }) => {
      checkOperationName({ subject, key: slice });
      const commit = {
        subject,
        key: `settle ${slice}`,
        of: slice,
        amount: amountOf(settled, 0),
        over: 'refuse',
      } as const;
      return shardOf(subject).store.operate({ kind: 'commit', ended: true, ...commit });
    },
  };
}

/** Erases subjects and removes old records. */
function upkeepOf({ shards, clock }: Shards): Pick<Quotas, 'erase' | 'tidy' | 'close'> {
  return {
    erase: async (subject) => {
      let erased = 0;
      for (const { database, store } of shards) {
        for (const name of await subjectsFrom(database, subject)) {
          erased += await eraseSubject(database, name);
          store.forget(name);
        }
      }
      return erased;
    },
    tidy: async () => {
      let removed = 0;
      for (const { database, store } of shards) {
        const expired = await subjectsWithExpired(database, clock?.(), SETTLED_MAX);
        await Promise.all(expired.map((subject) => store.settle(subject)));
        removed += await tidyRecords(database.patient, clock?.());
      }
      return removed;
    },
    close: async () => {
      await Promise.all(shards.map(({ store }) => store.close()));
    },
  };
}

/** A request for one quota, as a charge. */
function singleCharge({
  subject,
  key,
  quota,
  buckets,
  amount,
}: OperationName & Source & { readonly amount: number }): Pick<Charge, 'subject' | 'key' | 'items'> {
  checkOperationName({ subject, key });
  checkSource({ quota, buckets });
  return { subject, key, items: [{ subject, quota, buckets, amount: amountOf(amount, 1) }] };
}

function checkOperationName({ subject, key }: OperationName): void {
  checkSubject(subject);
  checkName('key', key);
}

function checkSession({ subject, quota, session }: SessionName): void {
  checkSubject(subject);
  checkName('quota', quota);
  checkName('session', session);
}

function checkReference(request: OperationName & { readonly of: string; readonly buckets?: Source['buckets'] }): void {
  checkOperationName(request);
  checkName('key of the earlier operation', request.of);
  checkBuckets(request.buckets ?? []);
}

function checkSource({ quota, buckets }: Source): void {
  checkName('quota', quota);
  checkBuckets(buckets);
}

function acrossShards(one: string, other: string): Refusal {
  return quotaRefusal(
    'batch-across-shards',
    `"${one}" and "${other}" are in different databases: no transaction covers both.`,
  );
}

function replayRefusal(device: string, key: string): Refusal {
  return quotaRefusal('lease-replayed', `The lease "${key}" of the device "${device}" came back before.`);
}

import type { Registry } from 'prom-client';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { quotaRefusal } from './refusals.ts';
import type { Log } from '#kernel/base/log.ts';
import { hashPrefix, murmurBucket } from '#kernel/audiences/bucketing/murmur3.ts';
import type { Database } from '#kernel/postgres/database.ts';
import { amountOf } from './rules/amount.ts';
import { checkBuckets, checkItems, checkName, checkSubject, checkTtl } from './rules/check-request.ts';
import type { Answer, Named, Quotas, SessionName, Signer, Source } from './rules/contract.ts';
import { openKnown } from './known.ts';
import { openLease, signLease } from './rules/offline-lease.ts';
import type { Charge, Item } from './rules/operation.ts';
import { quotaMetrics } from './quota-metrics.ts';
import { eraseSubject, subjectsFrom } from './records/erase.ts';
import { findOperations } from './records/read-book.ts';
import { overdueSlices, recallSlices, recalledSlices } from './records/slices.ts';
import { subjectsWithExpired, tidyRecords } from './records/tidy.ts';
import { openSeen } from './rules/seen.ts';
import { openSlices } from './slices.ts';
import { openStore, type Store } from './store.ts';

/** Where a subject falls is for good: adding a database is a move of its own, not a change of this number. */
const SHARD_SALT = hashPrefix('backline-quotas|');
/** Reservations that one tidying settles. */
const SETTLED_MAX = 1_000;

interface Shard {
  readonly database: Database;
  readonly store: Store;
}

/** The databases that subjects are spread over, and what all of them share. */
interface Shards {
  readonly shards: readonly Shard[];
  readonly shardOf: (subject: string) => Shard;
  readonly charge: (charge: Charge, signal?: AbortSignal) => Promise<Answer>;
  readonly seen: ReturnType<typeof openSeen>;
  readonly known: ReturnType<typeof openKnown>;
  readonly signer: Signer;
  readonly clock: Clock | undefined;
  readonly log: Log;
}

/**
 * Opens the quotas of an installation.
 *
 * @param databases one, or several over which subjects are spread by a hash of their name. Their number and order stay.
 * @param clock instead of the time of the databases, for tests
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
  const seen = openSeen(() => performance.now());
  const known = openKnown();
  const shards = databases.map((database) => ({
    database,
    store: openStore({ database, clock, signer, log, metrics, seen, known }),
  }));

  const shardOf: Shards['shardOf'] = (subject) => {
    const shard = shards[murmurBucket(SHARD_SALT, subject, shards.length)];
    if (shard === undefined) throw new Error('a hash led to a database that is not there');
    return shard;
  };
  const all: Shards = {
    shards,
    shardOf,
    charge: (charge, signal) => shardOf(charge.subject).store.operate({ kind: 'charge', ...charge }, signal),
    seen,
    known,
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

/** What is answered without a change. */
function answersOf({ shardOf, seen, known }: Shards): Pick<Quotas, 'check' | 'find' | 'peek'> {
  return {
    check: async (check, signal) => {
      checkSubject(check.subject);
      checkSource(check);
      amountOf(check.amount, 0);
      return shardOf(check.subject).store.check(check, signal);
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
    peek: (check, ageMsMax) => known.check(check, ageMsMax) ?? seen.check(check, ageMsMax),
  };
}

/** What takes units at once, together, or for a while. */
function chargesOf({ shardOf, charge }: Shards): Pick<Quotas, 'consume' | 'batch' | 'reserve'> {
  return {
    consume: async (request, signal) => {
      const { partial = false, usedAtMs, countsAtMs, isOfBefore, isFree } = request;
      const manner = partial ? 'partial' : 'whole';
      const wanted: Charge = {
        ...single(request),
        manner,
        ...(usedAtMs === undefined ? {} : { usedAtMs }),
        ...(countsAtMs === undefined ? {} : { countsAtMs }),
        ...(isOfBefore === undefined ? {} : { isOfBefore }),
        ...(isFree === undefined ? {} : { isFree }),
      };
      return charge(wanted, signal);
    },
    batch: async ({ subject, key, items, request, isFree }, signal) => {
      checkNamed({ subject, key });
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
      return charge({ ...single(request), manner: 'whole', hold }, signal);
    },
  };
}

/** What is done about units that were taken. */
function settlementsOf({ shardOf }: Shards): Pick<Quotas, 'extend' | 'commit' | 'release' | 'refund' | 'carry'> {
  return {
    extend: async (request, signal) => {
      checkAbout(request);
      checkTtl(request.ttlMs);
      return shardOf(request.subject).store.operate({ kind: 'extend', ...request }, signal);
    },
    commit: async (request, signal) => {
      checkAbout(request);
      amountOf(request.amount, 0);
      return shardOf(request.subject).store.operate({ kind: 'commit', ...request }, signal);
    },
    release: async (request, signal) => {
      checkAbout(request);
      return shardOf(request.subject).store.operate({ kind: 'release', ...request }, signal);
    },
    refund: async (request, signal) => {
      checkAbout(request);
      if (request.amount !== undefined) amountOf(request.amount, 1);
      return shardOf(request.subject).store.operate({ kind: 'refund', ...request }, signal);
    },
    carry: async (request) => {
      checkNamed(request);
      checkItems(request.moves);
      for (const { from, to } of request.moves) for (const bucket of [from, to]) checkBuckets([bucket]);
      return shardOf(request.subject).store.operate({ kind: 'carry', ...request });
    },
  };
}

/** Places for what is in use at once. */
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
      const answer = await charge({ ...single(request), manner: 'whole', hold }, signal);
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
            ? replayed(lease.device, of)
            : error;
        });
      const overBudget = Math.max(0, used - budget);
      return { ...answer, return: answer.atMs < notAfterMs ? 'in-time' : 'expired', overBudget };
    },
  };
}

/** Budgets that nodes take in slices. */
function slicesOf({ shardOf, shards, clock, log }: Shards): Pick<Quotas, 'slices' | 'lostSlices' | 'settleSlice'> {
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
        recalled: async (name) =>
          (await Promise.all(shards.map(({ database }) => recalledSlices(database, name)))).flat(),
        log,
      });
    },
    lostSlices: async () =>
      (await Promise.all(shards.map(({ database }) => overdueSlices(database, clock?.())))).flat(),
    settleSlice: async ({ subject, slice, settled }) => {
      checkNamed({ subject, key: slice });
      const commit = {
        subject,
        key: `settle ${slice}`,
        of: slice,
        amount: amountOf(settled, 0),
        over: 'refuse',
      } as const;
      return shardOf(subject).store.operate({ kind: 'commit', lost: true, ...commit });
    },
  };
}

/** What keeps the records small, and forgets. */
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
function single({
  subject,
  key,
  quota,
  buckets,
  amount,
}: Named & Source & { readonly amount: number }): Pick<Charge, 'subject' | 'key' | 'items'> {
  checkNamed({ subject, key });
  checkSource({ quota, buckets });
  return { subject, key, items: [{ subject, quota, buckets, amount: amountOf(amount, 1) }] };
}

function checkNamed({ subject, key }: Named): void {
  checkSubject(subject);
  checkName('key', key);
}

function checkSession({ subject, quota, session }: SessionName): void {
  checkSubject(subject);
  checkName('quota', quota);
  checkName('session', session);
}

function checkAbout(request: Named & { readonly of: string; readonly buckets?: Source['buckets'] }): void {
  checkNamed(request);
  checkName('key of what is meant', request.of);
  checkBuckets(request.buckets ?? []);
}

function checkSource({ quota, buckets }: Source): void {
  checkName('quota', quota);
  checkBuckets(buckets);
}

function acrossShards(one: string, other: string): Refusal {
  return quotaRefusal(
    'batch-across-shards',
    `"${one}" and "${other}" are kept in different databases, where nothing can be done all or nothing.`,
  );
}

function replayed(device: string, key: string): Refusal {
  return quotaRefusal('lease-replayed', `The lease "${key}" of the device "${device}" came back before.`);
}

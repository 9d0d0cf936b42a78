import { Refusal } from '#kernel/base/failures.ts';
import { controllerRefusal } from './refusals.ts';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { Lease } from '#kernel/kinds/builtin/lease.ts';
import type { ResourceClient } from '#kernel/api/client/contract.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { claimLease, leaseRecord, releaseLease, type LeaseRecord } from './lease-record.ts';
import { jitter, pause, within, type Time } from '#kernel/base/time.ts';

export const ELECTION_TIMING = {
  /** How long others wait after they last saw the lease change; whole seconds. */
  leaseMs: 15_000,
  /**
   * A leader stops this long after it last began a renewal that succeeded. What is left of the lease is for the work
   * in hand to end, and for clocks that do not run equally fast.
   */
  renewDeadlineMs: 10_000,
  /** How often a leader renews the lease. */
  renewEveryMs: 5_000,
  /** How often a candidate looks, and a leader tries again after a failed renewal. */
  retryMs: 2_000,
};

export type ElectionTiming = Readonly<typeof ELECTION_TIMING>;

/** How long giving the lease back may hold up the end of a process: without it the lease runs out by itself. */
const GIVE_BACK_MS_MAX = 2_000;

export interface Leadership {
  /** Aborts when the work has to end. */
  readonly signal: AbortSignal;
  /** False as soon as the lease can no longer be relied on, even before anything has had the time to abort. */
  readonly holds: () => boolean;
}

export interface Candidate {
  /** True while this candidate leads. */
  readonly leading: () => boolean;
  /** Ends the work, gives the lease back, and stops being a candidate. */
  readonly stop: () => Promise<void>;
}

/**
 * Runs `lead` while this candidate holds the lease: never while another one does. Clocks of machines are not compared:
 * each candidate measures with its own monotonic time how long the record has not changed. `lead` has to return soon
 * after its signal aborts; it is called anew when the lease is won again.
 */
export function runAsLeader(options: {
  readonly client: Pick<ResourceClient, 'get' | 'create' | 'update'>;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Unlike that of every other candidate. */
  readonly identity: string;
  readonly lead: (leadership: Leadership) => Promise<void>;
  readonly timing?: ElectionTiming;
  readonly clock: Clock;
  readonly time: Time;
  readonly random?: () => number;
  readonly log: Log;
}): Candidate {
  const { client, lease, identity, lead, clock, time, timing = ELECTION_TIMING, random = Math.random } = options;
  const log = options.log.child({ lease: lease.name, identity });
  const stopping = new AbortController();
  /** The record as it was last seen, and since when it has not changed. */
  let seen: { readonly version: string; readonly record: LeaseRecord; readonly sinceMs: number } | undefined;
  let leading: Leadership | undefined;
  const running = run();

  return {
    leading: () => leading?.holds() === true,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const claim = await tryClaim();
      if (claim.is === 'held') await leadFrom(claim.sinceMs);
      else await pause(time, jitter(timing.retryMs, random), stopping.signal);
    }
  }

  async function leadFrom(sinceMs: number): Promise<void> {
    const ending = new AbortController();
    let untilMs = sinceMs + timing.renewDeadlineMs;
    const end = () => ending.abort();
    let callOff = time.after(untilMs - time.nowMs(), end);
    stopping.signal.addEventListener('abort', end);
    if (stopping.signal.aborted) end();
    leading = { signal: ending.signal, holds: () => !ending.signal.aborted && time.nowMs() < untilMs };
    log.info('controllers: acquired leadership');
    const work = lead(leading)
      .catch((error: unknown) => log.error({ err: error }, 'controllers: leader failed'))
      .finally(end);

    let waitMs = timing.renewEveryMs;
    for (;;) {
      await pause(time, waitMs, ending.signal);
      if (ending.signal.aborted) break;
      const claim = await tryClaim();
      // A late answer renews nothing: the work has been stopped.
      if (ending.signal.aborted) break;
      if (claim.is === 'taken') end();
      if (claim.is === 'held') {
        untilMs = claim.sinceMs + timing.renewDeadlineMs;
        callOff();
        callOff = time.after(untilMs - time.nowMs(), end);
      }
      waitMs = claim.is === 'held' ? timing.renewEveryMs : timing.retryMs;
    }
    callOff();
    stopping.signal.removeEventListener('abort', end);
    await work;
    leading = undefined;
    log.info('controllers: lost leadership');
    const given = giveBack();
    // A candidate that goes on must not be overtaken by it.
    await (stopping.signal.aborted ? within(given, GIVE_BACK_MS_MAX, time) : given);
  }

  /** Takes or renews the lease if that is allowed. `sinceMs` is before anybody can have seen it. */
  async function tryClaim(): Promise<
    { readonly is: 'held'; readonly sinceMs: number } | { readonly is: 'taken' } | { readonly is: 'unknown' }
  > {
    try {
      const found = await client.get(Lease, lease);
      // A lease that somebody removed is still honoured by those who have seen it.
      const record = found === undefined ? seen?.record : observe(found);
      if (record !== undefined && isHeldByOther(record)) return { is: 'taken' };
      const spec = claimLease(record, identity, timing.leaseMs, clock());
      const sinceMs = time.nowMs();
      observe(
        found === undefined
          ? await client.create(Lease, { apiVersion: Lease.apiVersion, kind: Lease.kind, metadata: { ...lease }, spec })
          : await client.update(Lease, { ...found, spec }),
      );
      return { is: 'held', sinceMs };
    } catch (error) {
      // Another candidate was faster, or the server is away; either way the next look tells more.
      if (!(error instanceof Refusal)) log.warn({ error: String(error) }, 'leader lease: cannot renew; retrying');
      return { is: 'unknown' };
    }
  }

  function observe({ metadata, spec }: ResourceObject): LeaseRecord {
    const { resourceVersion = '' } = metadata;
    if (seen?.version !== resourceVersion) {
      seen = { version: resourceVersion, record: leaseRecord({ spec }), sinceMs: time.nowMs() };
    }
    return seen.record;
  }

  function isHeldByOther({ holderIdentity, leaseDurationSeconds }: LeaseRecord): boolean {
    if (seen === undefined || holderIdentity === '' || holderIdentity === identity) return false;
    return time.nowMs() < seen.sinceMs + leaseDurationSeconds * 1000;
  }

  /** Lets the next leader begin at once. Only now, when no work of this one is left. */
  async function giveBack(): Promise<void> {
    try {
      const found = await client.get(Lease, lease);
      if (found === undefined || leaseRecord(found).holderIdentity !== identity) return;
      await client.update(Lease, { ...found, spec: releaseLease(leaseRecord(found), clock()) });
    } catch (error) {
      log.debug({ error: String(error) }, 'leader lease: not released; it expires');
    }
  }
}

/** A client that writes only while the leadership holds, so that work that outlives it does no harm. */
export function onlyWhileLeading(client: ResourceClient, leadership: Leadership): ResourceClient {
  const guarded =
    <Args extends unknown[], Result>(write: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (leadership.holds()) return write(...args);
      throw controllerRefusal('not-leading', 'This process leads no more; nothing was sent.');
    };
  return {
    ...client,
    create: guarded(client.create),
    update: guarded(client.update),
    mergePatch: guarded(client.mergePatch),
    patchStatus: guarded(client.patchStatus),
    delete: guarded(client.delete),
  };
}

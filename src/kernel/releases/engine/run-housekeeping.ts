import type { Clock } from '#kernel/base/clock.ts';
import type { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import { Lease } from '#kernel/kinds/builtin/lease.ts';
import type { Author, Reader, Store } from '#kernel/store/contract.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { Release } from '../kinds/release.ts';
import { ENGINE } from './advance.ts';
import type { FinishedReleases } from './finished-releases.ts';
import type { OpenReleases } from './open-releases.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'run-releases' };
const LEASE_NAME = 'releases';
/** Heartbeat interval of the engine: the resolution of its downtime. */
const BEAT_MS = 15_000;

/** Writes the heartbeat of the engine, and deletes surplus finished releases. */
export function runHousekeeping({
  store,
  open,
  finished,
  clock,
  time,
  logError,
}: {
  readonly store: Store<Operation>;
  readonly open: OpenReleases;
  readonly finished: FinishedReleases;
  readonly clock: Clock;
  readonly time: Time;
  readonly logError: ReturnType<typeof logSeldom>;
}): { readonly stop: () => Promise<void> } {
  let beating: Promise<unknown> = Promise.resolve();
  let cancel = time.after(BEAT_MS, beat);
  return {
    stop: async () => {
      cancel();
      await beating;
    },
  };

  function beat(): void {
    // No heartbeat without open releases.
    const lease = open.size === 0 ? [] : [leaseOperation(clock())];
    beating = Promise.all([
      write(lease, 'releases: cannot write the heartbeat'),
      write(finished.findOutdated().map(dropOperation), 'releases: cannot delete finished releases'),
    ]);
    cancel = time.after(BEAT_MS, beat);
  }

  async function write(operations: readonly Operation[], otherwise: string): Promise<void> {
    if (operations.length === 0) return;
    await store.write(operations, AUTHOR).catch((error: unknown) => logError(error, otherwise));
  }
}

/** Last heartbeat of an engine; undefined when unknown. The downtime follows from it. */
export function readLastBeatMs(read: Pick<Reader, 'get'>): number | undefined {
  const lease = read.get(Lease, SYSTEM_NAMESPACE, LEASE_NAME)?.object();
  const renewTime = lease === undefined ? undefined : Lease.spec(lease)?.renewTime;
  return renewTime === undefined ? undefined : Date.parse(renewTime);
}

function leaseOperation(now: Temporal.Instant): Operation {
  const metadata = { name: LEASE_NAME, namespace: SYSTEM_NAMESPACE };
  const spec = { holderIdentity: ENGINE, renewTime: now.toString() };
  const object = { apiVersion: Lease.apiVersion, kind: Lease.kind, metadata, spec };
  return { verb: 'apply', kind: Lease.id, ...metadata, object, uid: crypto.randomUUID() };
}

function dropOperation(name: string): Operation {
  return { verb: 'delete', kind: Release.id, namespace: '', name };
}

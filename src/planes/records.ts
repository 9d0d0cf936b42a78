import type { Registry } from 'prom-client';
import { eraseReads, keepReads } from '#kernel/access/audit/record-reads.ts';
import { sharedSecret } from '#kernel/access/shared-secret.ts';
import { systemClock, type Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Eraser } from '#kernel/events/erasure.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Quotas } from '#kernel/quotas/contract.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { openQuotaDatabases } from '#kernel/quotas/quota-databases.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import type { Sealing } from '#kernel/resources/store-contract.ts';
import { cellsOfUnits, type CellOf } from '#kernel/snapshots/unit-cells.ts';
import { assignmentStore, type AssignmentStore } from '#domains/experience/records/assignments.ts';
import { cachedSubjects } from '#domains/products/records/cached-subjects.ts';
import type { SubjectStore } from '#domains/products/records/contract.ts';
import { subjectStore } from '#domains/products/records/subjects.ts';
import { subjectsOfListener } from '#domains/products/rules/use-subject.ts';

const TIDY_MS = 3_600_000;

/** What is kept for each listener: nothing of it is in a snapshot. */
export interface Records {
  readonly assignments: AssignmentStore;
  readonly subjects: SubjectStore;
  readonly quotas: Quotas;
  /** Which cell somebody is counted in: the same on all nodes. */
  readonly cellOf: CellOf;
  readonly erasers: readonly Eraser[];
  /** Puts on record that a record is read. */
  readonly keepRead: ReturnType<typeof keepReads>;
  readonly close: () => Promise<void>;
}

export async function openRecords(options: {
  readonly database: Database;
  /** That use is spread over; none: it is kept in the database. */
  readonly quotaDatabaseUrls: readonly string[];
  /** Whether this process keeps the schema up to date. */
  readonly isOwner: boolean;
  readonly sealing: Sealing;
  /** Instead of the time of the database, for tests. */
  readonly clock: Clock | undefined;
  readonly log: Log;
  readonly registry: Registry;
}): Promise<Records> {
  const { database, quotaDatabaseUrls: urls, isOwner, sealing, clock, log, registry } = options;
  const signer = hmacSigner(await sharedSecret(database, sealing, 'quota-leases'));
  const cellOf = cellsOfUnits(await sharedSecret(database, sealing, 'release-cells'));
  const quotaDatabases = await openQuotaDatabases({ main: database, urls, isOwner, log });
  const assignments = assignmentStore(database);
  const subjects = cachedSubjects(subjectStore(database, clock), database, log);
  const quotas = openQuotas({
    databases: quotaDatabases.all,
    signer,
    ...(clock === undefined ? {} : { clock }),
    log,
    registry,
  });
  const tidy = setInterval(() => {
    quotas.tidy().catch((error: unknown) => log.error({ err: error }, 'quotas could not be tidied up'));
    subjects.tidy().catch((error: unknown) => log.error({ err: error }, 'answers of records could not be tidied up'));
  }, TIDY_MS);
  return {
    assignments,
    subjects,
    quotas,
    cellOf,
    keepRead: keepReads(database, clock ?? systemClock),
    erasers: [
      { store: 'assignments', erase: assignments.erase },
      { store: 'subjects', erase: subjects.erase },
      { store: 'record-reads', erase: (listener) => eraseReads(database, listener) },
      { store: 'quotas', erase: (listener) => eraseUse(quotas, listener) },
    ],
    close: async () => {
      clearInterval(tidy);
      await subjects.close();
      await quotas.close();
      await quotaDatabases.close();
    },
  };
}

async function eraseUse(quotas: Quotas, listener: string): Promise<number> {
  let erased = 0;
  for (const subject of subjectsOfListener(listener)) erased += await quotas.erase(subject);
  return erased;
}

import type { Registry } from 'prom-client';
import { eraseReads, keepReads } from '#kernel/access/audit/record-reads.ts';
import { sharedSecret } from '#kernel/access/shared-secret.ts';
import { systemClock, type Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import type { Eraser } from '#kernel/events/erasure.ts';
import type { Module, ModuleRecords } from '#kernel/modules/module.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Quotas } from '#kernel/quotas/rules/contract.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { openQuotaDatabases } from '#kernel/quotas/quota-databases.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import type { Sealing } from '#kernel/resources/store-contract.ts';
import { cellsOfUnits, type CellOf } from '#kernel/snapshots/unit-cells.ts';
import { allMigrations } from './catalogue.ts';

const TIDY_MS = 3_600_000;

/** What is kept for each listener: nothing of it is in a snapshot. */
export interface Records {
  /** What each module keeps, by its name. */
  readonly ofModules: ReadonlyMap<string, ModuleRecords>;
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
  readonly modules: readonly Module[];
  readonly sealing: Sealing;
  /** Instead of the time of the database, for tests. */
  readonly clock: Clock | undefined;
  readonly log: Log;
  readonly registry: Registry;
}): Promise<Records> {
  const { database, quotaDatabaseUrls: urls, isOwner, modules, sealing, clock, log, registry } = options;
  const signer = hmacSigner(await sharedSecret(database, sealing, 'quota-leases'));
  const cellOf = cellsOfUnits(await sharedSecret(database, sealing, 'release-cells'));
  const quotaDatabases = await openQuotaDatabases({
    main: database,
    urls,
    migrations: isOwner ? allMigrations(modules) : undefined,
    log,
  });
  const quotas = openQuotas({
    databases: quotaDatabases.all,
    signer,
    ...(clock === undefined ? {} : { clock }),
    log,
    registry,
  });
  const ofModules = new Map(
    modules.flatMap(({ name, records }) =>
      records === undefined ? [] : [[name, records({ database, quotas, clock, log })] as const],
    ),
  );
  const tidy = setInterval(() => {
    const now = (clock ?? systemClock)();
    quotas.tidy().catch((error: unknown) => log.error({ err: error }, 'quotas could not be tidied up'));
    for (const [module, records] of ofModules) {
      records
        .tidy?.(now)
        .catch((error: unknown) => log.error({ err: error, module }, 'records could not be tidied up'));
    }
  }, TIDY_MS);
  return {
    ofModules,
    quotas,
    cellOf,
    keepRead: keepReads(database, clock ?? systemClock),
    erasers: [
      { store: 'record-reads', erase: (listener) => eraseReads(database, listener) },
      ...[...ofModules.values()].flatMap(({ erasers }) => erasers),
    ],
    close: async () => {
      clearInterval(tidy);
      for (const records of ofModules.values()) await records.close?.();
      await quotas.close();
      await quotaDatabases.close();
    },
  };
}

import { eraseReads, keepReads } from '#kernel/access/audit/record-reads.ts';
import { sharedSecret } from '#kernel/access/shared-secret.ts';
import { systemClock } from '#kernel/base/clock.ts';
import type { Eraser } from '#kernel/events/erasure.ts';
import type { ModuleRecords } from '#kernel/modules/module.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Quotas } from '#kernel/quotas/rules/contract.ts';
import { openQuotas } from '#kernel/quotas/open-quotas.ts';
import { openQuotaDatabases } from '#kernel/quotas/quota-databases.ts';
import { hmacSigner } from '#kernel/quotas/signer.ts';
import type { Sealing } from '#kernel/store/contract.ts';
import { cellsOfUnits, type CellOf } from '#kernel/snapshots/unit-cells.ts';
import { migrationsOf } from './catalogue.ts';
import type { SharedParts, StartOptions } from './shared.ts';

const TIDY_MS = 3_600_000;

/** The records of listeners. Nothing of them is in a snapshot. */
export interface Records {
  /** The records of each module, by its name. */
  readonly ofModules: ReadonlyMap<string, ModuleRecords>;
  readonly quotas: Quotas;
  /** Which cell somebody is counted in: the same on all nodes. */
  readonly cellOf: CellOf;
  readonly erasers: readonly Eraser[];
  /** Puts on record that a record is read. */
  readonly keepRead: ReturnType<typeof keepReads>;
}

type RecordParts = Pick<SharedParts, 'lifetime' | 'modules' | 'log' | 'registry'> & {
  readonly options: Pick<StartOptions, 'quotaDatabaseUrls' | 'clock'>;
};

export async function openRecords(
  { options, lifetime, modules, log, registry }: RecordParts,
  parts: {
    readonly database: Database;
    readonly sealing: Sealing;
    /** Whether this process keeps the schema up to date. */
    readonly isOwner: boolean;
  },
): Promise<Records> {
  const { quotaDatabaseUrls: urls = [], clock } = options;
  const { database, sealing, isOwner } = parts;
  const secretOf = (name: string) => lifetime.step(`secret ${name}`, () => sharedSecret(database, sealing, name));
  const signer = hmacSigner(await secretOf('quota-leases'));
  const cellOf = cellsOfUnits(await secretOf('release-cells'));
  const quotaDatabases = await lifetime.open(
    'quota databases',
    () => {
      const migrations = isOwner ? migrationsOf(modules) : undefined;
      return openQuotaDatabases({ main: database, urls, migrations, log });
    },
    (opened) => opened.close(),
  );
  const quotas = await lifetime.open(
    'quotas',
    () => {
      const databases = quotaDatabases.all;
      return openQuotas({ databases, signer, ...(clock === undefined ? {} : { clock }), log, registry });
    },
    (opened) => opened.close(),
  );
  const ofModules = new Map<string, ModuleRecords>();
  for (const { name, records } of modules) {
    if (records === undefined) continue;
    const opened = await lifetime.open(
      `records of ${name}`,
      () => records({ database, quotas, clock, secretOf, registry, log }),
      (own) => own.close?.(),
    );
    ofModules.set(name, opened);
  }
  const tidy = (): void => {
    const now = (clock ?? systemClock)();
    quotas.tidy().catch((error: unknown) => log.error({ err: error }, 'quotas: maintenance failed'));
    for (const [module, records] of ofModules) {
      records.tidy?.(now).catch((error: unknown) => log.error({ err: error, module }, 'records: maintenance failed'));
    }
  };
  await lifetime.open('tidying of records', () => setInterval(tidy, TIDY_MS), clearInterval);
  return {
    ofModules,
    quotas,
    cellOf,
    keepRead: keepReads(database, clock ?? systemClock),
    erasers: [
      { store: 'record-reads', erase: (listener) => eraseReads(database, listener) },
      ...[...ofModules.values()].flatMap(({ erasers }) => erasers),
    ],
  };
}

import { Registry } from 'prom-client';
import { openLog } from '#kernel/base/log.ts';
import { type Database, openDatabase } from '#kernel/postgres/database.ts';
import { startDatabase } from '#tests/support/database.ts';
import type { Quotas } from '../rules/contract.ts';
import { openQuotas } from '../open-quotas.ts';
import { hmacSigner } from '../signer.ts';

/** Quotas on a database of their own, with a clock that the test sets. */
export interface QuotasWorld extends AsyncDisposable {
  readonly quotas: Quotas;
  readonly database: Database;
  readonly url: string;
  /** A second process: the same database, its own connections. */
  readonly another: () => Quotas;
  readonly at: (instant: string) => void;
  readonly pass: (duration: Temporal.DurationLike) => void;
}

export async function startQuotasWorld(): Promise<QuotasWorld> {
  const db = await startDatabase();
  let now = Temporal.Instant.from('2026-03-10T12:00:00Z');
  const opened: { quotas: Quotas; database: Database | undefined }[] = [];
  const open = (database: Database): Quotas =>
    openQuotas({
      databases: [database],
      clock: () => now,
      signer: hmacSigner(Buffer.alloc(32, 7)),
      log: openLog('silent'),
      registry: new Registry(),
    });
  const quotas = open(db.database);
  opened.push({ quotas, database: undefined });
  return {
    quotas,
    database: db.database,
    url: db.url,
    another: () => {
      const database = openDatabase(db.url);
      const other = open(database);
      opened.push({ quotas: other, database });
      return other;
    },
    at: (instant) => {
      now = Temporal.Instant.from(instant);
    },
    pass: (duration) => {
      now = now.add(duration);
    },
    [Symbol.asyncDispose]: async () => {
      for (const { quotas, database } of opened) {
        await quotas.close();
        await database?.close();
      }
      await db[Symbol.asyncDispose]();
    },
  };
}

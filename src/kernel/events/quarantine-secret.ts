import { sharedSecret } from '#kernel/access/shared-secret.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';

/** The secret of the tokens of quarantined events, read from the database once. */
export function openQuarantineSecret(database: Database, sealing: Sealing): () => Promise<Buffer> {
  let secret: Promise<Buffer> | undefined;
  return () => {
    const reading = (secret ??= sharedSecret(database, sealing, 'quarantine-tokens'));
    // A failed read is retried on the next call.
    reading.catch(() => {
      secret = undefined;
    });
    return reading;
  };
}

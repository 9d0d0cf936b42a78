import { sharedSecret } from '#kernel/access/shared-secret.ts';
import type { Database } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';

/** What the tokens of quarantined events are made with; read from the database once. */
export function openQuarantineSecret(database: Database, sealing: Sealing): () => Promise<Buffer> {
  let secret: Promise<Buffer> | undefined;
  return () => {
    const reading = (secret ??= sharedSecret(database, sealing, 'quarantine-tokens'));
    // A database that does not answer now is asked again.
    reading.catch(() => {
      secret = undefined;
    });
    return reading;
  };
}

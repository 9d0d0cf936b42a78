import { randomBytes } from 'node:crypto';
import type { Database } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';

const SECRET_BYTES = 32;

/**
 * A secret that all processes of the installation share, by its name: created by the first caller, and sealed in the
 * database.
 */
export async function sharedSecret(database: Database, sealing: Sealing, name: string): Promise<Buffer> {
  const place = { kind: 'backline.secrets', namespace: '', name };
  const known = await sealedSecret(database, name);
  // A read-only database has it.
  if (known !== undefined) return Buffer.from(sealing.open(place, known), 'base64');
  const made = sealing.seal(place, randomBytes(SECRET_BYTES).toString('base64'));
  await database.query({
    text: 'insert into backline.secrets (name, sealed) values ($1, $2) on conflict (name) do nothing',
    values: [name, made],
  });
  const sealed = await sealedSecret(database, name);
  if (sealed === undefined) throw new Error(`the secret ${name} is missing`);
  return Buffer.from(sealing.open(place, sealed), 'base64');
}

async function sealedSecret(database: Database, name: string): Promise<string | undefined> {
  const [row] = await database.query<{ sealed: string }>({
    text: 'select sealed from backline.secrets where name = $1',
    values: [name],
  });
  return row?.sealed;
}

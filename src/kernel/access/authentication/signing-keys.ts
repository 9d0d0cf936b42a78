import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import type { Sealing } from '#kernel/store/contract.ts';

/** A key pair that signs tokens of service accounts. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/**
 * The keys in the database, newest first: the first one signs, all are trusted. Creates the first one; concurrent
 * processes agree on it.
 */
export async function loadSigningKeys(database: Database, sealing: Sealing): Promise<readonly SigningKey[]> {
  // A read-only database has them.
  const known = await storedKeys(database, sealing);
  if (known.length > 0) return known;
  return database.transaction(async ({ query }) => {
    await query('lock table backline.signing_keys in exclusive mode');
    const others = await storedKeys({ query }, sealing);
    if (others.length > 0) return others;
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const id = await calculateJwkThumbprint(publicKey);
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await query({
      text: 'insert into backline.signing_keys (id, sealed, at) values ($1, $2, now())',
      values: [id, sealing.seal(placeOf(id), pem.toString())],
    });
    return [{ id, privateKey, publicKey }];
  });
}

async function storedKeys({ query }: Queryable, sealing: Sealing): Promise<readonly SigningKey[]> {
  const rows = await query<{ id: string; sealed: string }>(
    'select id, sealed from backline.signing_keys order by at desc, id',
  );
  return rows.map(({ id, sealed }) => keyFrom(id, sealing.open(placeOf(id), sealed)));
}

function keyFrom(id: string, pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  return { id, privateKey, publicKey: createPublicKey(pem) };
}

function placeOf(id: string) {
  return { kind: 'backline.signing_keys', namespace: '', name: id };
}

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Prefix of every sealed value. */
const SEALED = 'sealed:';

/** The pseudonym of a subject in the log, and the key of its sensitive fields. */
export interface SubjectKey {
  readonly pseudonym: string;
  readonly key: Buffer;
}

export function newKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** Seals the value of a field (any JSON). It opens only as this field of this subject. */
export function sealField({ key, pseudonym }: SubjectKey, field: string, value: unknown): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(Buffer.from(`${pseudonym} ${field}`));
  const body = [iv, cipher.update(JSON.stringify(value), 'utf8'), cipher.final(), cipher.getAuthTag()];
  return `${SEALED}${Buffer.concat(body).toString('base64')}`;
}

/** Opens a value that `sealField` sealed. Throws when it was altered, or sealed for another field or subject. */
export function openField({ key, pseudonym }: SubjectKey, field: string, sealed: string): unknown {
  const body = Buffer.from(sealed.slice(SEALED.length), 'base64');
  const decipher = createDecipheriv(CIPHER, key, body.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(`${pseudonym} ${field}`)).setAuthTag(body.subarray(-TAG_BYTES));
  const opened = decipher.update(body.subarray(IV_BYTES, -TAG_BYTES));
  return JSON.parse(Buffer.concat([opened, decipher.final()]).toString());
}

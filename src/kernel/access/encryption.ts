import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { link, readFile, unlink } from 'node:fs/promises';
import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from './refusals.ts';
import { writeWhole } from '#kernel/base/write-whole.ts';
import type { Place, Sealing } from '#kernel/store/contract.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ID_BYTES = 6;
/** Prefix of every sealed text, followed by the id of the key: `aes-256-gcm:ID:BASE64`. */
const PREFIX = `${CIPHER}:`;

/**
 * Seals texts with the keys of a file, which is created at first start and readable by its owner only. Each of its
 * lines is `ID BASE64`: the first key seals, all of them open. A new first line rotates the key; older texts are sealed
 * again at their next write.
 */
export async function sealingWith(file: string): Promise<Sealing> {
  const made = `${randomBytes(KEY_ID_BYTES).toString('hex')} ${randomBytes(KEY_BYTES).toString('base64')}\n`;
  // The first process creates the file, and whole: another one that starts now takes its key.
  const draft = `${file}.${randomBytes(KEY_ID_BYTES).toString('hex')}`;
  await writeWhole(draft, made);
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(draft);
  return sealing(readKeys(file, await readFile(file, 'utf8')));
}

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

function readKeys(file: string, text: string): readonly [Key, ...Key[]] {
  const keys = text.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const [, id = '', base64 = ''] = /^([\w.-]+) ([A-Za-z0-9+/=]+)\s*$/.exec(line) ?? [];
    const bytes = Buffer.from(base64, 'base64');
    if (id === '' || bytes.length !== KEY_BYTES)
      throw wrongKeyFile(file, `line ${index + 1} is not "ID BASE64" of ${KEY_BYTES} bytes`);
    return [{ id, bytes }];
  });
  const [first, ...others] = keys;
  if (first === undefined) throw wrongKeyFile(file, 'it holds no key');
  if (new Set(keys.map(({ id }) => id)).size !== keys.length)
    throw wrongKeyFile(file, 'two of its keys have the same id');
  return [first, ...others];
}

function sealing(keys: readonly [Key, ...Key[]]): Sealing {
  return {
    seal: (place, text) => {
      const [{ id, bytes }] = keys;
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, bytes, iv).setAAD(boundTo(place));
      const body = [iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
      return `${PREFIX}${id}:${Buffer.concat(body).toString('base64')}`;
    },
    open: (place, sealed) => {
      const [, id = '', base64 = ''] = /^aes-256-gcm:([^:]+):([A-Za-z0-9+/=]+)$/.exec(sealed) ?? [];
      const key = keys.find((candidate) => candidate.id === id);
      if (key === undefined) throw cannotOpen(place, id === '' ? 'it is not sealed' : `it needs the key ${id}`);
      const body = Buffer.from(base64, 'base64');
      try {
        const decipher = createDecipheriv(CIPHER, key.bytes, body.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
        decipher.setAAD(boundTo(place)).setAuthTag(body.subarray(-TAG_BYTES));
        const opened = decipher.update(body.subarray(IV_BYTES, -TAG_BYTES));
        return Buffer.concat([opened, decipher.final()]).toString();
      } catch {
        throw cannotOpen(place, `it was altered, or the key ${id} is not the one it was sealed with`);
      }
    },
  };
}

/** A sealed text opens only in its place: no secret can be moved to another object. */
function boundTo({ kind, namespace, name }: Place): Buffer {
  return Buffer.from(JSON.stringify([kind, namespace, name]));
}

function cannotOpen({ kind, namespace, name }: Place, why: string): Refusal {
  const what = `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`;
  return accessRefusal('cannot-open', `${what} in the database cannot be decrypted: ${why}.`);
}

function wrongKeyFile(file: string, why: string): Refusal {
  return accessRefusal('bad-key-file', `The encryption keys in ${file} cannot be used: ${why}.`);
}

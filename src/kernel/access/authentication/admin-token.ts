import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeWhole } from '#kernel/base/write-whole.ts';
import type { User } from '#kernel/api/authority.ts';
import { AUTHENTICATED, type Authenticator } from './authenticate.ts';
import { digest } from './digest.ts';

const ADMIN: User = { name: 'admin', groups: ['system:masters', AUTHENTICATED] };
const TOKEN_BYTES = 32;

/** The administrator's token: created at first start in `file`, readable by its owner only. */
export async function adminToken(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (kept.trim() !== '') return kept.trim();
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  await writeWhole(file, `${token}\n`);
  return token;
}

/** Authenticates the administrator's token. Compares digests, so that timing reveals nothing about the token. */
export function administrator(token: string): Authenticator {
  const expected = digest(token);
  return (given) => (timingSafeEqual(digest(given), expected) ? ADMIN : undefined);
}

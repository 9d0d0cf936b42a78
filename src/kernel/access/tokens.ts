import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';

/** Who a token stands for. */
interface TokenOwner {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Proves who sends a request; undefined when it does not say or is not believed. */
export type Authenticate = (request: IncomingMessage) => TokenOwner | undefined;

const ADMIN: TokenOwner = { name: 'admin', groups: ['system:masters', 'system:authenticated'] };
const TOKEN_BYTES = 32;

/** The administrator's token: made at first start, kept in `file`, readable by its owner only. */
export async function adminToken(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (kept.trim() !== '') return kept.trim();
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  await writeFile(file, `${token}\n`, { mode: 0o600 });
  return token;
}

/** Believes bearers of the administrator's token. Compares digests, so that timing tells nothing about the token. */
export function authenticateAdmin(token: string): Authenticate {
  const expected = digest(token);
  return (request) => {
    const given = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), expected) ? ADMIN : undefined;
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

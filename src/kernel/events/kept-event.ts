import { hash } from 'node:crypto';
import { isRecord } from '#kernel/base/is-record.ts';
import { isTooDeep } from '#kernel/kinds/schema/depth.ts';

const KEPT_LIMITS = {
  /** Characters of an event as JSON, beyond which its content is not kept. */
  charsMax: 64 * 1024,
  /** Distinct texts in it, by which an erasure finds it. */
  textsMax: 200,
} as const;

/** The sealed content of a quarantined event, and the tokens by which an erasure finds it. */
export interface KeptEvent {
  /** Undefined where the event is too large or nested too deep: it cannot be replayed, and nothing has to be erased. */
  readonly sealed: string | undefined;
  /** Keyed digests of every text in it, and of the subject that its sender is bound to. */
  readonly tokens: readonly string[];
}

/**
 * Seals an event for the quarantine. Any of its texts may be its subject (a misnamed field, a key, an id that is too long),
 * so that each of them gets a token.
 */
export function sealEvent(
  original: unknown,
  boundTo: string | undefined,
  parts: { readonly secret: Buffer; readonly seal: (text: string) => string },
): KeptEvent {
  if (isTooDeep(original)) return { sealed: undefined, tokens: [] };
  const text = JSON.stringify(original);
  const texts = text.length > KEPT_LIMITS.charsMax ? undefined : textsIn(original, KEPT_LIMITS.textsMax);
  if (texts === undefined) return { sealed: undefined, tokens: [] };
  if (boundTo !== undefined) texts.add(boundTo);
  return { sealed: parts.seal(text), tokens: [...texts].map((one) => tokenOf(parts.secret, one)) };
}

/** A keyed digest of a text, as a bigint of PostgreSQL. Without the secret no guess can be compared with it. */
export function tokenOf(secret: Buffer, text: string): string {
  const digest = hash('sha256', Buffer.concat([secret, Buffer.from(text)]), 'buffer');
  return String(digest.readBigInt64BE(0));
}

/** Texts, numbers and keys at any depth; undefined when there are too many. */
function textsIn(value: unknown, textsMax: number): Set<string> | undefined {
  const texts = new Set<string>();
  const waiting: unknown[] = [value];
  while (waiting.length > 0) {
    if (texts.size > textsMax || waiting.length > KEPT_LIMITS.charsMax) return undefined;
    const next = waiting.pop();
    if (typeof next === 'string') texts.add(next);
    else if (typeof next === 'number') texts.add(String(next));
    else if (Array.isArray(next)) for (const item of next) waiting.push(item);
    else if (isRecord(next)) {
      for (const [key, item] of Object.entries(next)) {
        texts.add(key);
        waiting.push(item);
      }
    }
  }
  return texts.size > textsMax ? undefined : texts;
}

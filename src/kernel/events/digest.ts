import { hash } from 'node:crypto';
import { canonicalJson } from '#kernel/base/ids.ts';
import type { AcceptedEvent } from './judge.ts';
import { SUBJECT } from './kinds/event-type-spec.ts';
import { sealField, type SubjectKey } from './subject-key.ts';

/** Half of a SHA-256 in hexadecimal, which is as long as a UUID. */
const DIGEST_CHARS = 32;

/** Digests by which events are deduplicated. */
export interface EventDigests {
  /** Equal for events that count as one: of client, type and id, or of the identity fields and their window. */
  readonly digest: string;
  /** Equal for events that also have equal content. */
  readonly fingerprint: string;
}

/**
 * Digests events. Those of a subject depend on its key: once the key is destroyed, nobody can compare a guess with the
 * digests that remain.
 */
export function digestEvent(event: AcceptedEvent, client: string, key: SubjectKey | undefined): EventDigests {
  const { rules, id, subject = '', atMs, properties } = event;
  const secret = key?.key.toString('base64') ?? '';
  if (rules.identity === undefined) {
    return {
      digest: digestOf('', ['id', client, rules.type, id]),
      fingerprint: digestOf(secret, [atMs, subject, properties]),
    };
  }
  const { fields, withinMs } = rules.identity;
  // The subject distinguishes events only where the identity names it.
  const own = fields.includes(SUBJECT) ? secret : '';
  const values = fields.map((field) => (field === SUBJECT ? subject : (properties[field] ?? null)));
  // By the sender's clock, so that a retry falls into the same window.
  const digest = digestOf(own, ['identity', rules.type, values, Math.floor(atMs / withinMs)]);
  return { digest, fingerprint: digest };
}

/** The properties as they are stored: JSON, with the sensitive fields sealed. */
export function payloadOf({ rules, properties, text }: AcceptedEvent, key: SubjectKey | undefined): string {
  const given = rules.sensitive.filter((field) => Object.hasOwn(properties, field));
  if (given.length === 0) return text;
  if (key === undefined) throw new Error(`${rules.type} has sensitive fields and no subject`);
  const sealed = given.map((field) => [field, sealField(key, field, properties[field])]);
  return JSON.stringify({ ...properties, ...Object.fromEntries(sealed) });
}

function digestOf(secret: string, value: unknown): string {
  return hash('sha256', `${secret}\n${canonicalJson(value)}`, 'hex').slice(0, DIGEST_CHARS);
}

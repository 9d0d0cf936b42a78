import { hash, randomBytes } from 'node:crypto';

const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** Five characters for the end of a generated name, from Kubernetes' alphabet (no vowels, no look-alikes). */
export function nameSuffix(): string {
  return Array.from(randomBytes(5), (byte) => NAME_ALPHABET[byte % NAME_ALPHABET.length]).join('');
}

/** The same JSON value always gives the same text: object keys are sorted by code unit. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** Content hash of a JSON value: 40 hexadecimal digits of its canonical text's SHA-256. */
export function contentHash(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'hex').slice(0, 40);
}

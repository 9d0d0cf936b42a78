import { randomBytes } from 'node:crypto';

/** Unknown outside, so that nobody can choose texts that meet. */
const SEED = randomBytes(4).readInt32LE();

/**
 * 32 bits of a text, other ones in each process: for tables in memory. FNV-1a over the UTF-16 units, and the last steps of
 * MurmurHash3 (32 bit), which spread it.
 */
export function hashText(text: string): number {
  let hash = SEED;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}

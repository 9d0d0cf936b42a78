import { hash } from 'node:crypto';
import type { Bucketing } from './bucketing.ts';
import { BUCKETS } from './buckets.ts';
import { fnv1a32 } from './fnv1a.ts';
import { hashPrefix, murmur3x86, murmurBucket } from './murmur3.ts';

/**
 * The position of a unit on a line from 0 to `total` (not included). Its variant is the first whose cumulative weight
 * is above the slot. Each tool computes it this way:
 *
 * - `backline`: bucket × total / 1,000,000, whatever the total, so that weights in other units move no listener.
 * - `growthbook-v1`, `growthbook-v2`: thousandths or ten-thousandths of the total. GrowthBook adds weights as floating
 *   point numbers; with a total of 1 and its weights in its order, the sums give its ranges to the last bit.
 * - `eppo`: one of Eppo's 10,000 shards, as ten-thousandths of the total.
 * - `unleash`: a whole number; the total is the sum of weights, or 100 for a gradual strategy. It is no line: another
 *   total moves every unit.
 * - `flagd-v2`: a whole number; the total is the sum of weights. `flagd-v1` takes the first variant whose cumulative
 *   weight is not below, which is the same half a step further down; the total is at most 2^21.
 *
 * Units that are not ASCII fall where the JavaScript library of the tool puts them.
 */
export function compileSlot(bucketing: Bucketing, total: number): (unit: string) => number {
  const { algorithm, salt, seed = 0 } = bucketing;
  switch (algorithm) {
    case 'backline': {
      const prefix = hashPrefix(`${salt}|`);
      return (unit) => (murmurBucket(prefix, unit, BUCKETS) * total) / BUCKETS;
    }
    case 'growthbook-v1':
      return (unit) => ((fnv1a32(unit + salt) % 1_000) * total) / 1_000;
    case 'growthbook-v2':
      return (unit) => ((fnv1a32(String(fnv1a32(salt + unit))) % 10_000) * total) / 10_000;
    case 'unleash':
      return (unit) => murmur3x86(`${salt}:${unit}`, seed, 0xff) % total;
    case 'flagd-v1':
      return (unit) => {
        const distance = Math.abs(murmur3x86(salt + unit, 0, 0xffff) | 0);
        return Math.max(0, distance * total - 0.5) / 2_147_483_648;
      };
    case 'flagd-v2':
      return (unit) => {
        // hash × total / 2^32, in halves, as the product may need 63 bits.
        const value = murmur3x86(salt + unit, 0, 0xffff);
        const carried = Math.floor(((value & 0xffff) * total) / 65_536);
        return Math.floor(((value >>> 16) * total + carried) / 65_536);
      };
    case 'eppo':
      return (unit) =>
        ((Number.parseInt(hash('md5', `${salt}-${unit}`, 'hex').slice(0, 8), 16) % 10_000) * total) / 10_000;
    default:
      return algorithm satisfies never;
  }
}

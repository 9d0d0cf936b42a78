/*
 * MurmurHash3 by Austin Appleby (public domain; smhasher, MurmurHash3.cpp), in 32-bit halves: no BigInt, no allocation.
 */

/** Keys up to this length are encoded in place; 8 KB are more than any salt and unit. */
const SCRATCH_BYTES = 8_192;

const scratch = new Uint8Array(SCRATCH_BYTES);
const scratchView = new DataView(scratch.buffer);
const encoder = new TextEncoder();

/** UTF-8 of a text; a lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/**
 * `(h1 >>> 4) % buckets`, where h1 is the first 64-bit half of murmur3 x64 128 with seed 0 over `prefix` and the UTF-8
 * of `text`. Spotify Confidence's way to a bucket.
 *
 * @param buckets a whole number, at most 2^24
 */
export function murmurBucket(prefix: Uint8Array, text: string, buckets: number): number {
  const prefixLength = prefix.length;
  let bytes = scratch;
  let view = scratchView;
  if (prefixLength + text.length * 3 > SCRATCH_BYTES - 16) {
    bytes = new Uint8Array(prefixLength + text.length * 3 + 16);
    view = new DataView(bytes.buffer);
  }
  for (let i = 0; i < prefixLength; i += 1) bytes[i] = prefix[i] as number;
  let length = prefixLength;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit > 127) {
      length += encoder.encodeInto(text.slice(i), bytes.subarray(length)).written;
      break;
    }
    bytes[length] = unit;
    length += 1;
  }
  // Zeros after the end make the last block whole: mixing zeros in changes nothing.
  const padded = (length + 15) & ~15;
  for (let i = length; i < padded; i += 1) bytes[i] = 0;

  let [aHigh, aLow, bHigh, bLow] = [0, 0, 0, 0];
  for (let i = 0; i < padded; i += 16) {
    const last = i + 16 > length;
    const k1Low = view.getInt32(i, true);
    const k1High = view.getInt32(i + 4, true);
    const k2Low = view.getInt32(i + 8, true);
    const k2High = view.getInt32(i + 12, true);

    // k1 *= c1; k1 = rotl(k1, 31); k1 *= c2; h1 ^= k1
    let low = Math.imul(k1Low, C1_LOW);
    let high = (Math.imul(k1High, C1_LOW) + Math.imul(k1Low, C1_HIGH) + upper(k1Low, C1_LOW)) | 0;
    let turned = (high << 31) | (low >>> 1);
    low = (low << 31) | (high >>> 1);
    high = turned;
    aHigh ^= (Math.imul(high, C2_LOW) + Math.imul(low, C2_HIGH) + upper(low, C2_LOW)) | 0;
    aLow ^= Math.imul(low, C2_LOW);

    if (!last) {
      // h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729
      turned = (aHigh << 27) | (aLow >>> 5);
      low = (aLow << 27) | (aHigh >>> 5);
      aLow = (low + bLow) | 0;
      aHigh = (turned + bHigh + (aLow >>> 0 < low >>> 0 ? 1 : 0)) | 0;
      low = Math.imul(aLow, 5);
      aHigh = (Math.imul(aHigh, 5) + upper(aLow, 5)) | 0;
      aLow = (low + 0x52dce729) | 0;
      aHigh = (aHigh + (aLow >>> 0 < low >>> 0 ? 1 : 0)) | 0;
    }

    // k2 *= c2; k2 = rotl(k2, 33); k2 *= c1; h2 ^= k2
    low = Math.imul(k2Low, C2_LOW);
    high = (Math.imul(k2High, C2_LOW) + Math.imul(k2Low, C2_HIGH) + upper(k2Low, C2_LOW)) | 0;
    turned = (low << 1) | (high >>> 31);
    low = (high << 1) | (low >>> 31);
    high = turned;
    bHigh ^= (Math.imul(high, C1_LOW) + Math.imul(low, C1_HIGH) + upper(low, C1_LOW)) | 0;
    bLow ^= Math.imul(low, C1_LOW);

    if (!last) {
      // h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5
      turned = (bHigh << 31) | (bLow >>> 1);
      low = (bLow << 31) | (bHigh >>> 1);
      bLow = (low + aLow) | 0;
      bHigh = (turned + aHigh + (bLow >>> 0 < low >>> 0 ? 1 : 0)) | 0;
      low = Math.imul(bLow, 5);
      bHigh = (Math.imul(bHigh, 5) + upper(bLow, 5)) | 0;
      bLow = (low + 0x38495ab5) | 0;
      bHigh = (bHigh + (bLow >>> 0 < low >>> 0 ? 1 : 0)) | 0;
    }
  }

  aLow ^= length;
  bLow ^= length;
  let sum = (aLow + bLow) | 0;
  aHigh = (aHigh + bHigh + (sum >>> 0 < aLow >>> 0 ? 1 : 0)) | 0;
  aLow = sum;
  sum = (bLow + aLow) | 0;
  bHigh = (bHigh + aHigh + (sum >>> 0 < bLow >>> 0 ? 1 : 0)) | 0;
  bLow = sum;

  // fmix64 of both, then h1 += h2.
  for (let round = 0; round < 2; round += 1) {
    const high = round === 0 ? FMIX1_HIGH : FMIX2_HIGH;
    const low = round === 0 ? FMIX1_LOW : FMIX2_LOW;
    aLow ^= aHigh >>> 1;
    aHigh = (Math.imul(aHigh, low) + Math.imul(aLow, high) + upper(aLow, low)) | 0;
    aLow = Math.imul(aLow, low);
    bLow ^= bHigh >>> 1;
    bHigh = (Math.imul(bHigh, low) + Math.imul(bLow, high) + upper(bLow, low)) | 0;
    bLow = Math.imul(bLow, low);
  }
  aLow ^= aHigh >>> 1;
  bLow ^= bHigh >>> 1;
  sum = (aLow + bLow) | 0;
  aHigh = (aHigh + bHigh + (sum >>> 0 < aLow >>> 0 ? 1 : 0)) | 0;

  // 28 and 32 bits of h1 >>> 4; the product stays below 2^53.
  const upperBits = aHigh >>> 4;
  const lowerBits = ((aHigh << 28) | (sum >>> 4)) >>> 0;
  return (upperBits * (4_294_967_296 % buckets) + lowerBits) % buckets;
}

const C1_HIGH = 0x87c37b91 | 0;
const C1_LOW = 0x114253d5;
const C2_HIGH = 0x4cf5ad43;
const C2_LOW = 0x2745937f;
const FMIX1_HIGH = 0xff51afd7 | 0;
const FMIX1_LOW = 0xed558ccd | 0;
const FMIX2_HIGH = 0xc4ceb9fe | 0;
const FMIX2_LOW = 0x1a85ec53;

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function upper(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) >>> 0) + (Math.imul(aLow, bLow) >>> 16);
  const other = (Math.imul(aLow, bHigh) >>> 0) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (other >>> 16)) | 0;
}

/**
 * Murmur3 x86 32 as JavaScript libraries compute it: over the UTF-16 units of a text, each cut to `unitMask`.
 * 0xff is the way of murmurhash3js (Unleash), 0xffff that of imurmurhash (flagd), whose units overlap and which leaves
 * out a last block that is negative. For ASCII both are the standard hash of its bytes.
 */
export function murmur3x86(text: string, seed: number, unitMask: 0xff | 0xffff): number {
  const length = text.length;
  const whole = length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < whole; i += 4) {
    const fourth = text.charCodeAt(i + 3) & unitMask;
    hash ^= scrambled(
      (text.charCodeAt(i) & unitMask) ^
        ((text.charCodeAt(i + 1) & unitMask) << 8) ^
        ((text.charCodeAt(i + 2) & unitMask) << 16) ^
        (fourth << 24) ^
        (fourth >> 8),
    );
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= whole; i -= 1) rest ^= (text.charCodeAt(i) & unitMask) << (8 * (i - whole));
  if (rest > 0) hash ^= scrambled(rest);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scrambled(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/*
 * MurmurHash3 by Austin Appleby (public domain; smhasher, MurmurHash3.cpp), in 32-bit halves: no BigInt, no allocation.
 */

/** Keys up to this length are encoded in place; 8 KB exceed any salt and unit. */
const SCRATCH_BYTES = 8_192;

const scratch = new Uint8Array(SCRATCH_BYTES);
const scratchView = new DataView(scratch.buffer);
const encoder = new TextEncoder();

/** The two 64-bit halves of the state: high and low of h1, high and low of h2. */
const state = new Int32Array(4);

const C1_HIGH = 0x87c37b91 | 0;
const C1_LOW = 0x114253d5;
const C2_HIGH = 0x4cf5ad43;
const C2_LOW = 0x2745937f;
const FMIX1_HIGH = 0xff51afd7 | 0;
const FMIX1_LOW = 0xed558ccd | 0;
const FMIX2_HIGH = 0xc4ceb9fe | 0;
const FMIX2_LOW = 0x1a85ec53;

/** Hash state after a prefix that many keys share: whole blocks are done, the rest is pending. */
export interface HashedPrefix {
  readonly state: Int32Array;
  readonly rest: Uint8Array;
  readonly bytes: number;
}

/** Hashes the prefix of keys ahead. Its UTF-8 stands by itself: a lone surrogate at the end joins nothing. */
export function hashPrefix(text: string): HashedPrefix {
  const bytes = encoder.encode(text);
  const whole = bytes.length & ~15;
  state.fill(0);
  mixBlocks(new DataView(bytes.buffer), whole);
  return { state: state.slice(), rest: bytes.slice(whole), bytes: bytes.length };
}

/**
 * `(h1 >>> 4) % buckets`, where h1 is the first 64-bit half of murmur3 x64 128 with seed 0 over the prefix and the
 * UTF-8 of `text` (a lone surrogate counts as U+FFFD). The bucket of Spotify Confidence.
 *
 * @param buckets a whole number, at most 2^24
 */
export function murmurBucket(prefix: HashedPrefix, text: string, buckets: number): number {
  const { rest } = prefix;
  let bytes = scratch;
  let view = scratchView;
  if (text.length * 3 > SCRATCH_BYTES - 32) {
    bytes = new Uint8Array(text.length * 3 + 32);
    view = new DataView(bytes.buffer);
  }
  let length = rest.length;
  for (let i = 0; i < length; i += 1) bytes[i] = rest[i] as number;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    if (unit > 127) {
      length += encoder.encodeInto(text.slice(i), bytes.subarray(length)).written;
      break;
    }
    bytes[length] = unit;
    length += 1;
  }
  state[0] = prefix.state[0] as number;
  state[1] = prefix.state[1] as number;
  state[2] = prefix.state[2] as number;
  state[3] = prefix.state[3] as number;
  const whole = length & ~15;
  mixBlocks(view, whole);
  // Zeros after the end fill the last block: mixing zeros in changes nothing.
  for (let i = length; i < whole + 16; i += 1) bytes[i] = 0;
  return finish(view, whole, prefix.bytes - rest.length + length, buckets);
}

/** Mixes whole blocks of 16 bytes into the state. */
function mixBlocks(view: DataView, until: number): void {
  let aHigh = state[0] as number;
  let aLow = state[1] as number;
  let bHigh = state[2] as number;
  let bLow = state[3] as number;
  for (let i = 0; i < until; i += 16) {
    // h1 ^= rotl(k1 * c1, 31) * c2
    let k = view.getInt32(i, true);
    let low = Math.imul(k, C1_LOW);
    let high = (Math.imul(view.getInt32(i + 4, true), C1_LOW) + Math.imul(k, C1_HIGH) + upper(k, C1_LOW)) | 0;
    let turned = (high << 31) | (low >>> 1);
    low = (low << 31) | (high >>> 1);
    aHigh ^= (Math.imul(turned, C2_LOW) + Math.imul(low, C2_HIGH) + upper(low, C2_LOW)) | 0;
    aLow ^= Math.imul(low, C2_LOW);
    // h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729
    turned = (aHigh << 27) | (aLow >>> 5);
    low = (aLow << 27) | (aHigh >>> 5);
    aLow = (low + bLow) | 0;
    aHigh = (turned + bHigh + carry(aLow, low)) | 0;
    low = Math.imul(aLow, 5);
    aHigh = (Math.imul(aHigh, 5) + upperOfFiveTimes(aLow)) | 0;
    aLow = (low + 0x52dce729) | 0;
    aHigh = (aHigh + carry(aLow, low)) | 0;
    // h2 ^= rotl(k2 * c2, 33) * c1
    k = view.getInt32(i + 8, true);
    low = Math.imul(k, C2_LOW);
    high = (Math.imul(view.getInt32(i + 12, true), C2_LOW) + Math.imul(k, C2_HIGH) + upper(k, C2_LOW)) | 0;
    turned = (low << 1) | (high >>> 31);
    low = (high << 1) | (low >>> 31);
    bHigh ^= (Math.imul(turned, C1_LOW) + Math.imul(low, C1_HIGH) + upper(low, C1_LOW)) | 0;
    bLow ^= Math.imul(low, C1_LOW);
    // h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5
    turned = (bHigh << 31) | (bLow >>> 1);
    low = (bLow << 31) | (bHigh >>> 1);
    bLow = (low + aLow) | 0;
    bHigh = (turned + aHigh + carry(bLow, low)) | 0;
    low = Math.imul(bLow, 5);
    bHigh = (Math.imul(bHigh, 5) + upperOfFiveTimes(bLow)) | 0;
    bLow = (low + 0x38495ab5) | 0;
    bHigh = (bHigh + carry(bLow, low)) | 0;
  }
  state[0] = aHigh;
  state[1] = aLow;
  state[2] = bHigh;
  state[3] = bLow;
}

/** Mixes in the padded last block and the length; gives `(h1 >>> 4) % buckets`. */
function finish(view: DataView, at: number, length: number, buckets: number): number {
  let aHigh = state[0] as number;
  let aLow = state[1] as number;
  let bHigh = state[2] as number;
  let bLow = state[3] as number;

  let k = view.getInt32(at, true);
  let low = Math.imul(k, C1_LOW);
  let high = (Math.imul(view.getInt32(at + 4, true), C1_LOW) + Math.imul(k, C1_HIGH) + upper(k, C1_LOW)) | 0;
  let turned = (high << 31) | (low >>> 1);
  low = (low << 31) | (high >>> 1);
  aHigh ^= (Math.imul(turned, C2_LOW) + Math.imul(low, C2_HIGH) + upper(low, C2_LOW)) | 0;
  aLow ^= Math.imul(low, C2_LOW) ^ length;
  k = view.getInt32(at + 8, true);
  low = Math.imul(k, C2_LOW);
  high = (Math.imul(view.getInt32(at + 12, true), C2_LOW) + Math.imul(k, C2_HIGH) + upper(k, C2_LOW)) | 0;
  turned = (low << 1) | (high >>> 31);
  low = (high << 1) | (low >>> 31);
  bHigh ^= (Math.imul(turned, C1_LOW) + Math.imul(low, C1_HIGH) + upper(low, C1_LOW)) | 0;
  bLow ^= Math.imul(low, C1_LOW) ^ length;

  // h1 += h2; h2 += h1
  let sum = (aLow + bLow) | 0;
  aHigh = (aHigh + bHigh + carry(sum, aLow)) | 0;
  aLow = sum;
  sum = (bLow + aLow) | 0;
  bHigh = (bHigh + aHigh + carry(sum, bLow)) | 0;
  bLow = sum;

  // fmix64 of both
  aLow ^= aHigh >>> 1;
  aHigh = (Math.imul(aHigh, FMIX1_LOW) + Math.imul(aLow, FMIX1_HIGH) + upper(aLow, FMIX1_LOW)) | 0;
  aLow = Math.imul(aLow, FMIX1_LOW) ^ (aHigh >>> 1);
  aHigh = (Math.imul(aHigh, FMIX2_LOW) + Math.imul(aLow, FMIX2_HIGH) + upper(aLow, FMIX2_LOW)) | 0;
  aLow = Math.imul(aLow, FMIX2_LOW) ^ (aHigh >>> 1);
  bLow ^= bHigh >>> 1;
  bHigh = (Math.imul(bHigh, FMIX1_LOW) + Math.imul(bLow, FMIX1_HIGH) + upper(bLow, FMIX1_LOW)) | 0;
  bLow = Math.imul(bLow, FMIX1_LOW) ^ (bHigh >>> 1);
  bHigh = (Math.imul(bHigh, FMIX2_LOW) + Math.imul(bLow, FMIX2_HIGH) + upper(bLow, FMIX2_LOW)) | 0;
  bLow = Math.imul(bLow, FMIX2_LOW) ^ (bHigh >>> 1);

  // h1 += h2, of which bits 63 to 32 and 31 to 4 are used; the product stays below 2^53.
  sum = (aLow + bLow) | 0;
  aHigh = (aHigh + bHigh + carry(sum, aLow)) | 0;
  const lower = ((aHigh << 28) | (sum >>> 4)) >>> 0;
  return ((aHigh >>> 4) * (4_294_967_296 % buckets) + lower) % buckets;
}

/** 1 when an unsigned addition to `summand` with the result `sum` went over 32 bits. */
function carry(sum: number, summand: number): number {
  return sum >>> 0 < summand >>> 0 ? 1 : 0;
}

function upperOfFiveTimes(a: number): number {
  return (((a >>> 0) * 5) / 4_294_967_296) | 0;
}

/** The upper 32 bits of the product of two unsigned 32-bit numbers. */
function upper(a: number, b: number): number {
  const low = a & 0xffff;
  const high = a >>> 16;
  const middle = (Math.imul(high, b & 0xffff) + (Math.imul(low, b & 0xffff) >>> 16)) | 0;
  const other = (Math.imul(low, b >>> 16) + (middle & 0xffff)) | 0;
  return (Math.imul(high, b >>> 16) + (middle >>> 16) + (other >>> 16)) | 0;
}

/**
 * Murmur3 x86 32 as JavaScript libraries compute it: over the UTF-16 units of a text, each cut to `unitMask`. 0xff is
 * the way of murmurhash3js (Unleash). 0xffff is that of imurmurhash (flagd), whose units overlap and which omits a
 * negative last block. For ASCII both are the standard hash of its bytes.
 */
export function murmur3x86(text: string, seed: number, unitMask: 0xff | 0xffff): number {
  const length = text.length;
  const whole = length & ~3;
  let hash = seed | 0;
  for (let i = 0; i < whole; i += 4) {
    const fourth = text.charCodeAt(i + 3) & unitMask;
    hash ^= scramble(
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
  if (rest > 0) hash ^= scramble(rest);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

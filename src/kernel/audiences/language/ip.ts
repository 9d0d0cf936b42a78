/** An address in four 32-bit words, most significant first; IPv4 is in the last one. */
export interface Address {
  readonly family: 4 | 6;
  readonly words: Words;
}

type Words = readonly [number, number, number, number];

const OCTET = /^(0|[1-9]\d{0,2})$/;
const HEXTET = /^[0-9a-fA-F]{1,4}$/;
/** Longer than any address; longer texts are not parsed. */
const ADDRESS_CHARS_MAX = 45;

/**
 * Parses an IP address. An IPv4 address inside IPv6 (`::ffff:192.0.2.1`) is the IPv4 address, as a socket for both
 * reports it. No zone, no octet with a leading zero: programs disagree on their meaning.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > ADDRESS_CHARS_MAX) return undefined;
  if (!text.includes(':')) {
    const word = parseIpv4(text);
    return word === undefined ? undefined : { family: 4, words: [0, 0, 0, word] };
  }
  const lastColon = text.lastIndexOf(':');
  let hex = text;
  if (text.includes('.', lastColon)) {
    const word = parseIpv4(text.slice(lastColon + 1));
    if (word === undefined) return undefined;
    hex = `${text.slice(0, lastColon + 1)}${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
  }
  const halves = hex.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const hextets = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!hextets.every((hextet) => HEXTET.test(hextet))) return undefined;
  const word = (at: number) =>
    ((Number.parseInt(hextets[at] ?? '', 16) << 16) | Number.parseInt(hextets[at + 1] ?? '', 16)) >>> 0;
  const words: Words = [word(0), word(2), word(4), word(6)];
  if (words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return { family: 4, words: [0, 0, 0, words[3]] };
  return { family: 6, words };
}

function parseIpv4(text: string): number | undefined {
  const octets = text.split('.');
  if (octets.length !== 4) return undefined;
  let word = 0;
  for (const octet of octets) {
    const value = Number(octet);
    if (!OCTET.test(octet) || value > 255) return undefined;
    word = word * 256 + value;
  }
  return word;
}

/** The addresses of a network, first and last included. */
export interface Network {
  readonly family: 4 | 6;
  readonly first: Words;
  readonly last: Words;
}

/**
 * Parses `10.0.0.0/8`, `2001:db8::/32`, or a single address.
 *
 * @returns a sentence about the fault, for an invalid text
 */
export function parseNetwork(text: string): Network | string {
  const slash = text.indexOf('/');
  const address = parseAddress(slash === -1 ? text : text.slice(0, slash));
  const bits = address?.family === 4 ? 32 : 128;
  const length = slash === -1 ? bits : Number(text.slice(slash + 1));
  const wellFormed = slash === -1 || /^\d{1,3}$/.test(text.slice(slash + 1));
  if (address === undefined || !wellFormed || length > bits) {
    return `"${text}" is not a network; write it like 10.0.0.0/8 or 2001:db8::/32`;
  }
  const { family, words } = address;
  const skipped = 128 - bits;
  const hostMask = ([0, 1, 2, 3] as const).map((index) => {
    const networkBits = Math.min(32, Math.max(0, length + skipped - index * 32));
    return networkBits === 32 ? 0 : 0xffff_ffff >>> networkBits;
  });
  const maskWords = (toWord: (word: number, mask: number) => number): Words => [
    toWord(words[0], family === 4 ? 0 : (hostMask[0] ?? 0)),
    toWord(words[1], family === 4 ? 0 : (hostMask[1] ?? 0)),
    toWord(words[2], family === 4 ? 0 : (hostMask[2] ?? 0)),
    toWord(words[3], hostMask[3] ?? 0),
  ];
  const first = maskWords((word, mask) => (word & ~mask) >>> 0);
  const last = maskWords((word, mask) => (word | mask) >>> 0);
  if (compareWords(first, words) !== 0)
    return `"${text}" has bits set beyond its /${length}; clear them, or write the single address`;
  return { family, first, last };
}

function compareWords(a: Words, b: Words): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3];
}

/** True when an address is in one of the networks; networks that do not parse hold no address. */
export function compileNetworks(texts: readonly string[]): (address: Address) => boolean {
  const byFamily = { 4: [] as Network[], 6: [] as Network[] };
  for (const text of texts) {
    const network = parseNetwork(text);
    if (typeof network !== 'string') byFamily[network.family].push(network);
  }
  const ranges = { 4: disjoint(byFamily[4]), 6: disjoint(byFamily[6]) };
  return ({ family, words }) => {
    const candidates = ranges[family];
    // The last range that begins at or before the address.
    let [low, high] = [0, candidates.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = candidates[middle];
      if (range !== undefined && compareWords(range.first, words) <= 0) low = middle + 1;
      else high = middle;
    }
    const range = candidates[low - 1];
    return range !== undefined && compareWords(words, range.last) <= 0;
  };
}

/** Networks are nested or disjoint: sorted by beginning, the wider first, those inside another are left out. */
function disjoint(networks: readonly Network[]): readonly Network[] {
  const sorted = networks.toSorted((a, b) => compareWords(a.first, b.first) || compareWords(b.last, a.last));
  const kept: Network[] = [];
  for (const network of sorted) {
    const before = kept.at(-1);
    if (before === undefined || compareWords(network.first, before.last) > 0) kept.push(network);
  }
  return kept;
}

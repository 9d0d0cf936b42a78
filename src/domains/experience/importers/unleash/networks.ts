import { parseAddress } from '#kernel/audiences/language/ip.ts';
import type { Path } from '#kernel/base/failures.ts';
import { all, any, leaf, not, type Expression } from '../expression.ts';
import { UnsupportedSource } from '../unsupported-source.ts';

type Words = readonly [number, number, number, number];

/** `::ffff:0:0`: Unleash treats a mapped IPv4 address as IPv6, Backline as IPv4. */
const MAPPED: Words = [0, 0, 0xffff, 0];
const MAPPED_BITS = 96;

/**
 * Tests whether an attribute is an address in one of the networks. Invalid networks are ignored, and bits
 * beyond a network's length are cleared.
 */
export function inNetworks(attribute: string, ranges: readonly string[], path: Path): Expression {
  const networks = ranges.flatMap((range) => networkOf(range, path) ?? []);
  const of = (family: 4 | 6) => {
    const cidr = networks.filter((network) => network.family === family).map(({ text }) => text);
    return cidr.length === 0 ? false : leaf({ attribute, as: 'ip', cidr, absent: 'noMatch' });
  };
  // In Unleash a mapped IPv4 address is in no IPv4 network.
  const isPlain = not(leaf({ attribute, contains: [':'], absent: 'noMatch' }));
  return any([all([of(4), isPlain]), of(6)]);
}

/** Whether a text is a single IPv4 address, which equals no other text. */
export function isPlainIpv4(text: string): boolean {
  return !text.includes(':') && parseAddress(text) !== undefined;
}

/** A network with the bits beyond its length cleared; undefined when the text is not a network. */
function networkOf(range: string, path: Path): { readonly family: 4 | 6; readonly text: string } | undefined {
  const [base = '', length, ...rest] = range.split('/');
  if (range.includes(':') && range.includes('%'))
    throw new UnsupportedSource(path, `"${range}" has a zone, which is not supported`);
  const address = parseAddress(base);
  if (address === undefined || rest.length > 0) return undefined;
  const isIpv6 = base.includes(':');
  const bitsMax = isIpv6 ? 128 : 32;
  const bits = length === undefined ? bitsMax : Number(length);
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || (!isIpv6 && length.length > 2))) return undefined;
  if (bits > bitsMax) return undefined;
  if (!isIpv6) {
    const word = maskWords(address.words, 96 + bits)[3];
    const octets = [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.');
    return { family: 4, text: bits === 32 ? octets : `${octets}/${bits}` };
  }
  const isMapped = address.family === 4;
  if (isMapped || (bits <= MAPPED_BITS && String(maskWords(MAPPED, bits)) === String(maskWords(address.words, bits)))) {
    throw new UnsupportedSource(path, `"${range}" holds IPv4 addresses in IPv6, which are IPv4 addresses here`);
  }
  const hextets = maskWords(address.words, bits).flatMap((word) => [word >>> 16, word & 0xffff]);
  const text = hextets.map((hextet) => hextet.toString(16)).join(':');
  return { family: 6, text: bits === 128 ? base : `${isMasked(address.words, bits) ? base : text}/${bits}` };
}

function maskWords(words: Words, bits: number): Words {
  const word = (index: 0 | 1 | 2 | 3) => {
    const kept = Math.min(32, Math.max(0, bits - index * 32));
    return kept === 0 ? 0 : (words[index] & (0xffff_ffff << (32 - kept))) >>> 0;
  };
  return [word(0), word(1), word(2), word(3)];
}

function isMasked(words: Words, bits: number): boolean {
  return String(maskWords(words, bits)) === String(words);
}

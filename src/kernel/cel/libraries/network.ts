import ipaddr from 'ipaddr.js';
import { CelError } from '../cel-error.ts';
import { TEXTS_COST, method, noOverload, overload, type CelFunction, type Library } from '../functions.ts';
import { BOOL, INT, opaque, STRING } from '../types.ts';
import { Opaque, type Value } from '../values.ts';

const IP = opaque('net.IP');
const CIDR = opaque('net.CIDR');

/** An address, by its bytes: 4 or 16. */
class Address extends Opaque {
  readonly typeName = 'net.IP';
  readonly bytes: readonly number[];
  readonly key: string;

  constructor(bytes: readonly number[]) {
    super();
    this.bytes = bytes;
    // An IPv4 address within IPv6 is the same address.
    this.key = (isMapped(bytes) ? bytes.slice(12) : bytes).join('.');
  }

  text(): string {
    const address = ipaddr.fromByteArray([...this.bytes]);
    return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
  }
}

/** A range of addresses; the address keeps bits beyond the prefix. */
class AddressRange extends Opaque {
  readonly typeName = 'net.CIDR';
  readonly address: Address;
  readonly prefix: number;
  readonly key: string;

  constructor(address: Address, prefix: number) {
    super();
    this.address = address;
    this.prefix = prefix;
    this.key = `${address.bytes.join('.')}/${prefix}`;
  }

  has({ bytes }: Address): boolean {
    return (
      bytes.length === this.address.bytes.length &&
      maskedBytes(bytes, this.prefix).join() === this.mask().address.bytes.join()
    );
  }

  mask(): AddressRange {
    return new AddressRange(new Address(maskedBytes(this.address.bytes, this.prefix)), this.prefix);
  }
}

/** Addresses and ranges of IPv4 and IPv6. */
export const NETWORK: Library = {
  functions: [
    {
      name: 'ip',
      overloads: [overload([STRING], IP)],
      call: (text: Value) => parseAddress(textIn('ip', text)),
      cost: TEXTS_COST,
    },
    {
      name: 'cidr',
      overloads: [overload([STRING], CIDR)],
      call: (text: Value) => parseRange(textIn('cidr', text)),
      cost: TEXTS_COST,
    },
    {
      name: 'ip',
      overloads: [method([CIDR], IP)],
      call: (range: Value) => rangeIn('ip', range).address,
    },
    {
      name: 'isIP',
      overloads: [overload([STRING], BOOL)],
      call: (text: Value) => isParsed(parseAddress, textIn('isIP', text)),
      cost: TEXTS_COST,
    },
    {
      name: 'isCIDR',
      overloads: [overload([STRING], BOOL)],
      call: (text: Value) => isParsed(parseRange, textIn('isCIDR', text)),
      cost: TEXTS_COST,
    },
    {
      name: 'ip.isCanonical',
      overloads: [overload([STRING], BOOL)],
      call: (text: Value) => parseAddress(textIn('ip.isCanonical', text)).text() === text,
      cost: TEXTS_COST,
    },
    {
      name: 'string',
      overloads: [overload([IP], STRING), overload([CIDR], STRING)],
      call: (value: Value) => {
        if (value instanceof Address) return value.text();
        const range = rangeIn('string', value);
        return `${range.address.text()}/${range.prefix}`;
      },
    },
    {
      name: 'family',
      overloads: [method([IP], INT)],
      call: (address: Value) => (addressIn('family', address).bytes.length === 4 ? 4 : 6),
    },
    asking('isUnspecified', (bytes) => bytes.every((byte) => byte === 0)),
    asking('isLoopback', isLoopback),
    asking('isGlobalUnicast', isGlobalUnicast),
    asking('isLinkLocalMulticast', isLinkLocalMulticast),
    asking('isLinkLocalUnicast', isLinkLocalUnicast),
    {
      name: 'containsIP',
      overloads: [method([CIDR, IP], BOOL), method([CIDR, STRING], BOOL)],
      call: (range: Value, address: Value) =>
        rangeIn('containsIP', range).has(
          typeof address === 'string' ? parseAddress(address) : addressIn('containsIP', address),
        ),
      cost: TEXTS_COST,
    },
    {
      name: 'containsCIDR',
      overloads: [method([CIDR, CIDR], BOOL), method([CIDR, STRING], BOOL)],
      call: (range: Value, other: Value) => {
        const outer = rangeIn('containsCIDR', range);
        const inner = typeof other === 'string' ? parseRange(other) : rangeIn('containsCIDR', other);
        return outer.prefix <= inner.prefix && outer.has(inner.address);
      },
      cost: TEXTS_COST,
    },
    { name: 'masked', overloads: [method([CIDR], CIDR)], call: (range: Value) => rangeIn('masked', range).mask() },
    {
      name: 'prefixLength',
      overloads: [method([CIDR], INT)],
      call: (range: Value) => rangeIn('prefixLength', range).prefix,
    },
  ],
  types: { 'net.IP': IP, 'net.CIDR': CIDR },
};

function textIn(name: string, value: Value): string {
  if (typeof value !== 'string') throw noOverload(name, value);
  return value;
}

function addressIn(name: string, value: Value): Address {
  if (!(value instanceof Address)) throw noOverload(name, value);
  return value;
}

function rangeIn(name: string, value: Value): AddressRange {
  if (!(value instanceof AddressRange)) throw noOverload(name, value);
  return value;
}

function asking(name: string, holds: (bytes: readonly number[]) => boolean): CelFunction {
  return {
    name,
    overloads: [method([IP], BOOL)],
    call: (address: Value) => holds(addressIn(name, address).bytes),
  };
}

function isParsed(parse: (text: string) => Opaque, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseAddress(text: string): Address {
  if (text.includes('%')) throw new CelError(`IP Address '${text}' with zone value is not allowed`);
  if (text.includes(':') && text.includes('.')) {
    throw new CelError(`IPv4-mapped IPv6 address is not allowed: '${text}'`);
  }
  if (!text.includes(':') && ipaddr.IPv4.isValidFourPartDecimal(text)) {
    return new Address(ipaddr.IPv4.parse(text).toByteArray());
  }
  if (!ipaddr.IPv6.isValid(text)) {
    throw new CelError(`IP Address '${text}' parse error during conversion from string`);
  }
  return new Address(ipaddr.IPv6.parse(text).toByteArray());
}

function parseRange(text: string): AddressRange {
  if (text.includes('%')) throw new CelError(`CIDR with zone value is not allowed: '${text}'`);
  const [, address = '', prefix = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  if (prefix === '') throw new CelError(`network address parse error during conversion from string: '${text}'`);
  const parsed = parseAddress(address);
  if (Number(prefix) > parsed.bytes.length * 8) {
    throw new CelError(`network address parse error during conversion from string: '${text}' has no such prefix`);
  }
  return new AddressRange(parsed, Number(prefix));
}

function maskedBytes(bytes: readonly number[], prefix: number): readonly number[] {
  return bytes.map((byte, index) => {
    const kept = Math.min(8, Math.max(0, prefix - index * 8));
    return byte & ((0xff << (8 - kept)) & 0xff);
  });
}

function isMapped(bytes: readonly number[]): boolean {
  return (
    bytes.length === 16 && bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  );
}

function isLoopback(bytes: readonly number[]): boolean {
  return bytes.length === 4 ? bytes[0] === 127 : bytes.every((byte, index) => byte === Number(index === 15));
}

function isMulticast([first = 0, , ...rest]: readonly number[]): boolean {
  return rest.length === 2 ? first >= 224 && first < 240 : first === 255;
}

function isLinkLocalMulticast(bytes: readonly number[]): boolean {
  const [first, second = 0, third] = bytes;
  return bytes.length === 4 ? first === 224 && second === 0 && third === 0 : first === 255 && (second & 15) === 2;
}

function isLinkLocalUnicast(bytes: readonly number[]): boolean {
  const [first, second = 0] = bytes;
  return bytes.length === 4 ? first === 169 && second === 254 : first === 254 && (second & 0xc0) === 0x80;
}

/** As Go has it: private addresses too. */
function isGlobalUnicast(bytes: readonly number[]): boolean {
  const isBroadcast = bytes.length === 4 && bytes.every((byte) => byte === 255);
  const isUnspecified = bytes.every((byte) => byte === 0);
  return !isBroadcast && !isUnspecified && !isLoopback(bytes) && !isMulticast(bytes) && !isLinkLocalUnicast(bytes);
}

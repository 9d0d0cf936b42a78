import ipaddr from 'ipaddr.js';
import { outboundRefusal } from './refusals.ts';

type Address = ReturnType<typeof ipaddr.process>;

/** Hosts that declared objects may reach although their addresses are not public. */
export interface AllowedHosts {
  readonly names: ReadonlySet<string>;
  /** Each an address and the length of its prefix. */
  readonly ranges: readonly (readonly [Address, number])[];
}

/** Everything on this machine: the other servers of a developer. */
export const THIS_MACHINE = ['localhost', '127.0.0.0/8', '::1'] as const;

const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/;

/** As URLs read hosts: with a number as its last part it is an IPv4 address, in whatever form, and no name. */
const ENDS_IN_NUMBER = /(^|\.)(\d+|0x[\da-f]*)\.?$/i;

/** Before the IPv4 address within a mapped one. */
const MAPPED_BITS = 96;

/** Parses the hosts that the configuration allows: names, addresses, and ranges like 10.0.0.0/8. */
export function parseAllowedHosts(texts: readonly string[]): AllowedHosts {
  const names = new Set<string>();
  const ranges: (readonly [Address, number])[] = [];
  for (const text of texts) {
    const range = rangeIn(text);
    if (range !== undefined) ranges.push(range);
    else if (NAME.test(text.toLowerCase()) && !ENDS_IN_NUMBER.test(text)) names.add(nameOf(text));
    else {
      const meant = meantBy(text);
      throw outboundRefusal('bad-host', `"${text}" is not a host that --allow-outbound can allow.`, {
        remedy:
          meant === undefined
            ? 'Write a name, an address, or a range: prometheus.example, 10.0.0.7, 10.0.0.0/8.'
            : `Write ${meant} if that is meant.`,
      });
    }
  }
  return { names, ranges };
}

/** The range that a text writes; undefined for ranges that no address is compared with. */
function rangeIn(text: string): AllowedHosts['ranges'][number] | undefined {
  const [host = ''] = text.split('/');
  if (!isAddress(host) || host.includes('%')) return undefined;
  if (host === text) {
    const address = ipaddr.process(text);
    return [address, address.toByteArray().length * 8];
  }
  if (!ipaddr.isValidCIDR(text)) return undefined;
  const range = ipaddr.parseCIDR(text);
  // Addresses are compared as IPv4 where IPv6 maps IPv4.
  return isMapped(range[0]) ? undefined : range;
}

/** The right form of an address or a range in a form that never matches. */
function meantBy(text: string): string | undefined {
  const [host = '', bits] = text.replace(/%[^/]*/, '').split('/');
  const suffix = bits === undefined ? '' : `/${bits}`;
  const inUrl = NAME.test(host.toLowerCase()) ? URL.parse(`http://${host}`)?.hostname : undefined;
  const address = isAddress(host) ? ipaddr.parse(host) : undefined;
  const meant = isMapped(address)
    ? `${address.toIPv4Address().toString()}${bits === undefined ? '' : `/${Number(bits) - MAPPED_BITS}`}`
    : `${address?.toString() ?? inUrl}${suffix}`;
  return rangeIn(meant) === undefined ? undefined : meant;
}

function isMapped(address: Address | undefined): address is ipaddr.IPv6 {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();
}

/** Whether the host of a URL is an address, and no name that is looked up. */
export function isAddress(host: string): boolean {
  // As in URLs: four decimal numbers; shorter forms of IPv4 are names here.
  return ipaddr.IPv4.isValidFourPartDecimal(host) || ipaddr.IPv6.isValid(host);
}

/** The host of a URL as lookups and lists have it: small, without brackets and the dot of the root. */
export function nameOf(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

/** The metadata service of Azure: a public address that answers only its virtual machines. */
const AZURE_PLATFORM = '168.63.129.16';
/** The public part of IPv6. */
const GLOBAL_UNICAST = { base: ipaddr.IPv6.parse('2000::'), bits: 3 } as const;

/**
 * Why an address is refused to declared objects, as the kind of its range: loopback, linkLocal (metadata of clouds among
 * them), private and the like. Undefined for public addresses and for those that are allowed.
 */
export function refusedRange(host: string, text: string, allowed: AllowedHosts): string | undefined {
  if (allowed.names.has(host)) return undefined;
  // IPv4 within IPv6 is judged as IPv4.
  const address = ipaddr.process(text);
  if (allowed.ranges.some((range) => isWithin(address, range))) return undefined;
  const range = address.range();
  if (range !== 'unicast') return range;
  if (address.toString() === AZURE_PLATFORM) return 'metadata';
  return address instanceof ipaddr.IPv6 && !address.match(GLOBAL_UNICAST.base, GLOBAL_UNICAST.bits)
    ? 'reserved'
    : undefined;
}

function isWithin(address: Address, [base, bits]: readonly [Address, number]): boolean {
  if (address instanceof ipaddr.IPv4) return base instanceof ipaddr.IPv4 && address.match(base, bits);
  return base instanceof ipaddr.IPv6 && address.match(base, bits);
}

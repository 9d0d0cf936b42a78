/**
 * Reads consent strings of the Transparency and Consent Framework, version 2 (IAB Europe, TCF 2.3): a core at fixed offsets, then
 * segments in any order, by their type. The public libraries expand ranges of vendors, and one string of 4,000 characters keeps
 * them busy for seconds; here a range stays a range.
 */

import { BitReader } from './bit-reader.ts';

/** Vendors as pairs of the first and the last id of a range. */
type VendorRanges = readonly number[];

/** A limit that a publisher sets for vendors, whatever the listener consents to. */
interface PublisherRestriction {
  readonly purpose: number;
  readonly type: RestrictionType;
  readonly vendors: VendorRanges;
}

const RESTRICTION_TYPES = ['notAllowed', 'consentOnly', 'interestOnly', 'undefined'] as const;
type RestrictionType = (typeof RESTRICTION_TYPES)[number];

export interface TcString {
  readonly createdMs: number;
  readonly purposeConsents: ReadonlySet<number>;
  /** Purposes for which the listener did not object to legitimate interest. */
  readonly purposeInterests: ReadonlySet<number>;
  readonly vendorConsents: VendorRanges;
  readonly vendorInterests: VendorRanges;
  readonly restrictions: readonly PublisherRestriction[];
  /** Vendors that the listener was shown; undefined where the string does not have them. */
  readonly disclosedVendors: VendorRanges | undefined;
}

const TENTHS_OF_SECOND_MS = 100;
const PURPOSES = 24;
const SEGMENT_DISCLOSED = 1;
const SEGMENTS = [SEGMENT_DISCLOSED, 2, 3];

/** The parts of a consent string, or the reason why it cannot be read. The caller limits its length. */
export function readTcString(text: string): TcString | { readonly fault: string } {
  const [coreText = '', ...segments] = text.split('.');
  const core = new BitReader(coreText);
  const version = core.readNumber(6);
  if (coreText === '' || core.isForeign) return { fault: 'it is no base64url text' };
  if (version !== 2) return { fault: `its version is ${version}, and 2 can be read` };
  const createdMs = core.readNumber(36) * TENTHS_OF_SECOND_MS;
  // Last update, CMP and its version, screen, language, vendor list, policy, two flags, special features.
  core.skip(36 + 12 + 12 + 6 + 12 + 12 + 6 + 1 + 1 + 12);
  const purposeConsents = core.readMembers(PURPOSES);
  const purposeInterests = core.readMembers(PURPOSES);
  // How purpose 1 was treated, the country of the publisher.
  core.skip(1 + 12);
  const vendorConsents = readVendors(core);
  const vendorInterests = readVendors(core);
  const restrictions = readRestrictions(core);
  if (core.isShort) return { fault: 'it ends in the middle of its core' };
  const types = new Set<number>();
  let disclosedVendors: VendorRanges | undefined;
  for (const segment of segments) {
    const reader = new BitReader(segment);
    const type = reader.readNumber(3);
    if (reader.isForeign || !SEGMENTS.includes(type)) return { fault: `a segment of type ${type} is unknown` };
    if (types.has(type)) return { fault: `it has two segments of type ${type}` };
    types.add(type);
    if (type === SEGMENT_DISCLOSED) disclosedVendors = readVendors(reader);
    if (reader.isShort) return { fault: `its segment of type ${type} is incomplete` };
  }
  return {
    createdMs,
    purposeConsents,
    purposeInterests,
    vendorConsents,
    vendorInterests,
    restrictions,
    disclosedVendors,
  };
}

/** Whether ranges have an id. */
export function hasVendor(ranges: VendorRanges, vendor: number): boolean {
  for (let at = 0; at < ranges.length; at += 2) {
    if (vendor >= (ranges[at] as number) && vendor <= (ranges[at + 1] as number)) return true;
  }
  return false;
}

function readVendors(reader: BitReader): VendorRanges {
  const highest = reader.readNumber(16);
  if (reader.readBit()) return readRanges(reader);
  const ranges: number[] = [];
  for (let id = 1; id <= highest && !reader.isShort; id += 1) {
    if (!reader.readBit()) continue;
    if (ranges.at(-1) === id - 1) ranges[ranges.length - 1] = id;
    else ranges.push(id, id);
  }
  return ranges;
}

function readRanges(reader: BitReader): VendorRanges {
  const ranges: number[] = [];
  for (let left = reader.readNumber(12); left > 0 && !reader.isShort; left -= 1) {
    const isRange = reader.readBit();
    const first = reader.readNumber(16);
    ranges.push(first, isRange ? reader.readNumber(16) : first);
  }
  return ranges;
}

function readRestrictions(reader: BitReader): readonly PublisherRestriction[] {
  const restrictions: PublisherRestriction[] = [];
  for (let left = reader.readNumber(12); left > 0 && !reader.isShort; left -= 1) {
    const purpose = reader.readNumber(6);
    const type = RESTRICTION_TYPES[reader.readNumber(2)] as RestrictionType;
    restrictions.push({ purpose, type, vendors: readRanges(reader) });
  }
  return restrictions;
}

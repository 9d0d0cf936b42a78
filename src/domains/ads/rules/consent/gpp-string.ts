/**
 * Reads strings of the Global Privacy Platform (IAB Tech Lab, GPP 1.1): a header with the numbers of the sections, then the
 * sections. The public library expands ranges in the header, and one header of 15 characters keeps it busy for 17 seconds; here
 * there are never more sections than the text has.
 */

import { BitReader } from './bit-reader.ts';

export const TCF_EU_SECTION = 2;
export const US_NATIONAL_SECTION = 7;

/** The texts of the sections by their numbers, or the reason why there are none. The caller limits the length. */
export function readGppSections(text: string): ReadonlyMap<number, string> | { readonly fault: string } {
  const [header = '', ...sections] = text.split('~');
  const reader = new BitReader(header);
  const [type, version] = [reader.readNumber(6), reader.readNumber(6)];
  if (header === '' || reader.isForeign) return { fault: 'it is no base64url text' };
  if (type !== 3 || version !== 1) return { fault: 'it does not begin with a header of GPP 1' };
  const ids = readIds(reader, sections.length);
  if (reader.isShort) return { fault: 'its header is incomplete' };
  if (ids.length !== sections.length) return { fault: 'its header names other sections than follow' };
  return new Map(sections.map((section, index) => [ids[index] as number, section]));
}

/** Ascending numbers as distances in Fibonacci code, single or as ranges. Stops at one more than wanted. */
function readIds(reader: BitReader, wanted: number): readonly number[] {
  const ids: number[] = [];
  let last = 0;
  for (let left = reader.readNumber(12); left > 0 && !reader.isShort && ids.length <= wanted; left -= 1) {
    const isRange = reader.readBit();
    const first = last + readFibonacci(reader);
    last = isRange ? first + readFibonacci(reader) : first;
    for (let id = first; id <= last && ids.length <= wanted; id += 1) ids.push(id);
  }
  return ids;
}

/** Sums of Fibonacci numbers, the smallest first; two bits in a row end the code. */
function readFibonacci(reader: BitReader): number {
  let [smaller, larger] = [1, 1];
  let value = 0;
  let wasSet = false;
  while (!reader.isShort) {
    const isSet = reader.readBit();
    if (isSet && wasSet) return value;
    if (isSet) value += larger;
    [smaller, larger] = [larger, smaller + larger];
    wasSet = isSet;
  }
  return value;
}

/** Choices of a listener in the USA: section 7, versions 1 and 2. */
export interface UsNational {
  readonly saleOptOut: UsChoice;
  readonly sharingOptOut: UsChoice;
  readonly targetedAdvertisingOptOut: UsChoice;
  /** Whether the listener is known to be under 13, or of 13 to 17 years. */
  readonly isChild: boolean;
  readonly isTeen: boolean;
  /** Global Privacy Control of the browser: an opt-out from sale and sharing. */
  readonly hasPrivacyControl: boolean;
}

const CHOICES = ['notApplicable', 'optedOut', 'didNotOptOut'] as const;
type UsChoice = (typeof CHOICES)[number];

/** Activities with sensitive data, and groups of children, by version. */
const SIZES: Readonly<Record<number, { readonly sensitive: number; readonly children: number }>> = {
  1: { sensitive: 12, children: 2 },
  2: { sensitive: 16, children: 3 },
};

export function readUsNational(text: string): UsNational | { readonly fault: string } {
  const [coreText = '', ...subsections] = text.split('.');
  const core = new BitReader(coreText);
  const sizes = SIZES[core.readNumber(6)];
  if (core.isForeign || sizes === undefined) return { fault: 'its US national section has an unknown version' };
  // Six notices.
  core.skip(12);
  const choices = [core.readNumber(2), core.readNumber(2), core.readNumber(2)].map((value) => CHOICES[value]);
  core.skip(2 * sizes.sensitive);
  const [teen = 0, child = 0, olderTeen = 0] = Array.from({ length: sizes.children }, () => core.readNumber(2));
  // Personal data, and three fields of the Multi-State Privacy Agreement.
  core.readNumber(8);
  if (core.isShort) return { fault: 'its US national section is incomplete' };
  const [saleOptOut, sharingOptOut, targetedAdvertisingOptOut] = choices;
  if (saleOptOut === undefined || sharingOptOut === undefined || targetedAdvertisingOptOut === undefined) {
    return { fault: 'its US national section has a choice that is none' };
  }
  return {
    saleOptOut,
    sharingOptOut,
    targetedAdvertisingOptOut,
    isChild: child !== 0,
    isTeen: teen !== 0 || olderTeen !== 0,
    hasPrivacyControl: subsections.some(hasPrivacyControl),
  };
}

function hasPrivacyControl(subsection: string): boolean {
  const reader = new BitReader(subsection);
  return reader.readNumber(2) === 1 && reader.readBit();
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TCString } from '@iabtechlabtcf/core';
import fc from 'fast-check';
import { INTERESTS, PURPOSES, tcString, VENDORS_MAX } from '../../testing/consent-strings.ts';
import { hasVendor, readTcString } from './tc-string.ts';

const someVendors = fc.uniqueArray(fc.integer({ min: 1, max: VENDORS_MAX }), { maxLength: VENDORS_MAX });
const somePurposes = fc.uniqueArray(fc.constantFrom(...PURPOSES));
const anyModel = fc.record({
  createdMs: fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) }),
  purposeConsents: somePurposes,
  purposeInterests: fc.uniqueArray(fc.constantFrom(...INTERESTS)),
  vendorConsents: someVendors,
  vendorInterests: someVendors,
  disclosed: fc.option(someVendors, { nil: undefined }),
  restrictions: fc.array(
    fc.record({
      purpose: fc.constantFrom(2, 7, 8),
      type: fc.constantFrom(0, 1, 2),
      vendor: fc.integer({ min: 1, max: VENDORS_MAX }),
    }),
    { maxLength: 12 },
  ),
});

test('a string reads as the public library reads it', () => {
  fc.assert(
    fc.property(anyModel, (parts) => {
      const text = tcString(parts);
      const expected = TCString.decode(text);
      const read = readTcString(text);
      assert.ok(!('fault' in read), 'fault' in read ? read.fault : '');
      assert.equal(read.createdMs, expected.created.getTime());
      for (let vendor = 1; vendor <= VENDORS_MAX + 3; vendor += 1) {
        assert.equal(hasVendor(read.vendorConsents, vendor), expected.vendorConsents.has(vendor));
        assert.equal(hasVendor(read.vendorInterests, vendor), expected.vendorLegitimateInterests.has(vendor));
        assert.equal(
          read.disclosedVendors !== undefined && hasVendor(read.disclosedVendors, vendor),
          expected.vendorsDisclosed.has(vendor),
        );
      }
      assert.equal(read.disclosedVendors === undefined, parts.disclosed === undefined);
      for (const purpose of PURPOSES) {
        assert.equal(read.purposeConsents.has(purpose), expected.purposeConsents.has(purpose));
        assert.equal(read.purposeInterests.has(purpose), expected.purposeLegitimateInterests.has(purpose));
      }
      const ours = read.restrictions.flatMap(({ purpose, type, vendors }) =>
        Array.from({ length: VENDORS_MAX }, (_, index) => index + 1)
          .filter((vendor) => hasVendor(vendors, vendor))
          .map((vendor) => `${purpose} ${['notAllowed', 'consentOnly', 'interestOnly'].indexOf(type)} ${vendor}`),
      );
      const theirs = expected.publisherRestrictions
        .getRestrictions()
        .flatMap((restriction) =>
          expected.publisherRestrictions
            .getVendors(restriction)
            .map((vendor) => `${restriction.purposeId} ${restriction.restrictionType} ${vendor}`),
        );
      assert.deepEqual(ours.toSorted(), theirs.toSorted());
    }),
    { numRuns: 300 },
  );
});

test('any text and any part of a string is read, or has a fault', () => {
  const whole = 'CQuf10AQuf10AAAAAAENAAFgAP___wAAAAAAAAAAAAAA.IAAA.YAAAAAAAAAAA';
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.stringMatching(/^C[A-Za-z0-9_.-]{0,400}$/),
        fc.nat(whole.length).map((length) => whole.slice(0, length)),
      ),
      (text) => {
        const read = readTcString(text);
        assert.ok('fault' in read ? read.fault.length > 0 : read.vendorConsents.length <= 2 * 6 * text.length);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a string that is cut, of another version or has an unknown segment is broken', () => {
  const core = 'CQuf10AQuf10AAAAAAENAAFgAP___wAAAAAAAAAAAAAA';
  const faultOf = (text: string) => {
    const read = readTcString(text);
    return 'fault' in read ? read.fault : undefined;
  };
  assert.equal(faultOf(core), undefined);
  assert.equal(faultOf(''), 'it is no base64url text');
  assert.equal(faultOf(`${core}=`), 'it is no base64url text');
  assert.equal(faultOf(`B${core.slice(1)}`), 'its version is 1, and 2 can be read');
  assert.equal(faultOf(core.slice(0, 35)), 'it ends in the middle of its core');
  assert.equal(faultOf(`${core}.gAAA`), 'a segment of type 4 is unknown');
  assert.equal(faultOf(`${core}.IAAA.IAAA`), 'it has two segments of type 1');
  assert.equal(faultOf(`${core}.I`), 'its segment of type 1 is incomplete');
});

test('a range of all vendors, a thousand times, stays a thousand ranges', () => {
  const bits = (value: number, width: number) => value.toString(2).padStart(width, '0');
  const head = `${bits(2, 6)}${'0'.repeat(207)}${bits(65_535, 16)}1${bits(700, 12)}`;
  const core = `${head}${`1${bits(1, 16)}${bits(65_535, 16)}`.repeat(700)}${'0'.repeat(29)}`;
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const text = (core.match(/.{1,6}/g) ?? []).map((six) => alphabet[Number.parseInt(six.padEnd(6, '0'), 2)]).join('');
  assert.ok(text.length < 4_096);
  const read = readTcString(text);
  assert.ok(!('fault' in read));
  assert.equal(read.vendorConsents.length, 1_400);
  assert.ok(hasVendor(read.vendorConsents, 65_535));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GppModel } from '@iabgpp/cmpapi';
import fc from 'fast-check';
import { gppString } from '../../testing/consent-strings.ts';
import { readGppSections, readUsNational, US_NATIONAL_SECTION } from './gpp-string.ts';

/** Sections of states with the field that each has; and those that are read. */
const OTHERS = { usca: 'SaleOptOut', usva: 'SaleOptOut', usco: 'SaleOptOut', uspv1: 'OptOutSale' } as const;
const choice = fc.integer({ min: 0, max: 2 });

test('sections and choices read as the public library reads them', () => {
  fc.assert(
    fc.property(
      fc.subarray(['usca', 'usva', 'usco'] as const),
      fc.option(
        fc.record({
          Version: fc.constantFrom(1, 2),
          SaleOptOut: choice,
          SharingOptOut: choice,
          TargetedAdvertisingOptOut: choice,
          SensitiveDataProcessing: fc.array(choice, { minLength: 16, maxLength: 16 }),
          children: fc.array(choice, { minLength: 3, maxLength: 3 }),
          PersonalDataConsents: choice,
          Gpc: fc.boolean(),
        }),
        { nil: undefined },
      ),
      fc.boolean(),
      (states, national, hasTcf) => {
        const { children = [], SensitiveDataProcessing = [], ...fields } = national ?? { Version: 1 };
        const isFirst = fields.Version === 1;
        const text = gppString({
          ...Object.fromEntries(states.map((state) => [state, { [OTHERS[state]]: 1 }])),
          ...(hasTcf ? { tcfeuv2: { CmpId: 31 } } : {}),
          ...(national === undefined
            ? {}
            : {
                usnat: {
                  ...fields,
                  SensitiveDataProcessing: SensitiveDataProcessing.slice(0, isFirst ? 12 : 16),
                  KnownChildSensitiveDataConsents: children.slice(0, isFirst ? 2 : 3),
                },
              }),
        });
        const theirs = new GppModel(text);
        const sections = readGppSections(text);
        assert.ok(sections instanceof Map, 'fault' in sections ? sections.fault : '');
        assert.deepEqual([...sections.keys()], theirs.getSectionIds());
        for (const [id, section] of sections) assert.equal(theirs.encodeSectionById(id), section);
        const section = sections.get(US_NATIONAL_SECTION);
        assert.equal(section === undefined, national === undefined);
        if (section === undefined) return;
        const read = readUsNational(section);
        assert.ok(!('fault' in read));
        const expected = theirs.getSection('usnat');
        const choices = ['notApplicable', 'optedOut', 'didNotOptOut'];
        const [teen, child, older = 0] = expected.KnownChildSensitiveDataConsents;
        assert.deepEqual(read, {
          saleOptOut: choices[expected.SaleOptOut],
          sharingOptOut: choices[expected.SharingOptOut],
          targetedAdvertisingOptOut: choices[expected.TargetedAdvertisingOptOut],
          isChild: child > 0,
          isTeen: teen > 0 || older > 0,
          hasPrivacyControl: expected.Gpc,
        });
      },
    ),
    { numRuns: 300 },
  );
});

test('any text is read or has a fault, and no header makes more sections than the text has', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^DB[A-Hqm01_~.-]{0,300}$/)), (text) => {
      const sections = readGppSections(text);
      assert.ok('fault' in sections || sections.size <= text.split('~').length);
      const national = readUsNational(text);
      assert.ok('fault' in national ? national.fault.length > 0 : typeof national.isChild === 'boolean');
    }),
    { numRuns: 2_000 },
  );
});

test('headers and sections that are broken have a fault', () => {
  const faultOf = (read: object) => ('fault' in read ? read.fault : undefined);
  assert.equal(faultOf(readGppSections('')), 'it is no base64url text');
  assert.equal(faultOf(readGppSections('CBABLA~BVQqAAAAAgA')), 'it does not begin with a header of GPP 1');
  assert.equal(faultOf(readGppSections('DBABLA')), 'its header names other sections than follow');
  assert.equal(faultOf(readGppSections('DBABLA~B~B')), 'its header names other sections than follow');
  assert.equal(faultOf(readGppSections('DBAB')), 'its header is incomplete');
  // A range of a hundred million sections.
  assert.equal(faultOf(readGppSections('DBAB8AoAQFIY~A')), 'its header names other sections than follow');
  assert.equal(faultOf(readUsNational('AVQqAAAAAgA')), 'its US national section has an unknown version');
  assert.equal(faultOf(readUsNational('BVQqAAAA')), 'its US national section is incomplete');
  assert.equal(faultOf(readUsNational('BVQ_AAAAAgA')), 'its US national section has a choice that is none');
});

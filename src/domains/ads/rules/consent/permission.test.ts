import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gppString, tcString, type TcParts } from '../../testing/consent-strings.ts';
import { PermissionCache } from './permission-cache.ts';
import { ALL_PERMITTED, nothingPermitted, readPermission, type ConsentDemand, type Permission } from './permission.ts';

const VENDOR = 12;
const TCF: ConsentDemand = { framework: 'tcf', vendor: VENDOR };
const GPP: ConsentDemand = { framework: 'gpp' };
const CONSENTED: TcParts = {
  purposeConsents: [1, 2, 3, 4, 7],
  vendorConsents: [VENDOR],
  disclosed: [VENDOR],
};

/** The names of the uses that are permitted. */
function usesOf(permission: Permission): string {
  return (['personal', 'limited', 'history', 'measurement'] as const).filter((use) => permission[use]).join(' ');
}
const uses = (parts: TcParts, demand = TCF) => usesOf(readPermission(demand, { tcf: tcString(parts) }));

test('TCF: each use needs its purposes, by consent of a vendor that was disclosed', () => {
  assert.equal(uses(CONSENTED), 'personal limited history measurement');
  assert.equal(uses({ ...CONSENTED, purposeConsents: [1, 2, 7] }), 'limited history measurement');
  assert.equal(uses({ ...CONSENTED, purposeConsents: [2, 3, 4] }), 'personal limited');
  assert.equal(uses({ ...CONSENTED, purposeConsents: [1, 3] }), 'history');
  assert.equal(uses({ ...CONSENTED, purposeConsents: [1, 4, 7] }), 'history measurement');
  assert.equal(uses({ ...CONSENTED, vendorConsents: [VENDOR + 1] }), '');
  assert.equal(uses({ ...CONSENTED, disclosed: [VENDOR + 1] }), '');
});

test('TCF 2.3: without disclosed vendors a string is a consent only if it is older than 28 February 2026', () => {
  const createdOn = (createdMs: number, disclosed?: readonly number[]) => uses({ ...CONSENTED, createdMs, disclosed });
  assert.equal(createdOn(Date.UTC(2026, 1, 27)), 'personal limited history measurement');
  assert.equal(createdOn(Date.UTC(2026, 1, 28)), '');
  assert.equal(createdOn(Date.UTC(2026, 1, 28), [VENDOR]), 'personal limited history measurement');
  // An old string that has them is held by them.
  assert.equal(createdOn(Date.UTC(2026, 1, 27), [VENDOR + 1]), '');
});

test('TCF: legitimate interest counts only where it is declared, and restrictions of the publisher come first', () => {
  const interests: TcParts = {
    purposeInterests: [2, 7],
    vendorInterests: [VENDOR],
    disclosed: [VENDOR],
  };
  const declared: ConsentDemand = { ...TCF, legitimateInterests: [7] };
  assert.equal(uses(interests), '');
  assert.equal(uses(interests, declared), 'measurement');
  assert.equal(uses({ ...interests, vendorInterests: [] }, declared), '');
  assert.equal(uses({ ...interests, purposeInterests: [2] }, declared), '');
  // Declared by interest, so a consent alone is none.
  assert.equal(uses(CONSENTED, declared), 'personal limited history');
  const both = { ...CONSENTED, ...interests };
  const withRestriction = (purpose: number, type: number, vendor = VENDOR) => ({
    ...both,
    restrictions: [{ purpose, type, vendor }],
  });
  assert.equal(uses(withRestriction(7, 0), declared), 'personal limited history');
  assert.equal(uses(withRestriction(7, 0, VENDOR + 1), declared), 'personal limited history measurement');
  assert.equal(uses({ ...withRestriction(7, 1), purposeConsents: [] }, declared), '');
  assert.equal(
    uses({ ...withRestriction(7, 1), purposeInterests: [] }, declared),
    'personal limited history measurement',
  );
  // Where only an interest would do, a consent is none.
  const other = { ...CONSENTED, vendorConsents: [13], disclosed: [13] };
  const interestOnly = { ...other, restrictions: [{ purpose: 2, type: 2, vendor: 13 }] };
  assert.equal(uses(interestOnly, { ...TCF, vendor: 13 }), 'personal history measurement');
  assert.equal(uses(withRestriction(2, 0)), 'personal history measurement');
});

test('GPP: an opt-out from sale, sharing or targeted ads ends personal ads, and the first two end measurement', () => {
  const national = (fields: object) =>
    usesOf(readPermission(GPP, { gpp: gppString({ usnat: { TargetedAdvertisingOptOut: 2, ...fields } }) }));
  assert.equal(national({}), 'personal limited history measurement');
  assert.equal(national({ TargetedAdvertisingOptOut: 1 }), 'limited history measurement');
  assert.equal(national({ TargetedAdvertisingOptOut: 0 }), 'limited history measurement');
  assert.equal(national({ SaleOptOut: 1 }), 'limited history');
  assert.equal(national({ SharingOptOut: 1 }), 'limited history');
  assert.equal(national({ Gpc: true }), 'limited history');
  const knownAs = (children: readonly number[]) =>
    readPermission(GPP, { gpp: gppString({ usnat: { KnownChildSensitiveDataConsents: children } }) }).knownAs;
  assert.deepEqual([knownAs([0, 0, 0]), knownAs([1, 0, 0]), knownAs([0, 0, 2])], [undefined, 'teen', 'teen']);
  assert.equal(knownAs([1, 1, 0]), 'child');
});

test('the age that a GPP string gives away counts whatever is demanded, and permits nothing more', () => {
  const child = gppString({ usnat: { KnownChildSensitiveDataConsents: [0, 1, 0] } });
  const teen = gppString({ usnat: { KnownChildSensitiveDataConsents: [2, 0, 0] } });
  const grown = gppString({ usnat: { KnownChildSensitiveDataConsents: [0, 0, 0] } });
  const tcf = tcString(CONSENTED);
  for (const demand of [TCF, GPP, { framework: 'none' } as const]) {
    const { knownAs: _, ...permission } = readPermission(demand, { tcf, gpp: teen });
    const { knownAs: none, ...adult } = readPermission(demand, { tcf, gpp: grown });
    assert.deepEqual([permission, none], [adult, undefined]);
    assert.equal(readPermission(demand, { tcf, gpp: child }).knownAs, 'child');
    assert.equal(readPermission(demand, { tcf, gpp: teen }).knownAs, 'teen');
    assert.equal(readPermission(demand, { tcf, gpp: '???' }).knownAs, undefined);
  }
  assert.equal(readPermission(TCF, { gpp: child }).knownAs, 'child', 'also where the string is no consent');
  assert.equal(readPermission({ framework: 'none' }, { gpp: `${child}~${'A'.repeat(4_096)}` }).knownAs, undefined);
});

test('the European section of a GPP string is a TCF string', () => {
  const sections = { tcfeuv2: { PurposeConsents: Array.from({ length: 24 }, (_, index) => index < 7) } };
  const old = { ...sections.tcfeuv2, Created: new Date(Date.UTC(2026, 0, 1)), VendorConsents: [VENDOR] };
  const gpp = gppString({ tcfeuv2: { ...old, VendorsDisclosed: [VENDOR] } });
  assert.equal(readPermission(TCF, { gpp }).reason, undefined);
  assert.equal(readPermission(GPP, { gpp }).reason, 'consent string has no section of the framework');
  assert.equal(
    readPermission(TCF, { gpp: gppString({ usnat: {} }) }).reason,
    'consent string has no section of the framework',
  );
  // The string that the app passed as one of TCF comes first.
  assert.equal(readPermission(TCF, { gpp, tcf: 'x' }).personal, false);
});

test('an absent, broken or too long string is no consent, and the reason states it', () => {
  const reasonOf = (demand: ConsentDemand, signals: object) => {
    const { reason, ...permission } = readPermission(demand, signals);
    assert.deepEqual({ ...permission, reason }, nothingPermitted(reason ?? ''));
    return reason;
  };
  for (const demand of [TCF, GPP]) {
    const name = demand.framework;
    assert.equal(reasonOf(demand, {}), 'no consent signal');
    assert.equal(reasonOf(demand, { [name]: '' }), 'no consent signal');
    assert.match(reasonOf(demand, { [name]: '???' }) ?? '', /^consent string is broken: /);
    assert.equal(reasonOf(demand, { [name]: 'C'.repeat(4_097) }), 'consent string is longer than 4096 characters');
  }
  assert.equal(
    reasonOf(TCF, { tcf: tcString({ ...CONSENTED, disclosed: undefined }) }),
    'consent string lacks disclosed vendors',
  );
  assert.equal(reasonOf(TCF, { tcf: tcString({ ...CONSENTED, disclosed: [1] }) }), 'vendor 12 was not disclosed');
  assert.equal(readPermission({ framework: 'none' }, {}), ALL_PERMITTED);
});

test('no string has more than nothing permitted without a signal of the framework', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.constantFrom(TCF, GPP), (text, demand) => {
      const permission = readPermission(demand, { tcf: text, gpp: text });
      assert.equal(usesOf(permission), '');
      assert.ok((permission.reason ?? '') !== '');
    }),
    { numRuns: 2_000 },
  );
});

test('what is longer than 4,096 characters is refused by its length, and not remembered', () => {
  const cache = new PermissionCache();
  // The core may end in any number of zeros: both are the same consent, as far as a decoder goes.
  const [core = '', disclosed = ''] = tcString(CONSENTED).split('.');
  const ofLength = (length: number) => `${core.padEnd(length - disclosed.length - 1, 'A')}.${disclosed}`;
  assert.equal(usesOf(cache.read(TCF, { tcf: ofLength(4_096) })), 'personal limited history measurement');
  assert.equal(cache.size, 1);
  for (const length of [4_097, 100_000]) {
    assert.match(cache.read(TCF, { tcf: ofLength(length) }).reason ?? '', /longer than/);
    assert.match(cache.read(GPP, { gpp: ofLength(length) }).reason ?? '', /longer than/);
  }
  assert.equal(cache.size, 1);
});

test('a cache has the strings that were asked for last, by demand', () => {
  const cache = new PermissionCache(2);
  const [all, some] = [tcString(CONSENTED), tcString({ ...CONSENTED, purposeConsents: [1] })];
  const first = cache.read(TCF, { tcf: all });
  assert.equal(cache.read(TCF, { tcf: all }), first);
  assert.notEqual(cache.read({ ...TCF, vendor: 13 }, { tcf: all }), first);
  assert.equal(cache.read(TCF, { tcf: all }), first);
  cache.read(TCF, { tcf: some });
  assert.equal(cache.read(TCF, { tcf: all }), first);
  cache.read({ ...TCF, legitimateInterests: [2] }, { tcf: all });
  cache.read(GPP, { gpp: 'x' });
  assert.equal(cache.size, 2);
  assert.notEqual(cache.read(TCF, { tcf: all }), first);
  assert.deepEqual(cache.read(TCF, { tcf: all }), first);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColors } from 'picocolors';
import { accountTree, type AccountObjects } from './account-tree.ts';
import { treeText } from './tree-text.ts';

const objectNamed = <Spec>(name: string, spec: Spec) => ({ metadata: { name }, spec });
const adSet = (name: string, campaign: string, ...reasons: readonly string[]) => ({
  ...objectNamed(name, { campaign, tier: 'auction', goal: 'cpm', bid: '9.00' }),
  status: { reasons: reasons.map((reason) => ({ reason })) },
});

const OBJECTS: AccountObjects = {
  advertiser: objectNamed('acme', { currency: 'EUR', title: 'Acme Shoes' }),
  campaigns: [objectNamed('acme.c', { paused: true }), objectNamed('acme.d', {})],
  adSets: [
    adSet('acme.runs', 'acme.d'),
    adSet('acme.halted', 'acme.c', 'campaign paused', 'asset missing'),
    adSet('acme.later', 'acme.gone', 'campaign missing', 'no ad', 'not begun'),
    adSet('acme.former', 'acme.d', 'over'),
  ],
  ads: [
    objectNamed('acme.a', { adSet: 'acme.runs', asset: 'acme.f', companion: 'acme.p' }),
    objectNamed('acme.b', { adSet: 'acme.halted', asset: 'acme.nowhere' }),
    objectNamed('acme.e', { adSet: 'acme.former', asset: 'acme.f' }),
    objectNamed('acme.x', { adSet: 'acme.former', asset: 'acme.f', paused: true }),
    objectNamed('acme.s', { adSet: 'acme.none', asset: 'acme.f' }),
  ],
  assets: [
    objectNamed('acme.f', { format: 'audio', seconds: 30 }),
    objectNamed('acme.p', { format: 'image' }),
    objectNamed('acme.z', { format: 'image' }),
  ],
};

test('a tree shows each ad set with every reason for which it is served to nobody', () => {
  assert.equal(
    treeText([accountTree(OBJECTS)], createColors(false)),
    `NAME                   KIND                          STATE
acme                   advertiser, EUR, Acme Shoes   active
  acme.c               campaign                      paused
    acme.halted        ad set, auction, 9.00 cpm     not served: campaign paused, asset missing
      acme.b           ad                            active
        acme.nowhere   asset                         not declared
  acme.d               campaign                      active
    acme.runs          ad set, auction, 9.00 cpm     may be served
      acme.a           ad                            active
        acme.f         asset, audio, 30 s            declared
    acme.former        ad set, auction, 9.00 cpm     not served: over
      acme.e           ad                            active
        acme.f         asset, audio, 30 s            declared
      acme.x           ad                            paused
        acme.f         asset, audio, 30 s            declared
  acme.gone            campaign                      not declared
    acme.later         ad set, auction, 9.00 cpm     not served: campaign missing, no ad, not begun
  acme.s               ad                            not served: acme.none is not declared
  acme.z               asset                         no ad plays it`,
  );
});

test('the line of a suspended advertiser says why', () => {
  const advertiser = objectNamed('acme', { currency: 'EUR', suspended: { reason: 'unpaid' } });
  assert.match(
    treeText([accountTree({ ...OBJECTS, advertiser })], createColors(false)),
    /^acme +advertiser, EUR +suspended: unpaid$/m,
  );
});

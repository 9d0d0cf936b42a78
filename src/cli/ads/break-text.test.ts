import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColors } from 'picocolors';
import { breakText, explanationText } from './break-text.ts';

const plain = createColors(false);
const snapshot = { version: '42', ageSeconds: 1 };
const ad = {
  ad: 'default/acme.a',
  adSet: 'default/acme.s',
  campaign: 'default/acme.c',
  advertiser: 'default/acme',
  tier: 'auction',
  goal: 'cpm',
  price: '0.0125',
  currency: 'EUR',
  seconds: 30,
};
const candidate = (adSet: string, served: boolean) => ({
  adSet,
  tier: 'auction',
  goal: 'cpm',
  bid: '12.50',
  ecpm: '12.50',
  served,
});
const explanation = {
  placement: 'songs',
  ads: [ad],
  seconds: 30,
  consent: { personal: false, limited: true, history: 'session', reason: 'no consent string' },
  adSets: 14,
  reasons: [{ reason: 'frequency cap', adSets: 2, example: 'default/bolt.s' }],
  candidates: [
    candidate('default/acme.s', true),
    ...Array.from({ length: 11 }, (_, at) => candidate(`default/c.${at}`, false)),
  ],
};

test('a break is a table of its ads', () => {
  assert.equal(
    breakText({ placement: 'songs', ads: [ad], seconds: 30, gap: 0.021, snapshot }, plain),
    `songs: 1 ad, 30 s
AD               AD SET           TIER      PRICE OF AN EVENT   LENGTH
default/acme.a   default/acme.s   auction   0.0125 EUR (cpm)    30 s
The break may lack 2.1 % of the best possible sum.
Answered from snapshot 42, 1 s old.`,
  );
  const { tier: _tier, goal: _goal, price: _price, currency: _currency, ...untrusted } = ad;
  const image = { placement: 'songs', ads: [{ ...untrusted, seconds: 0 }], seconds: 0 };
  assert.match(breakText(image, plain), /^default\/acme\.a {3}default\/acme\.s {3}- {6}- {19}image$/m);
});

test('a break without ads says why', () => {
  const none = { placement: 'songs', ads: [], seconds: 0, noAds: 'adFree' } as const;
  assert.equal(breakText(none, plain), 'songs: no ads: the listener has the ad-free feature.');
  // A newer server may have another reason.
  assert.equal(breakText({ ...none, noAds: 'quietHour' }, plain), 'songs: no ads: quietHour');
});

test('the command line knows every reason for which a listener gets no ads', async () => {
  const { adRoutes } = await import('#domains/ads/ad-routes.ts');
  const [decide] = adRoutes({} as Parameters<typeof adRoutes>[0]);
  assert.ok(decide !== undefined);
  const { properties } = decide.answer as unknown as {
    readonly properties: { readonly noAds: { readonly enum: readonly string[] } };
  };
  assert.ok(properties.noAds.enum.length > 4);
  for (const noAds of properties.noAds.enum) {
    const text = breakText({ placement: 'songs', ads: [], seconds: 0, noAds }, plain);
    assert.ok(!text.endsWith(noAds), text);
  }
});

test('an explanation adds the consent, the best candidates that lost, and counts of reasons', () => {
  const text = explanationText(explanation, plain);
  assert.match(
    text,
    /^Consent: attributes of the device and the rough place may choose ads; frequency caps count the session; age unknown\. no consent string$/m,
  );
  assert.doesNotMatch(text, /^ {2}default\/acme\.s/m);
  assert.match(text, /^ {2}default\/c\.9 +auction +12\.50 \(cpm\) +12\.50$/m);
  assert.match(text, /^ {2}and 1 more: -o json has all\.$/m);
  assert.match(
    text,
    /^Why the others of 14 ad sets are not served\n {2}REASON +AD SETS +LIKE\n {2}frequency cap +2 +default\/bolt\.s$/m,
  );
});

test('a break without ads says what to ask with', () => {
  const text = (noAds: string): string =>
    breakText({ placement: 'songs', ads: [], seconds: 0, noAds, snapshot }, plain);
  assert.match(text('adLoadUnknown'), /--session; or PostgreSQL did not answer/);
  assert.match(text('entitlementUnknown'), /market and territory do not belong together/);
});

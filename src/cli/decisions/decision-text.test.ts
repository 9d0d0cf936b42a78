import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColors } from 'picocolors';
import { checkText, explainText, pricesText } from './decision-text.ts';

const plain = createColors(false);
const snapshot = { version: '42', ageSeconds: 1 };

const upsell = {
  outcome: 'upsell',
  plan: 'free',
  feature: 'ad-free',
  plans: [{ plan: 'premium', title: 'Premium', display: '12,99 €', interval: 'P1M', channel: 'web' }],
  reason: { code: 'not-in-plan', message: 'Free does not include Music without ads.' },
} as const;

test('a check is answered as a sentence, with what can be done', () => {
  assert.equal(
    checkText({ ...upsell, snapshot }, plain),
    `upsell  Free does not include Music without ads. (not-in-plan)
  Premium (premium) gives it for 12,99 € per month on web
Answered from snapshot 42, 1 s old.`,
  );
  const degraded = {
    outcome: 'degrade',
    plan: 'free',
    feature: 'on-demand',
    degradedTo: { feature: 'skips', title: 'Skips', limit: 6, unit: 'skips', per: 'PT1H' },
    reason: { code: 'degraded', message: 'Free does not include Any track on demand.' },
  } as const;
  assert.match(checkText(degraded, plain), /\n {2}instead: Skips: 6 skips per PT1H$/);
});

const prices = {
  market: 'de',
  title: 'Germany',
  zone: 'Europe/Berlin',
  at: '2026-11-22T02:14:23.222Z',
  prices: [
    {
      plan: 'premium',
      interval: 'P1M',
      channel: 'web',
      sellable: true,
      display: '12,99 €',
      tax: { name: 'MwSt.', inclusive: true, rate: '19' },
      from: '2025-08-31T22:00:00Z',
      until: '2027-01-31T23:00:00Z',
      next: { at: '2027-01-31T23:00:00Z', display: '13,99 €' },
    },
    { plan: 'duo', sellable: false, reason: { message: 'Duo has no price in Germany, so it is not sold there.' } },
  ],
} as const;

test('prices are a table whose dates are those of the market', () => {
  assert.equal(
    pricesText(prices),
    `Germany (de) at 2026-11-22 03:14, Europe/Berlin
PLAN      INTERVAL   CHANNEL   PRICE     TAX                FROM         UNTIL        NEXT                      SALE
premium   P1M        web       12,99 €   incl. MwSt. 19 %   2025-09-01   2027-02-01   13,99 € from 2027-02-01   on sale
duo       -          -         -         -                  -            -            -                         Duo has no price in Germany, so it is not sold there.`,
  );
  assert.equal(pricesText({ ...prices, prices: [] }), 'Germany (de) at 2026-11-22 03:14, Europe/Berlin\nNo prices.');
});

test('an explanation gives the answer, the steps to it with their objects, and the other plans', () => {
  assert.equal(
    explainText(
      {
        answer: upsell,
        steps: [
          {
            object: { kind: 'products.backline.dev/Plan', name: 'free', revision: '415155e5aabbcc' },
            says: 'Free has no entitlement.',
          },
        ],
        alternatives: [{ plan: 'premium', says: 'Premium gives it; it costs 12,99 €.' }],
        snapshot,
      },
      plain,
    ),
    `upsell  Free does not include Music without ads. (not-in-plan)
  Premium (premium) gives it for 12,99 € per month on web

Because
  1. Free has no entitlement. Plan/free@415155e5

Other plans
  · Premium gives it; it costs 12,99 €.
Answered from snapshot 42, 1 s old.`,
  );
  const releases = [{ says: 'Release premium-2 shows something else to 10 % of households.' }];
  assert.match(
    explainText({ answer: prices, steps: [], alternatives: [], releases }, plain),
    /\nReleases\n {2}· Release premium-2 shows/,
  );
  assert.match(explainText({ answer: prices, steps: [], alternatives: [] }, plain), /^Germany \(de\)/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Value } from 'typebox/value';
import { Refusal } from '#kernel/base/failures.ts';
import { catalogue } from '../testing/catalogue.ts';
import { worldOf } from '../testing/world.ts';
import { check, type CheckQuestion } from './check.ts';
import { compile } from './compile.ts';
import { entitlements } from './entitlements.ts';
import { explain } from './explain.ts';
import { prices, type PricesQuestion } from './prices.ts';
import { productsRoutes } from './routes.ts';

const NOW = Temporal.Instant.from('2026-06-15T12:00:00Z');
const table = compile(worldOf(catalogue()));
const ask = (question: CheckQuestion) => check(table, question, NOW);
const listPrices = (question: PricesQuestion) => prices(table, question, NOW).prices;

function refusal(ask: () => unknown): string {
  try {
    ask();
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error));
    return `${error.code} ${error.status}: ${error.message}`;
  }
  return 'answered';
}

test('each check has the outcome that the plan, role and market lead to', () => {
  const vectors: [CheckQuestion, string][] = [
    [{ market: 'de', plan: 'premium', feature: 'ad-free' }, 'allow in-plan: Premium includes Music without ads.'],
    [
      { territory: 'DE', plan: 'premium', feature: 'audiobooks' },
      'allow in-plan: Premium includes Audiobooks: 900 minutes a month.',
    ],
    [
      { market: 'de', plan: 'premium', feature: 'audio-quality' },
      'allow in-plan: Premium includes Audio quality: lossless.',
    ],
    [
      { market: 'in', plan: 'premium', feature: 'audio-quality' },
      'allow in-plan: Premium includes Audio quality: high.',
    ],
    [
      { market: 'de', plan: 'family', feature: 'streams' },
      'allow in-plan: Family includes Simultaneous streams: unlimited.',
    ],
    [
      { market: 'de', plan: 'family', role: 'member', feature: 'streams' },
      'allow in-plan: Family includes Simultaneous streams: 1 at once.',
    ],
    [
      { market: 'de', plan: 'free', feature: 'on-demand' },
      'degrade degraded: Free does not include Any track on demand; it includes Shuffle instead.',
    ],
    [
      { market: 'de', plan: 'free', feature: 'ad-free' },
      'upsell not-in-plan: Free does not include Music without ads.',
    ],
    [
      { market: 'de', plan: 'family', role: 'member', feature: 'audiobooks' },
      'upsell not-for-role: Family gives Audiobooks to manager, not to member.',
    ],
    [
      { market: 'in', plan: 'premium', feature: 'audiobooks' },
      'deny not-in-market: Premium includes Audiobooks in other markets, not in this one.',
    ],
    [
      { market: 'de', plan: 'lite', feature: 'ad-free' },
      'upsell plan-not-in-market: Lite is not offered in this market.',
    ],
    [{ market: 'de', plan: 'premium', feature: 'karaoke' }, 'deny not-in-plan: Premium does not include Karaoke.'],
  ];
  for (const [question, expected] of vectors) {
    const { outcome, reason } = ask(question);
    assert.equal(`${outcome} ${reason.code}: ${reason.message}`, expected);
  }
});

test('an upsell names the plans that can be bought now and give the feature, the lowest rank first, at their price', () => {
  const offers = (question: Omit<CheckQuestion, 'plan' | 'feature'>) => {
    const answer = ask({ plan: 'free', feature: 'ad-free', ...question });
    return answer.outcome === 'upsell'
      ? answer.plans.map(({ plan, interval, display }) => `${plan} ${interval} ${display.replaceAll(/\s/g, ' ')}`)
      : answer.outcome;
  };
  // Duo gives it too, but is closed to new sign-ups; Lite is not sold in Germany.
  assert.deepEqual(offers({ market: 'de' }), ['premium P1M 12,99 €', 'family P1M 19,99 €']);
  assert.deepEqual(offers({ market: 'in' }), ['lite P1M ₹69', 'premium P1M ₹119']);
  assert.deepEqual(offers({ market: 'de', at: '2026-12-01' }), ['premium P1M 13,99 €', 'family P1M 19,99 €']);
  assert.deepEqual(offers({ market: 'de', at: '2025-06-01', channel: 'apple' }), ['premium P1M 14,99 €']);
  assert.equal(offers({ market: 'de', channel: 'apple' }), 'deny');
  assert.equal(offers({ market: 'de', at: '2020-01-01' }), 'deny');
});

test('the feature that a degradation gives instead comes with its value', () => {
  const answer = ask({ market: 'de', plan: 'free', feature: 'on-demand' });
  assert.ok(answer.outcome === 'degrade');
  assert.deepEqual(answer.degradedTo, { feature: 'shuffle', title: 'Shuffle', type: 'boolean' });
});

test('a name that does not exist is refused with names that were perhaps meant, never denied', () => {
  const vectors: [() => unknown, string][] = [
    [
      () => ask({ market: 'de', plan: 'premium', feature: 'ad-fre' }),
      'products/unknown-feature 422: There is no feature "ad-fre" (did you mean "ad-free"?).',
    ],
    [
      () => ask({ market: 'de', plan: 'premum', feature: 'ad-free' }),
      'products/unknown-plan 422: There is no plan "premum" (did you mean "premium"?).',
    ],
    [
      () => ask({ market: 'de', plan: 'family', role: 'child', feature: 'ad-free' }),
      'products/unknown-role 422: There is no role "child". The plan "family" has the roles manager, member.',
    ],
    [
      () => ask({ market: 'dee', plan: 'premium', feature: 'ad-free' }),
      'products/unknown-market 422: There is no market "dee" (did you mean "de"?).',
    ],
    [
      () => ask({ territory: 'de', plan: 'premium', feature: 'ad-free' }),
      'products/unknown-territory 422: There is no territory "de" (did you mean "DE"?). No market has it.',
    ],
    [
      () => ask({ territory: 'DE', market: 'in', plan: 'premium', feature: 'ad-free' }),
      'products/market-mismatch 422: The territory DE belongs to the market "de", not to "in".',
    ],
    [
      () => ask({ plan: 'premium', feature: 'ad-free' }),
      'products/market-needed 422: Give a market or a territory: answers differ by market.',
    ],
    [
      () => ask({ market: 'in', plan: 'free', feature: 'ad-free', channel: 'apple' }),
      'products/unknown-channel 422: There is no channel "apple". India has web.',
    ],
    [
      () => listPrices({ market: 'de', at: 'tomorrow' }),
      'products/bad-time 422: at: "tomorrow" is neither a date like 2026-12-01 nor an instant like 2026-12-01T09:00:00Z.',
    ],
    [
      () => ask({ market: 'de', plan: 'premium', feature: 'ad-free', at: '2026-02-30' }),
      'products/bad-time 422: at: "2026-02-30" is not a valid calendar time.',
    ],
    [
      () => listPrices({ market: 'de', interval: 'P12M' }),
      'products/bad-interval 422: interval: Write P1Y instead of P12M, which means the same.',
    ],
    [
      () => ask({ market: '__proto__', plan: 'premium', feature: 'ad-free' }),
      'products/unknown-market 422: There is no market "__proto__".',
    ],
  ];
  for (const [ask, expected] of vectors) assert.equal(refusal(ask), expected);
});

test('a price is answered with its parts, its time and the next change', () => {
  assert.deepEqual(listPrices({ territory: 'DE', plan: 'premium', channel: 'web', interval: 'P1M' }), [
    {
      plan: 'premium',
      title: 'Premium',
      interval: 'P1M',
      channel: 'web',
      sellable: true,
      amount: '12.99',
      minor: '1299',
      currency: 'EUR',
      exponent: 2,
      display: '12,99\u00a0€',
      tax: { name: 'VAT', inclusive: true, rate: '20', net: '10.83', tax: '2.16', gross: '12.99' },
      from: '2025-08-31T22:00:00Z',
      until: '2026-11-30T23:00:00Z',
      next: { at: '2026-11-30T23:00:00Z', amount: '13.99', currency: 'EUR', display: '13,99\u00a0€' },
    },
  ]);
  const [irish] = listPrices({ market: 'de', plan: 'premium', channel: 'web', locale: 'en-IE' });
  assert.deepEqual(
    [irish?.display, irish?.next],
    ['€12.99', { at: '2026-11-30T23:00:00Z', amount: '13.99', currency: 'EUR', display: '€13.99' }],
  );
  for (const locale of ['xx-XX', 'not a tag']) {
    assert.throws(() => listPrices({ market: 'de', locale }), { code: 'products/bad-locale' });
  }
  const [india] = listPrices({ market: 'in', plan: 'premium' });
  assert.deepEqual(india?.tax, {
    name: 'GST',
    inclusive: false,
    rate: '18',
    net: '119.00',
    tax: '21.42',
    gross: '140.42',
  });
});

test('a new price holds from the first moment of its day in the market, and not a millisecond before', () => {
  const amount = (at: string) =>
    listPrices({ market: 'de', plan: 'premium', channel: 'web', interval: 'P1M', at })[0]?.amount;
  assert.equal(amount('2026-11-30T22:59:59.999Z'), '12.99');
  assert.equal(amount('2026-11-30T23:00:00Z'), '13.99');
  assert.equal(amount('2026-12-01'), '13.99');
  assert.equal(amount('2024-06-01'), '9.99');
});

test('outside every price a plan is not sold, and the answer says when it was and will be', () => {
  const answer = (question: PricesQuestion) => {
    const [first] = listPrices(question);
    assert.ok(first !== undefined);
    return `${first.sellable} ${first.reason?.code}: ${first.reason?.message} ${first.next?.at ?? ''}`.trim();
  };
  assert.equal(
    answer({ market: 'de', plan: 'premium', channel: 'apple' }),
    'false not-now: Premium in Germany (apple, monthly) is not sold on 15 June 2026, 14:00 (Europe/Berlin); it was sold until 1 March 2026 and will be sold from 1 September 2026. 2026-08-31T22:00:00Z',
  );
  assert.match(
    answer({ market: 'de', plan: 'premium', at: '2023-01-01' }),
    /not-now: .* is not sold on 1 January 2023; it will be sold from/,
  );
  assert.equal(
    answer({ market: 'de', plan: 'free' }),
    'false no-price: Free has no price in Germany, so it is not sold there.',
  );
  assert.equal(
    answer({ market: 'de', plan: 'free', interval: 'P1M', channel: 'web' }),
    'false no-price: Free has no price in Germany (web, monthly), so it is not sold there.',
  );
  assert.equal(answer({ market: 'de', plan: 'lite' }), 'false plan-not-in-market: Lite is not offered in Germany.');
  const [duo] = listPrices({ market: 'de', plan: 'duo' });
  assert.deepEqual([duo?.sellable, duo?.reason?.code, duo?.amount], [false, 'closed', '16.99']);
  const [ending] = listPrices({ market: 'de', plan: 'premium', channel: 'apple', at: '2026-02-01' });
  assert.deepEqual(ending?.next, { at: '2026-02-28T23:00:00Z', ends: true });
});

test('all prices of a market come in the order of rank, channel and interval', () => {
  assert.deepEqual(
    listPrices({ market: 'de' }).map(({ plan, channel, interval }) => `${plan} ${channel} ${interval}`),
    ['premium apple P1M', 'premium web P1M', 'premium web P1Y', 'duo web P1M', 'family web P1M'],
  );
});

test('entitlements are all that the plan gives to the role', () => {
  const answer = entitlements(table, { market: 'de', plan: 'family', role: 'member' });
  assert.deepEqual(
    answer.entitlements.map(({ feature, limit }) => [feature, limit]),
    [
      ['ad-free', undefined],
      ['on-demand', undefined],
      ['streams', 1],
    ],
  );
  assert.deepEqual([answer.role, answer.seats, answer.rank, answer.offered], ['member', 6, 40, true]);
  assert.deepEqual(entitlements(table, { market: 'de', plan: 'lite' }).entitlements, []);
});

test('check allows the features that entitlements list, for every market, plan, role and feature', () => {
  for (const market of table.markets.keys()) {
    for (const [plan, { spec }] of table.plans) {
      for (const role of spec.roles) {
        const listed = entitlements(table, { market, plan, role }).entitlements.map(({ feature }) => feature);
        const allowed = [...table.features.keys()].filter(
          (feature) => ask({ market, plan, role, feature }).outcome === 'allow',
        );
        assert.deepEqual(listed, allowed.toSorted());
      }
    }
  }
});

test('an explanation leads from the place over the plan to the answer, and names each object with its revision', () => {
  const { answer, steps, alternatives } = explain(
    table,
    { territory: 'DE', plan: 'family', role: 'member', feature: 'audiobooks' },
    NOW,
  );
  assert.equal('outcome' in answer && answer.outcome, 'upsell');
  assert.deepEqual(
    steps.map(({ object, says }) => `${object.name}: ${says}`),
    [
      'de: The territory DE belongs to the market Germany.',
      'family: Family is offered in Germany: it is in every market.',
      'family: The role is member.',
      'family: Entitlement 2 gives Audiobooks: 900 minutes a month for manager in every market: it is not for member.',
    ],
  );
  for (const { object } of steps) assert.match(object.revision, /^[0-9a-f]{40}$/);
  assert.deepEqual(
    alternatives.map(({ says }) => says.replaceAll(/\s/g, ' ')),
    [
      'Free does not give Audiobooks here; it has no price at that time.',
      'Lite does not give Audiobooks here; it is not offered in Germany.',
      'Premium gives Audiobooks here; it costs 12,99 € (monthly).',
      'Duo does not give Audiobooks here; it is closed to new sign-ups.',
    ],
  );
});

test('an explanation follows degradations step by step, and prices entry by entry', () => {
  const degraded = explain(table, { market: 'de', plan: 'free', feature: 'on-demand' }, NOW);
  assert.deepEqual(
    degraded.steps.slice(-2).map(({ says }) => says),
    [
      'Any track on demand degrades to Smart shuffle, which Free does not have.',
      'Smart shuffle degrades to Shuffle, which Free has.',
    ],
  );
  const price = explain(table, { market: 'de', plan: 'premium', channel: 'web', interval: 'P1M' }, NOW);
  assert.deepEqual(
    price.steps.slice(2).map(({ object, says }) => `${object.name}: ${says}`),
    [
      'premium-de: EUR 9.99 monthly on web from 1 January 2024 until 1 September 2025: over.',
      'premium-de: EUR 12.99 monthly on web from 1 September 2025 until 1 December 2026: in force.',
      'premium-de: EUR 13.99 monthly on web from 1 December 2026 with no end: still to come.',
    ],
  );
});

test('every answer over HTTP fits its schema, and brings back the listener', () => {
  const questions: Record<string, readonly object[]> = {
    '/v1/check': [
      { plan: 'premium', market: 'de', feature: 'audiobooks' },
      { plan: 'free', market: 'de', feature: 'on-demand' },
      { plan: 'free', market: 'de', feature: 'ad-free' },
      { plan: 'premium', market: 'de', feature: 'karaoke' },
    ],
    '/v1/entitlements': [{ plan: 'family', territory: 'IN' }],
    '/v1/prices': [{ market: 'de' }, { market: 'de', plan: 'free' }, { market: 'de', at: '2026-02-01' }],
    '/v1/explain': [
      { plan: 'free', market: 'de', feature: 'ad-free' },
      { plan: 'premium', market: 'de' },
    ],
  };
  for (const route of productsRoutes) {
    for (const question of questions[route.path] ?? []) {
      const input = { ...question, listener: 'listener-1' };
      assert.ok(Value.Check(route.input, input), route.path);
      const answer: unknown = JSON.parse(
        JSON.stringify(
          route.handle(input, {
            table,
            facts: {},
            now: NOW,
            by: 'local',
            isTrusted: false,
            snapshotAgeMs: () => 0,
            limit: { signal: new AbortController().signal, leftMs: Infinity },
          }),
        ),
      );
      assert.deepEqual(Value.Errors(route.answer, answer), [], route.path);
      assert.equal((answer as { listener?: string }).listener, 'listener-1');
    }
    assert.ok(
      !Value.Check(route.input, { ...questions[route.path]?.[0], feture: 'ad-free' }),
      'a misspelled name is refused',
    );
  }
});

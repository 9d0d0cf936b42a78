import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { DISCARD_HISTORY } from './price.ts';
import { contextOf, kindOf, resource, worldOf } from '../testing/world.ts';

const NOW = '2026-06-15T12:00:00Z';

const germany = {
  title: 'Germany',
  territories: ['DE'],
  zone: 'Europe/Berlin',
  currencies: [{ code: 'EUR' }],
  channels: [{ name: 'web' }, { name: 'google', exponents: { HUF: 0 } }],
  tax: { inclusive: true, rate: '19', name: 'MwSt.' },
  locale: 'de-DE',
};
const bulgaria = {
  ...germany,
  title: 'Bulgaria',
  territories: ['BG'],
  zone: 'Europe/Sofia',
  currencies: [
    { code: 'EUR', from: '2026-01-01' },
    { code: 'BGN', until: '2026-02-01' },
  ],
};
const premium = { title: 'Premium', group: 'music', rank: 30 };
const price = {
  plan: 'premium',
  market: 'de',
  interval: 'P1M',
  timeline: [{ from: '2025-01-01', amount: '12.99', currency: 'EUR' }],
};
const base = [
  resource('Market', 'de', germany),
  resource('Market', 'bg', bulgaria),
  resource('Plan', 'premium', premium),
];

const linesOf = (problems: readonly Problem[] | undefined) =>
  (problems ?? []).map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);

function validateText(
  object: ResourceObject,
  others: readonly ResourceObject[] = base,
  before?: unknown,
): readonly string[] {
  const context = {
    ...contextOf(others, NOW),
    name: object.metadata.name,
    ...(before === undefined ? {} : { before }),
  };
  return linesOf(kindOf(object).validate?.(object.spec, context));
}

function checkText(object: ResourceObject, others: readonly ResourceObject[] = base): readonly string[] {
  const world = worldOf([
    ...others.filter(({ kind, metadata }) => kind !== object.kind || metadata.name !== object.metadata.name),
    object,
  ]);
  return linesOf(
    kindOf(object).check?.(world.get(kindOf(object).id, object.metadata.name)?.spec, world, object.metadata.name),
  );
}

function describeText(
  kind: 'Feature' | 'Market' | 'Plan' | 'Price',
  name: string,
  before: unknown,
  after: unknown,
  others = base,
): readonly string[] {
  const object = resource(kind, name, after);
  const context = { world: worldOf(others), now: Temporal.Instant.from(NOW) };
  return kindOf(object).describe?.(name, { before, after }, context) ?? [];
}

test('a territory belongs to one market only', () => {
  const dach = resource('Market', 'dach', { ...germany, territories: ['AT', 'DE'] });
  const expected = ['spec.territories[1]: DE belongs to Market "de" already; a territory belongs to one market only.'];
  assert.deepEqual(validateText(dach), expected);
  assert.deepEqual(checkText(dach), expected);
  assert.deepEqual(validateText(resource('Market', 'de', { ...germany, title: 'Deutschland' })), []);
});

test('a market is refused for each thing that does not exist', () => {
  const vectors: [object, RegExp][] = [
    [{ territories: ['DE', 'UK'] }, /territories\[1\]: "UK" is not a code of ISO 3166-1/],
    [{ zone: 'Europe/Berlim' }, /zone: .*"Europe\/Berlin"/],
    [{ currencies: [{ code: 'EUX' }] }, /currencies\[0\].code: "EUX" is not a currency/],
    [{ currencies: [{ code: 'EUR', from: '2026-02-30' }] }, /currencies\[0\].from: /],
    [{ currencies: [{ code: 'EUR', from: '2026-02-01', until: '2026-02-01' }] }, /currencies\[0\].until: EUR ends at/],
    [{ channels: [{ name: 'web', exponents: { EUX: 0 } }] }, /channels\[0\].exponents.EUX: /],
    [{ tax: { inclusive: true, name: 'VAT' } }, /tax.rate: .*needs a rate/],
    [{ tax: { inclusive: true, rate: '119', name: 'VAT' } }, /tax.rate: 119 is not a rate between 0 and 100/],
    [{ tax: { inclusive: true, rate: '19,5', name: 'VAT' } }, /tax.rate: "19,5"/],
    [{ locale: 'klingon_KL' }, /locale: "klingon_KL"/],
  ];
  for (const [change, expected] of vectors) {
    const problems = validateText(resource('Market', 'xx', { ...germany, territories: ['AT'], ...change }), []);
    assert.equal(problems.length, 1, JSON.stringify(change) + problems.join());
    assert.match(problems[0] ?? '', expected);
  }
});

test('the zone of a market stays once a price has begun on a date in it', () => {
  const moved = resource('Market', 'de', { ...germany, zone: 'Europe/London' });
  const [problem = ''] = validateText(moved, [...base, resource('Price', 'premium-de', price)], germany);
  assert.match(problem, /spec.zone: Prices with dates that have begun \(1, for example "premium-de"\)/);
  assert.deepEqual(validateText(moved, base, germany), []);
});

test('a feature has what its type needs and nothing else', () => {
  const vectors: [object, RegExp | undefined][] = [
    [{ title: 'T', type: 'boolean' }, undefined],
    [{ title: 'T', type: 'boolean', unit: 'minutes' }, /spec.unit: /],
    [{ title: 'T', type: 'metered' }, /spec.unit: A metered feature says what it counts/],
    [{ title: 'T', type: 'config' }, /spec.valueSchema: /],
    [
      { title: 'T', type: 'config', valueSchema: { type: 'string', enum: ['a', 1] } },
      /spec.valueSchema.enum\[1\]: 1 is not of the type string/,
    ],
    [
      { title: 'T', type: 'config', valueSchema: { type: 'integer', minimum: 5, maximum: 1 } },
      /minimum 5 is above the maximum 1/,
    ],
    [{ title: 'T', type: 'boolean', degradeTo: 'on-demand' }, /cannot degrade to itself/],
  ];
  for (const [spec, expected] of vectors) {
    const problems = validateText(resource('Feature', 'on-demand', spec));
    if (expected === undefined) assert.deepEqual(problems, []);
    else assert.match(problems[0] ?? '', expected);
  }
});

test('a degradation that goes round in a circle is reported', () => {
  const feature = (name: string, degradeTo?: string) =>
    resource('Feature', name, { title: name, type: 'boolean', ...(degradeTo === undefined ? {} : { degradeTo }) });
  assert.deepEqual(checkText(feature('a', 'b'), [feature('b', 'c'), feature('c', 'a')]), [
    'spec.degradeTo: The degradation a → b → c → a goes round in a circle.',
  ]);
  assert.deepEqual(checkText(feature('a', 'b'), [feature('b', 'c'), feature('c')]), []);
});

test('a plan is refused for roles, markets and limits that contradict it', () => {
  const vectors: [object, RegExp | undefined][] = [
    [{ entitlements: [{ feature: 'f', limit: 'unlimited' }] }, undefined],
    [{ entitlements: [{ feature: 'f', limit: 'lots' }] }, /entitlements\[0\].limit: "lots" is not a limit/],
    [{ entitlements: [{ feature: 'f', limit: 0 }] }, /entitlements\[0\].limit: 0 .* leave the feature out/],
    [{ entitlements: [{ feature: 'f', limit: 5, per: 'month' }] }, /entitlements\[0\].per: "month" is not a period/],
    [{ roles: ['manager', 'member'], entitlements: [{ feature: 'f', roles: ['menber'] }] }, /did you mean "member"/],
    [
      { markets: ['de'], entitlements: [{ feature: 'f', markets: ['bg'] }] },
      /markets\[0\]: The plan is not sold in "bg"/,
    ],
    [
      { entitlements: [{ feature: 'f' }, { feature: 'f' }] },
      /entitlements\[1\].feature: Entitlement 0 matches some of the same listeners for "f"/,
    ],
    [
      {
        entitlements: [
          { feature: 'f', limit: 5 },
          { feature: 'f', limit: 9, markets: ['de'] },
        ],
      },
      undefined,
    ],
    [{ roles: ['a', 'a'] }, /roles\[1\]: "a" is listed twice/],
  ];
  for (const [change, expected] of vectors) {
    const problems = validateText(resource('Plan', 'premium', { ...premium, ...change }));
    if (expected === undefined) assert.deepEqual(problems, []);
    else assert.match(problems[0] ?? '', expected);
  }
});

test('an entitlement fits the type of its feature', () => {
  const features = [
    resource('Feature', 'offline', { title: 'Offline', type: 'boolean' }),
    resource('Feature', 'quality', {
      title: 'Quality',
      type: 'config',
      valueSchema: { type: 'string', enum: ['low', 'high'] },
    }),
    resource('Feature', 'hours', { title: 'Audiobooks', type: 'metered', unit: 'minutes' }),
    resource('Feature', 'streams', { title: 'Streams', type: 'concurrent', unit: 'streams' }),
  ];
  const vectors: [object, string | undefined][] = [
    [{ feature: 'offline' }, undefined],
    [{ feature: 'offline', value: 1 }, 'value: Offline is a boolean feature; only a config feature has a value.'],
    [
      { feature: 'offline', limit: 1 },
      'limit: Offline is a boolean feature; only metered and concurrent features have a limit.',
    ],
    [{ feature: 'quality', value: 'high' }, undefined],
    [{ feature: 'quality' }, 'value: Quality is a config feature; the value is missing.'],
    [
      { feature: 'quality', value: 'best' },
      'value: Quality is a config feature; the value "best" is not one of "low", "high".',
    ],
    [{ feature: 'hours', limit: 900, per: 'P1M' }, undefined],
    [{ feature: 'hours', limit: 'unlimited' }, undefined],
    [
      { feature: 'hours', limit: 900 },
      'per: Audiobooks is a metered feature; its limit needs a period, like P1M for 900 a month.',
    ],
    [
      { feature: 'hours', per: 'P1M' },
      'limit: Audiobooks is a metered feature; it needs a limit, a whole number or "unlimited".',
    ],
    [{ feature: 'streams', limit: 1 }, undefined],
    [
      { feature: 'streams', limit: 1, per: 'P1M' },
      'per: Streams is a concurrent feature; only a metered feature has a period.',
    ],
  ];
  for (const [entitlement, expected] of vectors) {
    const problems = checkText(resource('Plan', 'p', { ...premium, entitlements: [entitlement] }), features);
    assert.deepEqual(problems, expected === undefined ? [] : [`spec.entitlements[0].${expected}`]);
  }
});

test('a price overlaps no other price of the same plan, market, interval and channel', () => {
  const declared = [...base, resource('Price', 'premium-de', price)];
  const later = { ...price, timeline: [{ from: '2026-12-01', amount: '13.99', currency: 'EUR' }] };
  const expected = [
    'spec.timeline[0].from: EUR 13.99 from 2026-12-01 with no end overlaps EUR 12.99 from 2025-01-01 with no end of Price "premium-de". ' +
      'Append the new entry to the timeline of "premium-de", or give that entry an until.',
  ];
  assert.deepEqual(validateText(resource('Price', 'premium-de-2', later), declared), expected);
  assert.deepEqual(checkText(resource('Price', 'premium-de-2', later), declared), expected);
  assert.deepEqual(validateText(resource('Price', 'premium-de-google', { ...later, channel: 'google' }), declared), []);
});

test('prices of one sale stand beside each other in currencies that they name, and in no other way', () => {
  const declared = [...base, resource('Price', 'premium-de', price)];
  const inCurrency = (code: string, named: object) => ({
    ...price,
    ...named,
    timeline: [{ from: '2025-06-01', amount: '14.00', currency: code }],
  });
  const faults = (code: string, named: object, others = declared) =>
    validateText(resource('Price', 'other', inCurrency(code, named)), others).map((one) => one.split(':')[0]);
  const overlaps = ['spec.timeline[0].from'];
  const usd = resource('Price', 'premium-de-usd', inCurrency('USD', { currency: 'USD' }));
  assert.deepEqual(faults('USD', { currency: 'USD' }), []);
  assert.deepEqual(faults('USD', { currency: 'USD' }, [...declared, usd]), overlaps, 'twice in dollars');
  assert.deepEqual(faults('EUR', { currency: 'EUR' }), overlaps, 'twice in euros');
  assert.deepEqual(faults('USD', {}), overlaps, 'no currency is named');
  assert.deepEqual(faults('EUR', { currency: 'USD' }), ['spec.timeline[0].currency']);
});

test('a price for tomorrow may stand beside one that ends tomorrow, or be appended to it', () => {
  const ends = { ...price, timeline: [{ from: '2025-01-01', until: '2026-06-16', amount: '12.99', currency: 'EUR' }] };
  const tomorrow = { from: '2026-06-16', amount: '13.99', currency: 'EUR' };
  const own = resource('Price', 'premium-de-2', { ...price, timeline: [tomorrow] });
  assert.deepEqual(validateText(own, [...base, resource('Price', 'premium-de', ends)]), []);
  assert.deepEqual(checkText(own, [...base, resource('Price', 'premium-de', ends)]), []);
  const appended = resource('Price', 'premium-de', { ...price, timeline: [...price.timeline, tomorrow] });
  assert.deepEqual(validateText(appended, [...base, resource('Price', 'premium-de', price)], price), []);
});

test('dates of a price are read in the zone of its market, and the start of today there has begun', () => {
  // 22:30 UTC is past midnight in Berlin.
  const object = resource('Price', 'p', {
    ...price,
    timeline: [{ from: '2026-06-16', amount: '11.00', currency: 'EUR' }],
  });
  const changed = resource('Price', 'p', {
    ...price,
    timeline: [{ from: '2026-06-16', amount: '12.00', currency: 'EUR' }],
  });
  const at = (now: string) =>
    linesOf(
      kindOf(changed).validate?.(changed.spec, {
        ...contextOf([...base, object], now),
        name: 'p',
        before: object.spec,
      }),
    );
  assert.deepEqual(at('2026-06-15T21:59:59Z'), []);
  assert.match(
    at('2026-06-15T22:00:00Z')[0] ?? '',
    /spec.timeline\[0\].amount: EUR 11.00 from 2026-06-16 with no end has begun/,
  );
});

test('a price that has begun stays with its plan, market, interval and channel', () => {
  const moved = resource('Price', 'premium-de', { ...price, interval: 'P1Y' });
  assert.deepEqual(validateText(moved, base, price), [
    'spec.interval: EUR 12.99 from 2025-01-01 with no end has begun for the interval "P1M"; create another Price for "P1Y".',
  ]);
});

test('a price that has begun is deleted only by one who discards its history', () => {
  const object = resource('Price', 'premium-de', price);
  const problems = (annotations: Record<string, string>, timeline = price.timeline) =>
    linesOf(kindOf(object).validateDelete?.({ ...price, timeline }, { ...contextOf(base, NOW), annotations }));
  assert.match(
    problems({})[0] ?? '',
    /spec.timeline\[0\]: EUR 12.99 from 2025-01-01 with no end has begun, and the past is kept/,
  );
  assert.deepEqual(problems({ [DISCARD_HISTORY]: 'true' }), []);
  assert.deepEqual(problems({}, [{ from: '2026-12-01', amount: '1.00', currency: 'EUR' }]), []);
});

test('the decimals of a price are those of its channel', () => {
  const hungary = resource('Market', 'de', { ...germany, currencies: [{ code: 'HUF' }] });
  const timeline = [{ from: '2025-01-01', amount: '1990.50', currency: 'HUF' }];
  assert.deepEqual(validateText(resource('Price', 'p', { ...price, timeline }), [hungary]), []);
  assert.match(
    validateText(resource('Price', 'p', { ...price, timeline, channel: 'google' }), [hungary])[0] ?? '',
    /timeline\[0\].amount: HUF has no decimals here/,
  );
});

test('an interval is written in one way only', () => {
  const refused = {
    P12M: /Write P1Y/,
    P7D: /Write P1W/,
    monthly: /"monthly" is not a billing interval/,
    P0M: /"P0M"/,
    P1M15D: /"P1M15D"/,
  };
  for (const [interval, expected] of Object.entries(refused)) {
    assert.match(validateText(resource('Price', 'p', { ...price, interval }))[0] ?? '', expected);
  }
});

test('a price is in a legal currency of its market for its whole time', () => {
  const bulgarian = (timeline: readonly object[]) =>
    checkText(resource('Price', 'bg', { ...price, market: 'bg', timeline }));
  assert.deepEqual(
    bulgarian([
      { from: '2025-01-01', amount: '10.99', currency: 'BGN' },
      { from: '2026-01-01', amount: '5.62', currency: 'EUR' },
    ]),
    [],
  );
  assert.match(
    bulgarian([{ from: '2025-01-01', amount: '10.99', currency: 'BGN' }])[0] ?? '',
    /timeline\[0\].currency: .*BGN is legal in Bulgaria only until 2026-02-01\./,
  );
  assert.match(
    bulgarian([{ from: '2025-12-01', amount: '5.62', currency: 'EUR' }])[0] ?? '',
    /EUR is legal in Bulgaria only from 2026-01-01\./,
  );
  assert.match(
    bulgarian([{ from: '2025-12-01', amount: '5.62', currency: 'USD' }])[0] ?? '',
    /USD is not a currency of Bulgaria\./,
  );
});

test('a price without an end needs its plan to be sold in the market, on a channel of the market', () => {
  const regional = [...base.slice(0, 2), resource('Plan', 'premium', { ...premium, markets: ['bg'] })];
  assert.match(
    checkText(resource('Price', 'p', price), regional)[0] ?? '',
    /timeline\[0\]: Premium is not sold in "de"/,
  );
  const ended = { ...price, timeline: [{ from: '2025-01-01', until: '2026-01-01', amount: '1.00', currency: 'EUR' }] };
  assert.deepEqual(checkText(resource('Price', 'p', ended), regional), []);
  assert.match(
    checkText(resource('Price', 'p', { ...price, channel: 'apple' }))[0] ?? '',
    /spec.channel: "apple" is not a channel of Germany; it has web, google/,
  );
});

test('a change of a price is described in plain words', () => {
  const step = (from: string, amount: string) => ({ from, amount, currency: 'EUR' });
  const now = step('2025-01-01', '12.99');
  const vectors: [readonly object[] | undefined, readonly object[] | undefined, readonly string[]][] = [
    [[now], [now, step('2026-12-01', '13.99')], ['€12.99 → €13.99 from 1 December 2026.']],
    [
      [now, step('2026-12-01', '13.99')],
      [now],
      ['the change to €13.99 planned for 1 December 2026 is withdrawn; it stays €12.99.'],
    ],
    [
      [now, step('2026-12-01', '13.99')],
      [now, step('2027-01-01', '13.99')],
      ['the change to €13.99 planned for 1 December 2026 comes on 1 January 2027.'],
    ],
    [
      [now, step('2026-12-01', '13.99')],
      [now, step('2026-11-01', '13.99')],
      ['€12.99 → €13.99 from 1 November 2026 instead of 1 December 2026.'],
    ],
    [
      [now, step('2026-12-01', '13.99')],
      [now, step('2026-12-01', '14.99')],
      ['€14.99 instead of €13.99 from 1 December 2026.'],
    ],
    [
      [now],
      [now, step('2026-11-01', '9.99'), step('2026-12-01', '12.99')],
      ['€12.99 → €9.99 from 1 November 2026 until 1 December 2026.'],
    ],
    [[now], [{ ...now, until: '2026-12-01' }], ['€12.99 → not for sale from 1 December 2026.']],
    [
      [now],
      [now, step('2026-12-01T09:30:00+01:00', '13.99')],
      ['€12.99 → €13.99 from 1 December 2026, 09:30 (Europe/Berlin).'],
    ],
    [[now], [now, step(NOW, '13.99')], ['€12.99 → €13.99 from now on.']],
    [
      undefined,
      [now, step('2026-12-01', '13.99')],
      ['€12.99 now until 1 December 2026.', '€13.99 from 1 December 2026.'],
    ],
    [[now], undefined, ['the price "p" is removed, with its history.']],
    [[now], [now], []],
  ];
  for (const [before, after, expected] of vectors) {
    const spec = (timeline: readonly object[] | undefined) =>
      timeline === undefined ? undefined : { ...price, timeline };
    assert.deepEqual(
      describeText('Price', 'p', spec(before), spec(after)),
      expected.map((sentence) => `Premium in Germany (web, monthly): ${sentence}`),
    );
  }
});

test('a change of a plan is described in plain words', () => {
  const features = [
    ...base,
    resource('Feature', 'hours', { title: 'Audiobooks', type: 'metered', unit: 'minutes' }),
    resource('Feature', 'offline', { title: 'Offline downloads', type: 'boolean' }),
  ];
  const hours = (limit: number) => ({ feature: 'hours', limit, per: 'P1M' });
  const vectors: [object | undefined, object | undefined, readonly string[]][] = [
    [
      undefined,
      { entitlements: [hours(900)], seats: 2, markets: ['de', 'bg'] },
      [
        'New plan Premium (rank 30 in music, 2 seats) in Germany, Bulgaria.',
        'Premium gives: Audiobooks: 900 minutes a month.',
      ],
    ],
    [{}, { openTo: 'existing' }, ['Premium is closed to new sign-ups; existing subscribers keep it.']],
    [{ openTo: 'existing' }, {}, ['Premium is open to new sign-ups again.']],
    [
      { entitlements: [hours(900)] },
      { entitlements: [hours(1200), { feature: 'offline' }] },
      [
        'Premium: Audiobooks: 900 minutes a month → Audiobooks: 1200 minutes a month.',
        'Premium now gives Offline downloads.',
      ],
    ],
    [
      { entitlements: [hours(900), { feature: 'offline', roles: ['manager'] }] },
      { entitlements: [hours(900)] },
      ['Premium no longer gives Offline downloads for manager.'],
    ],
    [{ markets: ['de'] }, { markets: ['de', 'bg'] }, ['Premium is now sold in Bulgaria.']],
    [{ markets: ['de', 'bg'] }, { markets: ['bg'] }, ['Premium is no longer sold in Germany.']],
    [{}, { markets: ['bg'] }, ['Premium is sold in Bulgaria instead of every market.']],
    [{}, { seats: 3, rank: 31 }, ['Premium: 1 → 3 seats.', 'Premium: rank 30 → 31.']],
    [
      {},
      undefined,
      [
        'Plan Premium is removed: its listeners lose all of its features. To stop selling it only, set openTo to existing.',
      ],
    ],
  ];
  const spec = (change: object | undefined) => (change === undefined ? undefined : { ...premium, ...change });
  for (const [before, after, expected] of vectors) {
    assert.deepEqual(describeText('Plan', 'premium', spec(before), spec(after), features), expected);
  }
});

test('changes of features and markets are described in plain words', () => {
  const feature = { title: 'Any track', type: 'boolean' };
  assert.deepEqual(describeText('Feature', 'f', undefined, feature), ['New feature: Any track (boolean).']);
  assert.deepEqual(describeText('Feature', 'f', feature, { ...feature, degradeTo: 'shuffle' }), [
    'Any track degrades to shuffle where a plan does not have it.',
  ]);
  assert.deepEqual(describeText('Market', 'bg', undefined, bulgaria), [
    'New market Bulgaria (BG): EUR from 2026-01-01 and BGN until 2026-02-01, MwSt. 19 % included.',
  ]);
  assert.deepEqual(
    describeText('Market', 'de', germany, {
      ...germany,
      territories: ['DE', 'AT'],
      tax: { inclusive: true, rate: '20', name: 'MwSt.' },
      notice: { days: 90 },
      consent: 'optIn',
    }),
    [
      'Germany now includes AT.',
      'Germany: tax MwSt. 19 % included → MwSt. 20 % included.',
      'Germany: notice of a higher price 0 days → 90 days.',
      'Germany: consent to a higher price not needed → subscribers must agree.',
    ],
  );
});

test('the example of each kind passes its own schema and rules', () => {
  for (const kind of ['Feature', 'Market', 'Plan', 'Price'] as const) {
    const { example } = kindOf(resource(kind, 'x', {}));
    assert.ok(example !== undefined);
    const object = resource(kind, example.name, example.spec);
    assert.deepEqual(validateText(object, []), []);
    worldOf([object]);
  }
});

test('a higher price says until when its market requires subscribers to be notified, and whether they must agree', () => {
  const priceOf = (...timeline: object[]) => ({ plan: 'premium', market: 'de', interval: 'P1M', timeline });
  const at = (from: string, amount: string) => ({ from, amount, currency: 'EUR' });
  const notices = (market: object, before: object, after: object) =>
    describeText('Price', 'p', before, after, [resource('Market', 'de', { ...germany, ...market })]).slice(1);
  const now = at('2026-01-01', '12.99');
  const asking = { notice: { days: 30 }, consent: 'optOut' };
  const risen = priceOf(now, at('2027-02-01', '13.99'));
  assert.deepEqual(notices(asking, priceOf(now), risen), [
    'Germany requires subscribers to be notified 30 days ahead and free to object before a price increase: by 2 January 2027.',
  ]);
  assert.deepEqual(notices({ consent: 'optIn' }, priceOf(now), risen), [
    'Germany requires subscribers to be asked to agree before a price increase.',
  ]);
  assert.deepEqual(notices({ notice: { days: 240 } }, priceOf(now), risen), [
    'Germany requires subscribers to be notified 240 days ahead before a price increase, which is too late already.',
  ]);
  // No rule applies, no price rises, or the rise was declared before.
  assert.deepEqual(notices({}, priceOf(now), risen), []);
  assert.deepEqual(notices(asking, priceOf(now), priceOf(now, at('2027-02-01', '11.99'))), []);
  assert.deepEqual(notices(asking, risen, priceOf(now, at('2027-02-01', '13.99'), at('2028-01-01', '12.99'))), []);
});

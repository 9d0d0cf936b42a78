/** A small business in which every rule about records and use matters: windows that differ, scopes, scales, seats, prices. */
import { feature, market, plan, price } from './catalogue.ts';

const apiVersion = 'products.backline.dev/v1';
const objectOf = (kind: string, name: string, spec: object) => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});
const priceOf = (of: string, interval: string, channel: string, amount: string) =>
  price(`${of}-${channel}-${interval.toLowerCase()}`, {
    plan: of,
    market: 'de',
    interval,
    channel,
    timeline: [{ from: '2020-01-01', amount, currency: 'EUR' }],
  });
const monthly = { type: 'anchored', per: 'P1M' };
const books = (limit: number | string) => ({ feature: 'books', limit, per: 'P1M' });

export const RECORDS_CATALOGUE: readonly object[] = [
  market('de', { title: 'Germany', currencies: [{ code: 'EUR' }], channels: [{ name: 'web' }, { name: 'apple' }] }),
  market('us', { title: 'USA', zone: 'America/Los_Angeles', currencies: [{ code: 'USD' }] }),
  market('zw', { title: 'Zimbabwe', zone: 'Africa/Harare', currencies: [{ code: 'USD' }, { code: 'ZWG' }] }),
  ...[
    ['monthly', 'USD', '5.00'],
    ['monthly', 'ZWG', '130.00'],
    ['weekly', 'ZWG', '60.00'],
  ].map(([of = '', currency = '', amount = '']) =>
    price(`${of}-zw-${currency.toLowerCase()}`, {
      plan: of,
      market: 'zw',
      interval: 'P1M',
      channel: 'web',
      currency,
      timeline: [{ from: '2025-01-01', amount, currency }],
    }),
  ),
  feature('books', { type: 'metered', unit: 'minutes', title: 'Audiobooks' }),
  feature('podmin', { type: 'metered', unit: 'minutes', title: 'Podcasts' }),
  feature('skips', { type: 'metered', unit: 'skips', title: 'Skips' }),
  feature('points', { type: 'metered', unit: 'points', title: 'Points' }),
  feature('bonus', { type: 'metered', unit: 'tracks', title: 'Bonus' }),
  feature('saved', { type: 'metered', unit: 'units', title: 'Saved' }),
  feature('streams', { type: 'concurrent', unit: 'streams', title: 'Streams' }),
  feature('downloads', { title: 'Downloads' }),
  feature('hq', { type: 'config', title: 'Quality', valueSchema: { type: 'string', enum: ['low', 'high'] } }),
  plan('free', { rank: 0, entitlements: [{ feature: 'podmin', limit: 30, per: 'P1D' }] }),
  plan('none', { rank: 1, entitlements: [{ feature: 'downloads' }] }),
  plan('weekly', { rank: 10, entitlements: [{ feature: 'podmin', limit: 100, per: 'P1W' }, books(900)] }),
  plan('monthly', { rank: 20, entitlements: [{ feature: 'podmin', limit: 300, per: 'P1M' }, books(900)] }),
  plan('all', {
    rank: 60,
    entitlements: [{ feature: 'podmin', limit: 'unlimited' }, books('unlimited'), { feature: 'hq', value: 'high' }],
  }),
  plan('duo', {
    rank: 30,
    seats: 2,
    roles: ['manager', 'member'],
    entitlements: [books(900), { feature: 'skips', limit: 50, per: 'P1M' }, { feature: 'streams', limit: 2 }],
  }),
  plan('family', {
    rank: 40,
    seats: 6,
    roles: ['manager', 'member', 'child'],
    entitlements: [
      books(900),
      { feature: 'skips', limit: 50, per: 'P1M' },
      { feature: 'streams', limit: 2 },
      { feature: 'hq', value: 'high', roles: ['manager'] },
    ],
  }),
  plan('fresh', { rank: 70, entitlements: [{ feature: 'bonus', limit: 10, per: 'P1M' }] }),
  plan('solo', { rank: 71, roles: ['owner'], entitlements: [books(900)] }),
  plan('saving', { rank: 72, entitlements: [{ feature: 'saved', limit: 10, per: 'P1M' }] }),
  plan('small', { rank: 50, entitlements: [{ feature: 'points', limit: 100, per: 'P1M' }] }),
  plan('large', { rank: 51, entitlements: [{ feature: 'points', limit: 200, per: 'P1M' }] }),
  objectOf('Cap', 'books', { feature: 'books', window: monthly, offlineFor: 'P30D' }),
  objectOf('Cap', 'skips', { feature: 'skips', window: monthly, scope: 'household' }),
  objectOf('Cap', 'streams', { feature: 'streams', window: { type: 'concurrent' }, scope: 'household' }),
  objectOf('Cap', 'points', { feature: 'points', window: monthly, onPlanChange: 'scale' }),
  objectOf('Cap', 'saved', { feature: 'saved', window: monthly, rollover: { max: 100 } }),
  objectOf('Cap', 'bonus', { feature: 'bonus', window: monthly, onPlanChange: 'reset' }),
  objectOf('AddOn', 'ten', { title: 'Ten hours', feature: 'books', amount: 600, kind: 'topUp', validity: 'P12M' }),
  objectOf('AddOn', 'plus', { title: 'Plus', feature: 'books', amount: 600, kind: 'recurring', per: 'P1M' }),
  objectOf('AddOn', 'kept', { title: 'Kept', feature: 'books', amount: 10, kind: 'topUp', whileLapsed: 'kept' }),
  priceOf('weekly', 'P1M', 'web', '4.99'),
  priceOf('monthly', 'P1M', 'web', '9.99'),
  priceOf('monthly', 'P1Y', 'apple', '99.00'),
  priceOf('family', 'P1M', 'web', '19.99'),
  priceOf('family', 'P1Y', 'apple', '199.00'),
];

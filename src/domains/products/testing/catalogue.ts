import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { resource } from './world.ts';

const market = (name: string, title: string, territories: readonly string[], more: object = {}) =>
  resource('Market', name, {
    title,
    territories,
    zone: 'Europe/Berlin',
    currencies: [{ code: 'EUR' }],
    channels: [{ name: 'web' }, { name: 'apple' }],
    tax: { inclusive: true, rate: '20', name: 'VAT' },
    locale: 'en',
    ...more,
  });

const price = (plan: string, marketName: string, timeline: readonly object[], more: object = {}) =>
  resource('Price', [plan, marketName, ...Object.values(more)].join('-').toLowerCase(), {
    plan,
    market: marketName,
    interval: 'P1M',
    timeline,
    ...more,
  });

const euro = (from: string, amount: string, until?: string) => ({
  from,
  amount,
  currency: 'EUR',
  ...(until === undefined ? {} : { until }),
});

/**
 * A small catalogue for tests: a free and three paid plans in Germany and India. Lite is sold in India only,
 * Duo is closed to new sign-ups, and Premium becomes dearer in Germany on 1 December 2026.
 */
export function catalogue(): readonly ResourceObject[] {
  return [
    resource('Feature', 'ad-free', { title: 'Music without ads', type: 'boolean' }),
    resource('Feature', 'audio-quality', {
      title: 'Audio quality',
      type: 'config',
      valueSchema: { type: 'string', enum: ['normal', 'high', 'lossless'] },
    }),
    resource('Feature', 'audiobooks', { title: 'Audiobooks', type: 'metered', unit: 'minutes' }),
    resource('Feature', 'karaoke', { title: 'Karaoke', type: 'boolean' }),
    resource('Feature', 'on-demand', { title: 'Any track on demand', type: 'boolean', degradeTo: 'smart-shuffle' }),
    resource('Feature', 'smart-shuffle', { title: 'Smart shuffle', type: 'boolean', degradeTo: 'shuffle' }),
    resource('Feature', 'shuffle', { title: 'Shuffle', type: 'boolean' }),
    resource('Feature', 'streams', { title: 'Simultaneous streams', type: 'concurrent', unit: 'streams' }),
    market('de', 'Germany', ['DE'], { locale: 'de-DE' }),
    market('in', 'India', ['IN'], {
      zone: 'Asia/Kolkata',
      currencies: [{ code: 'INR' }],
      channels: [{ name: 'web' }],
      tax: { inclusive: false, rate: '18', name: 'GST' },
    }),
    resource('Plan', 'free', {
      title: 'Free',
      group: 'music',
      rank: 0,
      entitlements: [
        { feature: 'shuffle' },
        { feature: 'audio-quality', value: 'normal' },
        { feature: 'streams', limit: 1 },
      ],
    }),
    resource('Plan', 'lite', {
      title: 'Lite',
      group: 'music',
      rank: 10,
      markets: ['in'],
      entitlements: [{ feature: 'ad-free' }, { feature: 'on-demand' }],
    }),
    resource('Plan', 'premium', {
      title: 'Premium',
      group: 'music',
      rank: 20,
      entitlements: [
        { feature: 'ad-free' },
        { feature: 'on-demand' },
        { feature: 'audio-quality', value: 'high' },
        { feature: 'audio-quality', value: 'lossless', markets: ['de'] },
        { feature: 'audiobooks', limit: 900, per: 'P1M', markets: ['de'] },
      ],
    }),
    resource('Plan', 'duo', {
      title: 'Duo',
      group: 'music',
      rank: 30,
      seats: 2,
      roles: ['manager', 'member'],
      openTo: 'existing',
      entitlements: [{ feature: 'ad-free' }, { feature: 'on-demand' }],
    }),
    resource('Plan', 'family', {
      title: 'Family',
      group: 'music',
      rank: 40,
      seats: 6,
      roles: ['manager', 'member'],
      entitlements: [
        { feature: 'ad-free' },
        { feature: 'on-demand' },
        { feature: 'audiobooks', limit: 900, per: 'P1M', roles: ['manager'] },
        { feature: 'streams', limit: 'unlimited', roles: ['manager'] },
        { feature: 'streams', limit: 1 },
      ],
    }),
    price('premium', 'de', [euro('2024-01-01', '9.99'), euro('2025-09-01', '12.99'), euro('2026-12-01', '13.99')]),
    price('premium', 'de', [euro('2025-01-01', '119.00')], { interval: 'P1Y' }),
    price('premium', 'de', [euro('2025-01-01', '14.99', '2026-03-01'), euro('2026-09-01', '15.99')], {
      channel: 'apple',
    }),
    price('premium', 'in', [{ from: '2025-01-01', amount: '119.00', currency: 'INR' }]),
    price('lite', 'in', [{ from: '2025-11-01', amount: '69.00', currency: 'INR' }]),
    price('duo', 'de', [euro('2024-01-01', '16.99')]),
    price('family', 'de', [euro('2024-01-01', '19.99')]),
  ];
}

/** The same catalogue with limits: audiobooks by the month, thirty minutes a day for free, one stream each. */
export function usageCatalogue(): readonly ResourceObject[] {
  const plans = catalogue().filter(({ metadata }) => metadata.name !== 'free' && metadata.name !== 'premium');
  return [
    ...plans,
    resource('Feature', 'daily', { title: 'Any track', type: 'metered', unit: 'minutes', degradeTo: 'shuffle' }),
    resource('Feature', 'skips', { title: 'Skips', type: 'metered', unit: 'skips' }),
    resource('Plan', 'free', {
      title: 'Free',
      group: 'music',
      rank: 0,
      entitlements: [
        { feature: 'shuffle' },
        { feature: 'daily', limit: 30, per: 'P1D' },
        { feature: 'skips', limit: 6, per: 'PT1H' },
        { feature: 'streams', limit: 1 },
      ],
    }),
    resource('Plan', 'premium', {
      title: 'Premium',
      group: 'music',
      rank: 20,
      entitlements: [
        { feature: 'daily', limit: 'unlimited' },
        { feature: 'audiobooks', limit: 900, per: 'P1M' },
        { feature: 'streams', limit: 1 },
      ],
    }),
    resource('Cap', 'audiobooks', {
      feature: 'audiobooks',
      plans: ['premium', 'family'],
      roles: ['manager'],
      window: { type: 'anchored', per: 'P1M' },
    }),
    resource('Cap', 'daily', {
      feature: 'daily',
      plans: ['free'],
      window: { type: 'calendar', per: 'P1D' },
      enforcement: 'degrade',
    }),
    resource('AddOn', 'plus', {
      title: 'Audiobooks+',
      feature: 'audiobooks',
      amount: 600,
      kind: 'recurring',
      per: 'P1M',
      roles: ['manager'],
    }),
    resource('AddOn', 'ten-hours', {
      title: '10 hours',
      feature: 'audiobooks',
      amount: 600,
      kind: 'topUp',
      validity: 'P12M',
      roles: ['manager'],
    }),
  ];
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ad } from '../kinds/ad.ts';
import { AdSet, TIERS } from '../kinds/ad-set.ts';
import { Advertiser } from '../kinds/advertiser.ts';
import { Asset, FORMATS } from '../kinds/asset.ts';
import { GOALS } from '../rules/goals.ts';
import { live, worldOf } from '../testing/world.ts';
import { AdSetRows, rowOf } from './ad-set-rows.ts';

/** More than the objects of which stand in one array. */
const ROWS = 2_100;

test('rows are read as they were added, however many there are', () => {
  const world = worldOf([
    ...['EUR', 'USD'].map((currency) => live(Advertiser, currency.toLowerCase(), { currency, categories: [currency] })),
    ...FORMATS.map((format, n) =>
      live(Asset, `eur.${format}`, {
        account: 'eur',
        format,
        seconds: 10 + n,
        renditions: [{ url: 'https://a.example/a' }],
      }),
    ),
    ...Array.from({ length: ROWS }, (_, n) =>
      live(AdSet, `eur.s${n}`, {
        account: n % 3 === 0 ? 'usd' : 'eur',
        campaign: 'eur.c',
        tier: TIERS[n % 4],
        goal: GOALS[n % 3],
        bid: `${n}.50`,
        paused: n % 5 === 0,
        position: 'any',
        ...(n % 2 === 0 ? {} : { placements: [`p${n % 4}`], audience: `a${n % 7}`, from: '2026-11-01T00:00:00Z' }),
        ...(n % 11 === 0 ? { frequencyCaps: [{ count: 1, per: 'P1D', scope: 'listener' }] } : {}),
      }),
    ),
    ...Array.from({ length: ROWS }, (_, n) =>
      live(Ad, `eur.a${n}`, {
        account: 'eur',
        adSet: `eur.s${n - (n % 4 === 1 ? 1 : 0)}`,
        asset: `eur.${FORMATS[n % 3]}`,
        weight: 1,
        explicit: n % 3 === 0,
      }),
    ),
  ]);
  const expected = Array.from(world.list(AdSet.id), (object) => rowOf(object, world));
  const rows = new AdSetRows();
  for (const row of expected) rows.add(row);
  for (const trimmed of [rows, rows.trim()]) {
    assert.equal(trimmed.length, ROWS);
    const read = Array.from({ length: ROWS }, (_, at) => trimmed.rowAt(at));
    assert.deepEqual(read, expected);
  }
});

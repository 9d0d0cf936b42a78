import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chance } from './chance.ts';
import type { Effect } from './effect.ts';
import { listenerAt } from './listener.ts';
import { visit, type SeenPrice, type Shelf } from './shop.ts';

const VISITS = 10_000;
const price = (plan: string, amount: string, more: Partial<SeenPrice> = {}): SeenPrice => ({
  plan,
  interval: 'P1M',
  channel: 'web',
  sellable: true,
  amount,
  currency: 'EUR',
  ...more,
});
const shelf = (premium: SeenPrice, releases: readonly string[] = []): Shelf => ({
  prices: [price('student', '5.99'), premium, price('family', '19.99')],
  releases,
});

/** Which part of the visits end with a purchase. */
function boughtPart(seen: Shelf, effects: readonly Effect[] = []): number {
  const visits = Array.from({ length: VISITS }, (_, number) =>
    visit(listenerAt(1, number), seen, effects, chance(number)),
  );
  return visits.filter((event) => event !== undefined).length / VISITS;
}

test('a price below that of Family sells as before; as much as Family, now or announced, sells a tenth', () => {
  const usual = boughtPart(shelf(price('premium', '12.99')));
  assert.ok(Math.abs(usual - 0.4) < 0.02, String(usual));
  assert.equal(boughtPart(shelf(price('premium', '13.99'))), usual);
  assert.equal(boughtPart(shelf(price('premium', '12.99', { next: { amount: '13.99' } }))), usual);
  for (const dear of [price('premium', '129.99'), price('premium', '12.99', { next: { amount: '129.99' } })]) {
    const part = boughtPart(shelf(dear));
    assert.ok(part > 0.02 && part < 0.06, String(part));
  }
});

test('an effect of a release is for those who get what it carries, and for nobody else', () => {
  const effects: Effect[] = [{ release: 'rise-7', on: 'conversions', factor: 0.5 }];
  const usual = boughtPart(shelf(price('premium', '12.99')));
  assert.equal(boughtPart(shelf(price('premium', '12.99'), ['other-8']), effects), usual);
  const less = boughtPart(shelf(price('premium', '12.99'), ['rise-7']), effects);
  assert.ok(Math.abs(less - usual / 2) < 0.02, String(less));
});

test('nothing is bought where nothing is offered', () => {
  assert.equal(boughtPart({ prices: [], releases: [] }), 0);
  assert.equal(boughtPart(shelf(price('premium', '12.99', { sellable: false }))), 0);
});

test('a purchase says what was paid, where', () => {
  const bought = Array.from({ length: 50 }, (_, number) =>
    visit(listenerAt(1, 3), shelf(price('premium', '12.99')), [], chance(number)),
  ).find((event) => event !== undefined);
  const { market } = listenerAt(1, 3);
  assert.deepEqual(bought?.properties, { plan: 'premium', market, amount: 12.99, currency: 'EUR' });
});

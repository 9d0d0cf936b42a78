import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareLedger, decimalOf, microsOf, type LedgerCounter } from './compare-ledger.ts';
import { remedyFor } from './reconcile.ts';

const counter = (owner: string, figures: Partial<LedgerCounter> = {}): LedgerCounter => ({
  bucket: `${owner} lifetime`,
  window: 'lifetime',
  used: '0.00',
  reserved: '0.00',
  charged: '0.00',
  unlogged: '0.00',
  ...figures,
});
const verdicts = (...given: Parameters<typeof compareLedger>): readonly string[] =>
  compareLedger(...given).map(({ owner, verdict, difference }) => `${owner} ${verdict} ${difference ?? ''}`.trim());

test('a quiet ledger is equal to its events to the micro-unit, or differs by what is missing', () => {
  const ledger = [
    counter('account a', { used: '3.00', reserved: '1.00' }),
    counter('adset a.s', { used: '3.00', reserved: '1.00', charged: '2.50' }),
    { ...counter('adset a.s', { used: '9.00', charged: '9.00' }), bucket: 'adset a.s day', window: 'P1D:2026-11-30' },
  ];
  const compare = (micros: bigint) => verdicts({ before: ledger, events: new Map([['a.s', micros]]), after: ledger });
  assert.deepEqual(compare(2_500_000n), ['account a equal', 'adset a.s equal']);
  assert.deepEqual(compare(2_499_999n), ['account a equal', 'adset a.s differs 0.000001']);
  assert.deepEqual(compare(2_500_001n), ['account a equal', 'adset a.s differs -0.000001']);
});

test('while ads are charged the events lie between both readings', () => {
  const before = [counter('adset a.s', { charged: '2.00', unlogged: '0.50' })];
  const after = [counter('adset a.s', { charged: '3.00' })];
  const compare = (micros: bigint) => verdicts({ before, events: new Map([['a.s', micros]]), after });
  assert.deepEqual(compare(1_500_000n), ['adset a.s moving']);
  assert.deepEqual(compare(3_000_000n), ['adset a.s moving']);
  assert.deepEqual(compare(1_499_999n), ['adset a.s differs 0.000001']);
  assert.deepEqual(compare(3_000_001n), ['adset a.s differs -0.000001']);
});

test('an ad set that is on one side only differs, and so does an account that is not the sum of its ad sets', () => {
  const account = counter('account a', { used: '5.00' });
  const adSet = counter('adset a.s', { used: '2.00', charged: '2.00' });
  assert.deepEqual(verdicts({ before: [account, adSet], events: new Map([['a.t', 1n]]), after: [account, adSet] }), [
    'account a differs 3.00',
    'adset a.s differs 2.00',
    'adset a.t differs -0.000001',
  ]);
});

test('micro-units and decimal texts are each other', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), (micros) => microsOf(decimalOf(micros)) === micros),
  );
});

test('a ledger that has less than the events was restored, and one that has more is older than they are', () => {
  assert.match(
    remedyFor([{ difference: '-0.57' }]),
    /^A ledger that has less was restored from a backup: see docs\/on-call\.md\. /,
  );
  assert.match(remedyFor([{ difference: '0.57' }]), /^Events are deleted after 395 days/);
});

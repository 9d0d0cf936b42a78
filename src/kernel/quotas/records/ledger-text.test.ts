import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { balanceOf } from '../rules/bucket.ts';
import type { Answer } from '../rules/contract.ts';
import { fingerprintOf, plainFingerprint, type ChargeOperation } from '../rules/operation.ts';
import { ledgerText, parseLedgerText } from './ledger-text.ts';

// Equal names and times are frequent: a balance that shares them with a line of the receipt stores them once.
const name = fc.oneof(fc.constantFrom('a', 'b'), fc.string({ minLength: 1, maxLength: 6 }));
const units = fc.oneof(fc.constantFrom(0, 1), fc.nat());
const line = fc.record(
  {
    subject: fc.constantFrom('own', 'other'),
    quota: name,
    bucket: name,
    window: name,
    amount: units,
    untilMs: units,
    atMs: units,
    corrects: name,
  },
  { requiredKeys: ['subject', 'quota', 'bucket', 'window', 'amount'] },
);
const limit = fc.oneof(units, fc.constant('unlimited' as const));
const balance = fc
  .record({ id: name, limit, used: units, key: name, untilMs: fc.option(units, { nil: undefined }) })
  .map(({ id, limit, used, key, untilMs }) =>
    balanceOf({
      bucket: { id, limit, window: { type: 'lifetime' }, priority: 0, createdMs: 0 },
      span: { fromMs: 0, untilMs, key },
      used,
    }),
  );
const answer: fc.Arbitrary<Answer> = fc.record(
  {
    outcome: fc.constantFrom('granted', 'denied', 'returned', 'extended', 'carried'),
    asked: units,
    amount: units,
    receipt: fc.array(line, { maxLength: 3 }),
    balances: fc.array(balance, { maxLength: 3 }),
    atMs: units,
    deniedQuota: name,
    retryAtMs: units,
    expiresAtMs: units,
    replayed: fc.constant(false),
  },
  { requiredKeys: ['outcome', 'asked', 'amount', 'receipt', 'balances', 'atMs', 'replayed'] },
);

test('an operation read from the ledger equals the written one', () => {
  fc.assert(
    fc.property(answer, name, fc.option(fc.string(), { nil: undefined }), (given, kind, other) => {
      const fingerprint = other ?? plainFingerprint(given.receipt[0]?.quota ?? '', given.asked);
      const plain: unknown = JSON.parse(JSON.stringify({ kind, fingerprint, answer: given }));
      assert.deepEqual(parseLedgerText('own', ledgerText({ subject: 'own', kind, fingerprint, answer: given })), plain);
    }),
  );
});

test('the text of a plain charge omits everything that its receipt contains', () => {
  const charge: ChargeOperation = {
    kind: 'charge',
    subject: 'own',
    key: 'k',
    manner: 'whole',
    items: [{ subject: 'own', quota: 'audiobooks', buckets: [], amount: 60 }],
  };
  const line = { subject: 'own', quota: 'audiobooks', bucket: 'plan', window: 'P1M:2026-11', amount: 60, untilMs: 9 };
  const answer: Answer = {
    outcome: 'granted',
    asked: 60,
    amount: 60,
    receipt: [line],
    balances: [
      { bucket: 'plan', window: 'P1M:2026-11', limit: 900, used: 60, remaining: 840, overLimit: false, resetsAtMs: 9 },
    ],
    atMs: 5,
    replayed: false,
  };
  const entry = { subject: 'own', kind: 'charge', answer };
  const text = ledgerText({ ...entry, fingerprint: fingerprintOf(charge) });
  assert.equal(
    text,
    '["granted",60,60,[["","audiobooks","plan","P1M:2026-11",60,9]],[[0,900,60]],5,null,"charge",null]',
  );
  assert.equal(parseLedgerText('own', text).fingerprint, fingerprintOf(charge));
  for (const other of [
    { ...charge, manner: 'partial' },
    { ...charge, usedAtMs: 4 },
  ] as const) {
    const text = ledgerText({ ...entry, fingerprint: fingerprintOf(other) });
    assert.equal(parseLedgerText('own', text).fingerprint, fingerprintOf(other));
  }
});

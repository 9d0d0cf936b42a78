import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { balanceOf } from '../bucket.ts';
import type { Answer } from '../contract.ts';
import { ledgerText, parseLedgerText } from './ledger-text.ts';

const name = fc.string({ minLength: 1, maxLength: 6 });
const units = fc.nat();
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

test('an operation comes out of the ledger as it went in', () => {
  fc.assert(
    fc.property(answer, name, fc.string(), (given, kind, fingerprint) => {
      const plain: unknown = JSON.parse(JSON.stringify({ kind, fingerprint, answer: given }));
      assert.deepEqual(parseLedgerText('own', ledgerText({ subject: 'own', kind, fingerprint, answer: given })), plain);
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColors } from 'picocolors';
import { diagnosisText, type Diagnosis } from './diagnosis-text.ts';

const plain = createColors(false);
const diagnosis: Diagnosis = {
  adSet: 'default/acme.s',
  summary: 'It is behind its plan: 1.20 of 48.00 EUR that were expected by now.',
  currency: 'EUR',
  budgets: [
    { owner: 'adset default/acme.s', per: 'day', limit: '96.00', used: '1.20', expected: '48.00' },
    { owner: 'account default/acme', per: 'lifetime', limit: '500.00', used: '7.00' },
  ],
  requests: { asked: 1_250, since: '2026-12-01T10:00:00Z', replayed: 400, eligible: 0.8, served: 0.1 },
  losses: [
    {
      reason: 'frequency cap',
      share: 0.82,
      of: 'eligible requests',
      sentence: '82 % of eligible requests lost: it was heard enough.',
      remedy: 'Raise the cap.',
    },
  ],
  snapshot: { version: '42', ageSeconds: 1 },
};

test('a diagnosis is what it amounts to, the money, and each loss with its remedy', () => {
  assert.equal(
    diagnosisText(diagnosis, plain),
    `default/acme.s: It is behind its plan: 1.20 of 48.00 EUR that were expected by now.

1250 breaks at its placements since 2026-12-01T10:00:00Z, on this node. Of 400 that were decided anew, 80 % were eligible, and 10 % of those would be served.

Budgets in EUR, on all nodes
  OF                     PER        USED   EXPECTED BY NOW   LIMIT
  adset default/acme.s   day        1.20   48.00             96.00
  account default/acme   lifetime   7.00   -                 500.00

What keeps it from being served
  frequency cap: 82 % of eligible requests lost: it was heard enough.
    Raise the cap.
Answered from snapshot 42, 1 s old.`,
  );
});

test('a node that was asked nothing says so', () => {
  const none: Diagnosis = {
    ...diagnosis,
    budgets: [],
    losses: [],
    requests: { asked: 0, replayed: 0, eligible: 0, served: 0 },
  };
  assert.match(diagnosisText(none, plain), /^This node answered no break at its placements lately\.$/m);
});

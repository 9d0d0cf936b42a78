import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unitsAdvice } from './advice.ts';
import type { PolicySpec, Stage } from './kinds/policy-spec.ts';

const stage = (name: string, percent: number, more: Partial<Stage> = {}): Stage => ({
  name,
  percent,
  soak: 'PT10M',
  promote: 'auto',
  ...more,
});

const POLICY: PolicySpec = {
  selector: {},
  priority: 0,
  unit: 'household',
  stages: [stage('first', 1), stage('tenth', 10), stage('half', 50)],
  guardrails: [{ name: 'denials', decisions: 'denied', noWorse: { margin: 1.5 } }],
  judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
  onFailure: 'rollback',
  onUndecided: 'pause',
  queue: 'supersede',
};

function short(more: Partial<PolicySpec>, known: Readonly<Record<string, number>> | null = { de: 1_500, se: 493 }) {
  return unitsAdvice({ ...POLICY, ...more }, () => (known === null ? undefined : new Map(Object.entries(known))));
}

test('a stage that cannot have 300 units of the candidate is told, where a comparison has to pass in it', () => {
  assert.deepEqual(short({}), [
    'spec.stages[0]: stage first has 1 % of about 2,000 households on record, at most 19; a guardrail noWorse (denials) needs 300 to pass.',
    'spec.stages[1]: stage tenth has 10 % of about 2,000 households on record, at most 199; a guardrail noWorse (denials) needs 300 to pass.',
  ]);
  const [denials] = POLICY.guardrails;
  assert.ok(denials !== undefined);
  assert.equal(short({ guardrails: [{ ...denials, promotesFrom: 'tenth' }] }).length, 1);
  assert.deepEqual(short({ guardrails: [{ ...denials, promotesFrom: 'half' }] }), []);
  assert.deepEqual(short({ guardrails: [{ ...denials, shadow: true }] }), []);
  assert.deepEqual(short({ guardrails: [{ name: 'd', decisions: 'denied', burnRate: { objective: 0.99 } }] }), []);
  assert.deepEqual(short({}, null), [], 'where nobody knows, nothing is said');
  assert.deepEqual(short({}, { de: 30_000 }), []);
});

test('a stage of some markets has the units of these, and one of an audience no more than all', () => {
  assert.deepEqual(
    short({ stages: [stage('se', 60, { markets: ['se', 'no'] }), stage('de', 20, { markets: ['de'] })] }),
    [
      'spec.stages[0]: stage se has 60 % of about 490 households on record, at most 295; a guardrail noWorse (denials) needs 300 to pass.',
    ],
  );
  assert.match(
    short({ stages: [stage('staff', 10, { audience: 'staff' })] }).join(),
    /10 % of staff among about 2,000/,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unitsAdvice } from './advice.ts';
import { LISTENERS } from './testing/listeners.ts';
import type { PolicySpec, Stage } from './kinds/policy-spec.ts';

const stage = (name: string, percent: number, more: object = {}): Stage => ({
  name,
  listeners: { unit: 'group', percent, ...more },
  soak: 'PT10M',
  promote: 'auto',
  maxUnknown: 0,
});

const POLICY: PolicySpec = {
  selector: {},
  priority: 0,
  stages: [stage('first', 1), stage('tenth', 10), stage('half', 50)],
  guardrails: [{ name: 'denials', decisions: 'denied', noWorse: { margin: 1.5 } }],
  judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
  onFailure: 'rollBack',
  onUndecided: 'halt',
  queue: 'supersede',
};

function short(more: Partial<PolicySpec>, known: Readonly<Record<string, number>> | null = { de: 1_500, se: 493 }) {
  return unitsAdvice({ ...POLICY, ...more }, [LISTENERS], () =>
    known === null ? undefined : new Map(Object.entries(known)),
  );
}

test('a stage that cannot have 300 units of the candidate gives a warning, where a comparison has to pass in it', () => {
  assert.deepEqual(short({}), [
    'spec.stages[0].listeners: stage first has at most 19 of about 2,000 groups on record; a guardrail noWorse (denials) needs 300 to pass.',
    'spec.stages[1].listeners: stage tenth has at most 199 of about 2,000 groups on record; a guardrail noWorse (denials) needs 300 to pass.',
  ]);
  const [denials] = POLICY.guardrails;
  assert.ok(denials !== undefined);
  assert.equal(short({ guardrails: [{ ...denials, promotesFrom: 'tenth' }] }).length, 1);
  assert.deepEqual(short({ guardrails: [{ ...denials, promotesFrom: 'half' }] }), []);
  assert.deepEqual(short({ guardrails: [{ ...denials, shadow: true }] }), []);
  assert.deepEqual(short({ guardrails: [{ name: 'd', decisions: 'denied', burnRate: { objective: 0.99 } }] }), []);
  assert.deepEqual(short({}, null), [], 'unknown units give no warning');
  assert.deepEqual(short({}, { de: 30_000 }), []);
});

test('a stage of some regions has the units of these, and one of an audience no more than all', () => {
  assert.deepEqual(
    short({ stages: [stage('se', 60, { regions: ['se', 'no'] }), stage('de', 20, { regions: ['de'] })] }),
    [
      'spec.stages[0].listeners: stage se has at most 295 of about 490 groups on record; a guardrail noWorse (denials) needs 300 to pass.',
    ],
  );
  assert.match(
    short({ stages: [stage('staff', 10, { audience: 'staff' })] }).join(),
    /at most 200 of about 2,000|at most 199 of about 2,000/,
  );
});

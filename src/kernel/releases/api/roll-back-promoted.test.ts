import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policySpec } from '../kinds/release-policy.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { specOfRollback } from './roll-back-promoted.ts';

const side = (revision: string) => ({ revision, namespace: '', labels: {}, generation: 1, refs: [] });
const CHANNEL = { on: ['rolledBack'], webhook: 'https://hooks.example/releases' };

function promotedSpec(spec: Partial<ReleaseSpec> = {}): ReleaseSpec {
  const objects = [
    { kind: 'Node', name: 'changed', from: side('1'), to: side('2') },
    { kind: 'Node', name: 'created', to: side('3') },
    { kind: 'Node', name: 'deleted', from: side('4') },
  ];
  return { number: 7, authors: ['ann'], changeSet: '7', objects, planHash: 'p', open: false, ...spec };
}

test('a rollback goes the other way round, the last object first', () => {
  const back = specOfRollback({ name: 'r-7', spec: promotedSpec() }, 9, ['bob', 'minter']);
  assert.deepEqual(
    back.objects.map(({ name, from, to }) => [name, from?.revision, to?.revision]),
    [
      ['deleted', undefined, '4'],
      ['created', '3', undefined],
      ['changed', '2', '1'],
    ],
  );
  assert.deepEqual(
    { number: back.number, authors: back.authors, rollbackOf: back.rollbackOf, open: back.open },
    { number: 9, authors: ['bob', 'minter'], rollbackOf: 'r-7', open: true },
  );
  assert.equal(back.policy, undefined);
});

test('of its policy a rollback keeps who is notified, and nothing that would hold it', () => {
  const spec = policySpec({
    spec: { selector: {}, approvals: { required: 2 }, stages: [{ name: 'few' }], notify: [CHANNEL] },
  });
  const back = specOfRollback({ name: 'r-7', spec: promotedSpec({ policy: { name: 'p', spec } }) }, 9, ['bob']);
  assert.equal(back.policy?.name, 'p');
  assert.deepEqual(back.policy?.spec.notify, spec.notify);
  assert.deepEqual([back.policy?.spec.stages, back.policy?.spec.guardrails], [[], []]);
  assert.equal(back.policy?.spec.approvals, undefined);
});

test('a policy that notifies nobody is no part of a rollback', () => {
  const spec = policySpec({ spec: { selector: {}, approvals: { required: 2 } } });
  assert.equal(
    specOfRollback({ name: 'r-7', spec: promotedSpec({ policy: { name: 'p', spec } }) }, 9, ['bob']).policy,
    undefined,
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColors } from 'picocolors';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import type { ChangeResult } from '#kernel/releases/kinds/change-answer.ts';
import { parseFieldPath, refusedChange } from './change-set.ts';
import type { DeclaredObject } from './manifest-files.ts';
import { requireLive } from '../apply/apply.ts';
import { applyText, heldText, planText, warningsText } from './plan-text.ts';

const plain = createColors(false);

const FILE = `kind: Plan
metadata:
  name: premium
  labels:
    a/b: c
spec:
  timeline:
    - amount: x
---
kind: Plan
metadata:
  name: free
`;

const declared: DeclaredObject[] = decodeManifests(FILE).map(({ value, lineOf }) => ({
  object: value,
  place: (path) => `plans.yaml:${lineOf(path)}`,
}));

test('a plan says how the change would spread', () => {
  const policy = { name: 'prices', stages: '1% → 10% → all', approvals: 2, others: [], conflicts: [], warnings: [] };
  const text = planText({ results: [result({ action: 'created' })], policy }, ['a.yaml:1'], plain);
  assert.match(text, /\nRelease: by policy prices, 1% → 10% → all after 2 approvals\.$/);
  const others = [{ name: 'plans', approvals: 1 }];
  const more = planText(
    { results: [result({ action: 'created' })], policy: { ...policy, others } },
    ['a.yaml:1'],
    plain,
  );
  assert.match(more, /after 2 approvals of policy prices and 1 approval of policy plans\.$/);
  const warnings = ['spec.stages[0]: stage first is small.'];
  const small = planText(
    { results: [result({ action: 'created' })], policy: { ...policy, warnings } },
    ['a.yaml:1'],
    plain,
  );
  assert.match(small, /after 2 approvals\.\n! spec\.stages\[0\]: stage first is small\. \(warning\)$/);
  const conflicts = ['policy a stages this, policy b does not: apply them separately'];
  const blocked = planText({ results: [result({ action: 'created' })], policy: { ...policy, conflicts } }, [''], plain);
  assert.match(blocked, /\nRelease: blocked, policy a stages this, policy b does not: apply them separately\.$/);
});

test('field paths as Kubernetes writes them are read back', () => {
  assert.deepEqual(parseFieldPath('spec.timeline[0].amount'), ['spec', 'timeline', 0, 'amount']);
  assert.deepEqual(parseFieldPath('metadata.labels[a/b.c]'), ['metadata', 'labels', 'a/b.c']);
  assert.deepEqual(parseFieldPath(''), []);
});

test('each cause of a refusal is shown at its file, line and field', () => {
  const failure = refusedChange(
    [
      { field: 'objects[0].spec.timeline[0].amount', message: 'Invalid value: "x"' },
      { field: 'spec.objects[0].metadata.labels[a/b]', message: 'bad' },
      { field: 'objects[1]', message: 'declared twice' },
      { field: 'objects[1].spec.title', message: 'Required value' },
      { field: 'spec.objects', message: 'too many' },
      { field: 'objects[0].spec.rate', message: 'in body must be of type string: "integer"' },
    ],
    declared,
  );
  assert.deepEqual(failure.details, [
    { where: 'plans.yaml:8  spec.timeline[0].amount', what: 'Invalid value: "x"' },
    { where: 'plans.yaml:5  metadata.labels[a/b]', what: 'bad' },
    { where: 'plans.yaml:10  Plan free', what: 'declared twice' },
    { where: 'plans.yaml:10  spec.title', what: 'Required value' },
    { where: 'spec.objects', what: 'too many' },
    { where: 'plans.yaml:6  spec.rate', what: 'in body must be of type string: "integer"; put it in quotes' },
  ]);
});

test('the remedy of a refusal is shown beside it', () => {
  const cause = { field: 'objects[0]', message: 'Plan "premium" is pinned by bob: too dear.' };
  const message = 'Plan "premium" is pinned by bob: too dear. Let go of it: backline release unpin premium-7.';
  assert.equal(refusedChange([cause], declared, message).remedy, 'Let go of it: backline release unpin premium-7.');
  assert.equal(
    refusedChange([cause], declared, 'Plan.products.backline.dev "premium" is invalid: x').remedy,
    undefined,
  );
});

const result = (more: Partial<ChangeResult>): ChangeResult => ({
  apiVersion: 'products.backline.dev/v1',
  kind: 'Plan',
  namespace: 'shop',
  name: 'premium',
  action: 'configured',
  fields: [],
  sentences: [],
  problems: [],
  warnings: [],
  ...more,
});

const RESULTS: ChangeResult[] = [
  result({
    fields: [
      { path: 'spec.title', before: 'Premium', after: 'Premium+' },
      { path: 'spec.rank', after: 5 },
      { path: 'spec.markets', before: ['de'] },
    ],
    sentences: ['Premium is now called Premium+.'],
  }),
  result({ name: 'free', action: 'unchanged' }),
  result({
    apiVersion: 'v1',
    kind: 'Namespace',
    namespace: undefined as never,
    name: 'shop',
    action: 'created',
    fields: [{ path: 'spec', after: 'x'.repeat(500) }],
    problems: [{ path: 'spec.plan', message: 'there is no live Plan "x"' }],
  }),
  result({ name: 'duo', action: 'unchanged', problems: [{ path: '', message: 'waits' }] }),
];

test('a plan shows what would change field by field, what it means, and what keeps it from going live', () => {
  assert.equal(
    planText({ results: RESULTS }, ['a.yaml:1', 'a.yaml:5', 'b.yaml:1', 'b.yaml:9'], plain),
    `~ Plan shop/premium  a.yaml:1
    ~ spec.title: "Premium" → "Premium+"
    + spec.rank: 5
    - spec.markets: ["de"]
    » Premium is now called Premium+.

+ Namespace shop  b.yaml:1
    + spec: "${'x'.repeat(119)}…
    ! spec.plan: there is no live Plan "x" (keeps it from going live)

= Plan shop/duo  b.yaml:9
    declared already, but not live
    ! waits (keeps it from going live)

Plan: 1 to create, 1 to change, 2 unchanged; 2 would not go live.`,
  );
});

test('a warning is shown by plan and apply, and is no reason to fail', () => {
  const warned = result({ kind: 'ReleasePolicy', name: 'p', warnings: ['spec.selector: nothing is selected.'] });
  assert.match(planText({ results: [warned] }, [''], plain), /! spec\.selector: nothing is selected\. \(warning\)/);
  assert.equal(warningsText([warned], plain), 'warning: ReleasePolicy shop/p  spec.selector: nothing is selected.');
  assert.doesNotThrow(() => requireLive([warned]));
});

test('apply fails when something is declared, not live, and carried by no release', () => {
  const held = { problems: [{ path: '', message: 'waits' }] };
  assert.throws(() => requireLive([result({}), result(held)]), /1 of 2 objects is declared and not live/);
  assert.throws(() => requireLive([result(held)], true), /1 of 1 object would not go live/);
  assert.doesNotThrow(() => requireLive([result({}), result({ ...held, release: 'premium-7' })]));
});

test('a plan without changes is one line', () => {
  assert.equal(
    planText({ results: [result({ action: 'unchanged' })] }, ['a.yaml:1'], plain),
    'Plan: 0 to create, 0 to change, 1 unchanged.',
  );
});

test('an apply names each object as kubectl does, and says when it was a dry run', () => {
  assert.equal(
    applyText({ version: '7', results: RESULTS.slice(0, 3) }, false, plain),
    `plan.products.backline.dev/premium configured
  » Premium is now called Premium+.
plan.products.backline.dev/free unchanged
namespace/shop created
Declared as version 7.`,
  );
  assert.match(
    applyText({ version: '7', results: RESULTS }, true, plain),
    /premium configured \(dry run\)\n[^]*\nNothing was changed\.$/,
  );
});

test('an object that is declared but not live is shown with its reason, and nothing else', () => {
  assert.equal(
    heldText(RESULTS, ['a.yaml:1', 'a.yaml:5', 'b.yaml:1', 'b.yaml:9'], plain),
    `not live: Namespace shop (b.yaml:1)  spec.plan: there is no live Plan "x"
not live: Plan shop/duo (b.yaml:9)  waits`,
  );
  assert.equal(heldText([result({})], ['a.yaml:1'], plain), '');
});

test('colours mark what is added, removed and changed', () => {
  const colours = createColors(true);
  const text = planText({ results: RESULTS.slice(0, 1) }, [''], colours);
  assert.ok(text.includes(colours.green('+ spec.rank: 5')));
  assert.ok(text.includes(colours.red('- spec.markets: ["de"]')));
});

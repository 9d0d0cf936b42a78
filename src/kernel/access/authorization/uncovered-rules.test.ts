import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allowsPath, allowsResource, compileRule, type PolicyRule } from '../rules/rules.ts';
import { uncoveredRules } from './uncovered-rules.ts';

const some = (...values: string[]) => fc.subarray(values, { minLength: 1 });
const RULE: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record({
    verbs: some('get', 'update', '*'),
    apiGroups: some('', 'products', '*'),
    resources: some('plans', 'plans/status', '*', '*/status'),
    resourceNames: fc.oneof(fc.constant([]), some('premium', 'free')),
  }),
  fc.record({ verbs: some('get', 'post', '*'), nonResourceURLs: some('*', '/apis', '/apis/*', '/api*') }),
);

/** All requests that the rules of these tests can match, and values that no rule names. */
const REQUESTS = ['get', 'update', 'post', 'other'].flatMap((verb) => [
  ...['', 'products', 'other'].flatMap((group) =>
    ['plans', 'secrets'].flatMap((resource) =>
      ['', 'status', 'token'].flatMap((subresource) =>
        ['', 'premium', 'free', 'basic'].map((name) => ({ verb, group, resource, subresource, namespace: '', name })),
      ),
    ),
  ),
  ...['/', '/api', '/apis', '/apis/x', '/apiserver', '/healthz'].map((path) => ({ verb, path })),
]);

function isAllowed(rules: readonly PolicyRule[], request: (typeof REQUESTS)[number]): boolean {
  return rules
    .map(compileRule)
    .some((rule) => ('path' in request ? allowsPath(rule, request) : allowsResource(rule, request)));
}

test('a holder of covered rules cannot gain any right from them', () => {
  fc.assert(
    fc.property(fc.array(RULE, { maxLength: 5 }), fc.array(RULE, { maxLength: 3 }), (held, wanted) => {
      const uncovered = uncoveredRules(held, wanted);
      for (const request of REQUESTS) {
        if (!isAllowed(wanted, request)) continue;
        assert.equal(isAllowed(held, request) || isAllowed(uncovered, request), true, JSON.stringify(request));
      }
    }),
    { numRuns: 1_000 },
  );
});

test('held rules can be granted, whole or combined', () => {
  fc.assert(
    fc.property(fc.array(RULE, { maxLength: 5 }), (held) => {
      assert.deepEqual(uncoveredRules(held, held), []);
      assert.deepEqual(
        uncoveredRules(
          [
            { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
            { verbs: ['*'], nonResourceURLs: ['*'] },
          ],
          held,
        ),
        [],
      );
    }),
  );
  const plans = (verb: string): PolicyRule => ({ verbs: [verb], apiGroups: ['products'], resources: ['plans'] });
  assert.deepEqual(uncoveredRules([plans('get'), plans('list')], [{ ...plans('get'), verbs: ['get', 'list'] }]), []);
});

test('missing rules are reported part by part', () => {
  const held = [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a'] }];
  assert.deepEqual(uncoveredRules(held, [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }]), [
    { verbs: ['get'], apiGroups: [''], resources: ['secrets'] },
  ]);
  assert.deepEqual(
    uncoveredRules(held, [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['a', 'b'] }]),
    [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['b'] }],
  );
  assert.deepEqual(
    uncoveredRules(
      [{ verbs: ['get'], nonResourceURLs: ['/apis/*'] }],
      [{ verbs: ['get'], nonResourceURLs: ['/api*'] }],
    ),
    [{ verbs: ['get'], nonResourceURLs: ['/api*'] }],
  );
});

test('rules too broad to compare are refused, not computed', () => {
  const many = (prefix: string) => Array.from({ length: 300 }, (_, index) => `${prefix}${index}`);
  const rule = { verbs: many('v'), apiGroups: many('g'), resources: many('r') };
  assert.throws(() => uncoveredRules([], [rule]), { code: 'access/rules-too-broad' });
});

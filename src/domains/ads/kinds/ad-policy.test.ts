import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ListenerFacts } from '../rules/listener-rules.ts';
import { gppString, tcString } from '../testing/consent-strings.ts';
import { answerUnder, CONSENTED, POLICY, reasonsOf, VENDOR } from '../testing/policy-world.ts';
import { AdPolicy } from './ad-policy.ts';

const CHILD = gppString({ usnat: { KnownChildSensitiveDataConsents: [0, 2, 0] } });
const ALL = 'bank beer jazz mixed phone plain rude toys';

test('with consent every attribute chooses ads; without, only those that the policy lists', () => {
  const german = { territory: 'DE', age: 30 };
  assert.equal(answerUnder(POLICY, { ...german, tcf: CONSENTED }).accounts, ALL);
  const without = answerUnder(POLICY, german);
  assert.equal(without.accounts, 'beer jazz mixed plain rude toys');
  assert.deepEqual(reasonsOf(without), { audience: 2 });
  const limited = tcString({ purposeConsents: [2], vendorConsents: [VENDOR], disclosed: [VENDOR] });
  assert.equal(answerUnder(POLICY, { ...german, tcf: limited }).accounts, 'beer jazz mixed phone plain rude toys');
  assert.equal(answerUnder({ ...POLICY, attributes: undefined }, german).accounts, 'beer mixed plain rude toys');
  // A broken string is no consent, and no error.
  assert.equal(answerUnder(POLICY, { ...german, tcf: 'COvFy' }).accounts, without.accounts);
  // Elsewhere none is needed, and where the listener is not known to be elsewhere it is.
  assert.equal(answerUnder(POLICY, { territory: 'JP', age: 30 }).accounts, ALL);
  assert.equal(answerUnder(POLICY, { age: 30, tcf: CONSENTED }).accounts, 'jazz mixed plain rude toys');
});

test('a territory that is no code is an unknown one, for every rule', () => {
  const beer = { ...POLICY, categories: [{ categories: ['alcohol'], deniedIn: ['NO'] }] };
  const strict = answerUnder(beer, { age: 30 });
  assert.equal(strict.accounts, 'jazz mixed plain rude toys');
  for (const territory of ['de', 'UK', 'XX', 'T1', 'DE ', 'DEU', 'de-DE', 'Germany', 'no', 'NOR']) {
    const { accounts, question } = answerUnder(beer, { age: 30, territory });
    assert.equal(accounts, strict.accounts, territory);
    assert.deepEqual(question.rules, strict.question.rules, territory);
  }
});

test('the history is that of the listener only with their consent to storage', () => {
  const scope = (facts: ListenerFacts & { listener?: string }) => answerUnder(POLICY, facts).question.historyScope;
  assert.equal(scope({ territory: 'DE', tcf: CONSENTED }), 'listener');
  assert.equal(scope({ territory: 'DE' }), 'session');
  assert.equal(scope({ territory: 'JP' }), 'listener');
  assert.equal(scope({ territory: 'JP', ageGroup: 'child' }), 'session');
  assert.equal(answerUnder(undefined, { territory: 'JP' }).question.historyScope, 'session');
});

test('children get listed categories alone, and nothing is known of them or measured', () => {
  const children: readonly ListenerFacts[] = [
    { age: 12 },
    { ageGroup: 'child' },
    { coppa: true, age: 40 },
    { ageGroup: 'child', age: 40 },
    { age: 12, ageGroup: 'adult' },
    // The string of an American child counts wherever they are, and whatever consent is demanded there.
    ...['US', 'JP', 'DE'].map((territory) => ({ territory, age: 40, tcf: CONSENTED, gpp: CHILD })),
  ];
  for (const facts of children) {
    const child = answerUnder(POLICY, { territory: 'JP', ...facts });
    assert.equal(child.accounts, 'toys', JSON.stringify(facts));
    assert.equal(child.question.rules.permission.measurement, false);
    assert.deepEqual(child.question.context, { genre: 'jazz' });
    assert.deepEqual(reasonsOf(child), { 'not for children': 5, audience: 2 });
  }
  // Also where no rule for consent fits, or it is not known which.
  const germany = { ...POLICY, consent: [{ territories: ['DE'], framework: 'none' }] };
  for (const facts of [{ territory: 'JP', gpp: CHILD }, { gpp: CHILD }])
    assert.equal(answerUnder(germany, facts).accounts, 'toys');
  assert.equal(answerUnder({ ...POLICY, childCategories: undefined }, { territory: 'JP', age: 5 }).accounts, '');
  // An explicit ad is for no child, whatever its category.
  const rude = answerUnder({ ...POLICY, childCategories: ['toys', 'rude'] }, { territory: 'JP', age: 5 });
  assert.equal(rude.accounts, 'toys');
  assert.equal(reasonsOf(rude)['explicit'], 1);
});

test('teens get no personal ads, whatever they consent to', () => {
  const teens: readonly ListenerFacts[] = [
    { territory: 'DE', tcf: CONSENTED, age: 17 },
    { territory: 'DE', tcf: CONSENTED, ageGroup: 'teen' },
    {
      territory: 'US',
      gpp: gppString({ usnat: { TargetedAdvertisingOptOut: 2, KnownChildSensitiveDataConsents: [2, 0, 0] } }),
    },
  ];
  for (const facts of teens) assert.equal(answerUnder(POLICY, facts).accounts, 'jazz mixed phone plain rude toys');
});

test('alcohol: from 21 on, where the age is known, and not where it is denied', () => {
  const isServed = (facts: ListenerFacts, rule: object = {}) =>
    answerUnder({ ...POLICY, categories: [{ ...POLICY.categories[0], ...rule }] }, facts).accounts.includes('beer');
  assert.equal(isServed({ territory: 'JP', age: 21 }), true);
  assert.equal(isServed({ territory: 'JP', age: 20 }), false);
  assert.equal(isServed({ territory: 'JP' }), false);
  assert.equal(isServed({ territory: 'JP', ageGroup: 'adult' }), false);
  assert.equal(isServed({ territory: 'JP', ageGroup: 'adult' }, { minAge: 18 }), true);
  assert.equal(isServed({ territory: 'JP', ageGroup: 'teen', age: 40 }, { minAge: 18 }), false);
  assert.equal(isServed({ territory: 'NO', age: 40 }), false);
  assert.equal(isServed({ age: 40 }), false);
  const only = { deniedIn: undefined, territories: ['JP'] };
  assert.deepEqual(
    [isServed({ territory: 'JP', age: 40 }, only), isServed({ territory: 'CH', age: 40 }, only)],
    [true, false],
  );
  assert.equal(isServed({ age: 40 }, only), false);
  assert.deepEqual(reasonsOf(answerUnder(POLICY, { territory: 'JP', age: 20 })), { 'minimum age': 1 });
  assert.deepEqual(reasonsOf(answerUnder(POLICY, { territory: 'NO', age: 40 })), { territory: 1 });
});

test('explicit ads: by the filter of the listener, for adults, or for nobody', () => {
  const isServed = (explicit: string, facts: ListenerFacts) =>
    answerUnder({ ...POLICY, explicit }, { territory: 'JP', ...facts }).accounts.includes('rude');
  assert.deepEqual(
    [isServed('unlessFiltered', {}), isServed('adults', {}), isServed('never', {})],
    [true, false, false],
  );
  assert.deepEqual([isServed('adults', { age: 18 }), isServed('adults', { age: 17 })], [true, false]);
  assert.equal(isServed('adults', { ageGroup: 'adult' }), true);
  assert.equal(isServed('never', { age: 30 }), false);
});

test('a spec that hides rules or names nothing is refused', () => {
  const problemsOf = (change: object) =>
    AdPolicy.validate?.(
      { ...POLICY, ...change },
      { name: 'rules', now: Temporal.Instant.from('2026-11-30T12:00:00Z'), find: () => [] },
    ).map(({ path, detail }) => `${path.join('.')}: ${detail}`) ?? [];
  assert.deepEqual(problemsOf({}), []);
  assert.deepEqual(problemsOf({ ages: { teenFrom: 19, adultFrom: 18 } }), [
    'spec.ages.teenFrom: teens begin at 19, after adults at 18',
  ]);
  assert.deepEqual(problemsOf({ categories: [{ categories: ['a'] }] }), [
    'spec.categories.0: a rule has minAge, territories or deniedIn: without, it does nothing',
  ]);
  assert.deepEqual(problemsOf({ categories: [{ categories: ['a'], deniedIn: ['UK'] }] }), [
    'spec.categories.0.deniedIn.0: "UK" is not a code of ISO 3166-1 (did you mean "GB"?)',
  ]);
  assert.deepEqual(problemsOf({ consent: [{ framework: 'none' }, { territories: ['DE'], framework: 'tcf' }] }), [
    'spec.consent.0.territories: a rule for everywhere hides the rules after it: let it be the last',
    'spec.consent.1.vendor: consent by tcf is given to a vendor',
  ]);
  assert.deepEqual(problemsOf({ consent: [{ framework: 'gpp', vendor: 1, legitimateInterests: [2] }] }), [
    'spec.consent.0.vendor: it belongs to tcf, and the framework is gpp',
    'spec.consent.0.legitimateInterests: it belongs to tcf, and the framework is gpp',
  ]);
});

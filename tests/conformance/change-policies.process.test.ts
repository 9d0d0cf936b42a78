import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { startWorld, type Call } from '../support/backline.ts';
import { market, plan, price } from '../support/catalogue.ts';
import { draftOf, DRAFTS, publicationOf, VALIDATION } from '../support/drafts.ts';
import { CHANGE_SETS, changeSet } from '../support/flags.ts';

const POLICIES = '/apis/admission.backline.dev/v1/changepolicies';
const RISE = `
  change.object == null || change.object.spec.market != 'de' || change.live == null ||
  change.object.spec.timeline.all(step, double(step.amount) <=
    double(change.live.spec.timeline[size(change.live.spec.timeline) - 1].amount) * 1.1)`;
const TOKENS = [
  'mia-token-1234,mia,,"system:masters,product"',
  'lea-token-1234,lea,,"system:masters,legal"',
  'ota-token-1234,ota,,"system:masters,on-call"',
];
const [MIA, LEA, OTA] = ['mia', 'lea', 'ota'].map((name) => ({ token: `${name}-token-1234` }));

/** A business with the monthly price of a plan in two markets, and its people. */
async function startBusiness(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, `${TOKENS.join('\n')}\n`);
  const world = await startWorld(t, { roles: ['api', 'controllers', 'decide'], access: { tokenFile } });
  const { call } = world;
  const prices = (amount: string) => ['de', 'at'].map((one) => priceIn(one, amount));
  const declare = (objects: readonly object[], who: object = {}, query = '') =>
    call('POST', `${CHANGE_SETS}${query}`, { body: changeSet(...objects), ...who });
  const first = await declare([market('de'), market('at'), plan('premium'), ...prices('10.00')]);
  assert.equal(first.status, 201, first.text);
  const readPrice = (where: string) =>
    call('GET', `/apis/products.backline.dev/v1/namespaces/default/prices/premium-${where}`);
  const policy = async (spec: object, name = 'prices') => {
    const answer = await call('POST', POLICIES, { body: { metadata: { name }, spec } });
    assert.equal(answer.status, 201, answer.text);
  };
  return { ...world, declare, prices, policy, readPrice };
}

function priceIn(where: string, amount: string): object {
  const timeline = [
    { from: '2026-01-01', amount: '10.00', currency: 'EUR' },
    { from: '2040-01-01', amount, currency: 'EUR' },
  ];
  return price(`premium-${where}`, { plan: 'premium', market: where, timeline });
}

/** Names of the prices that a user has written, with the notes on it, newest first. */
async function recordsOf(call: Call, user: string): Promise<readonly unknown[]> {
  const path = `/apis/audit.backline.dev/v1/auditrecords?fieldSelector=user=${user},resource=prices,dryRun=false`;
  const { json } = await call('GET', path);
  return json.items
    .filter(({ spec }: { spec: { code: number } }) => spec.code < 300)
    .map(({ spec }: { spec: { name: string; annotations?: object } }) => [spec.name, spec.annotations]);
}

const LEGAL = { groups: ['legal'] };
const RULE = { name: 'rise', expression: RISE, message: 'It rises by more than ten per cent.', allowedBy: LEGAL };

test('no price above ten per cent in Germany without legal: the refusal names the rule and who can, and nothing is written', async (t) => {
  await using business = await startBusiness(t);
  const { declare, prices, call } = business;
  await business.policy({ selector: { kinds: ['Price'] }, rules: [RULE], breakGlass: { groups: ['on-call'] } });
  const refused = await declare(prices('12.00'), MIA);
  assert.equal(refused.status, 403, refused.text);
  assert.equal(
    refused.json.message,
    'ChangePolicy "prices", rule "rise": Price default/premium-de: It rises by more than ten per cent. Allowed by the group legal. In an emergency by the group on-call. Save it as a draft for them to publish: backline draft save NAME -f FILE.',
  );
  const steps = (await business.readPrice('at')).json.spec.timeline;
  assert.equal(steps[1].amount, '10.00', 'a change set is refused as a whole');
  assert.equal((await declare([priceIn('at', '12.00')], MIA)).status, 201, 'the rule is for Germany');
  assert.equal((await declare([priceIn('de', '11.00')], MIA, '?dryRun=All')).status, 201);
  assert.equal((await declare([priceIn('de', '12.00')], MIA, '?dryRun=All')).status, 403, 'a plan says so too');
  const { json: current } = await business.readPrice('de');
  const timeline = [current.spec.timeline[0], { ...current.spec.timeline[1], amount: '12.00' }];
  const edited = { ...current, spec: { ...current.spec, timeline } };
  const path = '/apis/products.backline.dev/v1/namespaces/default/prices/premium-de';
  assert.equal((await call('PUT', path, { body: edited, ...MIA })).status, 403, 'from every client');

  const draft = await call('POST', DRAFTS, { body: draftOf('rise', [edited]), ...MIA });
  assert.equal(draft.status, 201, draft.text);
  const validate = async (who: object) =>
    (await call('POST', `${DRAFTS}/rise/validate`, { body: VALIDATION, ...who })).json.status;
  const { valid, problems } = await validate(MIA ?? {});
  assert.deepEqual([valid, problems.length], [false, 1], JSON.stringify(problems));
  assert.match(problems[0].message, /rule "rise": .*Allowed by the group legal\./);
  assert.equal((await validate(LEA ?? {})).valid, true, 'legal may publish it');
  const publish = (who: object) =>
    call('POST', `${DRAFTS}/rise/publish`, { body: publicationOf({ uid: draft.json.metadata.uid }), ...who });
  assert.notEqual((await publish(MIA ?? {})).status, 201);
  const published = await publish(LEA ?? {});
  assert.equal(published.status, 201, published.text);
});

test('break glass lets a write through, warns, and stands in the audit record', async (t) => {
  await using business = await startBusiness(t);
  const { declare, prices, call } = business;
  await business.policy({ selector: { kinds: ['Price'] }, rules: [RULE], breakGlass: { groups: ['on-call'] } });
  const written = await declare(prices('12.00'), OTA);
  assert.equal(written.status, 201, written.text);
  assert.match(JSON.stringify(written.json.status.results), /ChangePolicy .*let through: break glass/);
  const records = () => recordsOf(call, 'ota');
  const broken = { 'admission.backline.dev/break-glass': 'prices/rise' };
  assert.deepEqual(await records(), [
    ['premium-at', broken],
    ['premium-de', broken],
  ]);
  assert.equal((await declare([priceIn('de', '12.50')], OTA)).status, 201);
  assert.deepEqual((await records())[0], ['premium-de', undefined], 'no rule was broken: nothing is noted');
});

test('rules see the whole write, the live world and the sentences of the plan', async (t) => {
  await using business = await startBusiness(t);
  const { declare, prices, policy } = business;
  const selector = { kinds: ['Price'] };
  await policy({ selector, rules: [{ name: 'one', expression: 'size(changes) <= 1', message: 'One at a time.' }] });
  const both = await declare(prices('10.50'), MIA);
  assert.match(both.json.message, /^ChangePolicy "prices", rule "one": One at a time\.$/);
  assert.equal((await declare([priceIn('de', '10.50'), plan('family')], MIA)).status, 201, 'others do not count');
  const of = (name: string, expression: string) => policy({ selector, rules: [{ name, expression }] }, name);
  await of('live', "live.get('Plan', change.object.spec.plan).spec.title != 'premium'");
  assert.match((await declare([priceIn('at', '10.60')], MIA)).json.message, /"live", rule "live"/);
  assert.equal((await business.call('DELETE', `${POLICIES}/live`)).status, 200);
  await of('words', "change.sentences.all(s, !s.contains('10.70'))");
  assert.match((await declare([priceIn('at', '10.70')], MIA)).json.message, /"words", rule "words"/);
  assert.equal((await declare([priceIn('at', '10.80')], MIA)).status, 201);
});

test('nobody is locked out; Warn and Audit write; what fails follows failurePolicy; what does not compile is refused', async (t) => {
  await using business = await startBusiness(t);
  const { declare, policy, call } = business;
  await policy({ selector: {}, rules: [{ name: 'no', expression: 'false' }] }, 'nothing');
  assert.equal((await declare([priceIn('de', '10.50')], MIA)).status, 403);
  assert.equal((await call('DELETE', `${POLICIES}/nothing`, MIA)).status, 200);
  await policy({ selector: {}, rules: [{ name: 'no', expression: 'false' }], action: 'Audit' }, 'quiet');
  await policy({ selector: {}, rules: [{ name: 'no', expression: 'false' }], action: 'Warn' }, 'loud');
  const fails = [{ name: 'no', expression: 'change.object.nosuch == 1' }];
  await policy({ selector: {}, rules: fails, failurePolicy: 'Ignore' }, 'lenient');
  const written = await declare([priceIn('de', '10.50')], MIA);
  assert.equal(written.status, 201, written.text);
  const noted = { 'admission.backline.dev/broken-rules': 'loud/no, quiet/no' };
  assert.deepEqual((await recordsOf(call, 'mia'))[0], ['premium-de', noted]);
  await policy({ selector: {}, rules: fails }, 'strict');
  const refused = await declare([priceIn('de', '10.60')], MIA);
  assert.match(refused.json.message, /the expression failed: no such key: nosuch/);
  const bad = await call('POST', POLICIES, {
    body: { metadata: { name: 'bad' }, spec: { selector: {}, rules: [{ name: 'a', expression: 'chnge.object' }] } },
  });
  assert.equal(bad.status, 422);
  assert.match(bad.text, /1:1: undeclared reference to 'chnge'.*spec\.rules\[0\]\.expression/);
});

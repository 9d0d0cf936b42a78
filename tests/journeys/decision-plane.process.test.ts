import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDecisionNode, startWorld, type Call } from '../support/backline.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';

const changeSets = '/apis/releases.backline.dev/v1/changesets';

function changeSet(...objects: object[]): object {
  return { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: {}, spec: { objects } };
}

function catalogue(amount = '10.99'): object[] {
  return [
    // The wrong order on purpose: each object stands before the ones that it refers to.
    price('premium-de', { plan: 'premium', market: 'de', timeline: [{ from: '2026-01-01', amount, currency: 'EUR' }] }),
    plan('premium', { entitlements: [{ feature: 'offline' }] }),
    plan('free', { rank: 0 }),
    feature('offline'),
    market('de'),
  ];
}

/** The price of the catalogue, with a change far ahead. */
const next = price('premium-de', {
  plan: 'premium',
  market: 'de',
  timeline: [
    { from: '2026-01-01', amount: '10.99', currency: 'EUR' },
    { from: '2999-12-01', amount: '13.99', currency: 'EUR' },
  ],
});

async function until<Value>(ask: () => Promise<Value>, good: (value: Value) => boolean): Promise<Value> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const value = await ask();
    if (good(value)) return value;
    assert.ok(performance.now() < deadline, `still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const priceNow = async (call: Call) => (await call('GET', '/v1/prices?market=de&plan=premium', { token: '' })).json;

test('a folder in any order is declared in one go and answers what a listener gets', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const applied = await call('POST', changeSets, { body: changeSet(...catalogue()) });
  assert.equal(applied.status, 201, applied.text);
  assert.deepEqual(
    applied.json.status.results.map((result: { action: string }) => result.action),
    Array(5).fill('created'),
  );
  assert.deepEqual(
    applied.json.status.results.flatMap((result: { problems: unknown[] }) => result.problems),
    [],
  );

  const allowed = await until(
    () => call('GET', '/v1/check?market=de&plan=premium&feature=offline', { token: '' }),
    ({ status }) => status === 200,
  );
  assert.equal(allowed.json.outcome, 'allow');
  assert.match(allowed.json.snapshot.version, /^\d+$/);
  assert.equal(allowed.json.snapshot.ageSeconds, 0);
  const denied = await call('POST', '/v1/check', {
    token: '',
    body: { territory: 'DE', plan: 'free', feature: 'offline' },
  });
  assert.equal(denied.json.outcome, 'upsell', denied.text);
  assert.equal((await priceNow(call)).prices[0].amount, '10.99');
});

test('a change set is all or nothing, and names the object and field that is wrong', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const objects = [...catalogue(), plan('broken', { rank: 'high' })];
  const refused = await call('POST', changeSets, { body: changeSet(...objects) });
  assert.equal(refused.status, 422);
  assert.equal(refused.json.details.causes[0].field, 'objects[5].spec.rank');
  const twice = await call('POST', changeSets, { body: changeSet(plan('a'), plan('a')) });
  assert.match(twice.json.message, /declared twice/);
  const overlap = price('other', {
    plan: 'premium',
    market: 'de',
    timeline: [{ from: '2026-06-01', amount: '1.99', currency: 'EUR' }],
  });
  const overlapping = await call('POST', changeSets, { body: changeSet(...catalogue(), overlap) });
  assert.equal(overlapping.status, 422, overlapping.text);
  assert.match(overlapping.json.message, /premium-de/);
  assert.match(overlapping.json.details.causes[0].field, /^objects\[5\]\.spec\.timeline/);
  assert.equal(
    (await call('GET', '/apis/products.backline.dev/v1/plans')).json.items.length,
    0,
    'nothing is half written',
  );
});

test('an object with an absent reference is declared but not live, says so, and goes live when the rest arrives', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const [premiumPrice, premium, free, offline, de] = catalogue();
  const first = await call('POST', changeSets, {
    body: changeSet(premiumPrice as object, free as object, de as object),
  });
  const [result] = first.json.status.results;
  assert.match(result.problems[0].message, /no live Plan "premium"/);
  const path = '/apis/products.backline.dev/v1/namespaces/default/prices/premium-de';
  const held = (await call('GET', path)).json.status.conditions[0];
  assert.deepEqual([held.type, held.status, held.reason], ['Live', 'False', 'ReferenceNotFound']);
  assert.equal((await call('GET', '/v1/prices?market=de&plan=premium')).status, 422, 'decisions do not know it yet');
  await call('POST', changeSets, { body: changeSet(premium as object, offline as object) });
  assert.equal((await call('GET', path)).json.status.conditions[0].status, 'True');
  await until(
    () => priceNow(call),
    ({ prices }) => prices?.[0]?.amount === '10.99',
  );
});

test('a plan of a change says what would change, for engineers and for others, and changes nothing', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await call('POST', changeSets, { body: changeSet(...catalogue()) });
  const planned = await call('POST', `${changeSets}?dryRun=All`, { body: changeSet(next, plan('free', { rank: 0 })) });
  assert.equal(planned.status, 201, planned.text);
  const [changed, same] = planned.json.status.results;
  assert.equal(changed.action, 'configured');
  assert.ok(
    changed.fields.some(
      ({ path, after }: { path: string; after: unknown }) =>
        path === 'spec.timeline[from=2999-12-01].amount' && after === '13.99',
    ),
    planned.text,
  );
  assert.match(changed.sentences.join(' '), /10\.99[\s\S]*13\.99/);
  assert.equal(same.action, 'unchanged');
  assert.deepEqual(same.fields, []);
  const stored = (await call('GET', '/apis/products.backline.dev/v1/namespaces/default/prices/premium-de')).json;
  assert.equal(stored.spec.timeline.length, 1);
});

test('a price for a later day changes the answer for that day and not for today', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await call('POST', changeSets, { body: changeSet(...catalogue()) });
  await call('POST', changeSets, { body: changeSet(next) });
  const later = () => call('GET', '/v1/prices?market=de&plan=premium&at=2999-12-02');
  await until(later, ({ json }) => json.prices?.[0]?.amount === '13.99');
  assert.equal((await priceNow(call)).prices[0].amount, '10.99');
});

test('a decision node of its own follows the API server, answers without it, says how old it is, and catches up', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const { call } = world;
  await call('POST', changeSets, { body: changeSet(...catalogue()) });
  const { call: ask } = await startDecisionNode(t, world);
  assert.equal(
    (await call('GET', '/v1/prices?market=de&plan=premium')).status,
    404,
    'the API server itself decides nothing',
  );
  assert.equal((await priceNow(ask)).prices[0].amount, '10.99');
  assert.equal((await ask('GET', '/api/v1/namespaces')).status, 404, 'a decision node serves no resources');

  const edited = plan('premium', { entitlements: [] });
  await call('POST', changeSets, { body: changeSet(edited) });
  await until(
    () => ask('GET', '/v1/check?market=de&plan=premium&feature=offline'),
    ({ json }) => json.outcome !== 'allow',
  );

  await world.running.close();
  const alone = await until(
    () => priceNow(ask),
    ({ snapshot }) => snapshot.ageSeconds >= 1,
  );
  assert.equal(alone.prices[0].amount, '10.99');
  const { status, text } = await ask('GET', '/readyz');
  assert.equal(status, 200, 'an old snapshot is still an answer');
  assert.match(text, /^\[!\] control-plane: not heard of for \d+ s: .* ads stop after a minute$/m);

  await world.restart();
  await world.call('POST', changeSets, {
    body: changeSet(plan('premium', { entitlements: [{ feature: 'offline' }] })),
  });
  const again = await until(
    () => ask('GET', '/v1/check?market=de&plan=premium&feature=offline'),
    ({ json }) => json.outcome === 'allow',
  );
  assert.equal(again.json.snapshot.ageSeconds, 0);
  assert.equal((await ask('GET', '/readyz')).text, 'ok');
});

test('wrong questions get a precise problem, never a silent answer', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await call('POST', changeSets, { body: changeSet(...catalogue()) });
  await until(
    () => call('GET', '/v1/check?market=de&plan=premium&feature=offline'),
    ({ status }) => status === 200,
  );
  const cases: [query: string, status: number, detail: RegExp][] = [
    ['market=de&plan=premium&feature=ofline', 422, /offline/],
    ['market=de&plan=premum&feature=offline', 422, /premium/],
    ['market=xx&plan=premium&feature=offline', 422, /xx/],
    ['market=de&plan=premium', 400, /feature/],
    ['market=de&plan=premium&feature=offline&fature=1', 400, /feature/],
    ['market=de&plan=premium&feature=offline&plan=free', 400, /twice/],
    ['market=%E0%A4%A&plan=premium&feature=offline', 400, /percent/],
    ['__proto__=1', 400, /__proto__/],
  ];
  for (const [query, status, detail] of cases) {
    const answer = await call('GET', `/v1/check?${query}`);
    assert.equal(answer.status, status, `${query}: ${answer.text}`);
    assert.match(String(answer.headers['content-type']), /application\/problem\+json/);
    assert.match(answer.text, detail, query);
    assert.ok(answer.json.code && answer.json.title && answer.json.detail);
  }
  for (const body of ['{', '[]', '"x"', '{"market":5}']) {
    assert.equal((await call('POST', '/v1/check', { body })).status, 400, body);
  }
  assert.equal((await call('POST', '/v1/check', { body: 'x'.repeat(100_000) })).status, 413);
  assert.equal((await call('DELETE', '/v1/check')).status, 405);
  assert.equal((await call('GET', '/v1/prices?market=de&at=yesterday')).status, 422);
});

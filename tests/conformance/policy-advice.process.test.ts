import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';

const POLICIES = '/apis/releases.backline.dev/v1/releasepolicies';
const CHANGE_SETS = '/apis/releases.backline.dev/v1/changesets';

const policy = (more: object = {}) => ({
  apiVersion: 'releases.backline.dev/v1',
  kind: 'ReleasePolicy',
  metadata: { name: 'p' },
  spec: { selector: { kinds: ['Feature'] }, ...more },
});

const audience = {
  apiVersion: 'audiences.backline.dev/v1',
  kind: 'Audience',
  metadata: { name: 'staff', namespace: 'default' },
  spec: { members: { include: ['ann'] } },
};

test('the API, as kubectl shows it, and a plan warn of a policy that names absent objects', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const spec = {
    selector: { kinds: ['Feature'], matchLabels: { staged: '1' } },
    stages: [{ name: 'few', listeners: { audience: 'staff', markets: ['se'], percent: 10 } }],
    guardrails: [
      { name: 'plays', metric: 'plays', noWorse: {} },
      { name: 'errors', prometheus: { source: 'main', value: 'x' }, threshold: { above: 1 } },
    ],
  };
  const expected = [
    'spec.selector: selects no declared object.',
    'spec.stages[0].listeners.audience: there is no Audience "staff"; releases wait until there is.',
    'spec.stages[0].listeners.markets[0]: there is no Market "se"; releases wait until there is.',
    'spec.guardrails[0].metric: there is no Metric "plays"; releases wait until there is.',
    'spec.guardrails[1].prometheus.source: there is no PrometheusSource "main"; releases wait until there is.',
  ];
  const made = await call('POST', POLICIES, { body: policy(spec) });
  assert.equal(made.status, 201, made.text);
  const warnings = String(made.headers['warning']);
  for (const sentence of expected) assert.ok(warnings.includes(JSON.stringify(sentence).slice(1, -1)), sentence);

  const plan = async (objects: object[]) => {
    const { status, json, text } = await call('POST', `${CHANGE_SETS}?dryRun=All`, { body: { spec: { objects } } });
    assert.equal(status, 201, text);
    return json.status.results as { warnings: string[]; sentences: string[] }[];
  };
  assert.deepEqual((await plan([policy(spec)]))[0]?.warnings, expected);
  // An object of the same change set counts as present.
  const [withAudience] = await plan([
    policy(spec),
    audience,
    { ...feature('offline'), metadata: { name: 'offline', namespace: 'default', labels: { staged: '1' } } },
  ]);
  assert.deepEqual(withAudience?.warnings, expected.slice(2));

  const gone = await plan([policy({ selector: { kinds: ['Feature'], namespaces: ['nowhere'] } })]);
  assert.deepEqual(gone[0]?.warnings, ['spec.selector.namespaces: there is no namespace "nowhere".']);
  const flags = await plan([policy({ selector: { kinds: ['Flag', 'Holdout'], namespaces: ['default'] } })]);
  assert.match(
    flags[0]?.warnings.at(-1) ?? '',
    /^spec\.selector\.kinds: a Flag is also decided by Audience and Experiment, which this policy does not/,
  );
  const all = await plan([policy({ selector: { kinds: ['Flag', 'Holdout', 'Audience', 'Experiment'] } })]);
  assert.ok(!all[0]?.warnings.some((warning) => warning.includes('decided')));
  const soft = { stages: [{ name: 'few', listeners: { percent: 10 }, deadline: 'P1D' }], onUndecided: 'rollBack' };
  const undecided = await plan([policy({ selector: { namespaces: ['nowhere'] }, ...soft })]);
  assert.deepEqual(undecided[0]?.warnings.slice(1), [
    'spec.stages[0].deadline does nothing without guardrails: a deadline applies only to their evidence.',
    'spec.onUndecided does nothing without guardrails: a deadline applies only to their evidence.',
  ]);
  const bought = {
    apiVersion: 'events.backline.dev/v1',
    kind: 'Metric',
    metadata: { name: 'bought', namespace: 'default' },
    spec: { title: 'Bought', owner: 'growth', type: 'proportion', eventType: 'purchase', direction: 'increase' },
  };
  const counts = { source: 'main', bad: 'a', total: 'b' };
  const unreached = await plan([
    policy({
      selector: { namespaces: ['default'] },
      stages: [{ name: 'few', listeners: { percent: 10 } }],
      judging: { every: 'PT10S' },
      guardrails: [
        { name: 'sold', metric: 'bought', threshold: { below: 5 } },
        { name: 'errors', prometheus: counts, noWorse: {} },
        { name: 'trial', metric: 'trials', noWorse: {}, shadow: true },
      ],
    }),
    bought,
  ]);
  assert.deepEqual(unreached[0]?.warnings, [
    'spec.guardrails[1].prometheus.source: there is no PrometheusSource "main"; releases wait until there is.',
    'spec.guardrails[2].metric: there is no Metric "trials"; nothing is measured until there is.',
    'spec.guardrails[0].threshold.below: Metric "bought" is a proportion. 5 is not a rate: rates are 0 to 1; 5 % is 0.05.',
    'spec.judging.every: PT10S is short for errors: $window needs two scrapes of the Prometheus, or nothing is measured.',
  ]);
  const over = {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'Freeze',
    metadata: { name: 'past' },
    spec: { timeZone: 'UTC', start: '2020-01-01T00:00', end: '2020-01-02T00:00', reason: 'r', owner: 'o' },
  };
  assert.deepEqual((await plan([over]))[0]?.warnings, ['The freeze is over: it holds nothing.']);
});

test('a plan of a policy says what it selects now, and its status does', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const names = ['a', 'b', 'c', 'd'];
  const features = names.map((name) => ({ ...feature(name), metadata: { name, namespace: 'default' } }));
  const applied = await call('POST', CHANGE_SETS, { body: { spec: { objects: [policy(), ...features] } } });
  assert.equal(applied.status, 201, applied.text);
  assert.deepEqual(applied.json.status.results[0].sentences, [
    'It selects 4 objects: Feature/a, Feature/b, Feature/c and 1 more at present.',
  ]);
  const statusNow = async () => (await call('GET', `${POLICIES}/p`)).json.status;
  const endMs = performance.now() + 10_000;
  while ((await statusNow()) === undefined && performance.now() < endMs) await new Promise(setImmediate);
  assert.deepEqual(await statusNow(), {
    selects: { objects: 4, names: ['Feature/a', 'Feature/b', 'Feature/c'] },
    warnings: [],
  });
});

test('a stage with too few units for its guardrail is reported, for the policy and for the objects of a plan', async (t) => {
  await using world = await startWorld(t);
  await world.database.query(`
    with made as (
      insert into backline.subscriptions
        (id, manager, household, plan, market, status, anchor_wall, anchor_zone, plan_since, gives_since, started_at, key)
      select i, i, i, 'p', 'de', 'active', '', 'UTC', now(), now(), now(), i from generate_series(1, 2000) as i
      returning id)
    insert into backline.subscription_members (listener, subscription, role, since) select id, id, 'r', now() from made`);
  await world.restart();
  const guarded = policy({
    stages: [{ name: 'tenth', listeners: { percent: 10 } }],
    guardrails: [{ name: 'denials', decisions: 'denied', noWorse: {} }],
  });
  const sentence =
    'spec.stages[0].listeners: stage tenth has at most 200 of about 2,000 households on record; a guardrail noWorse (denials) needs 300 to pass.';
  const plan = async (...objects: object[]) => {
    const { json, text } = await world.call('POST', `${CHANGE_SETS}?dryRun=All`, { body: { spec: { objects } } });
    assert.ok(json.status !== undefined, text);
    return json.status as { results: { warnings: string[] }[]; policy?: { warnings: string[] } };
  };
  const endMs = performance.now() + 10_000;
  const ofPolicy = async () => (await plan(guarded)).results[0]?.warnings.at(-1);
  while ((await ofPolicy()) !== sentence && performance.now() < endMs) await new Promise(setImmediate);
  assert.equal(await ofPolicy(), sentence);
  const made = await world.call('POST', POLICIES, { body: guarded });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual((await plan(feature('offline'))).policy?.warnings, [sentence]);
});

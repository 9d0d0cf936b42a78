import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';
import { startWorld, type World } from '../support/backline.ts';
import { execute } from '../support/kubectl.ts';
import { attribute, audience, changeSet, CHANGE_SETS, experiment, flag, holdout, when } from '../support/flags.ts';

const backline = resolve(import.meta.dirname, '../../bin/backline');
const BULK = '/ofrep/v1/evaluate/flags';

async function declare({ call, running }: World, ...objects: object[]): Promise<void> {
  const answer = await call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(answer.status, 201, answer.text);
  await running.control?.releases()?.caughtUp();
}

const evaluate = ({ call }: World, name: string, body: unknown = {}) => call('POST', `${BULK}/${name}`, { body });

const everyType = [
  attribute('app-version', { name: 'appVersion', type: 'semver' }),
  attribute('plan', { type: 'string', values: ['free', 'premium'] }),
  flag('text'),
  flag('switch', {
    type: 'boolean',
    variants: [
      { name: 'on', value: true },
      { name: 'off', value: false },
    ],
    default: 'on',
  }),
  flag('count', {
    type: 'number',
    variants: [
      { name: 'few', value: 3 },
      { name: 'half', value: 0.5 },
    ],
    default: 'few',
  }),
  flag('theme', {
    type: 'object',
    variants: [{ name: 'dark', value: { colours: ['#000'], depth: { of: 2 } } }],
    default: 'dark',
  }),
  flag('code-default', { default: undefined }),
  flag('switched-off', { enabled: false }),
  flag('new-app', {
    rules: [{ name: 'new', when: when({ attribute: 'appVersion', semver: '>=9' }), serve: 'b' }],
  }),
  flag('halves', {
    rules: [
      {
        name: 'half',
        split: [
          { variant: 'a', weight: 1 },
          { variant: 'b', weight: 1 },
        ],
      },
    ],
  }),
];

test('the OpenFeature server SDK reads every type of flag, and its own defaults where there is none', async (t) => {
  const world = await startWorld(t);
  await declare(world, ...everyType);
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: world.url }));
  t.after(() => OpenFeature.close());
  const client = OpenFeature.getClient();
  const context = { targetingKey: 'listener-1', appVersion: '9.1.0' };
  assert.equal(await client.getStringValue('text', 'x', context), 'A');
  assert.equal(await client.getBooleanValue('switch', false, context), true);
  assert.equal(await client.getNumberValue('count', 0, context), 3);
  assert.deepEqual(await client.getObjectValue('theme', {}, context), { colours: ['#000'], depth: { of: 2 } });
  const found = await client.getStringDetails('new-app', 'x', context);
  assert.deepEqual(
    [found.value, found.variant, found.reason, found.flagMetadata['rule']],
    ['B', 'b', 'TARGETING_MATCH', 'new'],
  );
  const split = await client.getStringDetails('halves', 'x', context);
  assert.equal(split.reason, 'SPLIT');
  const missing = await client.getStringDetails('text-of-old', 'mine', context);
  assert.deepEqual([missing.value, missing.errorCode], ['mine', 'FLAG_NOT_FOUND']);
  const mistyped = await client.getNumberDetails('text', 7, context);
  assert.deepEqual([mistyped.value, mistyped.errorCode], [7, 'TYPE_MISMATCH']);
});

test('a page that follows the events sees a changed flag within a second', async (t) => {
  const world = await startWorld(t);
  await declare(world, flag('layout'));
  const child = spawn(
    process.execPath,
    ['--experimental-eventsource', resolve(import.meta.dirname, '../support/ofrep-web-client.ts'), world.url, 'layout'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'A');
  // The page listens from its first answer on; the change comes once it does.
  await untilListened(world);
  const changedMs = performance.now();
  await declare(world, flag('layout', { default: 'b' }));
  assert.equal((await lines.next()).value, 'B');
  const tookMs = performance.now() - changedMs;
  t.diagnostic(`seen ${Math.round(tookMs)} ms after it was asked for`);
});

async function untilListened({ call }: World): Promise<void> {
  for (;;) {
    const { text } = await call('GET', '/metrics');
    if (/^backline_http_open_streams [1-9]/m.test(text)) return;
    await new Promise((done) => setTimeout(done, 10));
  }
}

test('reasons, variants and metadata are those of OFREP 0.3', async (t) => {
  const world = await startWorld(t);
  await declare(world, ...everyType);
  const read = async (name: string, context: object = { targetingKey: 'u' }) =>
    (await evaluate(world, name, { context })).json;
  const plain = await read('text');
  assert.deepEqual(
    { ...plain, metadata: undefined },
    { key: 'text', reason: 'STATIC', variant: 'a', value: 'A', metadata: undefined },
  );
  assert.match(plain.metadata.version, /^[0-9a-f]{12}$/);
  assert.match(plain.metadata.snapshot, /^\d+$/);
  const off = await read('switched-off');
  assert.deepEqual([off.reason, 'value' in off, 'variant' in off], ['DISABLED', false, false]);
  const code = await read('code-default');
  assert.deepEqual([code.reason, 'value' in code], ['STATIC', false]);
});

test('a flag that needs a unit says so without one; others do not mind', async (t) => {
  const world = await startWorld(t);
  await declare(world, ...everyType);
  assert.equal((await evaluate(world, 'text', {})).status, 200);
  assert.equal((await evaluate(world, 'text', '')).status, 200);
  const needs = await evaluate(world, 'halves', { context: {} });
  assert.equal(needs.status, 400);
  assert.equal(needs.json.errorCode, 'TARGETING_KEY_MISSING');
  const bulk = await world.call('POST', BULK, { body: { context: {} } });
  assert.equal(bulk.status, 200);
  const [halves, text] = ['halves', 'text'].map((key) =>
    bulk.json.flags.find((each: { key: string }) => each.key === key),
  );
  assert.deepEqual([halves.errorCode, text.value], ['TARGETING_KEY_MISSING', 'A']);
});

test('bad questions are refused as OFREP says, with what would be right', async (t) => {
  const world = await startWorld(t);
  await declare(world, ...everyType);
  const cases: readonly [body: unknown, status: number, code: string, says: RegExp][] = [
    ['{', 400, 'PARSE_ERROR', /not UTF-8 JSON/],
    ['[]', 400, 'INVALID_CONTEXT', /must be an object/],
    [{ context: 'u1' }, 400, 'INVALID_CONTEXT', /"u1"; it must be an object/],
    [{ context: { targetingKey: 5 } }, 400, 'INVALID_CONTEXT', /\/context\/targetingKey/],
    [{ context: {}, forced: { txt: 'b' } }, 400, 'GENERAL', /no flag "txt" \(did you mean "text"\?\)/],
    [{ context: {}, forced: { text: 'c' } }, 400, 'GENERAL', /has no variant "c"; it has a, b/],
  ];
  for (const [body, status, code, says] of cases) {
    for (const path of [BULK, `${BULK}/text`]) {
      const answer = await world.call('POST', path, { body });
      assert.deepEqual([answer.status, answer.json.errorCode], [status, code], answer.text);
      assert.match(answer.json.errorDetails, says);
      assert.equal(answer.json.key, path === BULK ? undefined : 'text');
    }
  }
  assert.equal((await world.call('GET', BULK)).status, 405);
  assert.equal((await world.call('POST', BULK, { body: `{"context":{"x":"${'y'.repeat(70_000)}"}}` })).status, 413);
});

test('a value of the wrong type affects the flags that use it, and no other', async (t) => {
  const world = await startWorld(t);
  const newest = { anyOf: [{ allOf: [{ attribute: 'appVersion', semver: '>=9' }] }] };
  await declare(
    world,
    ...everyType,
    attribute('sdk-version', { name: 'sdkVersion', type: 'semver' }),
    { apiVersion: 'audiences.backline.dev/v1', kind: 'Audience', metadata: { name: 'newest' }, spec: newest },
    flag('by-version', { rules: [{ name: 'r', audience: 'newest', serve: 'b' }] }),
    flag('on-top', { requires: [{ flag: 'by-version', variants: ['b'] }] }),
  );
  const context = { targetingKey: 'u', appVersion: 9, sdkVersion: '5.1' };
  const bulk = await world.call('POST', BULK, { body: { context } });
  assert.equal(bulk.status, 200);
  const errors = bulk.json.flags.filter(({ key }: { key: string }) => ['by-version', 'on-top'].includes(key));
  assert.equal(bulk.json.flags.find(({ key }: { key: string }) => key === 'text').value, 'A');
  assert.deepEqual(errors, [
    {
      key: 'by-version',
      errorCode: 'INVALID_CONTEXT',
      errorDetails: '/context/appVersion: 9 is not a version like "9.1.0", as "appVersion" needs',
    },
    {
      key: 'on-top',
      errorCode: 'INVALID_CONTEXT',
      errorDetails: 'It requires flag "by-version", which is in error for this context.',
    },
  ]);
  const alone = await world.call('POST', `${BULK}/by-version`, { body: { context } });
  assert.deepEqual([alone.status, alone.json], [400, errors[0]]);
  assert.equal((await world.call('POST', `${BULK}/text`, { body: { context } })).status, 200);
  const why = await world.call('POST', '/v1/flags/explain', { body: { flag: 'by-version', context } });
  assert.deepEqual(
    [why.json.reason.code, why.json.steps],
    ['INVALID_CONTEXT', [{ step: 'context', says: errors[0]?.errorDetails }]],
  );
});

test('ids of 64 bits are put into buckets as they are, and names with dots are found in nested values', async (t) => {
  const world = await startWorld(t);
  const halves = (unit: string) => [
    {
      name: 'half',
      unit: [unit],
      split: [
        { variant: 'a', weight: 1 },
        { variant: 'b', weight: 1 },
      ],
    },
  ];
  await declare(
    world,
    attribute('uid', { type: 'string', loose: true }),
    attribute('user.name', { type: 'string' }),
    flag('by-id', { rules: halves('uid') }),
    flag('by-name', { rules: halves('user.name') }),
  );
  const seen = { a: 0, b: 0 };
  for (let number = 100; number < 200; number += 1) {
    const id = `1795000000000000${number}`;
    const ask = async (uid: string) => (await evaluate(world, 'by-id', `{"context":{"uid":${uid}}}`)).json.variant;
    const variant = (await ask(id)) as 'a' | 'b';
    assert.equal(variant, await ask(`"${id}"`));
    seen[variant] += 1;
    const explained = await world.call('POST', '/v1/flags/explain', {
      body: `{"flag":"by-id","context":{"uid":${id}}}`,
    });
    assert.equal(explained.json.variant, variant);
    const named = { nested: { user: { name: id } }, flat: { 'user.name': id } };
    const [nested, flat] = [named.nested, named.flat].map((context) => evaluate(world, 'by-name', { context }));
    assert.deepEqual((await nested)?.json.variant, (await flat)?.json.variant);
  }
  assert.ok(Math.min(seen.a, seen.b) > 30, JSON.stringify(seen));
  const id = '1795000000000000142';
  const asked = ['flag', 'by-id', '--context', `uid=${id}`, '-o', 'json'];
  const { stdout } = await execute(backline, [...asked, '--kubeconfig', world.running.kubeconfigFile], '', {});
  const { json } = await evaluate(world, 'by-id', { context: { uid: id } });
  assert.equal((JSON.parse(stdout) as { variant: string }).variant, json.variant);
});

test('the tag of a bulk answer follows what this context gets, and nothing else', async (t) => {
  const world = await startWorld(t);
  await declare(world, ...everyType);
  const bulk = (appVersion: string, tag?: string | string[]) =>
    world.call('POST', BULK, {
      body: { context: { targetingKey: 'u', appVersion } },
      headers: typeof tag === 'string' ? { 'if-none-match': tag } : {},
    });
  const old = await bulk('8.0.0');
  const fresh = await bulk('9.0.0');
  assert.notEqual(old.headers['etag'], fresh.headers['etag']);
  const again = await bulk('8.0.0', old.headers['etag']);
  assert.deepEqual([again.status, again.text], [304, '']);
  assert.equal((await bulk('9.0.0', old.headers['etag'])).status, 200, 'the tag of another context');
  // A proxy that compresses makes the tag weak; caches ask for several.
  for (const known of [`W/${String(old.headers['etag'])}`, `"x", ${String(old.headers['etag'])}`, '*']) {
    assert.equal((await bulk('8.0.0', known)).status, 304, known);
  }
  assert.equal((await bulk('8.0.0', '"x", W/"y"')).status, 200);
  // Something changes that only new apps can see; and something that nobody sees.
  await declare(
    world,
    flag('new-app', { rules: [{ name: 'new', when: when({ attribute: 'appVersion', semver: '>=9' }), serve: 'a' }] }),
  );
  assert.equal((await bulk('9.0.0', fresh.headers['etag'])).status, 200);
  const seen = await bulk('8.0.0', old.headers['etag']);
  // A changed flag has another revision in the answer: it is the only difference.
  assert.equal(seen.status, 200);
  await declare(world, audience('unused', { attribute: 'plan', in: ['free'] }));
  assert.equal((await bulk('8.0.0', seen.headers['etag'])).status, 304);
});

test('exclusive experiments share no unit; one that does not fit is held with the numbers', async (t) => {
  const world = await startWorld(t);
  const allocation = (percent: number) => ({ percent, exclusivityTags: ['home'], exclusiveTo: ['home'] });
  await declare(
    world,
    flag('one'),
    flag('two'),
    flag('three'),
    experiment('exp-one', 'one', { allocation: allocation(40) }),
    experiment('exp-two', 'two', { allocation: allocation(40) }),
  );
  let both = 0;
  const counts = { one: 0, two: 0 };
  for (let number = 0; number < 500; number += 1) {
    const answer = await world.call('POST', BULK, { body: { context: { targetingKey: `u${number}` } } });
    const inExperiment = answer.json.flags.filter(
      (each: { metadata: { experiment?: string } }) => each.metadata.experiment,
    );
    if (inExperiment.length > 1) both += 1;
    for (const { key } of inExperiment) counts[key as 'one' | 'two'] += 1;
  }
  assert.equal(both, 0);
  for (const count of Object.values(counts)) assert.ok(count > 150 && count < 250, `${count} of 500`);
  await declare(world, experiment('exp-three', 'three', { allocation: allocation(30) }));
  const path = '/apis/experience.backline.dev/v1/namespaces/default/experiments/exp-three';
  const { conditions } = (await world.call('GET', path)).json.status;
  assert.equal(conditions[0].status, 'False');
  assert.match(conditions[0].message, /needs 30 % of all units, but only 20 % are free beside "exp-one", "exp-two"/);
  // Experiments on other units cannot share no one, also where the unit is that of the flag.
  const [, , { problems: wrongUnit }] = (
    await world.call('POST', CHANGE_SETS, {
      body: changeSet(
        attribute('household', { type: 'string' }),
        flag('homes', { unit: ['household'] }),
        experiment('exp-homes', 'homes', { allocation: allocation(10) }),
      ),
    })
  ).json.status.results;
  assert.match(
    wrongUnit[0].message,
    /uses the unit targetingKey, not household: exclusive experiments need the same unit/,
  );
  // As soon as one ends, its buckets return.
  await declare(world, experiment('exp-one', 'one', { allocation: allocation(40), state: 'ended' }));
  assert.equal((await world.call('GET', path)).json.status.conditions[0].status, 'True');
});

test('a change that would move listeners between variants of a running experiment is refused or held', async (t) => {
  const world = await startWorld(t);
  await declare(world, flag('one'), experiment('exp', 'one', { allocation: { percent: 10 } }));
  const who = async () => {
    const seen = new Map<string, string>();
    for (let number = 0; number < 300; number += 1) {
      const { json } = await evaluate(world, 'one', { context: { targetingKey: `u${number}` } });
      if (json.metadata.experiment !== undefined) seen.set(`u${number}`, json.variant);
    }
    return seen;
  };
  const small = await who();
  await declare(world, experiment('exp', 'one', { allocation: { percent: 60 } }));
  const large = await who();
  for (const [unit, variant] of small) assert.equal(large.get(unit), variant, unit);
  assert.ok(large.size > small.size * 3);
  const path = '/apis/experience.backline.dev/v1/namespaces/default/experiments/exp';
  const body = {
    spec: {
      split: [
        { variant: 'a', weight: 90 },
        { variant: 'b', weight: 10 },
      ],
    },
  };
  const headers = { 'content-type': 'application/merge-patch+json' };
  const refused = await world.call('PATCH', path, { body, headers });
  assert.equal(refused.status, 422);
  assert.match(refused.json.message, /would move listeners between variants; raise iteration/);
  // A change by others would move them as well: it is held, and names the experiment.
  const values = (a: string, b: string) => [
    { name: 'a', value: a },
    { name: 'b', value: b },
  ];
  const unit = [attribute('household', { type: 'string' }), flag('one', { unit: ['household'] })];
  for (const objects of [unit, [flag('one', { variants: values('B', 'A') })]]) {
    const answer = await world.call('POST', CHANGE_SETS, { body: changeSet(...objects) });
    assert.match(
      answer.json.status.results.at(-1).problems[0].message,
      /it would break Experiment "exp": .*raise iteration/,
    );
    assert.deepEqual(await who(), large);
  }
  const anew = experiment('exp', 'one', { iteration: 2, unit: ['targetingKey'], allocation: { percent: 60 } });
  await declare(world, flag('one', { unit: ['household'], variants: values('B', 'A') }), anew);
  const again = await who();
  assert.ok([...large].some(([unit, variant]) => again.get(unit) !== variant));
});

test('a flag that is deleted while an experiment runs on it stays live, and that is reported and listed', async (t) => {
  const world = await startWorld(t);
  await declare(world, flag('one'), experiment('exp', 'one'));
  const paths = ['flags/one', 'experiments/exp'].map(
    (one) => `/apis/experience.backline.dev/v1/namespaces/default/${one}`,
  );
  const gone = await world.call('DELETE', paths[0] ?? '');
  assert.match(
    String(gone.headers['warning']),
    /299 - "Flag ..one.. is deleted and kept live: it is still needed by Experiment ..exp..: there is no live Flag/,
  );
  await world.running.control?.releases()?.caughtUp();
  assert.equal((await evaluate(world, 'one', { context: { targetingKey: 'u' } })).json.metadata.experiment, 'exp');
  const { items } = (await world.call('GET', '/api/v1/namespaces/default/events')).json;
  const event = items.find((one: { reason: string }) => one.reason === 'KeptLive');
  assert.match(event.message, /^It was deleted and is kept live: it is still needed by Experiment "exp"/);
  assert.deepEqual([event.involvedObject.kind, event.involvedObject.name], ['Flag', 'one']);
  const listed = await execute(backline, ['get', 'flag', 'one', '--kubeconfig', world.running.kubeconfigFile], '', {});
  assert.match(listed.stderr, /Flag "one" was deleted and is kept live: it is still needed by Experiment "exp"/);
  const freed = await world.call('DELETE', paths[1] ?? '');
  assert.equal(freed.headers['warning'], undefined);
  await world.running.control?.releases()?.caughtUp();
  assert.equal((await evaluate(world, 'one', { context: { targetingKey: 'u' } })).status, 404);
});

test('held-out units are left alone by the experiments that name the holdout', async (t) => {
  const world = await startWorld(t);
  await declare(
    world,
    holdout('quarter', 40, { required: true }),
    flag('one'),
    experiment('exp', 'one', { holdouts: ['quarter'] }),
  );
  let held = 0;
  for (let number = 0; number < 200; number += 1) {
    const { json } = await evaluate(world, 'one', { context: { targetingKey: `u${number}` } });
    if (json.metadata.holdout === 'quarter') {
      held += 1;
      assert.equal(json.variant, 'a');
      assert.equal(json.metadata.experiment, undefined);
    } else assert.equal(json.metadata.experiment, 'exp');
  }
  assert.ok(held > 50 && held < 110, `${held} of 200`);
  const larger = changeSet(holdout('quarter', 50, { required: true }));
  const [raised] = (await world.call('POST', CHANGE_SETS, { body: larger })).json.status.results;
  assert.match(
    raised.problems[0].message,
    /it would break Experiment "exp": holdout "quarter" cannot change from 40 % to 50 %/,
  );
  await declare(world, holdout('quarter', 40, { required: true }), flag('two'), experiment('free', 'two'));
  const path = '/apis/experience.backline.dev/v1/namespaces/default/experiments/free';
  const { message } = (await world.call('GET', path)).json.status.conditions[0];
  assert.match(message, /Holdout "quarter" is required of every experiment: add "quarter" to spec.holdouts$/);
  // It never ran: what is asked for may be done.
  await declare(world, experiment('free', 'two', { holdouts: ['quarter'] }));
  assert.equal((await world.call('GET', path)).json.status.conditions[0].status, 'True');
  // A holdout that becomes required holds no running experiment, and no reduction of one.
  await declare(world, holdout('later', 5, { required: true }));
  await declare(world, experiment('free', 'two', { holdouts: ['quarter'], traffic: { percent: 10 } }));
  assert.equal((await world.call('GET', path)).json.status.conditions[0].status, 'True');
  // Whole households are held out of an experiment by household.
  await declare(
    world,
    attribute('household', { type: 'string' }),
    flag('three'),
    experiment('homes', 'three', { unit: ['household'], holdouts: ['quarter', 'later'] }),
  );
  let heldHomes = 0;
  for (let home = 0; home < 40; home += 1) {
    const seen = new Set<string | undefined>();
    for (let member = 0; member < 4; member += 1) {
      const context = { targetingKey: `m${home}-${member}`, household: `h${home}` };
      seen.add((await evaluate(world, 'three', { context })).json.metadata.holdout);
    }
    assert.equal(seen.size, 1, `household ${home} is held out in part`);
    if (!seen.has(undefined)) heldHomes += 1;
  }
  assert.ok(heldHomes > 5 && heldHomes < 35);
});

test('a variant on record is kept through a new split and after the intake was paused, until a new iteration', async (t) => {
  const world = await startWorld(t);
  const sticky = { days: 90, ignoreTargeting: true };
  const free = when({ attribute: 'plan', in: ['free'] });
  await declare(
    world,
    attribute('plan', { type: 'string' }),
    flag('one'),
    experiment('exp', 'one', {
      sticky,
      when: free,
      split: [
        { variant: 'a', weight: 0 },
        { variant: 'b', weight: 1 },
      ],
    }),
  );
  const read = async (targetingKey: string, plan: string) => {
    const { json } = await evaluate(world, 'one', { context: { targetingKey, plan } });
    return `${json.variant}${json.metadata.experiment === undefined ? '' : ' by experiment'}`;
  };
  assert.equal(await read('early', 'free'), 'b by experiment');
  assert.equal(await read('early', 'premium'), 'b by experiment', 'no longer in the audience, and kept');
  assert.equal(await read('paying', 'premium'), 'a', 'never was in the audience');
  const holder = await world.database.connect();
  await holder.query('begin');
  await holder.query('lock table backline.assignments in access exclusive mode');
  const hasty = await world.call('POST', `${BULK}/one`, {
    body: { context: { targetingKey: 'hasty', plan: 'free' } },
    headers: { 'x-request-timeout-ms': '300' },
  });
  assert.deepEqual([hasty.status, hasty.json.code], [504, 'http/deadline']);
  await holder.close();
  assert.equal(await read('patient', 'free'), 'b by experiment');
  const recorded = await world.database.query("select from backline.assignments where unit = 'hasty'");
  assert.equal(recorded.length, 0, 'a variant that nobody got is not on record');
  await declare(
    world,
    experiment('exp', 'one', {
      sticky: { ...sticky, intake: 'paused' },
      when: free,
      split: [
        { variant: 'a', weight: 0 },
        { variant: 'b', weight: 1 },
      ],
    }),
  );
  assert.equal(await read('early', 'free'), 'b by experiment');
  assert.equal(await read('late', 'free'), 'a', 'nobody new');
  await declare(
    world,
    experiment('exp', 'one', {
      iteration: 2,
      sticky,
      when: free,
      split: [
        { variant: 'a', weight: 1 },
        { variant: 'b', weight: 0 },
      ],
    }),
  );
  assert.equal(await read('early', 'free'), 'a by experiment');
  await world.database.query('alter table backline.assignments rename to away');
  const lost = await evaluate(world, 'one', { context: { targetingKey: 'early', plan: 'free' } });
  assert.deepEqual([lost.status, lost.json.errorCode], [400, 'GENERAL'], 'never a silent other variant');
  assert.match(lost.json.errorDetails, /the record cannot be read/);
  await declare(world, flag('relies', { requires: [{ flag: 'one', variants: ['b'] }] }));
  const relies = await evaluate(world, 'relies', { context: { targetingKey: 'early', plan: 'free' } });
  assert.deepEqual([relies.status, relies.json.errorCode], [400, 'GENERAL'], 'nor that of a flag that relies on it');
  await world.database.query('alter table backline.away rename to assignments');
  // Units of any length and any characters are kept.
  for (const unit of ['é'.repeat(20_000), 'x'.repeat(2_704)]) assert.equal(await read(unit, 'free'), 'a by experiment');
});

test('explain says what was looked at and why', async (t) => {
  const world = await startWorld(t);
  await declare(world, ...everyType, flag('later', { requires: [{ flag: 'switch', variants: ['off'] }] }));
  const explain = async (name: string, context: object) =>
    (await world.call('POST', '/v1/flags/explain', { body: { flag: name, context } })).json;
  const old = await explain('new-app', { appVersion: '8.0.0' });
  assert.equal(old.reason.message, 'Default: no rule or experiment matched.');
  assert.deepEqual(old.steps, [
    { step: 'rule new', says: 'Not matched: the audience does not match.' },
    { step: 'default', says: 'Default: a.' },
  ]);
  assert.match((await explain('new-app', {})).steps[0].says, /missing from the context/);
  assert.deepEqual((await explain('later', {})).steps, [{ step: 'requires switch', says: 'Has on; requires off.' }]);
  const unknown = await world.call('POST', '/v1/flags/explain', { body: { flag: 'new-ap' } });
  assert.deepEqual(
    [unknown.status, unknown.json.detail],
    [422, 'There is no flag "new-ap" (did you mean "new-app"?).'],
  );
});

test('the stream of events goes on after a reconnection, with the missed events', async (t) => {
  const world = await startWorld(t);
  await declare(world, flag('one'));
  const listen = (lastId?: string) =>
    new Promise<{ next: () => Promise<string>; close: () => void }>((done) => {
      request(
        `${world.url}/ofrep/v1/events`,
        { headers: lastId === undefined ? {} : { 'last-event-id': lastId } },
        (answer) => {
          assert.equal(answer.headers['content-type'], 'text/event-stream');
          const lines = createInterface({ input: answer })[Symbol.asyncIterator]();
          const next = async (): Promise<string> => {
            for (;;) {
              const { value, done: over } = await lines.next();
              if (over === true) throw new Error('the stream ended');
              if (value !== '') return String(value);
            }
          };
          done({ next, close: () => answer.destroy() });
        },
      ).end();
    });
  const first = await listen();
  const id = (await first.next()).replace('id: ', '');
  first.close();
  await declare(world, flag('one', { default: 'b' }));
  const second = await listen(id);
  const next = (await second.next()).replace('id: ', '');
  assert.notEqual(next, id);
  assert.equal(await second.next(), 'event: message');
  assert.match(await second.next(), new RegExp(`^data: {"type":"refetchEvaluation","etag":"${next}"}$`));
  second.close();
});

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { compileMembership, type Track } from '#kernel/snapshots/cohort-membership.ts';
import { readReleaseCells } from '#kernel/snapshots/release-cells.ts';
import { SHARE_TOTAL, type Cohort } from '#kernel/snapshots/cohort.ts';
import { Flag } from '#domains/experience/kinds/flag.ts';
import { Plan } from '#domains/products/kinds/plan.ts';
import { Price } from '#domains/products/kinds/price.ts';
import { startDecisionNode, startWorld, type Call, type World } from '../support/backline.ts';
import { feature, market, plan, price } from '../support/catalogue.ts';
import { seededChance } from '../support/chance.ts';
import { audience, attribute, changeSet, CHANGE_SETS, flag } from '../support/flags.ts';
import { changeObject, releaseByHand } from '../support/release-by-hand.ts';

const CHECK = '/v1/check?plan=free&market=de&feature=offline&listener=';
const BULK = '/ofrep/v1/evaluate/flags';

async function declare({ call, running }: World, ...objects: object[]): Promise<void> {
  const answer = await call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(answer.status, 201, answer.text);
  await running.control?.releases()?.caughtUp();
}

function storeOf({ running }: World) {
  const store = running.control?.store;
  assert.ok(store);
  return store;
}

async function startBusiness(t: TestContext, options: Parameters<typeof startWorld>[1] = {}): Promise<World> {
  const world = await startWorld(t, options);
  await declare(
    world,
    market('de'),
    feature('offline'),
    plan('free', { rank: 0, title: 'Free 0' }),
    plan('premium', { title: 'Premium 0', entitlements: [{ feature: 'offline' }] }),
    price('premium-de', {
      plan: 'premium',
      market: 'de',
      timeline: [{ from: '2026-01-01', amount: '10.00', currency: 'EUR' }],
    }),
    attribute('country', { type: 'string' }),
    audience('nordic', { attribute: 'country', in: ['se', 'no'] }),
    flag('one', {
      variants: [0, 1, 2, 3].map((number) => ({ name: `v${number}`, value: `v${number}` })),
      default: 'v0',
    }),
    flag('two', {
      variants: [0, 1, 2, 3].map((number) => ({ name: `v${number}`, value: `v${number}` })),
      default: 'v0',
    }),
  );
  return world;
}

/** Waits until a node answers from what the store has now. */
async function caughtUp(call: Call, world: World): Promise<void> {
  const version = storeOf(world).version();
  const endMs = performance.now() + 15_000;
  for (;;) {
    const { json } = await call('GET', '/v1/prices?market=de');
    if (Number(json.snapshot?.version) >= version) return;
    assert.ok(performance.now() < endMs, `still at ${json.snapshot?.version}, not ${version}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function trackOf(cohort: Cohort, listener: string): Track | undefined {
  const membership = compileMembership(cohort, { matcher: () => undefined });
  return membership({ units: { listener, household: listener }, facts: { market: 'de' }, context: {} }, 0);
}

const listeners = Array.from({ length: 60 }, (_, number) => `listener-${number}`);
const half: Cohort = { unit: 'listener', salt: 'half', slices: [{ share: SHARE_TOTAL / 2 }] };

test('exactly the cohort gets what a release carries, from every node, and every answer names the release', async (t) => {
  const world = await startBusiness(t);
  const store = storeOf(world);
  const release = releaseByHand(store, 'premium-2', [
    changeObject(store, Plan, 'premium', { title: 'Premium 2' }),
    changeObject(store, Price, 'premium-de', { timeline: [{ from: '2026-01-01', amount: '12.00', currency: 'EUR' }] }),
  ]);
  const nodes = [world.call, (await startDecisionNode(t, world)).call];
  await release.expose(half);
  for (const call of nodes) {
    await caughtUp(call, world);
    for (const listener of listeners) {
      const { json, text } = await call('GET', `${CHECK}${listener}`);
      const isIn = trackOf(half, listener) === 'candidate';
      const [offer] = json.plans;
      assert.deepEqual([offer.title, offer.amount], isIn ? ['Premium 2', '12.00'] : ['Premium 0', '10.00'], text);
      const { releases } = json.snapshot;
      if (isIn) assert.deepEqual(releases, [{ name: 'premium-2', revision: releases[0].revision }]);
      else assert.equal(releases, undefined);
      const priced = (await call('GET', `/v1/prices?market=de&listener=${listener}`)).json;
      assert.equal(priced.prices[0].amount, offer.amount);
      assert.deepEqual(priced.snapshot.releases, releases);
      const later = (await call('GET', `/v1/prices?market=de&listener=${listener}&at=2027-05-01`)).json;
      assert.deepEqual([later.prices[0].amount, later.snapshot.releases], [offer.amount, releases]);
    }
    const anonymous = (await call('GET', '/v1/prices?market=de')).json;
    assert.equal(anonymous.prices[0].amount, '10.00', 'who is nobody gets what everybody gets');
    const flags = (await call('POST', BULK, { body: { context: { targetingKey: 'listener-1' } } })).json;
    assert.equal(flags.metadata.release, undefined, 'it carries nothing about flags');
  }
  await release.promote();
  for (const call of nodes) {
    await caughtUp(call, world);
    const { json } = await call('GET', `${CHECK}listener-1`);
    assert.deepEqual([json.plans[0].title, json.snapshot.releases], ['Premium 2', undefined]);
  }
});

test('an explanation says which release answers, who gets it, and who does not', async (t) => {
  const world = await startBusiness(t);
  const store = storeOf(world);
  const release = releaseByHand(store, 'premium-2', [changeObject(store, Plan, 'premium', { title: 'Premium 2' })]);
  await release.expose(half);
  await caughtUp(world.call, world);
  const explain = async (track: Track) => {
    const listener = listeners.find((each) => trackOf(half, each) === track);
    const { json } = await world.call('GET', `/v1/explain?plan=premium&market=de&feature=offline&listener=${listener}`);
    return json;
  };
  const inside = await explain('candidate');
  const { revision } = inside.snapshot.releases[0];
  assert.equal(
    inside.releases[0].says,
    `This is answered with what release premium-2 carries (revision ${revision}), which 50 % of listeners get; everybody else gets what was live before.`,
  );
  assert.match(inside.steps[1].says, /^Premium 2 /);
  await releaseByHand(store, 'one-1', [changeObject(store, Flag, 'one', { default: 'v1' })]).expose(half);
  await caughtUp(world.call, world);
  const context = { targetingKey: listeners.find((each) => trackOf(half, each) === 'candidate') };
  const { json } = await world.call('POST', '/v1/flags/explain', { body: { flag: 'one', context } });
  assert.deepEqual([json.value, json.releases[0].seen, json.snapshot.releases[0].name], ['v1', true, 'one-1']);
  const outside = await explain('stable');
  assert.match(outside.releases[0].says, /^Release premium-2 shows something else to 50 % of listeners; not to this/);
  assert.match(outside.steps[1].says, /^Premium 0 /);
});

test('a household is answered as one, by what is on record of it, whatever a question says', async (t) => {
  const world = await startBusiness(t);
  const { call } = world;
  await declare(world, plan('duo', { title: 'Duo 0', seats: 2, roles: ['manager', 'member'] }), market('se'));
  const cohort: Cohort = {
    unit: 'household',
    salt: 'half',
    slices: [{ facts: { market: ['de'] }, share: SHARE_TOTAL / 2 }],
  };
  const manager = listeners.find((each) => trackOf(cohort, each) === 'candidate');
  const member = listeners.find((each) => trackOf(cohort, each) === 'stable');
  const begun = await call('POST', '/v1/subscriptions', {
    body: { listener: manager, plan: 'duo', market: 'de', key: 'begin' },
  });
  assert.equal(begun.status, 200, begun.text);
  const { id: subscription } = begun.json;
  const joined = await call('POST', '/v1/subscriptions/members', {
    body: { subscription, listener: member, key: 'join' },
  });
  assert.equal(joined.status, 200, joined.text);
  const release = releaseByHand(storeOf(world), 'duo-2', [
    changeObject(storeOf(world), Plan, 'duo', { title: 'Duo 2' }),
  ]);
  await release.expose(cohort);
  await caughtUp(call, world);
  const titleFor = async (listener: string | undefined, place = 'de') => {
    const { json } = await call('GET', `/v1/entitlements?plan=duo&market=${place}&listener=${listener}`);
    return json.title;
  };
  assert.deepEqual(
    [await titleFor(manager), await titleFor(member), await titleFor(member, 'se')],
    Array(3).fill('Duo 2'),
  );
  const other = listeners.find((each) => each !== member && trackOf(cohort, each) === 'stable');
  assert.equal(await titleFor(other), 'Duo 0');
  assert.equal(
    await titleFor(listeners.find((each) => each !== manager && trackOf(cohort, each) === 'candidate')),
    'Duo 2',
  );
  await call('POST', '/v1/subscriptions/lapse', { body: { subscription, key: 'lapse' } });
  assert.equal(await titleFor(member), 'Duo 2', 'a household that pauses stays where it was');
});

test('flags: what is new is there for the cohort alone, what is taken away is gone for it alone, and its tags differ', async (t) => {
  const world = await startBusiness(t);
  const store = storeOf(world);
  const cohort: Cohort = { unit: 'listener', salt: 's', slices: [{ audience: 'nordic', share: SHARE_TOTAL }] };
  const three = { ...changeObject(store, Flag, 'one', { default: 'v3' }), name: 'three' };
  const release = releaseByHand(store, 'flags', [three, { kind: Flag, name: 'two', spec: undefined }]);
  await release.expose(cohort);
  const nordic = { targetingKey: 'a', country: 'se' };
  for (const call of [world.call, (await startDecisionNode(t, world)).call]) {
    await caughtUp(call, world);
    const ask = async (context: object, key = '') =>
      call('POST', key === '' ? BULK : `${BULK}/${key}`, { body: { context } });
    const keysOf = async (context: object) => (await ask(context)).json.flags.map(({ key }: { key: string }) => key);
    assert.deepEqual(await keysOf(nordic), ['one', 'three']);
    assert.deepEqual(await keysOf({ targetingKey: 'a', country: 'de' }), ['one', 'two']);
    assert.deepEqual(await keysOf({ targetingKey: 'a' }), ['one', 'two'], 'unknown is not in');
    assert.match((await ask(nordic)).json.metadata.release, /^flags@[0-9a-f]{12}$/);
    assert.notEqual((await ask(nordic)).headers['etag'], (await ask({ targetingKey: 'a' })).headers['etag']);
    const single = await ask(nordic, 'three');
    assert.deepEqual([single.json.value, single.json.metadata.release.split('@')[0]], ['v3', 'flags'], single.text);
    assert.equal((await ask(nordic, 'two')).status, 404);
    assert.equal((await ask({ targetingKey: 'a' }, 'three')).status, 404);
  }
  await release.retract();
  await caughtUp(world.call, world);
  const { json } = await world.call('POST', BULK, { body: { context: nordic } });
  assert.deepEqual(
    json.flags.map(({ key }: { key: string }) => key),
    ['one', 'two'],
  );
});

test('applications get an event to ask again when a cohort changes', async (t) => {
  const world = await startBusiness(t);
  const store = storeOf(world);
  const answer = await fetch(`${world.url}/ofrep/v1/events`);
  assert.ok(answer.body);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  t.after(() => reader.cancel());
  let heard = '';
  const waitForRefetches = async (times: number): Promise<void> => {
    while (heard.split('refetchEvaluation').length - 1 < times) heard += (await reader.read()).value ?? '';
  };
  while (!heard.includes('connected')) heard += (await reader.read()).value ?? '';
  const release = releaseByHand(store, 'flags', [changeObject(store, Flag, 'one', { default: 'v1' })]);
  await release.expose(half);
  await waitForRefetches(1);
  await release.expose({ ...half, slices: [...half.slices, { share: SHARE_TOTAL }] });
  await waitForRefetches(2);
  await release.retract();
  await waitForRefetches(3);
  assert.equal(new Set(heard.match(/^id: .*$/gm)).size, 3, 'taken back, all is as it was');
});

/** The versions of objects in one answer, and the release that it names. */
type Sight = { readonly seen: readonly string[]; readonly named: string | undefined };

async function lookAtProducts(call: Call, listener: string): Promise<Sight> {
  const { json, text } = await call('GET', `${CHECK}${listener}`);
  const [offer] = json.plans ?? [];
  assert.ok(offer, text);
  const { releases } = json.snapshot;
  assert.ok((releases?.length ?? 0) <= 1, text);
  return { seen: [offer.title.slice(-1), offer.amount.split('.')[1].slice(-1)], named: releases?.[0].name };
}

async function lookAtFlags(call: Call, listener: string): Promise<Sight> {
  const { json, text } = await call('POST', BULK, { body: { context: { targetingKey: listener } } });
  assert.equal(json.flags?.length, 2, text);
  const seen = json.flags.map(({ value }: { value: string }) => value.slice(-1));
  return { seen, named: json.metadata.release?.split('@')[0] };
}

test('whatever releases do meanwhile, each answer is wholly of one world, and names the release that it shows', async (t) => {
  const world = await startBusiness(t);
  const store = storeOf(world);
  const chance = seededChance(t);
  const nodes = [world.call, (await startDecisionNode(t, world)).call];
  const changesOf = (number: number) => ({
    products: [
      changeObject(store, Plan, 'premium', { title: `Premium ${number}` }),
      changeObject(store, Price, 'premium-de', {
        timeline: [{ from: '2026-01-01', amount: `10.0${number}`, currency: 'EUR' }],
      }),
    ],
    flags: [
      changeObject(store, Flag, 'one', { default: `v${number % 4}` }),
      changeObject(store, Flag, 'two', { default: `v${number % 4}` }),
    ],
  });
  const cohortOf = (salt: string, share: number): Cohort => ({ unit: 'listener', salt, slices: [{ share }] });

  let isDone = false;
  let looks = 0;
  const named = new Set<string>();
  const check = ({ seen, named: release }: Sight, flags: boolean): void => {
    looks += 1;
    assert.equal(seen[0], seen[1], `half of one world and half of another: ${seen.join()}`);
    if (release === undefined) return;
    const number = Number(release.split('-')[1]);
    assert.equal(seen[0], String(flags ? number % 4 : number), `${release} is named`);
    named.add(release);
  };
  const readers = nodes.flatMap((call) =>
    [1, 2].map(async (seed) => {
      for (let round = seed; !isDone; round += 1) {
        const listener = listeners[round % listeners.length] ?? '';
        const [products, flags] = await Promise.all([lookAtProducts(call, listener), lookAtFlags(call, listener)]);
        check(products, false);
        check(flags, true);
      }
    }),
  );

  const releases = async (): Promise<void> => {
    for (let number = 1; number <= 9; number += 1) {
      const { products, flags } = changesOf(number);
      // Two releases at once, which share no object; every third is one release of both.
      const running =
        number % 3 === 0
          ? [releaseByHand(store, `all-${number}`, [...products, ...flags])]
          : [releaseByHand(store, `products-${number}`, products), releaseByHand(store, `flags-${number}`, flags)];
      for (const [index, release] of running.entries()) {
        const salt = `salt-${number}-${index}`;
        const share = chance.between(1, SHARE_TOTAL);
        await release.expose(cohortOf(salt, share));
        for (let step = chance.between(0, 3); step > 0; step -= 1) {
          await release.expose(cohortOf(salt, chance.between(share, SHARE_TOTAL)));
          for (const call of nodes) await caughtUp(call, world);
        }
      }
      for (const release of running) await (chance.between(0, 1) === 0 ? release.promote() : release.retract());
    }
  };
  await releases().finally(() => {
    isDone = true;
  });
  await Promise.all(readers);
  assert.ok(looks > 200 && named.size >= 5, `${looks} looks saw ${named.size} releases`);
});

/** The answers that have been counted so far. */
async function readCounts({ database }: World): Promise<readonly (readonly unknown[])[]> {
  const rows = await database.query<Record<'track' | 'answers' | 'denied' | 'failed', unknown>>(
    `select track, sum(answers)::int as answers, sum(denied)::int as denied, sum(failed)::int as failed
     from backline.release_counts where release = 'premium-2' group by track order by track`,
  );
  return rows.map(({ track, answers, denied, failed }) => [track, answers, denied, failed]);
}

async function sql({ call }: World, text: string): Promise<unknown[][]> {
  const answer = await call('POST', '/apis/events.backline.dev/v1/queries', {
    body: { apiVersion: 'events.backline.dev/v1', kind: 'Query', metadata: {}, spec: { sql: text } },
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.status.rows;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!(await holds())) {
    assert.ok(performance.now() < endMs, `waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('answers of each track are counted, and SQL shows the compared listeners', async (t) => {
  const world = await startBusiness(t, { roles: ['api', 'decide', 'ingest'], rollUpSeconds: 1 });
  const release = releaseByHand(storeOf(world), 'premium-2', [
    changeObject(storeOf(world), Plan, 'premium', { title: 'Premium 2', entitlements: [] }),
  ]);
  await release.expose(half);
  await caughtUp(world.call, world);
  const candidates = listeners.filter((listener) => trackOf(half, listener) === 'candidate').length;
  for (const listener of listeners) {
    for (const plan of ['premium', 'premium', 'none-such']) {
      await world.call('GET', `/v1/check?plan=${plan}&market=de&feature=offline&listener=${listener}`);
    }
  }
  const stable = listeners.length - candidates;
  // The candidate gives nothing: it denies twice of three times, and refuses the plan that there is not as stable does.
  const expected = [
    ['candidate', candidates * 3, candidates * 3, 0],
    ['stable', stable * 3, stable, 0],
  ];
  await until('all is counted', async () => JSON.stringify(await readCounts(world)) === JSON.stringify(expected));
  const readExposures = async () =>
    sql(
      world,
      'select track, count(distinct pseudonym)::int, count(distinct releaseRevision)::int, bool_and(cell between 0 and 511) from release_exposure group by all order by 1',
    );
  const seen = [
    ['candidate', candidates, 1, true],
    ['stable', stable, 1, true],
  ];
  await until('the files have it', async () => JSON.stringify(await readExposures()) === JSON.stringify(seen));
});

test('a node of its own that has the database counts and tells as well', async (t) => {
  const world = await startBusiness(t);
  const { call, close } = await startDecisionNode(t, world, {
    databaseUrl: world.databaseUrl,
    access: { encryptionKeyFile: join(world.dataDirectory, 'encryption-keys') },
  });
  const release = releaseByHand(storeOf(world), 'premium-2', [
    changeObject(storeOf(world), Flag, 'one', { default: 'v1' }),
  ]);
  await release.expose(half);
  await caughtUp(call, world);
  for (const listener of listeners) await call('POST', BULK, { body: { context: { targetingKey: listener } } });
  await close();
  const cells = await readReleaseCells(world.database, { release: 'premium-2', stage: 0 });
  const candidates = listeners.filter((listener) => trackOf(half, listener) === 'candidate').length;
  assert.deepEqual(await readCounts(world), [
    ['candidate', candidates, 0, 0],
    ['stable', listeners.length - candidates, 0, 0],
  ]);
  const [events] = await world.database.query(
    "select count(*)::int as events from backline.event_log where type = 'release-exposure'",
  );
  assert.deepEqual(events, { events: listeners.length });
  // Asked of another node, the same listeners are counted in the same cells.
  for (const listener of listeners) await world.call('POST', BULK, { body: { context: { targetingKey: listener } } });
  const twice = (track: 'candidate' | 'stable') =>
    cells[track].map(({ cell, answers, denied, failed }) => ({ cell, answers: 2 * answers, denied, failed }));
  const both = JSON.stringify({ candidate: twice('candidate'), stable: twice('stable') });
  assert.equal(
    cells.candidate.reduce((sum, { answers }) => sum + answers, 0),
    candidates,
  );
  await until('both nodes have written', async () => {
    const now = await readReleaseCells(world.database, { release: 'premium-2', stage: 0 });
    return JSON.stringify(now) === both;
  });
});

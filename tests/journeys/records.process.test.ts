import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { subjectStore } from '#domains/products/records/subjects.ts';
import { startWorld, type Answer, type World } from '../support/backline.ts';
import { market, plan } from '../support/catalogue.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import type { Json } from '../support/installation.ts';
import { RECORDS_CATALOGUE } from '../support/records-catalogue.ts';

/** Each story has listeners of its own in one server; the time only goes on. */
let now = Temporal.Instant.from('2026-11-02T09:00:00Z');
let call: World['call'];
let kubeconfigFile = '';
let database: World['database'];
const stories: (readonly [name: string, tell: () => Promise<void>])[] = [];
const story = (name: string, tell: () => Promise<void>): void => void stories.push([name, tell]);

test('records of listeners are as exact as counters', async (t) => {
  const world = await startWorld(t, { clock: () => now });
  ({ call, database } = world);
  ({ kubeconfigFile } = world.running);
  const applied = await call('POST', CHANGE_SETS, { body: changeSet(...RECORDS_CATALOGUE) });
  assert.equal(applied.status, 201, applied.text);
  assert.deepEqual(
    applied.json.status.results.flatMap((one: Json) => one.problems),
    [],
  );
  await world.running.control?.releases()?.caughtUp();
  for (const [name, tell] of stories) await t.test(name, tell);
});

let keys = 0;
const key = (): string => `key-${(keys += 1)}`;
const send = (path: string, body: object): Promise<Answer> => call('POST', `/v1/${path}`, { body });
async function post(path: string, body: object): Promise<Json> {
  const keyed = /acquire|heartbeat|leave/.test(path) ? body : { key: key(), ...body };
  const answer = await send(path, keyed);
  assert.equal(answer.status, 200, `${path}: ${answer.text}`);
  return answer.json;
}
async function refusalOf(path: string, body: object): Promise<string> {
  const answer = await send(path, { key: key(), ...body });
  assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status} ${answer.text}`);
  return answer.json.code;
}
const ask = async (path: string): Promise<Json> => {
  const answer = await call('GET', `/v1/${path}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};
async function backline(...args: readonly string[]): Promise<string> {
  const io = { ...fakeIo(), env: { BACKLINE_KUBECONFIG: kubeconfigFile } };
  assert.equal(await runCommandLine(args, io), 0, io.written.stderr);
  return io.written.stdout;
}
const begin = (listener: string, plan: string, more: object = {}): Promise<Json> =>
  post('subscriptions', { listener, plan, market: 'de', ...more });
const change = (subscription: string, plan: string, more: object = {}): Promise<Json> =>
  post('subscriptions/plan', { subscription, plan, ...more });
const consume = (listener: string, amount: number, more: object = {}): Promise<Json> =>
  post('consume', { listener, feature: 'books', amount, ...more });
const remainingOf = async (listener: string, feature = 'books'): Promise<number> =>
  (await ask(`check?listener=${listener}&feature=${feature}`)).usage?.remaining;
const pass = (duration: Temporal.DurationLike): void => {
  now = now.toZonedDateTimeISO('Europe/Berlin').add(duration).toInstant();
};

story('a change between plans that count by other windows takes use along, both ways', async () => {
  const { id } = await begin('windows', 'weekly');
  await consume('windows', 60, { feature: 'podmin' });
  for (const [plan, remaining] of [
    ['monthly', 240],
    ['weekly', 40],
    ['none', undefined],
    ['monthly', 240],
  ] as const) {
    assert.equal((await change(id, plan)).plan, plan);
    assert.equal(await remainingOf('windows', 'podmin'), remaining, plan);
  }
});

story('a repeated write answers as the first time and does nothing; another one under its key is refused', async () => {
  const { id } = await begin('retry', 'monthly');
  const steps: readonly (readonly [string, object])[] = [
    ['subscriptions/plan', { subscription: id, plan: 'family' }],
    ['subscriptions/members', { subscription: id, listener: 'retry-b', role: 'child' }],
    ['subscriptions/members', { subscription: id, listener: 'retry-b', role: 'member' }],
    ['subscriptions/lapse', { subscription: id }],
    ['subscriptions/resume', { subscription: id }],
    ['subscriptions/members/remove', { subscription: id, listener: 'retry-b' }],
    ['subscriptions/plan', { subscription: id, plan: 'monthly' }],
    ['grants', { listener: 'retry', addOn: 'ten' }],
    ['overrides', { listener: 'retry', feature: 'hq', value: 'low', reason: 'sorry', until: '2027-01-01T00:00:00Z' }],
  ];
  const first: { path: string; body: object; answer: Json }[] = [];
  for (const [index, [path, body]] of steps.entries()) {
    const keyed = { ...body, key: `retry-${index}` };
    const { snapshot: _, ...answer } = await post(path, keyed);
    first.push({ path, body: keyed, answer });
    pass({ seconds: 1 });
  }
  const before = await ask('subjects?listener=retry');
  for (const { path, body, answer } of first.toReversed()) {
    const { snapshot: _, ...again } = await post(path, body);
    assert.deepEqual(again, answer, path);
    assert.equal(await refusalOf(path, { ...body, ...other(body) }), 'http/key-reused', path);
  }
  assert.deepEqual(await ask('subjects?listener=retry'), {
    ...before,
    snapshot: (await ask('subjects?listener=retry')).snapshot,
  });
  const own = { listener: 'retry-own', plan: 'monthly', market: 'de', key: 'retry-own' };
  await post('subscriptions', own);
  assert.equal(await refusalOf('subscriptions', { ...own, listener: 'retry-else' }), 'http/key-reused');
  assert.equal((await ask('subjects?listener=retry-else')).subscription, undefined);
  assert.equal(await refusalOf('grants', { listener: 'retry-own', addOn: 'ten', key: 'retry-7' }), 'http/key-reused');

  function other(body: Json): object {
    if ('plan' in body) return { plan: 'weekly' };
    if ('addOn' in body) return { addOn: 'plus' };
    if ('value' in body) return { value: 'high' };
    return 'listener' in body ? { listener: 'somebody' } : { subscription: 'another' };
  }
});

story('a refused request has not happened, and its key is free', async () => {
  const { id } = await begin('free-key', 'duo');
  await post('subscriptions/members', { subscription: id, listener: 'fk-b' });
  const third = { subscription: id, listener: 'fk-c', key: 'fk' };
  assert.equal(await refusalOf('subscriptions/members', third), 'products/no-seat');
  await post('subscriptions/members/remove', { subscription: id, listener: 'fk-b' });
  assert.equal((await post('subscriptions/members', third)).members.length, 2);
});

story('an offline lease is the same under its key, however late it is asked for again', async () => {
  await begin('lease', 'monthly');
  const wish = { listener: 'lease', feature: 'books', amount: 300, device: 'phone', key: 'lease' };
  const first = await post('offline/leases', wish);
  pass({ minutes: 20 });
  assert.equal((await post('offline/leases', wish)).lease, first.lease);
  assert.equal(await remainingOf('lease'), 600);
});

story('use is settled on the plan of its time, whatever has changed since', async () => {
  const ends: readonly (readonly [string, (id: string, listener: string) => Promise<unknown>])[] = [
    ['lapse', (id) => post('subscriptions/lapse', { subscription: id })],
    ['end', (id) => post('subscriptions/end', { subscription: id })],
    ['all', (id) => change(id, 'all')],
    ['none', (id) => change(id, 'none')],
  ];
  for (const [name, end] of ends) {
    for (const more of name === 'all' || name === 'none' ? [{}] : [{}, { plan: 'free', market: 'de' }]) {
      const listener = `settle-${name}-${Object.keys(more).length}`;
      const { id } = await begin(listener, 'monthly');
      const who = { listener, feature: 'books', ...more };
      const counted = { ...who, amount: 100, key: `${listener}-c` };
      const first = await post('consume', counted);
      await post('reserve', { ...who, amount: 60, seconds: 600, key: `${listener}-r` });
      await post('reserve', { ...who, amount: 40, seconds: 600, key: `${listener}-s` });
      const { lease } = await post('offline/leases', { ...who, amount: 300, device: 'd', key: `${listener}-l` });
      pass({ seconds: 1 });
      await end(id, listener);
      pass({ seconds: 1 });
      const again = await post('consume', counted);
      assert.deepEqual([again.outcome, again.charged, again.usage], [first.outcome, 100, first.usage], listener);
      assert.equal((await post('extend', { ...who, of: `${listener}-r`, seconds: 900 })).charged, 60);
      assert.equal((await post('commit', { ...who, of: `${listener}-r`, amount: 50 })).charged, 50);
      assert.equal((await post('release', { ...who, of: `${listener}-s` })).charged, 40);
      const back = await post('offline/returns', { ...who, device: 'd', lease, used: 350 });
      assert.deepEqual([back.return, back.overBudget], ['in-time', 50]);
      assert.equal((await post('refund', { ...who, of: `${listener}-c`, amount: 30 })).charged, 30);
      const late = await post('consume', {
        ...who,
        amount: 5,
        usedAt: now.subtract({ milliseconds: 1_500 }).toString(),
      });
      assert.equal(late.charged, 5, 'used before it');
      if (name === 'end') await begin(listener, 'monthly');
      else if (name === 'lapse') await post('subscriptions/resume', { subscription: id });
      else await change(id, 'monthly');
      assert.equal(await remainingOf(listener), 900 - 100 + 30 - 50 - 350 - 5, listener);
    }
  }
});

story('a member who has left gives back what was shared, and takes no more', async () => {
  const { id } = await begin('leaver', 'family');
  await post('subscriptions/members', { subscription: id, listener: 'leaver-b', role: 'child' });
  const who = { listener: 'leaver-b', feature: 'skips' };
  await post('consume', { ...who, amount: 10, key: 'leaver-c' });
  await post('reserve', { ...who, amount: 20, seconds: 600, key: 'leaver-r' });
  await post('acquire', { listener: 'leaver-b', feature: 'streams', session: 's', holder: 'Phone', seconds: 600 });
  pass({ seconds: 1 });
  await post('subscriptions/members/remove', { subscription: id, listener: 'leaver-b' });
  assert.equal(await refusalOf('consume', { ...who, amount: 1 }), 'products/plan-needed');
  assert.equal((await post('commit', { ...who, of: 'leaver-r', amount: 5 })).charged, 5);
  assert.equal((await post('refund', { ...who, of: 'leaver-c', plan: 'free', market: 'de' })).charged, 10);
  assert.equal(await remainingOf('leaver', 'skips'), 45);
  const gone = await post('heartbeat', { listener: 'leaver-b', feature: 'streams', session: 's', seconds: 60 });
  assert.deepEqual([gone.outcome, gone.because], ['ended', 'not-given']);
  for (const session of ['a', 'b']) {
    const taken = await post('acquire', {
      listener: 'leaver',
      feature: 'streams',
      session,
      holder: session,
      seconds: 60,
    });
    assert.equal(taken.outcome, 'allow', 'the slot is free again');
  }
});

story(
  'nobody gets a second allowance: by ending and beginning, by other families, by other plans between, by old dates',
  async () => {
    const first = await begin('again', 'monthly', { anchor: '2026-10-10T00:00:00' });
    await consume('again', 900);
    await post('subscriptions/end', { subscription: first.id });
    pass({ hours: 1 });
    const second = await begin('again', 'monthly');
    assert.equal(await remainingOf('again'), 0, 'ended and begun');
    await post('subscriptions/end', { subscription: second.id });
    pass({ hours: 1 });
    const third = await begin('again', 'none', { anchor: '2026-10-17T00:00:00' });
    await change(third.id, 'weekly');
    assert.equal(await remainingOf('again'), 0, 'with a plan between that gives none');

    const fresh = await begin('fresh', 'fresh', { anchor: '2026-10-10T00:00:00' });
    await consume('fresh', 10, { feature: 'bonus' });
    await post('subscriptions/end', { subscription: fresh.id });
    pass({ hours: 1 });
    await begin('fresh', 'fresh');
    assert.equal(await remainingOf('fresh', 'bonus'), 0, 'where another plan would begin anew');

    const families = [];
    for (const [manager, anchor] of [
      ['hop-1', '2026-10-10T00:00:00'],
      ['hop-2', '2026-10-20T00:00:00'],
    ] as const) {
      families.push((await begin(manager, 'family', { anchor })).id);
    }
    await post('subscriptions/members', { subscription: families[0], listener: 'hopper' });
    await consume('hopper', 900);
    await post('subscriptions/members/remove', { subscription: families[0], listener: 'hopper' });
    await post('subscriptions/members', { subscription: families[1], listener: 'hopper' });
    assert.equal(await remainingOf('hopper'), 0, 'in another family');

    await begin('early', 'monthly');
    pass({ seconds: 1 });
    await consume('early', 600, { usedAt: now.subtract({ hours: 1 }).toString() });
    assert.equal(await remainingOf('early'), 300, 'before it began nothing was given');
  },
);

story('a listener asked about in two zones has one day where the zones have two', async () => {
  now = now.toZonedDateTimeISO('Europe/Berlin').add({ days: 1 }).withPlainTime('06:00').toInstant();
  const listens = (listener: string, where: string): Promise<Json> =>
    consume(listener, 20, { feature: 'podmin', plan: 'free', market: where });
  for (const [who, first, second, hoursLeft] of [
    ['zones-west', 'us', 'de', 3],
    ['zones-east', 'de', 'us', 18],
  ] as const) {
    assert.equal((await listens(who, first)).charged, 20, who);
    const denied = await listens(who, second);
    assert.equal(denied.charged, 0, who);
    const ends = now.add({ hours: hoursLeft });
    assert.equal(Temporal.Instant.from(denied.retryAt).toString(), ends.toString(), who);
  }
  pass({ hours: 3, seconds: 1 });
  assert.equal((await listens('zones-west', 'de')).charged, 20, 'the day is over where it began');
  assert.equal((await listens('zones-west', 'us')).charged, 0, 'and is the same one here');
});

story('a lapse and what it has been is kept; a lapsed subscription may change its plan', async () => {
  const { id } = await begin('back', 'weekly');
  await consume('back', 400);
  await post('subscriptions/lapse', { subscription: id });
  pass({ seconds: 5 });
  assert.equal((await change(id, 'monthly')).status, 'lapsed');
  assert.equal((await post('subscriptions/resume', { subscription: id })).plan, 'monthly');
  assert.equal(await remainingOf('back'), 500);
});

story('the price on record is that of the plan, where and for how long it was bought', async () => {
  const yearly = { channel: 'apple', interval: 'P1Y' };
  const { id, price } = await begin('price', 'monthly', yearly);
  assert.deepEqual([price.amount, price.channel, price.interval], ['99.00', 'apple', 'P1Y']);
  const family = (await change(id, 'family')).price;
  assert.deepEqual([family.amount, family.channel, family.interval], ['199.00', 'apple', 'P1Y']);
  const web = (await change(id, 'family', { channel: 'web', interval: 'P1M' })).price;
  assert.deepEqual([web.amount, web.channel, web.interval], ['19.99', 'web', 'P1M']);
  assert.equal((await change(id, 'free')).price, undefined);
  const nowhere = { listener: 'price-2', plan: 'monthly', market: 'us' };
  assert.equal(await refusalOf('subscriptions', nowhere), 'products/not-sold');
  const wrong = { listener: 'price-2', plan: 'monthly', market: 'de', interval: 'P1Y' };
  assert.equal(await refusalOf('subscriptions', wrong), 'products/not-sold');
  assert.equal((await ask('subjects?listener=price-2')).subscription, undefined);
  await begin('price-2', 'weekly');
});

story('where two currencies are legal, each has its price, and who pays chooses', async () => {
  const there = { market: 'zw' };
  const amounts = async (more = ''): Promise<string[]> =>
    (await ask(`prices?market=zw&plan=monthly${more}`)).prices.map((one: Json) => `${one.currency} ${one.amount}`);
  assert.deepEqual(await amounts(), ['USD 5.00', 'ZWG 130.00']);
  assert.deepEqual(await amounts('&currency=ZWG'), ['ZWG 130.00']);
  const usual = await begin('tender-1', 'monthly', there);
  assert.deepEqual([usual.price.currency, usual.price.amount], ['USD', '5.00'], 'the default of the market');
  const { id, price } = await begin('tender-2', 'monthly', { ...there, currency: 'ZWG' });
  assert.deepEqual([price.currency, price.amount, price.sources[0].name], ['ZWG', '130.00', 'monthly-zw-zwg']);
  assert.equal((await change(id, 'weekly')).price.amount, '60.00');
  assert.equal((await change(id, 'monthly')).price.currency, 'ZWG', 'as before');
  assert.equal((await change(id, 'monthly', { currency: 'USD' })).price.amount, '5.00');
  const wrong = { listener: 'tender-3', plan: 'weekly', ...there, currency: 'USD' };
  assert.equal(await refusalOf('subscriptions', wrong), 'products/not-sold');
});

story('use that is counted while plans change is lost in neither plan', async () => {
  for (const [plans, feature, ratio] of [
    [['small', 'large'], 'points', 2],
    [['weekly', 'monthly'], 'podmin', 1],
  ] as const) {
    for (let round = 0; round < 1; round += 1) {
      const listener = `race-${feature}-${round}`;
      const { id } = await begin(listener, plans[0]);
      const used: Json[] = [];
      let isOver = false;
      const lanes = Array.from({ length: 6 }, async () => {
        while (!isOver) used.push(await consume(listener, 1, { feature }));
      });
      while (used.length < 10) await new Promise((resolve) => setImmediate(resolve));
      await change(id, plans[1]);
      isOver = true;
      await Promise.all(lanes);
      const receipts = used.flatMap((one) => one.receipt);
      const old = receipts.filter(({ bucket, window }: Json) =>
        ratio === 2 ? bucket === 'plan/points/small' : window.startsWith('P1W'),
      ).length;
      const { usage } = await ask(`check?listener=${listener}&feature=${feature}`);
      assert.equal(usage.used, old * ratio + (receipts.length - old), `${old} of ${receipts.length} before`);
    }
  }
});

story('a settlement after a change of plan also counts in the present plan', async () => {
  for (const [from, to, feature, ratio] of [
    ['small', 'large', 'points', 2],
    ['weekly', 'monthly', 'podmin', 1],
  ] as const) {
    const listener = `moved-${feature}`;
    const who = { listener, feature };
    const { id } = await begin(listener, from);
    await post('consume', { ...who, amount: 20, key: `${listener}-c` });
    await post('reserve', { ...who, amount: 30, seconds: 600, key: `${listener}-r` });
    pass({ seconds: 1 });
    await change(id, to);
    const limit = feature === 'points' ? 200 : 300;
    assert.equal(await remainingOf(listener, feature), limit - 50 * ratio);
    await post('commit', { ...who, of: `${listener}-r`, amount: 10 });
    assert.equal(await remainingOf(listener, feature), limit - 30 * ratio);
    await post('refund', { ...who, of: `${listener}-c`, amount: 15 });
    assert.equal(await remainingOf(listener, feature), limit - 15 * ratio);
    await post('consume', { ...who, amount: 5, usedAt: now.subtract({ milliseconds: 1_500 }).toString() });
    assert.equal(await remainingOf(listener, feature), limit - 20 * ratio);
  }
});

story('a process that dies right after it has changed a plan leaves no use behind', async () => {
  const { id } = await begin('died', 'weekly');
  await consume('died', 60, { feature: 'podmin' });
  const calendar = (per: string, limit: number) => ({
    id: 'plan/podmin',
    limit,
    window: { type: 'calendar', per, zone: 'Europe/Berlin' } as const,
    priority: 100,
    createdMs: 0,
  });
  const move = { from: calendar('P1W', 100), to: calendar('P1M', 300), onPlanChange: 'carry' } as const;
  const dead = { by: 'user:dead', path: '/v1/subscriptions/plan', key: key(), request: {} };
  const movesOf = () => [{ subject: 'listener/died', moves: [move] }];
  await subjectStore(database, () => now).changePlan(id, { ...dead, movesOf }, ({ price }) => ({
    plan: 'monthly',
    role: 'manager',
    price,
  }));
  pass({ hours: 1 });
  const planOf = async (): Promise<string> => (await ask('entitlements?listener=died')).plan;
  for (let tries = 0; (await planOf()) !== 'monthly'; tries += 1) assert.ok(tries < 200, 'it was not heard');
  await consume('died', 10, { feature: 'podmin' });
  assert.equal(await remainingOf('died', 'podmin'), 230);
  assert.deepEqual(await database.query('select 1 from backline.use_moves'), []);
});

story('however often a plan was changed, its counters are there for who comes back', async () => {
  const { id } = await begin('often', 'weekly');
  await consume('often', 10, { feature: 'podmin' });
  await change(id, 'monthly');
  for (let round = 0; round < 6; round += 1) for (const other of ['none', 'small']) await change(id, other);
  await change(id, 'weekly');
  assert.equal((await consume('often', 10, { feature: 'podmin' })).charged, 10);
  assert.equal(await remainingOf('often', 'podmin'), 80);
});

story(
  'many top-ups lock nobody out: what has ended or is used up makes room, and one too many is refused',
  async () => {
    await begin('rich', 'monthly');
    for (let bought = 0; bought < 90; bought += 6) {
      await Promise.all(Array.from({ length: 6 }, () => post('grants', { listener: 'rich', addOn: 'kept' })));
    }
    assert.equal(await refusalOf('grants', { listener: 'rich', addOn: 'kept' }), 'products/too-many-grants');
    assert.equal(await remainingOf('rich'), 1_800);
    await consume('rich', 915);
    await post('grants', { listener: 'rich', addOn: 'kept' });
    assert.equal(await refusalOf('grants', { listener: 'rich', addOn: 'kept' }), 'products/too-many-grants');
    assert.equal(await remainingOf('rich'), 895);
    const record = await ask('subjects?listener=rich');
    await post('grants/end', { grant: record.grants.at(-1).id });
    await post('grants', { listener: 'rich', addOn: 'ten' });
    assert.equal((await ask('entitlements?listener=rich')).plan, 'monthly');
    pass({ months: 13 });
    assert.equal(await remainingOf('rich'), 900 + 885, 'what has ended is not looked at');
  },
);

story('an ended subscription stays as it is, and nobody is put on it', async () => {
  const { id } = await begin('over', 'family');
  await post('subscriptions/end', { subscription: id });
  for (const [path, body] of [
    ['subscriptions/members', { listener: 'over-b' }],
    ['subscriptions/members/remove', { listener: 'over-b' }],
    ['subscriptions/plan', { plan: 'duo' }],
    ['subscriptions/resume', {}],
  ] as const) {
    assert.equal(await refusalOf(path, { subscription: id, ...body }), 'products/subscription-ended', path);
  }
  await begin('over-b', 'monthly');
});

story('seats hold while a plan changes, roles change on a full plan, and who has no role in it is named', async () => {
  const { id } = await begin('seats', 'family');
  const races = [
    send('subscriptions/plan', { subscription: id, plan: 'duo', key: key() }),
    ...['1', '2', '3'].map((who) =>
      send('subscriptions/members', { subscription: id, listener: `seats-${who}`, role: 'member', key: key() }),
    ),
  ];
  await Promise.all(races);
  const { plan, members } = (await ask('subjects?listener=seats')).subscription;
  assert.ok(members.length <= (plan === 'duo' ? 2 : 6), `${plan} has ${members.length}`);
  const full = await begin('full', 'family');
  for (const who of ['b', 'c', 'd', 'e', 'f']) {
    await post('subscriptions/members', { subscription: full.id, listener: `full-${who}`, role: 'child' });
  }
  const changed = await post('subscriptions/members', { subscription: full.id, listener: 'full-b', role: 'member' });
  assert.equal(changed.members.find((one: Json) => one.listener === 'full-b').role, 'member');
  for (const who of ['b', 'd', 'e', 'f']) {
    await post('subscriptions/members/remove', { subscription: full.id, listener: `full-${who}` });
  }
  const owner = (await change((await begin('owner', 'monthly')).id, 'solo')).members;
  assert.deepEqual(
    owner.map(({ role }: Json) => role),
    ['owner'],
    'who pays has the first role of each plan',
  );
  const answer = await send('subscriptions/plan', { subscription: full.id, plan: 'duo', key: key() });
  assert.deepEqual([answer.status, answer.json.code], [409, 'products/role-not-in-plan']);
  assert.match(answer.json.detail, /"full-c" \(child\)/);
});

story('an add-on or override can be taken back, now or later', async () => {
  await begin('taken', 'monthly');
  const plus = await post('grants', { listener: 'taken', addOn: 'plus' });
  const ten = await post('grants', { listener: 'taken', addOn: 'ten' });
  const until = '2028-06-01T00:00:00Z';
  const more = { listener: 'taken', feature: 'books', limit: 1_000, reason: 'sorry', until };
  const override = await post('overrides', more);
  const quality = await post('overrides', { listener: 'taken', feature: 'hq', value: 'high', reason: 'sorry', until });
  assert.equal(await remainingOf('taken'), 1_000 + 600 + 600);
  await consume('taken', 1_100);
  assert.equal((await post('overrides/end', { override: override.id })).until, now.toString());
  assert.match(await backline('record', 'taken'), new RegExp(`id: "?${quality.id}`));
  assert.match(await backline('end', 'override', quality.id), /feature: hq/);
  assert.notEqual((await ask('check?listener=taken&feature=hq')).outcome, 'allow');
  assert.equal(await remainingOf('taken'), 500 + 600, 'what was used of it stays used');
  const later = now.add({ hours: 48 });
  assert.equal((await post('grants/end', { grant: plus.id, until: later.toString() })).validUntil, later.toString());
  await post('grants/end', { grant: ten.id });
  assert.equal(await remainingOf('taken'), 500);
  pass({ hours: 49 });
  assert.equal(await remainingOf('taken'), 0);
  assert.equal(await refusalOf('grants/end', { grant: 'nothing' }), 'products/no-grant');
  assert.equal(await refusalOf('overrides/end', { override: 'nothing' }), 'products/no-override');
  const gone = { grant: plus.id, until: now.subtract({ hours: 1 }).toString() };
  assert.equal(await refusalOf('grants/end', gone), 'products/invalid-record');
  const { changes } = await ask('subjects?listener=taken');
  assert.equal(changes.filter(({ action }: Json) => action.endsWith('-ended')).length, 4);
});

story('a settlement names the feature and the listener of its operation', async () => {
  const { id } = await begin('named', 'monthly');
  await begin('named-b', 'monthly');
  const who = { listener: 'named' };
  await post('reserve', { ...who, feature: 'podmin', amount: 5, seconds: 60, key: 'named-r' });
  await post('consume', { ...who, feature: 'podmin', amount: 5, key: 'named-c' });
  const { lease } = await post('offline/leases', { ...who, feature: 'books', amount: 100, device: 'd' });
  const about = { ...who, feature: 'books', of: 'named-r' };
  assert.equal(await refusalOf('commit', { ...about, amount: 2 }), 'quotas/other-quota');
  assert.equal(await refusalOf('commit', { ...about, amount: 9, over: 'charge' }), 'quotas/other-quota');
  assert.equal(await refusalOf('release', about), 'quotas/other-quota');
  assert.equal(await refusalOf('extend', { ...about, seconds: 60 }), 'quotas/other-quota');
  assert.equal(await refusalOf('refund', { ...about, of: 'named-c' }), 'quotas/other-quota');
  const back = { device: 'd', lease, used: 130 };
  assert.equal(await refusalOf('offline/returns', { ...who, feature: 'podmin', ...back }), 'products/other-lease');
  const other = { listener: 'named-b', feature: 'books', ...back };
  assert.equal(await refusalOf('offline/returns', other), 'products/other-lease');
  assert.deepEqual([await remainingOf('named'), await remainingOf('named', 'podmin')], [800, 290]);
  assert.ok(id);
});

story('a concurrent feature has slots and nothing else, and each listener has session names of their own', async () => {
  const { id } = await begin('slots', 'family');
  await post('subscriptions/members', { subscription: id, listener: 'slots-b' });
  const at = { listener: 'slots', feature: 'streams' };
  assert.equal(await refusalOf('consume', { ...at, amount: 1 }), 'products/not-used-up');
  assert.equal(await refusalOf('reserve', { ...at, amount: 1, seconds: 60 }), 'products/not-used-up');
  const slot = { session: 'player', holder: 'Kitchen', seconds: 600 };
  const wrong = await send('acquire', { listener: 'slots', feature: 'books', ...slot });
  assert.equal(wrong.json.code, 'products/not-at-once');
  assert.equal((await post('acquire', { ...at, ...slot })).outcome, 'allow');
  assert.equal((await post('acquire', { ...at, ...slot, listener: 'slots-b' })).usage.used, 2);
  const third = await post('acquire', { ...at, ...slot, session: 'other' });
  assert.notEqual(third.outcome, 'allow');
  assert.deepEqual(
    third.holders.map(({ session }: Json) => session),
    ['player', 'player'],
  );
  await post('leave', { ...at, session: 'player' });
  const kept = await post('heartbeat', { listener: 'slots-b', feature: 'streams', session: 'player', seconds: 60 });
  assert.equal(kept.outcome, 'allow');
});

story('a batch may contain unlimited features, and repeats its answer on another plan', async () => {
  await begin('unlimited', 'all');
  const items = (...features: string[]) => ({
    listener: 'unlimited',
    items: features.map((feature) => ({ feature, amount: 5 })),
  });
  assert.deepEqual((await post('batch/consume', items('podmin', 'books'))).outcome, 'allow');
  const denied = await post('batch/consume', items('podmin', 'skips'));
  assert.deepEqual([denied.outcome, denied.deniedFeature, denied.charged], ['deny', 'skips', 0]);
  await begin('batch', 'monthly');
  const both = { ...items('podmin', 'books'), listener: 'batch', key: 'batch-1' };
  assert.equal((await post('batch/consume', both)).charged, 10);
  const { id } = (await ask('subjects?listener=batch')).subscription;
  pass({ seconds: 1 });
  await change(id, 'all');
  assert.equal((await post('batch/consume', both)).charged, 10, 'repeated on another plan');
  assert.equal((await post('refund', { listener: 'batch', feature: 'books', of: 'batch-1' })).charged, 5);
});

story('an unlimited use has the same answer under its key, whatever has changed since', async () => {
  const { id } = await begin('free-use', 'all');
  const body = { listener: 'free-use', feature: 'books', amount: 30, key: 'free-use-1' };
  const both = {
    listener: 'free-use',
    items: [
      { feature: 'books', amount: 5 },
      { feature: 'podmin', amount: 5 },
    ],
  };
  const first = await post('consume', body);
  assert.deepEqual([first.outcome, first.charged, first.receipt, first.replayed], ['allow', 0, [], false]);
  assert.equal((await post('batch/consume', { ...both, key: 'free-use-2' })).charged, 0);
  assert.equal(await refusalOf('consume', { ...body, amount: 20 }), 'http/key-reused');
  pass({ seconds: 1 });
  await change(id, 'monthly');
  const again = await post('consume', body);
  assert.deepEqual([again.outcome, again.charged, again.reason, again.replayed], ['allow', 0, first.reason, true]);
  assert.equal((await post('batch/consume', { ...both, key: 'free-use-2' })).charged, 0);
  assert.equal(
    await refusalOf('refund', { listener: 'free-use', feature: 'books', of: 'free-use-1' }),
    'quotas/nothing-to-refund',
  );
  const until = now.add({ hours: 48 }).toString();
  const more = { listener: 'free-use', feature: 'books', limit: 'unlimited', reason: 'sorry', until };
  const { id: override } = await post('overrides', more);
  await post('consume', { ...body, key: 'free-use-3' });
  await post('overrides/end', { override });
  assert.equal((await post('consume', { ...body, key: 'free-use-3' })).charged, 0);
  assert.deepEqual([await remainingOf('free-use'), await remainingOf('free-use', 'podmin')], [900, 300]);
});

story('a reservation whose time is over gives its units back, and once', async () => {
  await begin('expired', 'monthly');
  const who = { listener: 'expired', feature: 'books' };
  await post('reserve', { ...who, amount: 100, seconds: 60, key: 'expired-r' });
  await post('reserve', { ...who, amount: 50, seconds: 60, key: 'expired-s' });
  await post('extend', { ...who, of: 'expired-s', seconds: 600 });
  assert.equal(await remainingOf('expired'), 750);
  pass({ seconds: 61 });
  assert.equal(await remainingOf('expired'), 850);
  assert.equal(await refusalOf('commit', { ...who, of: 'expired-r', amount: 100 }), 'quotas/reservation-settled');
  assert.equal((await consume('expired', 850)).charged, 850);
  assert.equal((await post('commit', { ...who, of: 'expired-s', amount: 50 })).charged, 50);
  assert.equal(await remainingOf('expired'), 0);
});

story('rollover starts only in months in which the plan gave the feature', async () => {
  pass({ milliseconds: 400 });
  const { id } = await begin('saver', 'none');
  await begin('saver-b', 'saving');
  pass({ months: 2, hours: 1 });
  assert.equal(await remainingOf('saver-b', 'saved'), 30, 'the first one, too');
  await change(id, 'saving');
  assert.equal(await remainingOf('saver', 'saved'), 10, 'before, the plan gave none');
  pass({ months: 1 });
  assert.equal(await remainingOf('saver', 'saved'), 10, 'and then for a part of a month');
  pass({ months: 1 });
  assert.equal(await remainingOf('saver', 'saved'), 20);
  await post('subscriptions/lapse', { subscription: id });
  pass({ months: 2 });
  await post('subscriptions/resume', { subscription: id });
  assert.equal(await remainingOf('saver', 'saved'), 10, 'while it had lapsed it gave none');
});

story('late use that is repeated after another change is answered as the first time', async () => {
  const { id } = await begin('late-again', 'monthly');
  // The plan of the decision gives none of it, and what was given by hand is not what it was counted by.
  const until = now.add({ hours: 48 }).toString();
  await post('overrides', { listener: 'late-again', feature: 'books', limit: 955, reason: 'sorry', until });
  pass({ hours: 1 });
  await change(id, 'none');
  pass({ seconds: 1 });
  const usedAt = now.subtract({ minutes: 30 }).toString();
  const late = { listener: 'late-again', feature: 'books', amount: 20, usedAt, key: 'late-again' };
  const first = await post('consume', late);
  assert.deepEqual([first.outcome, first.charged], ['allow', 20]);
  const again = await post('consume', late);
  assert.deepEqual([again.outcome, again.charged, again.replayed], ['allow', 20, true]);
  pass({ seconds: 1 });
  await change(id, 'weekly');
  const later = await post('consume', late);
  assert.deepEqual([later.outcome, later.charged, later.replayed], ['allow', 20, true]);
});

story('late use is given back to what it was counted by, whatever is had when it was asked for', async () => {
  const { id } = await begin('late-back', 'monthly');
  pass({ hours: 1 });
  await change(id, 'none');
  await post('grants', { listener: 'late-back', addOn: 'ten' });
  pass({ seconds: 1 });
  const usedAt = now.subtract({ minutes: 30 }).toString();
  const used = { listener: 'late-back', feature: 'books', amount: 436, usedAt, key: 'late-back' };
  assert.equal((await post('consume', used)).charged, 436);
  pass({ hours: 1 });
  const back = await post('refund', { listener: 'late-back', feature: 'books', of: 'late-back', amount: 298 });
  assert.deepEqual([back.charged, back.receipt[0].bucket], [298, 'plan/books']);
});

story('an override that nobody would have is refused', async () => {
  await begin('odd', 'monthly');
  const until = now.add({ hours: 48 }).toString();
  for (const [feature, given] of [
    ['downloads', { limit: 5 }],
    ['downloads', { value: false }],
    ['books', { value: 'many' }],
    ['hq', { value: 'ultra' }],
    ['hq', { limit: 1 }],
    ['hq', {}],
  ] as const) {
    const body = { listener: 'odd', feature, reason: 'sorry', until, ...given };
    assert.equal(await refusalOf('overrides', body), 'products/invalid-record', JSON.stringify(body));
  }
});

story('a listener with a plan, role or add-on that is no longer declared is answered, and can go on', async () => {
  const apply = async (...objects: object[]) => {
    const applied = await call('POST', CHANGE_SETS, { body: changeSet(...objects) });
    assert.equal(applied.status, 201, applied.text);
  };
  const untilServed = async (isSo: () => Promise<boolean>) => {
    for (let tries = 0; !(await isSo()); tries += 1) {
      assert.ok(tries < 200, 'it was not served');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const spec = {
    rank: 45,
    seats: 6,
    entitlements: [
      { feature: 'books', limit: 900, per: 'P1M' },
      { feature: 'downloads', roles: ['kid'] },
    ],
  };
  await apply(plan('old', { rank: 46 }), plan('band', { ...spec, roles: ['manager', 'kid'] }));
  await untilServed(async () => (await call('GET', '/v1/check?plan=old&market=de&feature=hq')).status === 200);
  await untilServed(async () => (await call('GET', '/v1/check?plan=band&market=de&feature=hq')).status === 200);
  const old = await begin('gone', 'old');
  const band = await begin('gone-m', 'band');
  await post('subscriptions/members', { subscription: band.id, listener: 'gone-kid', role: 'kid' });
  await begin('gone-plus', 'monthly');
  await post('grants', { listener: 'gone-plus', addOn: 'plus' });
  const base = '/apis/products.backline.dev/v1/namespaces/default';
  const {
    entitlements: [books],
    ...rest
  } = spec;
  await apply(
    plan('band', {
      ...rest,
      roles: ['manager', 'child'],
      entitlements: [books, { feature: 'downloads', roles: ['child'] }],
    }),
  );
  for (const path of ['plans/old', 'addons/plus']) {
    const deleted = await call('DELETE', `${base}/${path}`);
    assert.equal(deleted.status, 200, deleted.text);
  }
  await untilServed(async () => (await call('GET', '/v1/check?plan=old&market=de&feature=hq')).status === 422);
  assert.equal((await ask('check?listener=gone&feature=hq')).reason.code, 'plan-gone');
  assert.equal((await ask('entitlements?listener=gone')).offered, false);
  assert.equal((await ask('explain?listener=gone&feature=hq')).answer.reason.code, 'plan-gone');
  assert.equal((await change(old.id, 'monthly')).plan, 'monthly');
  assert.equal(await remainingOf('gone'), 900);
  await untilServed(async () => (await ask('check?listener=gone-kid&feature=downloads')).outcome !== 'allow');
  assert.equal(await remainingOf('gone-kid'), 900, 'what is for every role');
  assert.equal(await remainingOf('gone-plus'), 1_500, 'what was bought stays as it was sold');
  pass({ months: 1 });
  assert.equal(await remainingOf('gone-plus'), 1_500, 'and comes anew');
});

story(
  'a listener in a market that is no longer declared has the entitlements for all markets, and can go on',
  async () => {
    const sent = await call('POST', CHANGE_SETS, {
      body: changeSet(market('se', { title: 'Sweden', zone: 'Europe/Stockholm', currencies: [{ code: 'SEK' }] })),
    });
    assert.equal(sent.status, 201, sent.text);
    const statusOfMarket = async () => (await call('GET', '/v1/check?plan=all&market=se&feature=hq')).status;
    for (let tries = 0; (await statusOfMarket()) !== 200; tries += 1) {
      assert.ok(tries < 200, 'it was not served');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { id } = await begin('nowhere', 'duo', { market: 'se' });
    await consume('nowhere', 100);
    const gone = await call('DELETE', '/apis/products.backline.dev/v1/namespaces/default/markets/se');
    assert.equal(gone.status, 200, gone.text);
    for (let tries = 0; (await statusOfMarket()) !== 422; tries += 1) {
      assert.ok(tries < 200, 'it was not served');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(await remainingOf('nowhere'), 800);
    assert.equal((await consume('nowhere', 800)).charged, 800);
    const denied = await consume('nowhere', 1);
    assert.deepEqual([denied.outcome, denied.plans], ['upsell', []], 'only add-ons are sold without a market');
    assert.equal((await ask('entitlements?listener=nowhere')).plan, 'duo');
    assert.equal((await ask('check?listener=nowhere&feature=hq&channel=apple')).outcome, 'deny');
    assert.equal((await ask('explain?listener=nowhere&feature=books')).answer.usage.remaining, 0);
    await post('grants', { listener: 'nowhere', addOn: 'ten' });
    assert.equal((await post('subscriptions/members', { subscription: id, listener: 'nowhere-b' })).members.length, 2);
    await post('subscriptions/members/remove', { subscription: id, listener: 'nowhere-b' });
    assert.equal(await refusalOf('subscriptions/plan', { subscription: id, plan: 'monthly' }), 'products/not-sold');
    assert.equal((await change(id, 'all')).plan, 'all');
    assert.equal((await post('subscriptions/end', { subscription: id })).status, 'ended');
    await begin('nowhere', 'monthly', { anchor: '2026-12-25T00:00:00' });
    assert.equal(await remainingOf('nowhere'), 600, 'what was used there goes along');
  },
);

story('a change of tax is declared ahead, and the past keeps what it had', async () => {
  const path = '/apis/products.backline.dev/v1/namespaces/default/markets/de';
  const tax = (rate: string, rates?: object) =>
    call('PATCH', path, {
      body: { spec: { tax: { rate, ...(rates === undefined ? {} : { rates }) } } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
  const edited = await tax('16');
  assert.equal(edited.status, 422, edited.text);
  assert.match(edited.text, /from a moment to come/);
  const turns = now.add({ hours: 24 * 40 });
  const ahead = await tax('19', [{ from: turns.toString(), rate: '16' }]);
  assert.equal(ahead.status, 200, ahead.text);
  const partsAt = async (at: string) => {
    const [price] = (await ask(`prices?market=de&plan=weekly&at=${at}`)).prices;
    return [price.tax.rate, price.tax.net, price.tax.tax, price.from, price.next];
  };
  const from = '2019-12-31T23:00:00Z';
  for (let tries = 0; (await partsAt('2039-01-01'))[0] !== '16'; tries += 1) {
    assert.ok(tries < 200, 'it was not served');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(await partsAt('2020-06-15'), ['19', '4.19', '0.80', from, undefined]);
  assert.deepEqual(await partsAt(turns.toString()), ['16', '4.30', '0.69', from, undefined]);
  assert.deepEqual(await partsAt(turns.subtract({ seconds: 1 }).toString()), ['19', '4.19', '0.80', from, undefined]);
  const later = await tax('19', [{ from: now.subtract({ hours: 1 }).toString(), rate: '7' }]);
  assert.equal(later.status, 422, 'what has been is not rewritten');
});

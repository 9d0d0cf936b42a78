import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import { startWorld, type World } from '../support/backline.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';

const ARIA = resolve(import.meta.dirname, '../../examples/aria');

interface Shop {
  readonly world: World;
  /** Posts to a path, under a key of its own unless one is given; the answer must be 200. */
  // Tests look into answers of every shape.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly post: (path: string, body: object) => Promise<any>;
  readonly refuse: (path: string, body: object) => Promise<{ status: number; code: string; detail: string }>;
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly check: (listener: string, feature: string, more?: string) => Promise<any>;
  readonly travelTo: (instant: string) => void;
}

/** The sample business with a clock that the test sets. */
async function startShop(t: TestContext, start: string): Promise<Shop> {
  let now = Temporal.Instant.from(start);
  const world = await startWorld(t, { clock: () => now, roles: ['api', 'decide', 'ingest'] });
  const files = (await readdir(ARIA, { recursive: true })).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(files.map((name) => readFile(join(ARIA, name), 'utf8')));
  const objects = texts.flatMap((text) => decodeManifests(text).map(({ value }) => value as object));
  const applied = await world.call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(applied.status, 201, applied.text);
  await world.running.control?.releases()?.caughtUp();
  let keys = 0;
  const send = (path: string, body: object) =>
    world.call('POST', path, {
      body: { ...(NO_KEY.has(path) ? {} : { key: `key-${(keys += 1)}` }), ...body },
    });
  return {
    world,
    post: async (path, body) => {
      const answer = await send(path, body);
      assert.equal(answer.status, 200, `${path}: ${answer.text}`);
      return answer.json;
    },
    refuse: async (path, body) => {
      const { status, json } = await send(path, body);
      return { status, code: json.code, detail: json.detail };
    },
    check: async (listener, feature, more = '') => {
      const answer = await world.call('GET', `/v1/check?listener=${listener}&feature=${feature}${more}`);
      assert.equal(answer.status, 200, answer.text);
      return answer.json;
    },
    travelTo: (instant) => {
      now = Temporal.Instant.from(instant);
    },
  };
}

/** Slots are asked for by the name of the session. */
const NO_KEY = new Set(['/v1/acquire', '/v1/heartbeat', '/v1/leave']);

test('audiobooks: fifteen hours for the manager, then the add-on, then top-ups, through a lapse and back', async (t) => {
  const { post, check, refuse, travelTo } = await startShop(t, '2026-01-31T14:00:00Z');
  const anna = await post('/v1/subscriptions', {
    listener: 'anna',
    plan: 'family',
    market: 'de',
    anchor: '2026-01-31T15:00:00',
  });
  assert.deepEqual(anna.anchor, { wallTime: '2026-01-31T15:00:00', zone: 'Europe/Berlin' });
  assert.match(anna.price.amount, /^\d+\.\d\d$/, 'the price of the day is kept');
  await post('/v1/subscriptions/members', { subscription: anna.id, listener: 'bo', role: 'member' });

  const full = await check('anna', 'audiobooks');
  assert.deepEqual([full.outcome, full.usage.remaining, full.usage.resetsAt], ['allow', 900, '2026-02-28T14:00:00Z']);
  const member = await check('bo', 'audiobooks');
  assert.notEqual(member.outcome, 'allow', 'for who pays alone');

  // Content time: five hours at double speed are ten hours of a book, as the player reports it.
  const listened = { listener: 'anna', feature: 'audiobooks', amount: 600, key: 'book-1' };
  assert.equal((await post('/v1/consume', listened)).usage.remaining, 300);
  const again = await post('/v1/consume', listened);
  assert.deepEqual([again.usage.remaining, again.replayed], [300, true]);

  await post('/v1/grants', { listener: 'anna', addOn: 'audiobooks-plus' });
  await post('/v1/grants', { listener: 'anna', addOn: 'audiobooks-10h' });
  const forMember = await refuse('/v1/grants', { listener: 'bo', addOn: 'audiobooks-10h' });
  assert.deepEqual([forMember.status, forMember.code], [409, 'products/add-on-not-for-sale']);
  travelTo('2026-02-10T12:00:00Z');
  await post('/v1/grants', { listener: 'anna', addOn: 'audiobooks-10h' });
  assert.equal((await check('anna', 'audiobooks')).usage.remaining, 300 + 600 + 600 + 600);

  // Plan, then the monthly add-on, then the top-up that ends first.
  const long = await post('/v1/consume', { listener: 'anna', feature: 'audiobooks', amount: 1_000 });
  assert.deepEqual(
    long.usage.by.map(({ from, used }: { from: string; used: number }) => [from, used]),
    [
      ['plan', 900],
      ['grant', 600],
      ['grant', 100],
      ['grant', 0],
    ],
  );
  const tooMuch = await post('/v1/consume', { listener: 'anna', feature: 'audiobooks', amount: 1_101 });
  assert.deepEqual([tooMuch.outcome, tooMuch.charged, tooMuch.usage.remaining], ['upsell', 0, 1_100]);
  assert.deepEqual(
    tooMuch.addOns.map(({ addOn }: { addOn: string }) => addOn),
    ['audiobooks-10h', 'audiobooks-plus'],
  );

  // The month turns at the anchor: 28 February, as there is no 31st.
  travelTo('2026-02-28T14:00:00Z');
  const anew = await check('anna', 'audiobooks');
  assert.equal(anew.usage.remaining, 900 + 600 + 1_100, 'the add-on, bought at the same moment, comes anew as well');
  assert.equal(anew.usage.resetsAt, '2026-03-31T13:00:00Z', 'the 31st again, and summer time');

  // A lapse: nothing can be used, what was bought waits and ages.
  await post('/v1/subscriptions/lapse', { subscription: anna.id });
  const lapsed = await check('anna', 'audiobooks', '&plan=free&market=de');
  assert.notEqual(lapsed.outcome, 'allow');
  travelTo('2026-06-15T12:00:00Z');
  await post('/v1/subscriptions/resume', { subscription: anna.id });
  assert.equal((await check('anna', 'audiobooks')).usage.remaining, 900 + 600 + 1_100, 'usable again');
  travelTo('2027-02-05T12:00:00Z');
  assert.equal(
    (await check('anna', 'audiobooks')).usage.remaining,
    900 + 600 + 600,
    'the first top-up has had its year',
  );
  travelTo('2027-02-11T12:00:00Z');
  assert.equal((await check('anna', 'audiobooks')).usage.remaining, 900 + 600, 'and the second');
});

test('free: thirty minutes of any track a day, then shuffle; six skips within any hour', async (t) => {
  const { post, check, travelTo } = await startShop(t, '2026-11-22T09:00:00Z');
  const cy = { listener: 'cy', plan: 'free', market: 'de' };
  const use = (feature: string, amount: number) => post('/v1/consume', { ...cy, feature, amount });
  assert.equal((await use('on-demand', 29)).outcome, 'allow');
  const over = await use('on-demand', 2);
  assert.deepEqual([over.outcome, over.degradedTo.feature, over.charged], ['degrade', 'shuffle', 0]);
  assert.equal((await use('on-demand', 1)).outcome, 'allow', 'a denial has charged nothing');
  const empty = await check('cy', 'on-demand', '&plan=free&market=de');
  assert.deepEqual([empty.outcome, empty.usage.remaining], ['degrade', 0]);
  assert.equal(empty.usage.resetsAt, '2026-11-22T23:00:00Z', 'midnight in Berlin');
  for (let skip = 0; skip < 6; skip += 1) {
    travelTo(`2026-11-22T09:0${skip}:00Z`);
    assert.equal((await use('skips', 1)).outcome, 'allow');
  }
  assert.notEqual((await use('skips', 1)).outcome, 'allow');
  travelTo('2026-11-22T10:00:01Z');
  assert.equal((await use('skips', 1)).outcome, 'allow', 'the first has left the hour');
  assert.notEqual((await use('skips', 1)).outcome, 'allow');
  travelTo('2026-11-22T23:00:00Z');
  assert.equal((await check('cy', 'on-demand', '&plan=free&market=de')).usage.remaining, 30);
});

test('a family has six seats and a stream for each; who wants a second one may take over', async (t) => {
  const { post, refuse } = await startShop(t, '2026-11-22T09:00:00Z');
  const { id } = await post('/v1/subscriptions', { listener: 'anna', plan: 'family', market: 'de' });
  const members = ['bo', 'cy', 'di', 'ed', 'flo'];
  for (const listener of members)
    await post('/v1/subscriptions/members', { subscription: id, listener, role: 'member' });
  const seventh = await refuse('/v1/subscriptions/members', { subscription: id, listener: 'gus', role: 'member' });
  assert.deepEqual([seventh.status, seventh.code], [409, 'products/no-seat']);
  const stream = (listener: string, session: string, more: object = {}) =>
    post('/v1/acquire', {
      listener,
      feature: 'streams',
      session,
      holder: `${listener}'s ${session}`,
      seconds: 60,
      ...more,
    });
  for (const listener of ['anna', ...members]) assert.equal((await stream(listener, 'phone')).outcome, 'allow');
  const conflict = await stream('bo', 'speaker');
  assert.notEqual(conflict.outcome, 'allow');
  assert.deepEqual(
    conflict.holders.map(({ session, holder }: { session: string; holder: string }) => [session, holder]),
    [['phone', "bo's phone"]],
  );
  const [{ takeover }] = conflict.holders;
  assert.equal((await stream('bo', 'speaker', { takeover })).outcome, 'allow');
  const ended = await post('/v1/heartbeat', { listener: 'bo', feature: 'streams', session: 'phone', seconds: 60 });
  assert.deepEqual([ended.outcome, ended.because], ['ended', 'taken-over']);
  await post('/v1/leave', { listener: 'bo', feature: 'streams', session: 'speaker' });
  assert.equal((await stream('bo', 'desktop')).outcome, 'allow');
});

test('a device may be offline for thirty days, and what it used counts when it is back', async (t) => {
  const { post, check, refuse, travelTo } = await startShop(t, '2026-11-01T12:00:00Z');
  await post('/v1/subscriptions', { listener: 'anna', plan: 'premium', market: 'de', anchor: '2026-11-01T12:00:00' });
  const taken = await post('/v1/offline/leases', {
    listener: 'anna',
    feature: 'audiobooks',
    device: 'phone',
    amount: 300,
  });
  assert.equal((await check('anna', 'audiobooks')).usage.remaining, 600, 'kept for the device');
  travelTo('2026-11-20T12:00:00Z');
  const back = { listener: 'anna', feature: 'audiobooks', device: 'phone', lease: taken.lease };
  const forged = await refuse('/v1/offline/returns', { ...back, lease: `${taken.lease}x`, used: 1 });
  assert.deepEqual([forged.status < 500, forged.code], [true, 'quotas/lease-forged']);
  const settled = await post('/v1/offline/returns', { ...back, used: 350 });
  assert.deepEqual([settled.return, settled.overBudget], ['in-time', 50]);
  assert.equal((await check('anna', 'audiobooks')).usage.remaining, 550);
  const replayed = await refuse('/v1/offline/returns', { ...back, used: 1 });
  assert.equal(replayed.code, 'quotas/lease-replayed');
  const late = await post('/v1/offline/leases', {
    listener: 'anna',
    feature: 'audiobooks',
    device: 'tablet',
    amount: 100,
  });
  travelTo('2026-12-25T12:00:00Z');
  const expired = await post('/v1/offline/returns', { ...back, device: 'tablet', lease: late.lease, used: 40 });
  assert.equal(expired.return, 'expired');
});

test('a senseless request is refused with a remedy, and nothing is charged', async (t) => {
  const { post, check, refuse, world } = await startShop(t, '2026-11-22T09:00:00Z');
  await post('/v1/subscriptions', { listener: 'anna', plan: 'premium', market: 'de' });
  const use = (more: object) => refuse('/v1/consume', { listener: 'anna', feature: 'audiobooks', amount: 1, ...more });
  const cases: readonly [object, number, RegExp][] = [
    [{ amount: -1 }, 422, /-1/],
    [{ amount: 0 }, 422, /0/],
    [{ amount: 1.5 }, 422, /1\.5/],
    [{ amount: 1e300 }, 422, /1e\+300/],
    [{ amount: 'ten' }, 400, /amount/],
    [{ feature: 'audiobook' }, 422, /did you mean "audiobooks"/],
    [{ listener: 'nobody' }, 422, /the request names no plan/],
    [{ listener: 'nobody', plan: 'premum', market: 'de' }, 422, /did you mean "premium"/],
    [{ listener: 'nobody', plan: 'premium', market: 'xx' }, 422, /no market "xx"/],
    [{ usedAt: 'yesterday' }, 400, /usedAt/],
  ];
  for (const [more, status, says] of cases) {
    const answer = await use(more);
    assert.equal(answer.status, status, `${JSON.stringify(more)}: ${JSON.stringify(answer)}`);
    assert.match(answer.detail, says);
  }
  await post('/v1/consume', { listener: 'anna', feature: 'audiobooks', amount: 5, key: 'same' });
  const other = await use({ amount: 6, key: 'same' });
  assert.deepEqual([other.status, other.code], [409, 'http/key-reused']);
  // A clock a year ahead is set right: it counts now.
  await post('/v1/consume', { listener: 'anna', feature: 'audiobooks', amount: 5, usedAt: '2027-11-22T09:00:00Z' });
  assert.equal((await check('anna', 'audiobooks')).usage.remaining, 890);
  const anonymous = await world.call('POST', '/v1/consume', {
    token: '',
    body: { listener: 'anna', feature: 'audiobooks', amount: 1, key: 'x' },
  });
  assert.equal(anonymous.status, 401, 'nobody writes without saying who they are');
});

test('every change of a record is an event and says who did it', async (t) => {
  const { post, world } = await startShop(t, '2026-11-22T09:00:00Z');
  const { id } = await post('/v1/subscriptions', { listener: 'anna', plan: 'family', market: 'de' });
  await post('/v1/subscriptions/members', { subscription: id, listener: 'bo' });
  await post('/v1/grants', { listener: 'anna', addOn: 'audiobooks-10h' });
  await post('/v1/overrides', {
    listener: 'bo',
    feature: 'audiobooks',
    limit: 60,
    reason: 'credit for an outage',
    until: '2026-12-01T00:00:00Z',
  });
  const record = (await world.call('GET', '/v1/subjects?listener=anna')).json;
  assert.deepEqual(
    record.changes.map(({ by, action }: { by: string; action: string }) => [by, action]),
    [
      ['user:admin', 'granted'],
      ['user:admin', 'member-added'],
      ['user:admin', 'subscribed'],
    ],
  );
  const events = async () =>
    world.database.query<{ payload: string }>("select payload from backline.event_log where type = 'subject-change'");
  const endMs = performance.now() + 20_000;
  while ((await events()).length < 5 && performance.now() < endMs) await new Promise((done) => setTimeout(done, 100));
  const actions = (await events()).map(({ payload }) => JSON.parse(payload).action).toSorted();
  assert.deepEqual(actions, ['granted', 'member-added', 'member-added', 'overridden', 'subscribed']);
  const texts = (await events()).map(({ payload }) => payload).join();
  const shown = (await world.call('GET', '/v1/subjects?listener=anna')).json;
  const ids = [shown.subscription.id, ...[...shown.grants, ...shown.overrides].map((one: { id: string }) => one.id)];
  assert.ok(ids.length >= 2);
  assert.deepEqual(
    ids.filter((one) => texts.includes(one)),
    [],
    'no id of a record leads to a pseudonym',
  );
  const ofPseudonym = await world.database.query<{ ids: number; listeners: number }>(`
    select count(distinct payload::jsonb ->> 'subscription')::int as ids, count(distinct pseudonym)::int as listeners
    from backline.event_log where type = 'subject-change' and payload::jsonb ? 'subscription'`);
  assert.deepEqual(ofPseudonym, [{ ids: 2, listeners: 2 }], 'each listener has one of their own');
  assert.ok(!texts.includes('outage'));
  const quarantined = await world.database.query('select detail from backline.event_quarantine');
  assert.deepEqual(quarantined, []);
});

test('a time that no calendar or nobody has is refused where it is given, and locks nobody out', async (t) => {
  const { post, refuse, check, world } = await startShop(t, '2026-11-22T09:00:00Z');
  const anchors = [
    '-271821-04-20T00:00:00',
    '+275760-09-13T00:00:00',
    '0000-01-01T00:00:00',
    '1969-12-31T23:59:59',
    '9999-12-31T23:59:59',
    '2036-11-23T10:00:00',
    '2026-02-30T00:00:00',
    '2026-01-31T15:00:00Z',
    '2026-01-31T15:00:00+01:00',
    '2026-01-31T15:00:00[Asia/Tokyo]',
    '2026-01-31',
    'tomorrow',
  ];
  const begin = { plan: 'premium', market: 'de' };
  for (const anchor of anchors) {
    const { status, detail } = await refuse('/v1/subscriptions', { ...begin, listener: 'x', anchor });
    assert.deepEqual([status, detail.startsWith('anchor: ')], [422, true], `${anchor}: ${detail}`);
  }
  for (const zone of ['+02:00', 'Europe/Nowhere', '-00:00']) {
    assert.equal((await refuse('/v1/subscriptions', { ...begin, listener: 'x', zone })).status, 422, zone);
  }
  for (const [listener, anchor] of [
    ['old', '1970-01-01T00:00:00'],
    ['new', '2036-11-22T00:00'],
  ] as const) {
    await post('/v1/subscriptions', { ...begin, listener, anchor });
    assert.equal((await check(listener, 'audiobooks')).outcome, 'allow', anchor);
    await post('/v1/consume', { listener, feature: 'audiobooks', amount: 1 });
  }
  const instants = [
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59-23:59',
    '1960-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
  ];
  const override = { listener: 'old', feature: 'audiobooks', limit: 1, reason: 'because' };
  for (const instant of instants) {
    const used = await refuse('/v1/consume', { listener: 'old', feature: 'audiobooks', amount: 1, usedAt: instant });
    assert.ok(used.status === 400 || used.status === 422, `usedAt ${instant}: ${used.status} ${used.detail}`);
    const given = await refuse('/v1/overrides', { ...override, until: instant });
    assert.ok(given.status === 400 || given.status === 422, `until ${instant}: ${given.status} ${given.detail}`);
  }
  await post('/v1/consume', {
    listener: 'old',
    feature: 'audiobooks',
    amount: 1,
    usedAt: '2026-11-22T08:59:59.1234567890123Z',
  });
  await post('/v1/overrides', { ...override, until: '2026-12-01T00:00:00.1234567890123Z' });
  for (const at of [...instants, '0000-01-01', '-271821-04-20', '9999-12-31', '1970-01-01', '2026-11-22T08:00:00Z']) {
    for (const path of ['check', 'prices', 'entitlements', 'explain']) {
      const asked = `/v1/${path}?plan=premium&market=de&feature=audiobooks&at=${encodeURIComponent(at)}`;
      const { status, text } = await world.call('GET', asked);
      assert.ok(status < 500, `${asked}: ${status} ${text}`);
    }
  }
});

test('ids and keys of every length that records take are counted, carried to another plan and erased', async (t) => {
  const { post, check, world } = await startShop(t, '2026-11-22T09:00:00Z');
  const listener = `${'ü/%'.repeat(84)}x`;
  const long = 'k'.repeat(252);
  assert.equal(listener.length, 253);
  const { id } = await post('/v1/subscriptions', { listener, plan: 'premium', market: 'de', key: `${long}1` });
  await post('/v1/consume', { listener, feature: 'audiobooks', amount: 100, key: `${long}2` });
  const tracks = { listener, feature: 'offline-tracks', session: long, holder: long, seconds: 60 };
  await post('/v1/acquire', { ...tracks, device: listener });
  await post('/v1/subscriptions/plan', { subscription: id, plan: 'family', key: `${long}3` });
  assert.equal((await check(encodeURIComponent(listener), 'audiobooks')).usage.remaining, 800);
  const erased = await world.call('POST', '/apis/events.backline.dev/v1/erasures', {
    body: { apiVersion: 'events.backline.dev/v1', kind: 'Erasure', metadata: {}, spec: { subject: listener } },
  });
  assert.ok(erased.json.status.erased.quotas >= 3, erased.text);
  assert.deepEqual(await world.database.query('select subject from backline.quota_subjects'), []);
});

test('an erased listener has no record, no use and no subscription any more', async (t) => {
  const { post, world } = await startShop(t, '2026-11-22T09:00:00Z');
  const { id } = await post('/v1/subscriptions', { listener: 'anna', plan: 'family', market: 'de' });
  await post('/v1/subscriptions/members', { subscription: id, listener: 'bo' });
  await post('/v1/consume', { listener: 'anna', feature: 'audiobooks', amount: 100 });
  await post('/v1/acquire', { listener: 'anna', feature: 'streams', session: 's', holder: 'phone', seconds: 60 });
  const erased = await world.call('POST', '/apis/events.backline.dev/v1/erasures', {
    body: { apiVersion: 'events.backline.dev/v1', kind: 'Erasure', metadata: {}, spec: { subject: 'anna' } },
  });
  assert.equal(erased.status, 201, erased.text);
  assert.ok(erased.json.status.erased.subjects >= 3);
  assert.ok(erased.json.status.erased.quotas >= 2);
  const record = (await world.call('GET', '/v1/subjects?listener=anna')).json;
  assert.deepEqual([record.version, record.subscription, record.changes], [0, undefined, []]);
  const tables = [
    'subjects',
    'subscriptions',
    'subscription_members',
    'subject_changes',
    'quota_subjects',
    'quota_counters',
  ];
  for (const table of tables) {
    const found = await world.database.query(`select 1 from backline.${table} as t where t::text ~ '\\yanna\\y'`);
    assert.deepEqual(found, [], table);
  }
});

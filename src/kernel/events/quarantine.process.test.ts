import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseQuery, type RequestTarget } from '#kernel/api/request.ts';
import { tableOf as tableOfObjects } from '#kernel/api/table.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { startDatabase } from '#tests/support/database.ts';
import { Erasure, EventReplay } from './kinds/event-commands.ts';
import { QuarantinedEvent } from './kinds/quarantined-event.ts';
import { ROOM, takeRoom } from './quarantine-room.ts';
import { replay } from './replay.ts';
import { NOON, play, startIngest, testSealing, type Ingest } from './testing/ingest.ts';
import { eventTypes, tableOf } from './testing/table.ts';

/** Posts a command as an administrator would. */
async function post(ingest: Ingest, kind: Kind, spec: object, dryRun = false): Promise<ResourceObject> {
  const object = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name: 'given' }, spec };
  const user = { name: 'admin', groups: [] };
  const author = { user: 'admin', requestId: 'r1' };
  const carryOut = ingest.events.virtual.get(kind.id);
  assert.ok(carryOut);
  return (await carryOut(object, { user, author, dryRun, namespace: undefined, name: undefined })) as ResourceObject;
}

/** A page of a list, as kubectl would ask for it. */
async function list(ingest: Ingest, kind: Kind, queryText = '', name?: string) {
  const target: RequestTarget = { kind, namespace: '', name, part: 'main' };
  const lookUp = ingest.events.virtualLists.get(kind.id);
  assert.ok(lookUp);
  return lookUp(target, parseQuery({ queryText, request: { headers: {} } } as Exchange));
}

const ids = (entries: readonly { object: () => ResourceObject }[]) =>
  entries.map(({ object }) => (object().spec as { id: string }).id);

async function quarantine(ingest: Ingest): Promise<void> {
  const events = [
    play('unknown', { type: 'like' }),
    play('wrong', { properties: { song: 't1' } }),
    play('late', { at: '2026-04-01T00:00:00Z' }),
    play('fine'),
    play('fine', { properties: { track: 'other' } }),
  ];
  const answer = await ingest.post('/v1/events', { sentAt: '2026-05-01T11:59:30Z', events });
  assert.equal(answer.json.quarantined, 4);
}

test('operators list quarantined events and reasons by page and field, without their content', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  await quarantine(ingest);
  const all = await list(ingest, QuarantinedEvent);
  assert.deepEqual(ids(all.entries), ['fine', 'late', 'wrong', 'unknown']);
  const table = tableOfObjects(QuarantinedEvent, all.entries, {
    metadata: {},
    includeObject: 'None',
    now: NOON.add({ minutes: 5 }),
    columns: false,
  });
  const [, , cells] = (table as { rows: { cells: unknown[] }[] }).rows.map((row) => row.cells);
  const detail = '/properties/track: is required; /properties/song: is not a declared field';
  assert.deepEqual(cells, ['q-2', 'play', 'wrong', 'client:app', 'invalid', detail, '<none>', '5m']);
  assert.equal(
    all.entries.some(({ text }) => text.includes('u1') || text.includes('t1')),
    false,
  );

  const first = await list(ingest, QuarantinedEvent, 'limit=3');
  assert.deepEqual(ids(first.entries), ['fine', 'late', 'wrong']);
  const rest = await list(ingest, QuarantinedEvent, `limit=3&continue=${first.continueToken}`);
  assert.deepEqual([ids(rest.entries), rest.continueToken], [['unknown'], undefined]);
  assert.deepEqual(ids((await list(ingest, QuarantinedEvent, 'fieldSelector=reason%3Dtoo-late')).entries), ['late']);
  assert.deepEqual(
    ids((await list(ingest, QuarantinedEvent, 'fieldSelector=reason!%3Dtoo-late,type%3Dplay')).entries),
    ['fine', 'wrong'],
  );
  assert.deepEqual(ids((await list(ingest, QuarantinedEvent, '', 'q-2')).entries), ['wrong']);
  assert.deepEqual((await list(ingest, QuarantinedEvent, '', 'nonsense')).entries, []);
  await assert.rejects(list(ingest, QuarantinedEvent, 'continue=nonsense'), { code: 'resources/bad-continue' });
});

test('a replay accepts events that are valid now, once, with their time of receipt', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  await quarantine(ingest);
  ingest.now = NOON.add({ hours: 10 * 24 });
  const unchanged = await post(ingest, EventReplay, {});
  assert.deepEqual(unchanged.status, { accepted: 0, duplicates: 0, quarantined: 3, complete: true, by: 'admin' });

  const properties = { ...eventTypes.play.schema.properties, song: { type: 'string' } };
  const wider = { ...eventTypes.play, schema: { properties, required: [] } };
  ingest.table = tableOf({ ...eventTypes, play: wider, like: eventTypes.play });
  assert.deepEqual((await post(ingest, EventReplay, {}, true)).status, undefined, 'a dry run does nothing');
  await assert.rejects(post(ingest, EventReplay, { since: '0000-01-01T00:00:00Z' }), { code: 'events/bad-time' });
  const status = { duplicates: 0, complete: true, by: 'admin' };
  const ofType = await post(ingest, EventReplay, { type: 'like' });
  assert.deepEqual(ofType.status, { ...status, accepted: 1, quarantined: 0 });
  const [one, two] = await Promise.all([post(ingest, EventReplay, {}), post(ingest, EventReplay, {})]);
  const accepted = [one, two].map((answer) => (answer.status as { accepted: number }).accepted);
  assert.equal((accepted[0] ?? 0) + (accepted[1] ?? 0), 1, 'two replays at once do not accept an event twice');
  const rows = await ingest.database.query(
    `select id, day::text, received_at, corrected_at from backline.event_log where day > '2026-05-01' order by id`,
  );
  const times = {
    day: '2026-05-11',
    received_at: NOON,
    corrected_at: NOON.subtract({ minutes: 1 }),
  };
  assert.deepEqual(rows, [
    { id: 'unknown', ...times },
    { id: 'wrong', ...times },
  ]);
  const waiting = (await list(ingest, QuarantinedEvent)).entries.filter(({ text }) => !text.includes('replayedAt'));
  assert.deepEqual(ids(waiting), ['fine', 'late'], 'a late event stays late');
  const log = await list(ingest, EventReplay);
  assert.equal(log.entries.length, 4);
  assert.deepEqual(log.entries.at(-2)?.object().spec, { type: 'like' });
});

test('a replay continues after the last event, past any number that stay invalid', async (t) => {
  await using db = await startDatabase();
  const sealing = await testSealing(t);
  const ingest = await startIngest(t, { databaseUrl: db.url, sealing });
  const hopeless = Array.from({ length: 7 }, (_, index) => play(`bad-${index}`, { properties: { song: 1 } }));
  await ingest.post('/v1/events', { events: [...hopeless, play('good', { properties: { track: 't', song: 't' } })] });
  const properties = { ...eventTypes.play.schema.properties, song: { type: 'string' } };
  ingest.table = tableOf({ play: { ...eventTypes.play, schema: { ...eventTypes.play.schema, properties } } });
  const parts = {
    database: ingest.database,
    sealing,
    table: () => ingest.table,
    writer: ingest.events,
    limits: { eventsMax: 4, eventsAtOnce: 2 },
  };
  const first = await replay(parts, { type: 'play' });
  assert.deepEqual(first, { accepted: 0, duplicates: 0, quarantined: 4, complete: false, continue: 'q-4' });
  const second = await replay(parts, { type: 'play', continue: 'q-4' });
  assert.deepEqual(second, { accepted: 1, duplicates: 0, quarantined: 3, complete: false, continue: 'q-8' });
  const last = await replay(parts, { type: 'play', continue: 'q-8' });
  assert.deepEqual(last, { accepted: 0, duplicates: 0, quarantined: 0, complete: true });
});

test('replaying an event that was accepted meanwhile gives a duplicate', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const event = play('e1', { type: 'like' });
  await ingest.post('/v1/events', { events: [event, event] });
  ingest.table = tableOf({ ...eventTypes, like: eventTypes.play });
  await ingest.post('/v1/events', { events: [event] });
  const { status } = await post(ingest, EventReplay, {});
  assert.deepEqual(status, { accepted: 0, duplicates: 2, quarantined: 0, complete: true, by: 'admin' });
  assert.deepEqual((await post(ingest, EventReplay, {})).status, { ...(status as object), duplicates: 0 });
});

test('events of Segment’s libraries are replayed by the current mapping', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const message = {
    type: 'track',
    event: 'Liked It',
    messageId: 'm1',
    timestamp: NOON.toString(),
    userId: 'u1',
    properties: { track: 't' },
  };
  await ingest.post('/v1/batch', { batch: [message] });
  ingest.table = tableOf({ like: { ...eventTypes.play, segment: { event: 'Liked It' } } });
  assert.equal(
    ((await post(ingest, EventReplay, { reason: 'unknown-type' })).status as { accepted: number }).accepted,
    1,
  );
});

test('a replay never accepts events of a forbidden subject', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url, admit: () => ({ client: 'client:web', subject: 'u9' }) });
  await ingest.post('/v1/events', { events: [play('e1')] });
  const { status } = await post(ingest, EventReplay, {});
  assert.deepEqual(status, { accepted: 0, duplicates: 0, quarantined: 0, complete: true, by: 'admin' });
});

test('an erasure reaches every store, keeps no name, and is recorded', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  await quarantine(ingest);
  const erased: string[] = [];
  const erase = (subject: string) => {
    erased.push(subject);
    return Promise.resolve(3);
  };
  ingest.events.erasers.push({ store: 'assignments', erase });
  assert.deepEqual((await post(ingest, Erasure, { subject: 'u1' }, true)).status, undefined);
  assert.deepEqual(erased, [], 'a dry run erases nothing');
  const answer = await post(ingest, Erasure, { subject: 'u1' });
  const status = {
    erased: { pseudonyms: 1, 'quarantined-events': 4, producers: 0, assignments: 3 },
    at: NOON.toString(),
    by: 'admin',
  };
  assert.deepEqual([erased, answer.status, answer.spec], [['u1'], status, {}]);
  const [entry] = (await list(ingest, Erasure)).entries;
  assert.deepEqual([entry?.name, entry?.object().status], ['erasure-1', status]);
  await assert.rejects(post(ingest, Erasure, {}), { code: 'events/no-subject' });
  erased.length = 0;
  const several = await post(ingest, Erasure, { subject: 'u1', subjects: ['before-login', 'u1'] });
  assert.deepEqual(erased, ['u1', 'before-login']);
  assert.deepEqual(
    [several.spec, (several.status as { erased: object }).erased],
    [{}, { pseudonyms: 0, 'quarantined-events': 0, producers: 0, assignments: 6 }],
  );
  assert.deepEqual((await list(ingest, QuarantinedEvent)).entries, []);
});

test('an erasure finds a subject in any field, type, id or bound token of a quarantined event', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, {
    databaseUrl: db.url,
    admit: (exchange) =>
      exchange.request.headers['x-phone'] === undefined
        ? { client: 'client:app' }
        : { client: 'client:web', subject: String(exchange.request.headers['x-phone']) },
  });
  const long = 'l'.repeat(300);
  const victims = ['anna', '4711', 'a/b c@d.e', long];
  const about = (victim: string, number: number) => [
    play(`misnamed-${number}`, { subject: undefined, userId: victim }),
    play(`typed-${number}`, { subject: Number(victim) || { id: victim } }),
    play(`nested-${number}`, { type: 'nothing', subject: undefined, properties: { users: [{ [victim]: 'x@y.z' }] } }),
    play(`${victim.slice(-100)}:${number}`, { subject: undefined, at: 'never', properties: { [victim]: 1 } }),
  ];
  const others = [
    play('joanna', { type: 'nothing', subject: 'anna-lena' }),
    play('other-4', { subject: undefined, userId: 'xanna', properties: { at: 47_110 } }),
  ];
  await ingest.post('/v1/events', { events: [...victims.flatMap(about), ...others] });
  const tooLong = { type: 'track', event: 'Song Played', messageId: 'm', timestamp: NOON.toString(), userId: long };
  await ingest.post('/v1/batch', { batch: [tooLong] });
  const bound = play('bound', { subject: undefined, properties: { song: 'x@y.z' } });
  await ingest.post('/v1/events', { events: [bound] }, { 'x-phone': 'anna' });
  assert.equal((await list(ingest, QuarantinedEvent)).entries.length, 20);
  const counts = [];
  for (const subject of victims) {
    const { status } = await post(ingest, Erasure, { subject });
    counts.push((status as { erased: Record<string, number> }).erased['quarantined-events']);
  }
  assert.deepEqual(counts, [5, 4, 4, 5]);
  assert.deepEqual(ids((await list(ingest, QuarantinedEvent)).entries), ['other-4', 'joanna']);
  const rows = await ingest.database.query<{ row: string }>('select q::text as row from backline.event_quarantine q');
  assert.equal(
    rows.some(({ row }) => victims.some((victim) => row.includes(`(${victim},`))),
    false,
  );
});

test('a replayed event has the subject that its sender was bound to', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, {
    databaseUrl: db.url,
    admit: () => ({ client: 'client:web', subject: 'anna' }),
  });
  await ingest.post('/v1/events', { events: [play('e1', { type: 'like', subject: undefined })] });
  ingest.table = tableOf({ ...eventTypes, like: eventTypes.play });
  const { status } = await post(ingest, EventReplay, {});
  assert.deepEqual(status, { accepted: 1, duplicates: 0, quarantined: 0, complete: true, by: 'admin' });
  const rows = await ingest.database.query(
    'select p.subject from backline.event_log l join backline.pseudonyms p using (pseudonym)',
  );
  assert.deepEqual(rows, [{ subject: 'anna' }]);
});

test('an event with too many texts is not kept, and its detail gives the reason', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const texts = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`k${index}`, `v${index}`]));
  const events = [
    play('many', { type: 'like', properties: texts }),
    play('large', { type: 'like', properties: { text: 'x'.repeat(70_000) } }),
  ];
  const { json } = await ingest.post('/v1/events', { events });
  for (const { detail } of json.results) assert.match(detail, /its content is too large to be kept for a replay$/);
  assert.equal((await list(ingest, QuarantinedEvent)).entries.length, 2);
  ingest.table = tableOf({ ...eventTypes, like: { ...eventTypes.play, schema: { properties: {}, additional: true } } });
  const { status } = await post(ingest, EventReplay, {});
  assert.deepEqual(status, { accepted: 0, duplicates: 0, quarantined: 0, complete: true, by: 'admin' });
});

test('the quarantine of a sender is limited per day; more is counted, and other senders are not affected', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  await ingest.database.query(
    `insert into backline.event_quarantine_room values ('2026-05-01', 'client:app', ${ROOM.eventsMax - 1}, 0)`,
  );
  const send = () => ingest.post('/v1/events', { events: [play('a', { type: 'x' }), play('b', { type: 'x' })] });
  const { json } = await send();
  assert.deepEqual([json.quarantined, json.results.length], [2, 2]);
  assert.match(json.results[1].detail, /; not kept: the daily limit of a sender is 10000 events and 67108864 bytes$/);
  assert.deepEqual(ids((await list(ingest, QuarantinedEvent)).entries), ['a']);
  const counted = 'select sum(quarantined)::int as events from backline.event_batches';
  assert.deepEqual(await ingest.database.query(counted), [{ events: 2 }]);
  const mixed = [
    { client: 'client:app', bytes: 1 },
    { client: 'other', bytes: ROOM.bytesMax },
    { client: 'other', bytes: 1 },
  ];
  assert.deepEqual(await takeRoom(ingest.database, '2026-05-01', mixed), [false, true, false]);
  await ingest.events.maintain(NOON.add({ hours: 24 * 40 }));
  assert.deepEqual(await ingest.database.query('select * from backline.event_quarantine_room'), []);
  ingest.now = NOON.add({ hours: 24 });
  await send();
  assert.equal((await list(ingest, QuarantinedEvent)).entries.length, 2);
});

test('quarantined events are dropped after a month, replayed ones after a week', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  await quarantine(ingest);
  ingest.table = tableOf({ ...eventTypes, like: eventTypes.play });
  await post(ingest, EventReplay, {});
  const after = async (days: number) => {
    await ingest.events.maintain(NOON.add({ hours: 24 * days + 1 }));
    return ids((await list(ingest, QuarantinedEvent)).entries);
  };
  assert.equal((await after(6)).length, 4);
  assert.deepEqual(await after(7), ['fine', 'late', 'wrong']);
  assert.deepEqual(await after(29), ['fine', 'late', 'wrong']);
  assert.deepEqual(await after(30), []);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { mkdtemp, chmod, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Analytics } from '@segment/analytics-node';
import type { Exchange } from '#kernel/http/exchange.ts';
import { openDatabase, urlOfDatabase } from '#kernel/postgres/database.ts';
import { startEmbeddedPostgres } from '#kernel/postgres/embedded.ts';
import { migrate } from '#kernel/postgres/migrations.ts';
import { allMigrations } from '#planes/catalogue.ts';
import { EventReplay } from '#kernel/events/kinds/event-commands.ts';
import { play, startIngest, type Ingest } from '#kernel/events/testing/ingest.ts';
import { eventTypes, tableOf } from '#kernel/events/testing/table.ts';
import { startDatabase } from '../support/database.ts';

const outcomes = (answer: { json: { results: { outcome: string; reason?: string }[] } }) =>
  answer.json.results.map(({ outcome, reason }) => reason ?? outcome);

async function readLog({ database }: Pick<Ingest, 'database'>): Promise<string[]> {
  const rows = await database.query<{ id: string }>('select id from backline.event_log order by id');
  return rows.map(({ id }) => id);
}

test('each event of a batch is answered in its place, and what is accepted is in the log', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const answer = await ingest.post('/v1/events', {
    sentAt: '2026-05-01T12:00:00Z',
    producer: 'phone-1',
    sequence: 7,
    events: [
      play('e1', { properties: { track: 't1', ipAddress: '192.0.2.1' } }),
      play('e1', { properties: { track: 't1', ipAddress: '192.0.2.1' } }),
      play('e1', { properties: { track: 'other' } }),
      play('e2', { type: 'plai' }),
      play('e3', { at: '2026-05-03T12:00:00Z' }),
      play('e4'),
    ],
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(outcomes(answer), ['accepted', 'duplicate', 'id-reused', 'unknown-type', 'clock-ahead', 'accepted']);
  assert.deepEqual([answer.json.accepted, answer.json.duplicates, answer.json.quarantined], [2, 1, 3]);
  const [row] = await ingest.database.query<Record<string, unknown>>(
    `select day::text, type, client, pseudonym, event_at, sent_at, received_at, corrected_at, payload
     from backline.event_log where id = 'e1'`,
  );
  const { pseudonym, payload, ...rest } = row ?? {};
  const at = (text: string) => Temporal.Instant.from(text);
  assert.deepEqual(rest, {
    day: '2026-05-01',
    type: 'play',
    client: 'client:app',
    event_at: at('2026-05-01T11:59:00Z'),
    sent_at: at('2026-05-01T12:00:00Z'),
    received_at: at('2026-05-01T12:00:00Z'),
    corrected_at: at('2026-05-01T11:59:00Z'),
  });
  assert.match(String(pseudonym), /^[0-9a-f-]{36}$/);
  assert.match(String(payload), /^\{"track":"t1","ipAddress":"sealed:[^"]+"\}$/);
  const counts = await ingest.database.query(
    `select producer, sequence, type, accepted, duplicates, quarantined from backline.event_batches order by type`,
  );
  const batch = { producer: 'phone-1', sequence: 7 };
  assert.deepEqual(counts, [
    { ...batch, type: '', accepted: 0, duplicates: 0, quarantined: 1 },
    { ...batch, type: 'play', accepted: 2, duplicates: 1, quarantined: 2 },
  ]);
  assert.match(await ingest.metrics(), /backline_events_total\{type="play",outcome="accepted"\} 2/);
  assert.match(await ingest.metrics(), /backline_events_clock_skew_seconds_count 1/);
});

test('nothing of a subject stands in the log or the quarantine in the clear, but its name where it can be erased', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const properties = { track: 't', ipAddress: 'personal-value' };
  const events = [
    play('e1', { subject: 'personal-name', properties }),
    play('e2', { subject: 'personal-name', properties: { ...properties, wrong: 1 } }),
  ];
  assert.deepEqual(outcomes(await ingest.post('/v1/events', { events })), ['accepted', 'invalid']);
  for (const table of ['event_log', 'event_ids', 'event_quarantine', 'event_batches']) {
    const columns = table === 'event_quarantine' ? `to_jsonb(t) - 'subject'` : 'to_jsonb(t)';
    const [row] = await ingest.database.query<{ text: string }>(
      `select coalesce(string_agg((${columns})::text, ''), '') as text from backline.${table} t`,
    );
    assert.equal(row?.text.includes('personal'), false, `${table}: ${row?.text}`);
  }
});

test('a request that cannot be read is refused as a whole, with what would be right', async (t) => {
  await using db = await startDatabase();
  const { post } = await startIngest(t, { databaseUrl: db.url, limits: { bodyBytesMax: 10_000 } });
  const json = { 'content-type': 'application/json' };
  const cases: [unknown, Record<string, string>, number, string][] = [
    ['{', json, 400, 'http/bad-json'],
    [Buffer.from([0x22, 0xff, 0x22]), json, 400, 'http/bad-json'],
    ['[]', json, 400, 'events/bad-batch'],
    [{ events: Array.from({ length: 1_001 }, () => 1) }, json, 413, 'events/too-many'],
    [' '.repeat(10_001), json, 413, 'http/body-too-large'],
    [gzipSync(' '.repeat(100_000)), { ...json, 'content-encoding': 'gzip' }, 413, 'http/body-too-large'],
    ['{}', { ...json, 'content-encoding': 'gzip' }, 400, 'http/bad-json'],
    ['{}', { ...json, 'content-encoding': 'br' }, 415, 'http/unsupported-media-type'],
    ['{}', { 'content-type': 'application/xml' }, 415, 'http/unsupported-media-type'],
  ];
  for (const [body, headers, status, code] of cases) {
    const answer = await post('/v1/events', body, headers);
    assert.deepEqual([answer.status, answer.json.code], [status, code], String(body).slice(0, 50));
    assert.match(answer.json.remedy, /./);
  }
  // Some libraries compress with the wrong content type, others write the coding in capitals.
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const [index, headers] of [
    { ...json, 'content-encoding': 'gzip' },
    { ...form, 'content-encoding': 'GZIP' },
    { 'content-type': 'text/plain;charset=UTF-8', 'content-encoding': 'x-gzip' },
  ].entries()) {
    const packed = gzipSync(JSON.stringify({ events: [play(`e${index}`)] }));
    assert.equal((await post('/v1/events', packed, headers)).json.accepted, 1, JSON.stringify(headers));
  }
  assert.equal((await post('/v1/other', {})).status, 404);
});

test('an event that is nested too deep is set aside alone, and everything beside it is accepted', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const nest = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  const deep = JSON.stringify(play('deep', { properties: { track: 't', extra: 0 } }));
  for (const levels of [201, 60_000]) {
    const events = [play(`a${levels}`), 'DEEP', play(`b${levels}`)].map((event) => JSON.stringify(event)).join();
    const body = `{"events":[${events.replace('"DEEP"', deep.replace('"extra":0', `"extra":${nest(levels)}`))}]}`;
    const answer = await ingest.post('/v1/events', body);
    assert.deepEqual(outcomes(answer), ['accepted', 'invalid', 'accepted']);
    assert.match(
      answer.json.results[1].detail,
      /^the event is nested deeper than 200 levels; its content is too large/,
    );
  }
  const message = { type: 'track', event: 'Song Played', userId: 'u', timestamp: '2026-05-01T11:59:00Z' };
  const batch = JSON.stringify({ batch: [{ ...message, messageId: 'm', properties: 0 }] });
  const segment = await ingest.post('/v1/batch', batch.replace('"properties":0', `"properties":${nest(300)}`));
  assert.deepEqual(outcomes(segment), ['invalid']);
  const cloud = JSON.stringify([{ specversion: '1.0', type: 'play', source: '/a', id: '1', data: 0 }]);
  const cloudEvents = { 'content-type': 'application/cloudevents-batch+json' };
  const answer = await ingest.post('/v1/events', cloud.replace('"data":0', `"data":${nest(300)}`), cloudEvents);
  assert.deepEqual(outcomes(answer), ['invalid']);
});

test('only POST is taken, and a caller without access is refused before the body is read', async (t) => {
  await using db = await startDatabase();
  const { url } = await startIngest(t, { databaseUrl: db.url });
  const answer = await fetch(`${url}/v1/events`);
  assert.equal(answer.status, 405);
  assert.equal((await fetch(`${url}/v1/events`, { method: 'OPTIONS' })).status, 405, 'preflight is left to the gate');
});

test('a sender that is bound to a subject cannot speak for another', async (t) => {
  await using db = await startDatabase();
  const admit = () => ({ client: 'client:web', subject: 'u1' });
  const ingest = await startIngest(t, { databaseUrl: db.url, admit });
  const { subject: _subject, ...unnamed } = play('e2');
  const answer = await ingest.post('/v1/events', { events: [play('e1'), unnamed, play('e3', { subject: 'u2' })] });
  assert.deepEqual(outcomes(answer), ['accepted', 'accepted', 'subject-forbidden']);
  const [row] = await ingest.database.query('select count(distinct pseudonym) as pseudonyms from backline.event_log');
  assert.deepEqual(row, { pseudonyms: 1 });
});

test('the real library of Segment delivers what it tracks', async (t) => {
  await using db = await startDatabase();
  const seen: string[] = [];
  const admit = (exchange: Exchange) => {
    const [kind, credentials = ''] = (exchange.header('authorization') ?? '').split(' ');
    const [key = ''] = Buffer.from(credentials, 'base64').toString().split(':');
    seen.push(`${kind} ${key}`);
    return { client: 'client:segment' };
  };
  const ingest = await startIngest(t, { databaseUrl: db.url, admit });
  ingest.now = Temporal.Now.instant();
  const analytics = new Analytics({
    writeKey: 'bk_key',
    host: ingest.url,
    path: '/v1/batch',
    flushAt: 3,
    maxRetries: 0,
  });
  const failures: unknown[] = [];
  analytics.on('error', (error) => failures.push(error));
  analytics.track({ event: 'Song Played', userId: 'u1', properties: { track: 't1' }, messageId: 'm1' });
  analytics.identify({ userId: 'u1', traits: { country: 'de' }, messageId: 'm2' });
  analytics.track({ event: 'App Opened', anonymousId: 'a1', properties: { cold: true }, messageId: 'm3' });
  analytics.track({ event: 'Never Declared', userId: 'u1', messageId: 'm4' });
  await analytics.closeAndFlush();
  assert.deepEqual(failures, []);
  assert.deepEqual([...new Set(seen)], ['Basic bk_key']);
  assert.deepEqual(await readLog(ingest), ['m1', 'm2', 'm3']);
  const kept = await ingest.database.query('select id, type, reason from backline.event_quarantine');
  assert.deepEqual(kept, [{ id: 'm4', type: 'never-declared', reason: 'unknown-type' }]);
});

test('CloudEvents are taken in their three forms, and are replayed as what they are', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const event = (id: string, more: object = {}) => ({
    specversion: '1.0',
    type: 'play',
    source: '/app',
    id,
    time: '2026-05-01T11:59:00Z',
    subject: 'u1',
    datacontenttype: 'application/json',
    data: { track: 't1' },
    traceparent: 'not kept',
    ...more,
  });
  const structured = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
  const batch = { 'content-type': 'application/cloudevents-batch+json' };
  assert.deepEqual(outcomes(await ingest.post('/v1/events', event('1'), structured)), ['accepted']);
  const several = [
    event('1'),
    event('1', { source: '/other' }),
    event('2', { data_base64: 'AA==' }),
    event('3', { specversion: '0.3' }),
    5,
  ];
  const expected = ['duplicate', 'accepted', 'invalid', 'invalid', 'invalid'];
  assert.deepEqual(outcomes(await ingest.post('/v1/events', several, batch)), expected);
  const binary = {
    'ce-specversion': '1.0',
    'ce-type': 'play',
    'ce-source': '/app',
    'ce-id': '4%20b',
    'ce-time': '2026-05-01T11:59:00Z',
    'ce-subject': 'u%C3%BC1',
  };
  assert.deepEqual(outcomes(await ingest.post('/v1/events', { track: 't1' }, binary)), ['accepted']);
  assert.deepEqual(outcomes(await ingest.post('/v1/events', { track: 't1' }, { ...binary, 'ce-type': 'like' })), [
    'unknown-type',
  ]);
  assert.deepEqual(await readLog(ingest), ['/app#1', '/app#4 b', '/other#1']);
  const subjects = await ingest.database.query('select subject from backline.pseudonyms order by 1');
  assert.deepEqual(subjects, [{ subject: 'u1' }, { subject: 'uü1' }]);
  ingest.table = tableOf({ ...eventTypes, like: eventTypes.play });
  const replayed = ingest.events.virtual.get(EventReplay.id);
  const object = {
    apiVersion: EventReplay.apiVersion,
    kind: 'EventReplay',
    metadata: { name: 'x' },
    spec: { type: 'like' },
  };
  const call = { user: { name: 'admin', groups: [] }, author: { user: 'admin', requestId: 'r' }, dryRun: false };
  const answer = await replayed?.(object, { ...call, namespace: undefined, name: undefined });
  assert.match(JSON.stringify(answer), /"status":\{"accepted":1,/);
});

test('the calls that Segment’s libraries send alone are what their path says, and their key is not kept', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const call = (id: string, more: object = {}) => ({
    messageId: id,
    userId: 'u1',
    timestamp: '2026-05-01T11:59:00Z',
    writeKey: 'bk_k',
    ...more,
  });
  for (const path of ['/v1/t', '/v1/track']) {
    const played = call(path, { event: 'Song Played', properties: { track: 't' } });
    assert.deepEqual(outcomes(await ingest.post(path, played)), ['accepted']);
  }
  const identified = await ingest.post('/v1/i', call('i', { traits: { country: 'de' } }), {
    'content-type': 'text/plain',
  });
  assert.deepEqual([identified.json.success, ...outcomes(identified)], [true, 'accepted']);
  for (const path of ['/v1/p', '/v1/s', '/v1/g', '/v1/a']) {
    assert.deepEqual(outcomes(await ingest.post(path, call(path))), ['unknown-type']);
  }
  const kept = await ingest.database.query<{ type: string }>(
    'select type from backline.event_quarantine order by number',
  );
  assert.deepEqual(
    kept.map(({ type }) => type),
    ['page', 'screen', 'group', 'alias'],
  );
  const phone = {
    batch: [{ ...call('b', { event: 'Song Played', properties: { track: 't' } }), type: 'track' }],
    writeKey: 'bk_k',
  };
  assert.deepEqual(outcomes(await ingest.post('/v1/b', phone)), ['accepted']);
});

test('while the database is away nothing is acknowledged, and what is sent again is kept once', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  assert.equal((await ingest.post('/v1/events', { events: [play('before')] })).status, 200);
  const name = new URL(db.url).pathname.slice(1);
  const admin = openDatabase(urlOfDatabase(db.url, 'postgres'));
  t.after(admin.close);
  await admin.query(`alter database ${name} with allow_connections false`);
  await admin.query({
    text: 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1',
    values: [name],
  });
  const away = await Promise.all(
    Array.from({ length: 5 }, (_, index) => ingest.post('/v1/events', { events: [play(`away-${index}`)] })),
  );
  for (const { status, json, headers } of away) {
    assert.deepEqual([status, json.code, headers.get('retry-after')], [503, 'events/not-stored', '1']);
  }
  await admin.query(`alter database ${name} with allow_connections true`);
  assert.deepEqual(await readLog(ingest), ['before']);
  for (let index = 0; index < 5; index += 1) {
    assert.deepEqual(outcomes(await ingest.post('/v1/events', { events: [play(`away-${index}`)] })), ['accepted']);
  }
});

test('when too much is waiting senders get Retry-After, and no accepted event is lost', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url, limits: { waitingEventsMax: 20 } });
  assert.equal((await ingest.post('/v1/events', { events: [play('first')] })).status, 200);
  const blocker = await db.database.connect();
  await blocker.query('begin');
  await blocker.query('lock table backline.event_day in exclusive mode');
  const ids = Array.from({ length: 10 }, (_, index) => `e${index}`);
  const batch = (id: string) => ({ events: Array.from({ length: 5 }, (_, index) => play(`${id}-${index}`)) });
  const answers = ids.map((id) => ingest.post('/v1/events', batch(id)));
  const refused: { status: number; headers: Headers; json: { code: string } }[] = [];
  const taken: string[] = [];
  const done = Promise.all(
    answers.map(async (pending, index) => {
      const answer = await pending;
      if (answer.status === 429) refused.push(answer);
      else if (answer.status === 200) taken.push(ids[index] ?? '');
    }),
  );
  while (refused.length < ids.length - 4) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const { headers, json } of refused) {
    assert.deepEqual([headers.get('retry-after'), json.code], ['1', 'http/overloaded']);
  }
  assert.deepEqual(taken, [], 'nothing is acknowledged before it is durable');
  await blocker.query('rollback');
  await blocker.close();
  await done;
  assert.equal(taken.length, 4);
  const expected = ['first', ...taken.flatMap((id) => batch(id).events.map((event) => event['id']))].sort();
  assert.deepEqual(await readLog(ingest), expected);
  assert.match(await ingest.metrics(), /backline_events_turned_away_total 6/);
});

test('bytes that wait are limited too, and a body that was not finished gives its room back', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url, limits: { waitingBytesMax: 10_000 } });
  const slow = connect(Number(new URL(ingest.url).port), '127.0.0.1');
  slow.on('error', () => {});
  slow.write(
    'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{',
  );
  while (!/waiting_bytes 9999/.test(await ingest.metrics())) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await ingest.post('/v1/events', { events: [play('e1')] })).status, 429);
  slow.destroy();
  await once(slow, 'close');
  while (!/waiting_bytes 0/.test(await ingest.metrics())) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await ingest.post('/v1/events', { events: [play('e1')] })).status, 200);
});

test('acknowledged events survive a crash of the database', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'backline-test-'));
  await chmod(directory, 0o755);
  const closers: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const close of closers) await close();
    await rm(directory, { recursive: true, force: true });
  });
  const first = await startEmbeddedPostgres({ dataDirectory: directory });
  const setup = openDatabase(first.url);
  await migrate(setup, allMigrations());
  await setup.close();
  const ingest = await startIngest(t, { databaseUrl: first.url });
  const acknowledged: string[] = [];
  let asked = 0;
  const send = async (): Promise<void> => {
    for (;;) {
      const id = `e${String((asked += 1)).padStart(6, '0')}`;
      const { status } = await ingest.post('/v1/events', { events: [play(id)] });
      if (status !== 200) return;
      acknowledged.push(id);
      if (acknowledged.length === 300) process.kill(first.pid, 'SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: 8 }, send));
  await first.close();
  const second = await startEmbeddedPostgres({ dataDirectory: directory });
  closers.push(second.close);
  const database = openDatabase(second.url);
  const kept = new Set(await readLog({ database }));
  await database.close();
  assert.deepEqual(
    acknowledged.filter((id) => !kept.has(id)),
    [],
  );
});

test('event types that change while events come in count from the next request on', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const like = { ...play('e1'), type: 'like' };
  assert.deepEqual(outcomes(await ingest.post('/v1/events', { events: [like] })), ['unknown-type']);
  ingest.table = tableOf({ ...eventTypes, like: eventTypes.play });
  assert.deepEqual(outcomes(await ingest.post('/v1/events', { events: [like] })), ['accepted']);
});

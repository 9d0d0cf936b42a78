import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { startDatabase } from '#tests/support/database.ts';
import { judge } from './judge.ts';
import { Erasure } from './kinds/event-commands.ts';
import { readEvent } from './read-batch.ts';
import { NOON, play, startIngest, testSealing, type Ingest } from './testing/ingest.ts';
import { eventTypes, tableOf } from './testing/table.ts';
import type { EventResult } from './write-events.ts';

/** Writes one batch in process; gives the outcomes, or the reasons for the quarantine. */
async function write(ingest: Ingest, client: string, events: readonly unknown[]): Promise<readonly string[]> {
  const receivedMs = ingest.now.epochMilliseconds;
  const envelope = { client, boundTo: undefined, sentMs: undefined, receivedMs };
  const verdicts = events.map((event) => judge(ingest.table, readEvent('backline', event, ingest.table), envelope));
  const origin = { client, producer: '', sequence: undefined, sentMs: undefined, receivedMs };
  const results = await ingest.events.write({ origin, verdicts });
  return results.map(outcomeOf);
}

function outcomeOf(result: EventResult | undefined): string {
  return result?.outcome === 'quarantined' ? result.reason : (result?.outcome ?? 'none');
}

test('accepted, duplicate and reused events match a naive model', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  let runs = 0;
  const plays = fc.record({
    type: fc.constant('play'),
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    subject: fc.constantFrom('u1', 'u2'),
    at: fc.constantFrom('2026-05-01T11:58:00Z', '2026-05-01T11:59:00Z'),
    properties: fc.record({ track: fc.constantFrom('t1', 't2') }),
  });
  const exposures = fc.record({
    type: fc.constant('exposure'),
    id: fc.constantFrom('a', 'b'),
    subject: fc.constantFrom('u1', 'u2'),
    at: fc.constantFrom('2026-05-01T11:00:00Z', '2026-05-01T11:59:59Z', '2026-05-01T10:59:59Z'),
    properties: fc.record({ experiment: fc.constantFrom('x', 'y'), variant: fc.constant('a') }),
  });
  const wrong = fc.constant({ type: 'nothing', id: 'a', subject: 'u1', at: '2026-05-01T11:00:00Z', properties: {} });
  const batches = fc.array(fc.array(fc.oneof(plays, exposures, wrong), { minLength: 1, maxLength: 15 }), {
    minLength: 1,
    maxLength: 4,
  });
  const accepted = fc.asyncProperty(batches, async (given) => {
    runs += 1;
    const client = `client:run-${runs}`;
    const seen = new Map<string, string>();
    for (const batch of given) {
      // Each run has its own subjects, because identities ignore the client.
      const events = batch.map((event) => ({ ...event, subject: `${runs}-${event.subject}` }));
      const expected = events.map((event) => {
        if (event.type === 'nothing') return 'unknown-type';
        const { id, subject, at: when, properties } = event;
        const isExposure = event.type === 'exposure';
        const identity = JSON.stringify(isExposure ? [subject, properties, when.slice(0, 13)] : ['play', id]);
        const rest = isExposure ? '' : JSON.stringify([subject, when, properties]);
        const before = seen.get(identity);
        if (before === undefined) seen.set(identity, rest);
        return before === undefined ? 'accepted' : before === rest ? 'duplicate' : 'id-reused';
      });
      assert.deepEqual(await write(ingest, client, events), expected);
    }
    const [row] = await ingest.database.query<{ logged: number }>({
      text: 'select count(*) as logged from backline.event_log where client = $1',
      values: [client],
    });
    assert.equal(row?.logged, seen.size);
  });
  await fc.assert(accepted, { numRuns: 60 });
});

test('several processes with the same ids in other orders accept each exactly once', async (t) => {
  await using db = await startDatabase();
  const sealing = await testSealing(t);
  const processes = await Promise.all(
    Array.from({ length: 3 }, () => startIngest(t, { databaseUrl: db.url, sealing })),
  );
  const ids = Array.from({ length: 200 }, (_, index) => `e${index}`);
  const counts = new Map<string, number>();
  await Promise.all(
    processes.flatMap((ingest, which) =>
      Array.from({ length: 10 }, async (_, round) => {
        const step = [1, 3, 7, 9, 11, 13, 17, 19, 21, 23][(round + which) % 10] ?? 1;
        const own = ids.map((_, index) => ids[(index * step + which) % ids.length] ?? '');
        const events = own.map((id) => play(id, { subject: `u${Number(id.slice(1)) % 20}` }));
        for (const [index, outcome] of (await write(ingest, 'client:app', events)).entries()) {
          assert.ok(outcome === 'accepted' || outcome === 'duplicate', outcome);
          const id = own[index] ?? '';
          if (outcome === 'accepted') counts.set(id, (counts.get(id) ?? 0) + 1);
        }
      }),
    ),
  );
  assert.deepEqual(
    [...counts.values()],
    ids.map(() => 1),
  );
  const [row] = await db.database.query(
    'select count(*) as logged, count(distinct id) as ids, count(distinct pseudonym) as pseudonyms from backline.event_log',
  );
  assert.deepEqual(row, { logged: 200, ids: 200, pseudonyms: 20 });
});

test('around midnight an id is accepted once, although processes disagree on the day', async (t) => {
  await using db = await startDatabase();
  const sealing = await testSealing(t);
  const before = await startIngest(t, { databaseUrl: db.url, sealing });
  const after = await startIngest(t, { databaseUrl: db.url, sealing });
  for (let day = 1; day <= 8; day += 1) {
    before.now = Temporal.Instant.from(`2026-05-0${day}T23:59:59Z`);
    after.now = before.now.add({ seconds: 2 });
    const event = play(`night-${day}`, { at: before.now.subtract({ minutes: 1 }).toString() });
    const outcomes = await Promise.all([1, 2, 3, 4].flatMap(() => [before, after].map((i) => write(i, 'c', [event]))));
    assert.deepEqual(outcomes.flat().sort(), ['accepted', ...Array<string>(7).fill('duplicate')]);
  }
});

test('an id is remembered for seven days, and forgotten with its partition', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  // A type whose lateness is that long.
  const rules = ingest.table.types.get('play');
  assert.ok(rules);
  ingest.table = { ...ingest.table, types: new Map([['play', { ...rules, latenessMs: 40 * 86_400_000 }]]) };
  const event = play('e1');
  assert.deepEqual(await write(ingest, 'c', [event]), ['accepted']);
  ingest.now = NOON.add({ hours: 7 * 24 });
  await ingest.events.maintain(ingest.now);
  assert.deepEqual(await write(ingest, 'c', [event]), ['duplicate']);
  assert.deepEqual(await write(ingest, 'c', [play('e1', { properties: { track: 'other' } })]), ['id-reused']);
  ingest.now = NOON.add({ hours: 9 * 24 });
  await ingest.events.maintain(ingest.now);
  const partitions = await db.database.query<{ name: string }>(
    `select relname as name from pg_class where relname ~ '^event_ids_p[0-9]+$' order by relname`,
  );
  assert.equal(partitions[0]?.name, 'event_ids_p20260508');
  assert.equal(partitions.at(-1)?.name, 'event_ids_p20260512', 'made ahead');
  assert.deepEqual(await write(ingest, 'c', [event]), ['accepted']);
});

test('a late event is a duplicate only if it was accepted before', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const { subject: _subject, ...unnamed } = play('n', { type: 'identify', properties: {} });
  const exposure = play('x', { type: 'exposure', properties: { experiment: 'e', variant: 'a' } });
  const sent = [play('e1'), unnamed, exposure];
  assert.deepEqual(await write(ingest, 'client:app', sent), ['accepted', 'accepted', 'accepted']);
  ingest.now = NOON.add({ hours: 4 * 24 });
  assert.deepEqual(await write(ingest, 'client:app', sent), ['duplicate', 'duplicate', 'duplicate']);
  const others = [
    play('e1', { properties: { track: 'other' } }),
    play('e2'),
    play('e2'),
    play('e1', { subject: 'u2' }),
    play('e3', { subject: 'never seen' }),
  ];
  assert.deepEqual(await write(ingest, 'client:app', others), Array(5).fill('too-late'));
  assert.deepEqual(await write(ingest, 'client:other', sent), ['too-late', 'too-late', 'duplicate']);
  const subjects = await ingest.database.query('select subject from backline.pseudonyms order by subject');
  assert.deepEqual(subjects, [{ subject: 'u1' }], 'nobody becomes known by what is not accepted');
  const [row] = await ingest.database.query('select count(*) as logged from backline.event_log');
  assert.deepEqual(row, { logged: 3 });
});

test('an id is remembered for as long as its event may be retried', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  ingest.table = tableOf({
    ...eventTypes,
    play: { ...eventTypes.play, lateness: 'P30D' },
    exposure: { ...eventTypes.exposure, lateness: 'P3D', within: 'P7D' },
  });
  const event = play('e1', { at: NOON.toString() });
  const exposure = (hours: number) => {
    const at = NOON.add({ hours }).toString();
    return { type: 'exposure', id: `x${hours}`, at, subject: 'u1', properties: { experiment: 'a', variant: 'b' } };
  };
  // 2026-04-30 begins a window of seven days since 1970.
  assert.deepEqual(await write(ingest, 'c', [event, exposure(0)]), ['accepted', 'accepted']);
  for (const days of [8, 9, 19, 30]) {
    ingest.now = NOON.add({ hours: days * 24 });
    await ingest.events.maintain(ingest.now);
    assert.deepEqual(await write(ingest, 'c', [event]), ['duplicate'], `after ${days} days`);
    if (days < 9) assert.deepEqual(await write(ingest, 'c', [exposure(5 * 24)]), ['duplicate']);
  }
  ingest.now = NOON.add({ hours: 33 * 24 });
  await ingest.events.maintain(ingest.now);
  assert.deepEqual(await write(ingest, 'c', [event]), ['too-late'], 'when it is forgotten, it cannot come again');
});

test('an event that the database refuses does not fail others', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  await write(ingest, 'c', [play('first')]);
  await db.database.query(`alter table backline.event_log add check (id <> 'poison')`);
  const ids = ['a', 'b', 'poison', 'c', 'd'];
  const outcomes = await Promise.allSettled(ids.map((id) => write(ingest, 'c', [play(id)])));
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value[0] : outcome.reason.code)),
    ['accepted', 'accepted', 'events/not-stored', 'accepted', 'accepted'],
  );
});

test('an erased subject gets a new pseudonym in every process, despite caches', async (t) => {
  await using db = await startDatabase();
  const sealing = await testSealing(t);
  const one = await startIngest(t, { databaseUrl: db.url, sealing });
  const two = await startIngest(t, { databaseUrl: db.url, sealing });
  const wrong = play('wrong', { properties: {} });
  for (const [index, ingest] of [one, two].entries()) await write(ingest, 'c', [play(`before-${index}`), wrong]);
  await write(two, 'c', [play('other', { subject: 'u2' })]);
  const erasure = { apiVersion: Erasure.apiVersion, kind: 'Erasure', metadata: { name: 'x' }, spec: { subject: 'u1' } };
  const call = { user: { name: 'dpo', groups: [] }, author: { user: 'dpo', requestId: 'r' }, dryRun: false };
  const carryOut = one.events.virtual.get(Erasure.id);
  assert.ok(carryOut);
  const answer = await carryOut(erasure, { ...call, namespace: undefined, name: undefined });
  assert.deepEqual((answer as { status: object }).status, {
    erased: { pseudonyms: 1, 'quarantined-events': 2, producers: 0 },
    at: NOON.toString(),
    by: 'dpo',
  });
  assert.equal(JSON.stringify(answer).includes('u1'), false);
  for (const [index, ingest] of [two, one].entries()) {
    assert.deepEqual(await write(ingest, 'c', [play(`after-${index}`)]), ['accepted']);
  }
  const rows = await db.database.query<{ ids: string }>(
    `select string_agg(id, ' ' order by id) as ids from backline.event_log group by pseudonym order by 1`,
  );
  assert.deepEqual(
    rows.map(({ ids }) => ids),
    ['after-0 after-1', 'before-0 before-1', 'other'],
  );
});

test('after an erasure no event in flight is written under the old pseudonym', async (t) => {
  await using db = await startDatabase();
  const sealing = await testSealing(t);
  const processes = await Promise.all([1, 2].map(() => startIngest(t, { databaseUrl: db.url, sealing })));
  let done = false;
  let sent = 0;
  const senders = processes.flatMap((ingest) =>
    [1, 2, 3].map(async () => {
      while (!done) {
        sent += 1;
        const events = [play(`e${sent}`), play(`w${sent}`, { properties: {} }), play(`o${sent}`, { subject: 'u2' })];
        assert.deepEqual(await write(ingest, 'c', events), ['accepted', 'invalid', 'accepted']);
      }
    }),
  );
  const gone: { pseudonym: string; tx: string }[] = [];
  for (let round = 0; round < 5; round += 1) {
    const enough = sent + 30;
    while (sent < enough) await new Promise((resolve) => setTimeout(resolve, 5));
    const [row] = await db.database.query<{ pseudonym: string }>(
      `select pseudonym from backline.pseudonyms where subject = 'u1'`,
    );
    for (const { erase } of processes[round % 2]?.events.erasers ?? []) await erase('u1');
    const [now] = await db.database.query<{ tx: string }>('select pg_current_xact_id()::text as tx');
    if (row !== undefined && now !== undefined) gone.push({ pseudonym: row.pseudonym, tx: now.tx });
  }
  done = true;
  await Promise.all(senders);
  assert.ok(gone.length >= 4);
  let before = 0;
  for (const { pseudonym, tx } of gone) {
    const [row] = await db.database.query<{ before: number; after: number }>({
      text: `
        select count(*) filter (where tx < $2::xid8) as before, count(*) filter (where tx > $2::xid8) as after
        from backline.event_log where pseudonym = $1`,
      values: [pseudonym, tx],
    });
    assert.equal(row?.after, 0);
    before += row?.before ?? 0;
  }
  assert.ok(before > 0);
  const [of] = await db.database.query(
    `select count(*) filter (where p.subject = 'u2') as subjects, count(*) as known from backline.pseudonyms p`,
  );
  assert.deepEqual(of, { subjects: 1, known: 2 });
});

test('lost batches show as gaps in the sequence of a producer', async (t) => {
  await using db = await startDatabase();
  const { post, database } = await startIngest(t, { databaseUrl: db.url });
  for (const sequence of [1, 2, 4, 7, 7]) {
    await post('/v1/events', { producer: 'phone-1', sequence, events: [play(`e${sequence}`)] });
  }
  const gaps = await database.query(
    `select client, producer, sequence + 1 as first, next - 1 as last from (
       select client, producer, sequence, lead(sequence) over (partition by client, producer order by sequence) as next
       from (select distinct client, producer, sequence from backline.event_batches where sequence is not null) s
     ) n where next > sequence + 1 order by 1, 2, 3`,
  );
  const producer = { client: 'client:app', producer: 'phone-1' };
  assert.deepEqual(gaps, [
    { ...producer, first: 3, last: 3 },
    { ...producer, first: 5, last: 6 },
  ]);
});

test('an erasure removes a subject from producer names; batches stay counted', async (t) => {
  await using db = await startDatabase();
  const { post, database, events } = await startIngest(t, { databaseUrl: db.url });
  for (const [index, producer] of ['phone-u1', 'u1', 'phone-u11', 'web'].entries()) {
    await post('/v1/events', { producer, sequence: index + 1, events: [play(`e${index}`)] });
  }
  const counts: Record<string, number> = {};
  for (const { store, erase } of events.erasers) counts[store] = await erase('u1');
  assert.equal(counts['producers'], 2);
  const batches = await database.query(
    'select producer, sequence::int, accepted from backline.event_batches order by producer, sequence',
  );
  assert.deepEqual(batches, [
    { producer: '', sequence: null, accepted: 1 },
    { producer: '', sequence: null, accepted: 1 },
    { producer: 'phone-u11', sequence: 3, accepted: 1 },
    { producer: 'web', sequence: 4, accepted: 1 },
  ]);
});

test('a batch whose sender hung up before its transaction began is not stored', async (t) => {
  await using db = await startDatabase();
  const ingest = await startIngest(t, { databaseUrl: db.url });
  const holder = await db.database.connect();
  await holder.query('begin');
  await holder.query('lock table backline.event_batches in access exclusive mode');
  const headers = { 'x-request-timeout-ms': '500' };
  const send = (index: number) => ingest.post('/v1/events', { events: [play(`e${index}`)] }, headers);
  const untilWaiting = async (events: number): Promise<void> => {
    const isReached = new RegExp(`backline_events_waiting ${events}$`, 'm');
    while (!isReached.test(await ingest.metrics())) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const begin = async (index: number) => {
    const answer = send(index);
    await untilWaiting(index + 1);
    return { answer };
  };
  // One in each lane, and then those that wait for them.
  const begun = [await begin(0), await begin(1)];
  const answers = await Promise.all([...begun.map(({ answer }) => answer), ...[2, 3, 4, 5].map(send)]);
  for (const { status, json } of answers) assert.deepEqual([status, json.code], [504, 'http/deadline']);
  await holder.close();
  assert.deepEqual((await ingest.post('/v1/events', { events: [play('last')] })).status, 200);
  await untilWaiting(0);
  const rows = await db.database.query<{ id: string }>('select id from backline.event_log order by id');
  assert.deepEqual(
    rows.map(({ id }) => id).filter((id) => /e[2-5]/.test(id)),
    [],
  );
  assert.ok(rows.some(({ id }) => id === 'last'));
});

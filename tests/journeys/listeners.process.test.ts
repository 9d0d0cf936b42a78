import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '#kernel/base/clock.ts';
import { decodeManifests } from '#kernel/api/codec/manifests.ts';
import { simulateListeners } from '#simulation/run.ts';
import { startWorld, type World } from '../support/backline.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { until } from '../support/installation.ts';

const ARIA = resolve(import.meta.dirname, '../../examples/aria');

/** The sample business as `npm start` declares it. */
async function startAria(t: TestContext): Promise<World> {
  const world = await startWorld(t, { roles: ['api', 'decide', 'ingest'], rollUpSeconds: 1 });
  const files = (await readdir(ARIA, { recursive: true })).filter((name) => name.endsWith('.yaml'));
  const texts = await Promise.all(files.map((name) => readFile(join(ARIA, name), 'utf8')));
  const objects = texts.flatMap((text) => decodeManifests(text).map(({ value }) => value as object));
  const answer = await world.call('POST', CHANGE_SETS, { body: changeSet(...objects) });
  assert.equal(answer.status, 201, answer.text);
  const held = answer.json.status.results.filter((each: { problems: unknown[] }) => each.problems.length > 0);
  assert.deepEqual(held, []);
  await world.running.control?.releases()?.caughtUp();
  return world;
}

async function sql({ call }: World, text: string): Promise<unknown[][]> {
  const answer = await call('POST', '/apis/events.backline.dev/v1/queries', {
    body: { apiVersion: 'events.backline.dev/v1', kind: 'Query', metadata: {}, spec: { sql: text } },
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.json.status.rows;
}

/** Asks until the files have caught up with the log. */
async function waitForFiles(world: World, accepted: number): Promise<void> {
  for (;;) {
    const [[rows = 0] = []] = await sql(
      world,
      "select sum(rows)::int from loss_audit where type not in ('ad-delivery', 'ad-break')",
    );
    if (rows === accepted) return;
    await new Promise((done) => setTimeout(done, 100));
  }
}

test('made-up listeners use the sample business, and SQL shows what they did and saw', async (t) => {
  const world = await startAria(t);
  const done = await simulateListeners({
    connection: world.connection,
    listeners: 60,
    seed: 1,
    sessionsPerSecond: 200,
    sessions: 150,
    effects: [],
    clock: systemClock,
    signal: new AbortController().signal,
  });
  assert.deepEqual([done.sessions, done.failed, done.quarantined], [150, 0, 0], String(done.lastFailure));
  assert.ok(done.duplicates > 0, 'who comes back the same day is exposed once');
  await waitForFiles(world, done.accepted);
  assert.deepEqual(await sql(world, 'select sum(difference)::int from loss_audit'), [[0]]);
  assert.deepEqual(await sql(world, 'select count(*)::int from session'), [[150]]);
  assert.ok(done.impressions > 0, 'listeners without the ad-free feature hear ads');
  await until(
    async () => {
      const [[impressions = 0] = []] = await sql(
        world,
        "select count(*)::int from ad_delivery where event = 'impression' and outcome = 'charged'",
      );
      return impressions === done.impressions || undefined;
    },
    () => `${done.impressions} impressions in files`,
  );
  const plays = await sql(world, 'select plan, count(*)::int from play group by all');
  assert.ok(plays.length >= 4);
  const exposed = await sql(
    world,
    "select variant, count(*)::int, bool_or(multiple) from first_exposures where experiment = 'home-shelves' group by all order by 1",
  );
  assert.deepEqual(
    exposed.map(([variant, , multiple]) => [variant, multiple]),
    [
      ['grid', false],
      ['shelves', false],
    ],
  );
  const twice = await sql(
    world,
    'select count(*)::int from (select corrected_at::date, pseudonym, flag, variant from exposure group by all having count(*) > 1)',
  );
  assert.deepEqual(twice, [[0]]);
});

test('an erased listener is in no file and no record any more, and a query proves it', async (t) => {
  const world = await startAria(t);
  const { call, database } = world;
  const context = { targetingKey: 'listener-to-forget', plan: 'free', platform: 'ios', appVersion: '9.0.0' };
  const flags = (await call('POST', '/ofrep/v1/evaluate/flags', { body: { context } })).json.flags;
  assert.ok(flags.some((each: { metadata: { experiment?: string } }) => each.metadata.experiment === 'upgrade-words'));
  const play = { track: 't1', seconds: 9, skipped: false, plan: 'free', market: 'se', platform: 'ios' };
  const at = new Date().toISOString();
  const events = ['listener-to-forget', 'listener-to-keep'].map((subject, index) => ({
    type: 'play',
    id: `event-${index}`,
    at,
    subject,
    properties: play,
  }));
  const sent = await call('POST', '/v1/events', { body: { events } });
  assert.deepEqual(
    sent.json.results.map(({ outcome }: { outcome: string }) => outcome),
    ['accepted', 'accepted'],
  );
  await waitForFiles(world, 2);
  const [row] = await database.query<{ pseudonym: string }>(
    "select pseudonym from backline.pseudonyms where subject = 'listener-to-forget'",
  );
  assert.deepEqual(await sql(world, `select count(*)::int from play where pseudonym = '${row?.pseudonym}'`), [[1]]);
  const erased = await call('POST', '/apis/events.backline.dev/v1/erasures', {
    body: {
      apiVersion: 'events.backline.dev/v1',
      kind: 'Erasure',
      metadata: {},
      spec: { subject: 'listener-to-forget' },
    },
  });
  assert.equal(erased.status, 201, erased.text);
  assert.equal(erased.json.status.erased.assignments, 1);
  // Nothing leads from the events to the listener: the mapping is gone, and no file ever held the name.
  for (const table of ['pseudonyms', 'assignments', 'event_log', 'event_quarantine', 'event_commands']) {
    const found = await database.query(
      `select 1 from backline.${table} as t where t::text like '%listener-to-forget%'`,
    );
    assert.deepEqual(found, [], table);
  }
  assert.deepEqual(await sql(world, "select count(*)::int from play where play::text like '%listener-to-forget%'"), [
    [0],
  ]);
  assert.deepEqual(await sql(world, 'select count(*)::int from play'), [[2]], 'what happened stays, without who');
});

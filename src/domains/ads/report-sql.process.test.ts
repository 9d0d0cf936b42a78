import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { AD_DELIVERY } from './records/delivery-events.ts';
import { logEvents, startDatasetsWorld, type LoggedEvent } from '#kernel/events/datasets/testing/datasets-world.ts';
import { AD_BREAK } from './records/break-events.ts';
import { fillSql, REACH_MIN, reportSql, type ReportQuestion } from './rules/report-sql.ts';

const EVERYTHING: ReportQuestion = { by: [], zone: 'UTC', account: undefined, from: undefined, until: undefined };

interface Delivery {
  readonly event: string;
  readonly at?: string;
  readonly micros?: number;
  readonly pseudonym?: string;
  readonly properties?: object;
}

function eventOf({
  event,
  at = '2026-05-10T10:30:00Z',
  micros = 0,
  pseudonym,
  properties = {},
}: Delivery): LoggedEvent {
  const decision = randomUUID();
  return {
    type: 'ad-delivery',
    id: `${decision}.0.${event}`,
    at,
    ...(pseudonym !== undefined && { pseudonym }),
    payload: {
      event,
      decision,
      place: 0,
      ad: 'default/acme.a',
      adSet: 'default/acme.s',
      campaign: 'default/acme.c',
      advertiser: 'default/acme',
      placement: 'songs',
      market: 'de',
      goal: 'cpm',
      outcome: micros === 0 ? 'none' : 'charged',
      micros,
      currency: 'EUR',
      ...properties,
    },
  };
}

test('a report over real files: counts, exact money, days of a zone, and no reach of few listeners', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { 'ad-delivery': AD_DELIVERY.spec } });
  const listeners = Array.from({ length: REACH_MIN }, () => randomUUID());
  const other = {
    ad: 'default/bolt.a',
    adSet: 'default/bolt.s',
    campaign: 'default/bolt.c',
    advertiser: 'default/bolt',
  };
  const deliveries: readonly Delivery[] = [
    // Every listener twice, on two sides of midnight in Berlin; one impression of nobody that is known.
    ...listeners.map((pseudonym) => ({ event: 'impression', micros: 12_345, pseudonym, at: '2026-05-09T21:59:59Z' })),
    ...listeners.map((pseudonym) => ({ event: 'impression', micros: 12_345, pseudonym, at: '2026-05-09T22:00:00Z' })),
    { event: 'impression', micros: 1, at: '2026-05-09T22:30:00Z' },
    { event: 'complete', at: '2026-05-09T22:30:00Z' },
    { event: 'click', at: '2026-05-09T22:30:00Z' },
    { event: 'start', at: '2026-05-09T22:30:00Z' },
    ...listeners.slice(1).map((pseudonym) => ({ event: 'impression', pseudonym, properties: other })),
    { event: 'click', micros: 3_000_000_000_001, properties: { ...other, currency: 'USD', market: "d'e" } },
  ];
  await logEvents(world, world.db.database, deliveries.map(eventOf));
  await world.rollUps.rollUpNow();
  const ask = async (question: Partial<ReportQuestion>) => {
    const { rows } = await world.query(reportSql({ ...EVERYTHING, ...question }));
    return rows;
  };

  assert.deepEqual(await ask({ account: 'default/acme' }), [[101, 50, 2, 1, 1, '1.234501', '12.222782', 'EUR']]);
  assert.deepEqual(await ask({ by: ['campaign', 'day'], account: 'default/acme', zone: 'Europe/Berlin' }), [
    ['default/acme.c', '2026-05-09', 50, 50, 1, 0, 0, '0.617250', '12.345000', 'EUR'],
    ['default/acme.c', '2026-05-10', 51, 50, 1, 1, 1, '0.617251', '12.102960', 'EUR'],
  ]);
  assert.deepEqual(await ask({ by: ['hour'], account: 'default/acme' }), [
    ['2026-05-09T21:00:00Z', 50, 50, 1, 0, 0, '0.617250', '12.345000', 'EUR'],
    ['2026-05-09T22:00:00Z', 51, 50, 1, 1, 1, '0.617251', '12.102960', 'EUR'],
  ]);
  assert.deepEqual(await ask({ by: ['account', 'market'], from: Temporal.Instant.from('2026-05-10T10:00:00Z') }), [
    ['default/bolt', "d'e", 0, null, null, 0, 1, '3000000.000001', null, 'USD'],
    ['default/bolt', 'de', 49, null, null, 0, 0, '0.000000', '0.000000', 'EUR'],
  ]);
  assert.deepEqual(await ask({ account: "default/no'body" }), []);
  assert.deepEqual(
    await ask({ by: ['adSet', 'ad', 'placement'], until: Temporal.Instant.from('2026-05-09T22:00:00Z') }),
    [['default/acme.s', 'default/acme.a', 'songs', 50, 50, 1, 0, 0, '0.617250', '12.345000', 'EUR']],
  );
});

test('a report of fill over real files: sums, and the share of the slots', async () => {
  await using world = await startDatasetsWorld({ eventTypes: { 'ad-break': AD_BREAK.spec } });
  const minute = (at: string, properties: object): LoggedEvent => ({
    type: 'ad-break',
    id: randomUUID(),
    at,
    payload: { placement: 'songs', market: 'de', breaks: 1, slots: 2, filled: 1, ...properties },
  });
  await logEvents(world, world.db.database, [
    minute('2026-05-09T21:59:00Z', { breaks: 10, slots: 20, filled: 15 }),
    minute('2026-05-09T21:59:00Z', {}),
    minute('2026-05-09T22:00:00Z', { slots: 0, filled: 0 }),
    minute('2026-05-10T10:00:00Z', { placement: 'start', market: undefined, breaks: 3, slots: 9, filled: 3 }),
  ]);
  await world.rollUps.rollUpNow();
  const ask = async (question: Partial<ReportQuestion>) =>
    (await world.query(fillSql({ ...EVERYTHING, ...question }))).rows;
  assert.deepEqual(await ask({}), [[15, 31, 19, 0.6129]]);
  assert.deepEqual(await ask({ by: ['placement', 'market', 'hour'] }), [
    ['songs', 'de', '2026-05-09T21:00:00Z', 11, 22, 16, 0.7273],
    ['songs', 'de', '2026-05-09T22:00:00Z', 1, 0, 0, null],
    ['start', null, '2026-05-10T10:00:00Z', 3, 9, 3, 0.3333],
  ]);
  assert.deepEqual(await ask({ by: ['day'], until: Temporal.Instant.from('2026-05-10T00:00:00Z') }), [
    ['2026-05-09', 12, 22, 16, 0.7273],
  ]);
});

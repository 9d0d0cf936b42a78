import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MODULES } from '#planes/modules.ts';
import { startWorld } from '../support/backline.ts';
import { charts } from '../support/charts/module.ts';
import { changeSet, CHANGE_SETS } from '../support/flags.ts';
import { until } from '../support/installation.ts';
import { RECORDS_CATALOGUE } from '../support/records-catalogue.ts';

const CHARTS = '/apis/charts.example.dev/v1/namespaces/default/charts';
const TOP = {
  apiVersion: 'charts.example.dev/v1',
  kind: 'Chart',
  metadata: { name: 'top' },
  spec: { title: 'Top', size: 2 },
};

test('a domain is added by one line: its kind, table, question, controller, command, events and erasure are there', async (t) => {
  const world = await startWorld(t, {
    roles: ['api', 'decide', 'controllers', 'ingest'],
    modules: [...MODULES, charts],
    rollUpSeconds: 1,
  });
  const { call } = world;
  const post = async (path: string, body: object) => {
    const answer = await call('POST', path, { body });
    assert.ok(answer.status < 300, answer.text);
    return answer.json;
  };

  await t.test('its kind is served, checked and goes live, and its question is answered from it', async () => {
    const wrong = await call('POST', CHARTS, { body: { ...TOP, spec: { title: 'Top', size: 0 } } });
    assert.equal(wrong.status, 422, wrong.text);
    await post(CHARTS, TOP);
    await until(
      async () => ((await call('GET', '/v1/chart?name=top')).status === 200 ? true : undefined),
      () => 'the chart to be live',
      10,
    );
    const document = await call('GET', '/openapi.json');
    assert.ok('/v1/chart' in document.json.paths, 'it is documented');
  });

  await t.test('its records are written and read, by what another domain knows', async () => {
    await post(CHANGE_SETS, changeSet(...RECORDS_CATALOGUE));
    for (const listener of ['ann', 'bob', 'cyd']) {
      await until(
        async () => {
          const begun = await call('POST', '/v1/subscriptions', {
            body: { listener, plan: 'free', market: 'de', key: listener },
          });
          return begun.status === 200 ? true : undefined;
        },
        () => `${listener} to be on a plan`,
        10,
      );
    }
    const without = await call('POST', '/v1/charts/votes', { body: { listener: 'dan', song: 'Anthem' } });
    assert.deepEqual([without.status, without.json.code], [403, 'charts/no-plan'], without.text);
    for (const [listener, song] of [
      ['ann', 'Anthem'],
      ['bob', 'Anthem'],
      ['bob', 'Ballad'],
      ['cyd', 'Coda'],
      ['cyd', 'Anthem'],
    ]) {
      await post('/v1/charts/votes', { listener, song });
    }
    assert.deepEqual(await post('/v1/charts/votes', { listener: 'ann', song: 'Anthem' }).then(counted), false);
    const { json } = await call('GET', '/v1/chart?name=top');
    assert.deepEqual(json.songs, [
      { song: 'Anthem', votes: 3 },
      { song: 'Ballad', votes: 1 },
    ]);
  });

  await t.test('its controller writes the status of its own kind, beside what the kernel says of it', async () => {
    const says = async (size: number) =>
      until(
        async () => {
          const { status, metadata } = (await call('GET', `${CHARTS}/top`)).json;
          const isLive =
            status?.conditions?.[0]?.status === 'True' && status.observedGeneration === metadata.generation;
          return status?.shows === size && isLive ? status : undefined;
        },
        () => `a chart of ${size} songs to be live and to say so`,
        10,
      );
    const first = await says(2);
    const changed = await call('PATCH', `${CHARTS}/top`, {
      body: { spec: { size: 3 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.equal(changed.status, 200, changed.text);
    const second = await says(3);
    assert.notEqual(first.liveRevision, second.liveRevision);
    const table = await call('GET', CHARTS, {
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    });
    assert.deepEqual(
      table.json.columnDefinitions.map(({ name }: { name: string }) => name),
      ['Name', 'Shows', 'Live', 'Age'],
    );
    assert.deepEqual(table.json.rows[0].cells.slice(0, 3), ['top', 3, 'True']);
    await call('PATCH', `${CHARTS}/top`, {
      body: { spec: { size: 2 } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    await says(2);
  });

  await t.test('its events are of a type that nobody declares, sends or takes', async () => {
    const rows = await until(
      async () => {
        const { json } = await call('POST', '/apis/events.backline.dev/v1/queries', {
          body: {
            apiVersion: 'events.backline.dev/v1',
            kind: 'Query',
            metadata: {},
            spec: { sql: 'select song, count(*) as n from chart_vote group by song order by n desc, song' },
          },
        });
        return json.status?.rows?.length === 3 ? json.status.rows : undefined;
      },
      () => 'the votes in SQL',
      30,
    );
    assert.deepEqual(rows, [
      ['Anthem', 3],
      ['Ballad', 1],
      ['Coda', 1],
    ]);
    const declared = await call('POST', '/apis/events.backline.dev/v1/namespaces/default/eventtypes', {
      body: {
        apiVersion: 'events.backline.dev/v1',
        kind: 'EventType',
        metadata: { name: 'chart-vote' },
        spec: charts.eventTypes?.[0]?.spec,
      },
    });
    assert.equal(declared.status, 422, declared.text);
    assert.match(declared.json.message, /"chart_vote" of SQL belongs to the system/);
    const sent = await call('POST', '/v1/events', {
      body: {
        events: [
          { type: 'chart-vote', id: 'x', at: '2026-11-29T00:00:00Z', subject: 'ann', properties: { song: 'x' } },
        ],
      },
    });
    assert.match(sent.text, /only Backline itself tells of chart-vote/);
  });

  await t.test('its command is carried out, and its eraser is asked', async () => {
    const recount = {
      apiVersion: 'charts.example.dev/v1',
      kind: 'Recount',
      metadata: { generateName: 'r-' },
      spec: { song: 'Coda' },
    };
    assert.equal((await post('/apis/charts.example.dev/v1/recounts', recount)).status.dropped, 1);
    const { status } = await post('/apis/events.backline.dev/v1/erasures', {
      apiVersion: 'events.backline.dev/v1',
      kind: 'Erasure',
      metadata: {},
      spec: { subject: 'bob' },
    });
    assert.equal(status.erased['chart-votes'], 2, JSON.stringify(status));
  });
});

test('a domain that is not on the list is not there', async (t) => {
  const world = await startWorld(t);
  assert.equal((await world.call('GET', CHARTS)).status, 404);
  assert.equal((await world.call('GET', '/v1/chart?name=top')).status, 404);
});

function counted({ counted: is }: { readonly counted: boolean }): boolean {
  return is;
}

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { startWorld, type World } from '../support/backline.ts';

const GROUP = '/apis/events.backline.dev/v1';
const DATASETS = `${GROUP}/namespaces/default/datasets`;
const apiVersion = 'events.backline.dev/v1';
const HEADERS = { 'content-type': 'application/json' };

const eventType = (name: string) => ({
  apiVersion,
  kind: 'EventType',
  metadata: { name },
  spec: { owner: 'o', purpose: 'p', retention: 'P30D', schema: { properties: { track: { type: 'string' } } } },
});

const dataset = (name: string, sql: string) => ({
  apiVersion,
  kind: 'Dataset',
  metadata: { name },
  spec: { title: name, owner: 'o', eventTypes: ['play'], freshness: 'PT1H', sql },
});

const query = (sql: string) => ({ apiVersion, kind: 'Query', metadata: {}, spec: { sql } });

/** Posts over a connection of its own and does not wait for the answer. */
function post({ url, connection }: World, path: string, body: unknown): Socket {
  const text = JSON.stringify(body);
  const { hostname, port } = new URL(url);
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    `authorization: Bearer ${connection.token}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  const socket = connect(Number(port), hostname);
  socket.write(`${head.join('\r\n')}\r\n\r\n${text}`);
  return socket;
}

test('SQL is looked at however a Dataset is declared, and a table of SQL has one owner', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  assert.equal((await call('POST', `${GROUP}/namespaces/default/eventtypes`, { body: eventType('play') })).status, 201);
  const hostile = 'select 1 as a); set threads=16; select * from (select 1';
  const refused = await call('POST', DATASETS, { body: dataset('plays', hostile) });
  assert.equal(refused.status, 422);
  assert.match(refused.json.message, /spec\.sql: syntax error at or near "\)" \(line 1, column 14/);
  assert.equal((await call('POST', DATASETS, { body: dataset('plays', 'from play') })).status, 201);
  const patched = await call('PATCH', `${DATASETS}/plays`, {
    body: JSON.stringify({ spec: { sql: 'set threads = 16' } }),
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(patched.status, 422);
  assert.match(patched.json.message, /The SQL of a Dataset is one SELECT, and this is another kind of statement\./);
  const changeSet = {
    apiVersion: 'releases.backline.dev/v1',
    kind: 'ChangeSet',
    metadata: {},
    spec: { objects: [eventType('skip'), dataset('bad', 'from nothing')] },
  };
  for (const suffix of ['', '?dryRun=All']) {
    const { status, json } = await call('POST', `/apis/releases.backline.dev/v1/changesets${suffix}`, {
      body: changeSet,
      headers: HEADERS,
    });
    assert.equal(status, 422);
    assert.match(json.message, /objects\[1\]\.spec\.sql: .*it reads "nothing", which is not among its eventTypes/);
  }
  assert.equal((await call('GET', `${GROUP}/namespaces/default/eventtypes/skip`)).status, 404);
  for (const [name, path, body] of [
    ['play', DATASETS, dataset('play', 'from play')],
    ['pla.ys', DATASETS, dataset('pla.ys', 'from play')],
    ['plays', `${GROUP}/namespaces/default/eventtypes`, eventType('plays')],
    ['loss-audit', DATASETS, dataset('loss-audit', 'from play')],
    ['release.exposure', `${GROUP}/namespaces/default/eventtypes`, eventType('release.exposure')],
    ['duckdb-tables', DATASETS, dataset('duckdb-tables', 'from play')],
  ] as const) {
    const { status, json } = await call('POST', path, { body });
    if (name === 'pla.ys') assert.equal(status, 201);
    else assert.match(json.message, /metadata\.name: .*choose another name\./, name);
  }
});

test('a query whose caller has hung up ends, and so do those that wait', async (t) => {
  await using world = await startWorld(t);
  const path = `${GROUP}/queries`;
  const slow = query('select count(*) from range(1000000) a, range(1000000) b where a.range * b.range % 7 = 3');
  const ask = () => world.call('POST', path, { body: query('select 1') });
  const deadline = Date.now() + 20_000;
  const callers = Array.from({ length: 5 }, () => post(world, path, slow));
  // One user may have five under way.
  let answer = await ask();
  while (answer.status !== 429 && Date.now() < deadline) answer = await ask();
  assert.equal(answer.status, 429);
  for (const socket of callers) socket.destroy();
  while (answer.status === 429 && Date.now() < deadline) answer = await ask();
  assert.deepEqual([answer.status, answer.json.status?.rows], [201, [[1]]]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import { startBackline } from '#planes/start.ts';
import { caller, startWorld, type Answer, type Call } from '../support/backline.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

function applyBy(call: Call, manager: string, data: object, query = '', headers = {}): Promise<Answer> {
  return call('PATCH', `${MAPS}/a?fieldManager=${manager}${query}`, {
    body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data },
    headers: { 'content-type': 'application/apply-patch+yaml', ...headers },
  });
}

/** The fields of data that each manager owns. */
function fieldsOf({ json }: Answer): Record<string, string[]> {
  const entries = json.metadata.managedFields as { manager: string; fieldsV1: Record<string, object> }[];
  return Object.fromEntries(
    entries.map(({ manager, fieldsV1 }) => [
      manager,
      Object.keys(fieldsV1['f:data'] ?? {}).map((field) => field.slice(2)),
    ]),
  );
}

test('managers that race through two processes lose no field, and of two that want one field one wins', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const other = await startBackline({
    roles: ['api'],
    host: '127.0.0.1',
    port: 0,
    dataDirectory: world.dataDirectory,
    databaseUrl: world.databaseUrl,
    log: openLog('silent'),
  });
  await other.ready;
  try {
    const calls = [world.call, caller({ server: `http://127.0.0.1:${other.port}`, token: world.running.token })];
    const rounds = 10;
    const managers = Array.from({ length: 8 }, (_, index) => `m${index}`);
    // Each has a field of its own, and all want the same one.
    const raced = await Promise.all(
      managers.map(async (manager, index) => {
        const call = calls[index % 2] ?? world.call;
        const answers: Answer[] = [];
        for (let round = 0; round < rounds; round += 1) {
          answers.push(await applyBy(call, manager, { [manager]: String(round) }));
        }
        return { own: answers, wanted: await applyBy(call, `${manager}-first`, { wanted: manager }) };
      }),
    );
    for (const { own } of raced) for (const { status, text } of own) assert.ok(status < 300, text);
    const winners = raced.filter(({ wanted }) => wanted.status === 200);
    assert.equal(winners.length, 1, 'one value, one owner');
    for (const { wanted } of raced) assert.ok([200, 409].includes(wanted.status), wanted.text);

    const end = await world.call('GET', `${MAPS}/a`);
    const winner = Object.keys(fieldsOf(end)).find((name) => name.endsWith('-first')) ?? '';
    assert.equal(winner, `${end.json.data.wanted}-first`);
    assert.deepEqual(
      fieldsOf(end),
      Object.fromEntries([...managers.map((name) => [name, [name]]), [winner, ['wanted']]]),
    );
    for (const manager of managers) assert.equal(end.json.data[manager], String(rounds - 1));
    assert.deepEqual((await (calls[1] ?? world.call)('GET', `${MAPS}/a`)).json, end.json);
  } finally {
    await other.close();
  }
});

test('an apply whose answer came too late may be repeated', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const { call, database } = world;
  await applyBy(call, 'one', { x: '1' });
  const connection = await database.connect();
  await connection.query('begin');
  await connection.query('lock table backline.changes in access exclusive mode');
  const late = await applyBy(call, 'two', { y: '1' }, '', { 'x-request-timeout-ms': '300' });
  assert.equal(late.status, 504, late.text);
  await connection.close();
  const again = await applyBy(call, 'two', { y: '1' });
  assert.equal(again.status, 200, again.text);
  assert.deepEqual(again.json.data, { x: '1', y: '1' });
  assert.deepEqual(fieldsOf(again), { one: ['x'], two: ['y'] });
  const once = await applyBy(call, 'two', { y: '1' });
  assert.equal(once.json.metadata.resourceVersion, again.json.metadata.resourceVersion);
});

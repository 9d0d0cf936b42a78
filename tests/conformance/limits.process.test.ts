import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startWorld, type World } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';
import { CHANGE_SETS, changeSet } from '../support/flags.ts';
import { until } from '../support/installation.ts';
import { RECORDS_CATALOGUE } from '../support/records-catalogue.ts';

test('a user who floods the resource API gets Retry-After; the administrator still gets through', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-0123456789,ann,u1\n');
  await using world = await startWorld(t, { access: { tokenFile } });
  const ann = { token: 'ann-token-0123456789' };
  // Each KiB of a body costs half a unit of work: 40 bodies of 60 KiB are more than a burst of 1,000.
  const reviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const body = { spec: { resourceAttributes: { verb: 'get', resource: 'x'.repeat(60 * 1024) } } };
  const answers = await Promise.all(Array.from({ length: 60 }, () => world.call('POST', reviews, { ...ann, body })));
  const statuses = new Map<number, number>();
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  assert.ok((statuses.get(201) ?? 0) >= 30, [...statuses].join(' '));
  assert.ok((statuses.get(429) ?? 0) > 0, [...statuses].join(' '));
  assert.equal(statuses.size, 2);
  const refused = answers.find(({ status }) => status === 429);
  assert.match(refused?.json.message, /more than 500 units of work a second/);
  assert.equal(refused?.headers['retry-after'], '1');
  assert.equal((await world.call('GET', '/version')).status, 200);
});

test('large answers are paid for by who asked for them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-0123456789,ann,u1\n');
  await using world = await startWorld(t, { access: { tokenFile } });
  const path = '/api/v1/namespaces/default/configmaps';
  for (let index = 0; index < 16; index += 1) {
    const body = { metadata: { name: `m${index}` }, data: { text: 'x'.repeat(1_000_000) } };
    assert.equal((await world.call('POST', path, { body })).status, 201);
  }
  const bind = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }];
  const binding = { metadata: { name: 'ann' }, roleRef: bind, subjects };
  await world.call('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', { body: binding });
  const statuses: number[] = [];
  // 16 MB are 244 units; a burst is 1,000, and 500 come back each second.
  while (statuses.length < 100 && statuses.at(-1) !== 429) {
    statuses.push((await world.call('GET', path, { token: 'ann-token-0123456789' })).status);
  }
  assert.deepEqual([statuses[0], statuses.at(-1)], [200, 429], statuses.join());
});

test('a watcher that does not read holds up nobody, and gets the missed events, or an error when there are too many', async (t) => {
  await using world = await startWorld(t);
  const { call, url } = world;
  const { hostname, port } = new URL(url);
  const path = '/api/v1/namespaces/default/configmaps';
  const watchDeafly = () => {
    const deaf = connect(Number(port), hostname);
    deaf.on('error', () => {});
    t.after(() => deaf.destroy());
    deaf.write(
      `GET ${path}?watch=true HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${world.running.token}\r\n\r\n`,
    );
    deaf.pause();
    return deaf;
  };
  /** How many events come until one matches. */
  const countUntil = (socket: Socket, last: RegExp): Promise<number> =>
    new Promise((done, fail) => {
      let events = 0;
      let rest = '';
      socket.on('data', (chunk: Buffer) => {
        rest += chunk.toString('latin1');
        for (let at = rest.indexOf('{"type"'); at >= 0 && rest.length > at + 60; at = rest.indexOf('{"type"')) {
          events += 1;
          if (last.test(rest.slice(at, at + 60))) done(events);
          rest = rest.slice(at + 7);
        }
        rest = rest.slice(-100);
      });
      socket.once('close', () => fail(new Error(`closed after ${events} events`)));
      socket.resume();
    });
  const metric = async (name: string) =>
    Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await call('GET', '/metrics')).text)?.[1]);
  const early = watchDeafly();
  const late = watchDeafly();
  while ((await metric('backline_watchers')) < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  const write = async (name: string) => {
    const data = { text: 'x'.repeat(1_000_000) };
    assert.equal((await call('POST', path, { body: { metadata: { name }, data } })).status, 201);
  };
  for (let index = 0; index < 30; index += 1) await write(`m${index}`);
  assert.equal(await countUntil(early, /"name":"m29"/), 30);
  assert.equal(await metric('backline_watchers_dropped_total'), 0);
  // The changes that are kept have 64 Mi characters in all.
  for (let index = 30; index < 90; index += 1) await write(`m${index}`);
  await countUntil(late, /"type":"ERROR"/);
  assert.equal(await metric('backline_watchers_dropped_total'), 1);
});

test('a name that could not go live is refused by a write and by a plan, and holds up nobody', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const features = '/apis/products.backline.dev/v1/namespaces/default/features';
  const changeSets = '/apis/releases.backline.dev/v1/changesets';
  const long = 'a'.repeat(253);
  const most = 253 - 'features.products.backline.dev.'.length;
  const featureNamed = (name: string) => feature(name, { title: 'A feature' });
  const made = await call('POST', features, { body: featureNamed(long) });
  assert.equal(made.status, 422, made.text);
  assert.equal(made.json.details.causes[0].field, 'metadata.name');
  assert.match(made.json.message, new RegExp(`use at most ${most}$`));
  const planned = await call('POST', `${changeSets}?dryRun=All`, { body: { spec: { objects: [featureNamed(long)] } } });
  assert.equal(planned.status, 422, planned.text);
  assert.equal(planned.json.details.causes[0].field, 'objects[0].metadata.name');
  for (const name of ['a'.repeat(most), 'other']) {
    const applied = await call('POST', changeSets, { body: { spec: { objects: [featureNamed(name)] } } });
    assert.equal(applied.status, 201, applied.text);
    const { json } = await call('GET', `${features}/${name}`);
    assert.equal(json.status.conditions[0].status, 'True', name);
  }
});

test('a history of large versions is answered in part, and says that there is more', async (t) => {
  await using world = await startWorld(t);
  const path = '/api/v1/namespaces/default/configmaps';
  const data = { text: 'x'.repeat(1_000_000) };
  assert.equal((await world.call('POST', path, { body: { metadata: { name: 'large' }, data } })).status, 201);
  for (let index = 0; index < 9; index += 1) {
    const patch = { body: { data: { z: String(index) } }, headers: { 'content-type': 'application/merge-patch+json' } };
    assert.equal((await world.call('PATCH', `${path}/large`, patch)).status, 200);
  }
  const { json } = await world.call('GET', `${path}/large/history?limit=1000`);
  // 4 MiB hold four versions, and one more that begins within them; the last has none to be compared with.
  assert.equal(json.items.length, 4);
  assert.equal(json.metadata.remaining, true);
  assert.deepEqual(
    json.items.map((item: { changes: { path: string }[] }) => item.changes.map(({ path: at }) => at)),
    [['data.z'], ['data.z'], ['data.z'], ['data.z']],
  );
  const small = await world.call('GET', `${path}/large/history?limit=2`);
  assert.deepEqual([small.json.items.length, small.json.metadata.remaining], [2, undefined]);
});

test('a selector has few terms, and those that are many values of one label are one', async (t) => {
  await using world = await startWorld(t);
  const list = (query: string) => world.call('GET', `/api/v1/namespaces/default/configmaps?${query}`);
  const terms = (count: number) => Array.from({ length: count }, (_, index) => `a!=x${index}`).join(',');
  assert.equal((await list(`labelSelector=${terms(50)}`)).status, 200);
  const refused = await list(`labelSelector=${terms(51)}`);
  assert.equal(refused.status, 400);
  assert.match(refused.json.message, /more than 50 terms/);
  const values = Array.from({ length: 2_000 }, (_, index) => `x${index}`).join(',');
  assert.equal((await list(`labelSelector=a in (${encodeURIComponent(values)})`.replaceAll(' ', '%20'))).status, 200);
  const fields = Array.from({ length: 51 }, () => 'metadata.name!=a').join(',');
  assert.equal((await list(`fieldSelector=${fields}`)).status, 400);
});

test('a header that says who asks, and from where, stands there once', async (t) => {
  await using world = await startWorld(t);
  const { hostname, port } = new URL(world.url);
  const statusOf = async (...headers: string[]): Promise<string> => {
    const socket = connect(Number(port), hostname);
    socket.write(`GET /version HTTP/1.1\r\nconnection: close\r\n${headers.join('\r\n')}\r\n\r\n`);
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return chunk.toString().slice(9, 12);
  };
  const token = `authorization: Bearer ${world.running.token}`;
  assert.equal(await statusOf('host: localhost', token), '200');
  assert.equal(await statusOf('host: localhost', 'Host: evil.example', token), '400');
  assert.equal(await statusOf('host: localhost', token, 'Authorization: Bearer x'), '400');
  const origin = `origin: http://localhost`;
  assert.equal(await statusOf('host: localhost', token, origin), '200');
  assert.equal(await statusOf('host: localhost', token, origin, 'Origin: http://evil.example'), '400');
});

test('a user who may not write an object is refused before its content is checked, in a change set too', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-0123456789,ann,u1\n');
  await using world = await startWorld(t, { access: { tokenFile } });
  const wrong = { ...feature('hd'), nonsense: 1 };
  const body = { apiVersion: 'releases.backline.dev/v1', kind: 'ChangeSet', metadata: {}, spec: { objects: [wrong] } };
  const path = '/apis/releases.backline.dev/v1/changesets?dryRun=All';
  const stranger = await world.call('POST', path, { body, token: 'ann-token-0123456789' });
  assert.equal(stranger.status, 403, stranger.text);
  assert.doesNotMatch(stranger.text, /nonsense/);
  const administrator = await world.call('POST', path, { body });
  assert.equal(administrator.status, 422, administrator.text);
  assert.match(administrator.text, /nonsense/);
});

test('an object holds so many values and members, however it comes, and a large text is one value', async (t) => {
  await using world = await startWorld(t);
  const path = '/api/v1/namespaces/default/configmaps';
  const map = (members: number) =>
    Object.fromEntries(Array.from({ length: members }, (_, index) => [`k${index}`, 'v']));
  const post = (name: string, fields: object) =>
    world.call('POST', path, { body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, ...fields } });
  const patch = (name: string, body: object, type = 'merge-patch') =>
    world.call('PATCH', `${path}/${name}`, { body, headers: { 'content-type': `application/${type}+json` } });
  const codeOf = ({ status, json }: { status: number; json: { message: string } }) => `${status} ${json.message}`;
  assert.equal((await post('text', { data: { text: 'x'.repeat(1024 * 1024) } })).status, 201);
  assert.equal((await post('many', { data: map(5_000) })).status, 201);
  assert.match(codeOf(await post('more', { data: map(5_001) })), /^413 data has more than 5000 members/);
  const values = { data: { a: Array.from({ length: 4 }, () => Array.from({ length: 8_192 }, () => 'x')) } };
  assert.match(codeOf(await post('values', values)), /^413 The object holds more than 32768 values/);
  const items = { data: { a: Array.from({ length: 10_001 }, () => 'x') } };
  assert.match(codeOf(await post('items', items)), /^413 data\.a has more than 10000 items/);
  // A patch cannot make an object larger than a body could be.
  assert.match(codeOf(await patch('many', { data: { one: 'more' } })), /^413 data has more than 5000 members/);
  assert.equal((await patch('many', { data: { k0: null, one: 'more' } })).status, 200);
  const second = { data: { second: 'x'.repeat(2 * 1024 * 1024) } };
  assert.match(codeOf(await patch('text', second)), /^413 The object has more than 3145728 characters/);
  const copies = [{ op: 'copy', from: '/data', path: '/x' }];
  assert.equal((await patch('many', copies, 'json-patch')).status, 200);
  const moves = [1, 2, 3, 4, 5].flatMap(() => [
    { op: 'move', from: '/data', path: '/x' },
    { op: 'move', from: '/x', path: '/data' },
  ]);
  assert.match(
    codeOf(await patch('many', moves, 'json-patch')),
    /^422 operation \d of the patch .* more than 20000 values/,
  );
  const declare = (...fields: object[]) => {
    const objects = fields.map((one, index) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `c${index}` },
      ...one,
    }));
    return world.call('POST', '/apis/releases.backline.dev/v1/changesets', { body: { spec: { objects } } });
  };
  const members = await declare({ data: map(5_000) }, { data: map(5_001) });
  assert.match(codeOf(members), /^413 spec\.objects\[1\]\.data has more than 5000 members/);
  const heavy = await declare({ data: map(5_000) }, values);
  assert.match(codeOf(heavy), /^413 The object holds more than 32768 values/);
  assert.equal(heavy.json.details.causes[0].field, 'objects[1]');
});

test('a user who may write nothing at all is refused before the change set is read', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'ann-token-0123456789,ann,u1\n');
  await using world = await startWorld(t, { access: { tokenFile } });
  const path = '/apis/releases.backline.dev/v1/changesets?dryRun=All';
  const post = () => world.call('POST', path, { body: { spec: { objects: 'none' } }, token: 'ann-token-0123456789' });
  const refused = await post();
  assert.equal(refused.status, 403, refused.text);
  assert.match(refused.json.message, /User "ann" cannot create or update any resource/);
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'ann' }];
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' };
  await world.call('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', {
    body: { metadata: { name: 'ann' }, roleRef, subjects },
  });
  assert.equal((await post()).status, 422);
});

/** Holds a table so that nobody reads or writes it, until the returned function is called. */
async function hold({ database }: World, table: string): Promise<() => Promise<void>> {
  const connection = await database.connect();
  await connection.query('begin');
  await connection.query(`lock table ${table} in access exclusive mode`);
  return connection.close;
}

test('a deadline that passes is 504, and what had not begun by then is not done when there is room again', async (t) => {
  const world = await startWorld(t);
  const { call, running } = world;
  const declared = await call('POST', CHANGE_SETS, { body: changeSet(...RECORDS_CATALOGUE) });
  assert.equal(declared.status, 201, declared.text);
  await running.control?.releases()?.caughtUp();
  const headers = { 'x-request-timeout-ms': '300' };
  const use = { key: 'k', listener: 'ann', plan: 'free', market: 'de', feature: 'podmin', amount: 10 };
  await until(
    async () => ((await call('GET', '/v1/check?plan=free&market=de&feature=podmin')).status === 200 ? true : undefined),
    () => 'the catalogue to be live',
  );

  let release = await hold(world, 'backline.subjects');
  const late = await call('POST', '/v1/consume', { body: use, headers });
  assert.deepEqual([late.status, late.json.code], [504, 'http/deadline'], late.text);
  await release();
  // Facts of a later request come after those of the one that nobody waits for.
  const first = await call('POST', '/v1/consume', { body: { ...use, key: 'other' } });
  assert.deepEqual([first.status, first.json.usage.used], [200, 10], first.text);

  release = await hold(world, 'backline.changes');
  const list = await call('GET', '/api/v1/namespaces/default/configmaps?asOf=1', { headers });
  assert.deepEqual([list.status, list.json.kind, list.json.reason], [504, 'Status', 'Timeout'], list.text);
  assert.equal(list.headers['retry-after'], '1');
  await release();
});

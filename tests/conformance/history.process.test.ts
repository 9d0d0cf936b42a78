import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld } from '../support/backline.ts';
import { feature } from '../support/catalogue.ts';

const features = '/apis/products.backline.dev/v1/namespaces/default/features';
const merge = { 'content-type': 'application/merge-patch+json' };

test('an object and a list are shown as they were at any version or time', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const made = (await call('POST', features, { body: feature('offline') })).json;
  await call('POST', features, { body: feature('lyrics') });
  await sleep(5);
  const before = Temporal.Now.instant().toString();
  await sleep(5);
  await call('PATCH', `${features}/offline`, { body: { spec: { title: 'Downloads' } }, headers: merge });
  await call('DELETE', `${features}/lyrics`);

  const titles = async (query: string) =>
    (await call('GET', `${features}?${query}`)).json.items.map((item: { spec: { title: string } }) => item.spec.title);
  assert.deepEqual(await titles(''), ['Downloads']);
  assert.deepEqual(await titles(`asOf=${before}`), ['lyrics', 'offline']);
  assert.deepEqual(await titles(`asOf=${made.metadata.resourceVersion}`), ['offline']);
  assert.deepEqual(await titles('asOf=0'), []);
  const then = await call('GET', `${features}/offline?asOf=${made.metadata.resourceVersion}`);
  assert.deepEqual(then.json, made, 'exactly what was answered then');
  const gone = await call('GET', `${features}/lyrics?asOf=${before}`);
  assert.equal(gone.json.spec.title, 'lyrics', 'what was deleted since is there');
  assert.equal((await call('GET', `${features}/lyrics`)).status, 404);
  for (const [moment, status] of [
    ['yesterday', 400],
    ['99999999', 400],
  ] as const) {
    assert.equal((await call('GET', `${features}?asOf=${moment}`)).status, status);
  }
  await world.running.control?.store.compact({ historyDays: 0 });
  assert.equal((await call('GET', `${features}?asOf=1`)).status, 410);
});

test('the history of an object says who changed it when, and what', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  await call('POST', features, { body: feature('offline') });
  await call('PATCH', `${features}/offline`, { body: { spec: { title: 'Downloads' } }, headers: merge });
  await call('DELETE', `${features}/offline`);
  await call('POST', features, { body: feature('offline', { title: 'Again' }) });
  const { items } = (await call('GET', `${features}/offline/history`)).json;
  const declared = items.filter(
    ({ type, changes }: Item) => type !== 'MODIFIED' || changes.some(({ path }) => path.startsWith('spec')),
  );
  assert.deepEqual(
    declared.map(({ type, user }: Item) => `${user} ${type}`),
    ['admin ADDED', 'admin DELETED', 'admin MODIFIED', 'admin ADDED'],
  );
  const changed: Item = declared[2];
  assert.deepEqual(
    changed.changes.filter(({ path }) => path.startsWith('spec')),
    [{ path: 'spec.title', before: 'offline', after: 'Downloads' }],
  );
  assert.equal((await call('DELETE', `${features}/offline/history`)).status, 405);
});

test('history of objects that programs write all the time is kept for a day, everything else as long as the operator says', async (t) => {
  let now = Temporal.Instant.from('2026-11-22T10:00:00Z');
  await using world = await startWorld(t, { clock: () => now });
  const { call } = world;
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  await call('POST', leases, { body: { metadata: { name: 'turn' }, spec: { holderIdentity: 'a' } } });
  await call('POST', features, { body: feature('offline') });
  for (const holder of ['b', 'c']) {
    await call('PATCH', `${leases}/turn`, { body: { spec: { holderIdentity: holder } }, headers: merge });
    await call('PATCH', `${features}/offline`, { body: { spec: { title: holder } }, headers: merge });
  }
  const countVersions = async (path: string) =>
    (await call('GET', `${path}/history`)).json.items.filter(({ changes }: Item) =>
      changes.some(({ path: changed }) => changed.startsWith('spec')),
    ).length;
  assert.deepEqual([await countVersions(`${leases}/turn`), await countVersions(`${features}/offline`)], [3, 3]);
  now = now.add({ hours: 25 });
  await world.running.control?.store.compact({ historyDays: 30 });
  assert.deepEqual([await countVersions(`${leases}/turn`), await countVersions(`${features}/offline`)], [1, 3]);
  await world.restart();
  assert.equal((await call('GET', `${leases}/turn`)).json.spec.holderIdentity, 'c');
});

interface Item {
  type: string;
  user: string;
  changes: { path: string }[];
}

test('a process whose clock jumps writes the times of the database, one after the other', async (t) => {
  await using world = await startWorld(t);
  const { call } = world;
  const now = Date.now;
  const madeAt = async (name: string, offMs: number): Promise<number> => {
    const clock = t.mock.method(Date, 'now', () => now() + offMs);
    const made = await call('POST', features, { body: feature(name) });
    clock.mock.restore();
    assert.equal(made.status, 201, made.text);
    return Date.parse(made.json.metadata.creationTimestamp);
  };
  const begunMs = now();
  const times = [await madeAt('ahead', 3_600_000), await madeAt('behind', -3_600_000), await madeAt('right', 0)];
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  for (const time of times)
    assert.ok(time > begunMs - 2_000 && time < now() + 1_000, `${time - begunMs} ms from the begin`);
});

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { advertiserWithAd } from '../support/ads.ts';
import { startWorld } from '../support/backline.ts';
import { CHANGE_SETS, changeSet } from '../support/flags.ts';

const ADS = '/apis/ads.backline.dev/v1/namespaces/default';

test('a hierarchy is written only over the versions that it was made from; each other one is named with its author', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-tokens-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, 'bob-token-1234,bob,,system:masters\n');
  await using world = await startWorld(t, { roles: ['api'], access: { tokenFile } });
  const { call } = world;
  const objects = advertiserWithAd('acme').map(([, object]) => object);
  assert.equal((await call('POST', CHANGE_SETS, { body: changeSet(...objects) })).status, 201);
  const read = async (path: string) => (await call('GET', `${ADS}/${path}`)).json;
  const made = await Promise.all(['campaigns/acme.c', 'adsets/acme.s', 'ads/acme.a', 'assets/acme.f'].map(read));
  const [campaign, adSet, ad] = made;
  const fresh = { ...adSet, metadata: { name: 'acme.fresh', namespace: 'default' } };
  const draft = () =>
    call('POST', CHANGE_SETS, {
      body: changeSet(
        fresh,
        ...made.map((object) => (object === campaign ? { ...object, spec: { ...object.spec, paused: true } } : object)),
      ),
    });

  const bob = { token: 'bob-token-1234' };
  const other = { ...adSet, spec: { ...adSet.spec, bid: '8.00' } };
  assert.equal((await call('PUT', `${ADS}/adsets/acme.s`, { ...bob, body: other })).status, 200);
  assert.equal((await call('DELETE', `${ADS}/ads/acme.a`, bob)).status, 200);
  const { status, json } = await draft();
  assert.equal(status, 409, JSON.stringify(json));
  assert.match(
    json.message,
    /^AdSet "acme\.s" was changed by bob at 20\S+, after version \d+, and 1 more: nothing was written\./,
  );
  const causes = json.details.causes.map(({ field, message }: { field: string; message: string }) => [
    field,
    message.replace(/ at .*/, ''),
  ]);
  assert.deepEqual(causes, [
    ['objects[2].metadata.resourceVersion', 'AdSet "acme.s" was changed by bob'],
    ['objects[3].metadata.resourceVersion', 'Ad "acme.a" was deleted by bob'],
  ]);
  assert.equal((await read('campaigns/acme.c')).spec.paused, undefined);
  assert.equal((await call('GET', `${ADS}/adsets/acme.fresh`)).status, 404);

  made[1] = await read('adsets/acme.s');
  made[2] = { ...ad, metadata: { name: 'acme.a', namespace: 'default' } };
  const written = await draft();
  assert.equal(written.status, 201, written.text);
  assert.equal((await read('campaigns/acme.c')).spec.paused, true);
  assert.equal((await read('adsets/acme.s')).spec.bid, '8.00');
});

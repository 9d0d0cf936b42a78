import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { decode, encode } from 'cborg';
import { startWorld } from '../support/backline.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly bytes: Buffer;
}

/** Fields of answers that are looked at. */
interface CborAnswer {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data: object;
  readonly items: readonly unknown[];
  readonly reason: string;
}

test('objects go in and out as CBOR; what is too long, or goes on, is JSON for who takes both', async (t) => {
  await using world = await startWorld(t, { roles: ['api'] });
  const send = (method: string, path: string, accept: string, body?: Uint8Array): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const form = method === 'PATCH' ? 'application/apply-patch+cbor' : 'application/cbor';
      const headers = { authorization: `Bearer ${world.running.token}`, accept, 'content-type': form };
      const sent = request(`http://127.0.0.1:${world.running.port}${path}`, { method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            bytes: Buffer.concat(chunks),
          }),
        );
      });
      sent.once('error', reject);
      sent.end(body);
    });
  const of = ({ bytes }: Reply): Partial<CborAnswer> => decode(bytes, { tags: { 55_799: (next) => next() } });
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { text: 'x'.repeat(1_000) } };
  const made = await send('POST', MAPS, 'application/cbor', encode(object));
  assert.deepEqual([made.status, made.type], [201, 'application/cbor']);
  assert.equal(made.bytes.subarray(0, 3).toString('hex'), 'd9d9f7');
  assert.equal(of(made).metadata?.name, 'a');
  const patch = { ...object, data: { more: '1' } };
  const applied = await send('PATCH', `${MAPS}/a?fieldManager=one`, 'application/cbor', encode(patch));
  assert.deepEqual([applied.status, Object.keys(of(applied).data ?? {})], [200, ['more', 'text']]);
  const list = await send('GET', MAPS, 'application/cbor');
  assert.deepEqual([of(list).kind, of(list).items?.length], ['ConfigMapList', 1]);
  const missing = await send('GET', `${MAPS}/b`, 'application/cbor');
  assert.deepEqual([missing.status, of(missing).reason], [404, 'NotFound']);
  const bad = await send('POST', MAPS, 'application/json', Buffer.from('a1', 'hex'));
  assert.deepEqual([bad.status, bad.type], [400, 'application/json']);
  const both = 'application/cbor,application/json;q=0.9';
  const watch = await send('GET', `${MAPS}?watch=true&timeoutSeconds=1&resourceVersion=0`, both);
  assert.deepEqual([watch.status, watch.type], [200, 'application/json']);
  assert.equal((await send('GET', `${MAPS}?watch=true`, 'application/cbor')).status, 406);
  for (let n = 0; n < 600; n += 1) {
    const name = `large-${n}`;
    const body = { ...object, metadata: { name } };
    assert.equal((await world.call('POST', MAPS, { body })).status, 201);
  }
  const long = await send('GET', MAPS, both);
  assert.deepEqual([long.status, long.type], [200, 'application/json']);
  assert.equal(JSON.parse(long.bytes.toString()).items.length, 601);
  assert.equal((await send('GET', MAPS, 'application/cbor')).status, 406);
  assert.equal(of(await send('GET', `${MAPS}?limit=10`, 'application/cbor')).items?.length, 10);
});

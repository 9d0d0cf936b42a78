import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { sealingWith } from './encryption.ts';

const place = { kind: 'Secret', namespace: 'default', name: 'keys' };

async function keyFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-keys-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'encryption-keys');
}

test('a sealed text opens again, and never looks the same twice', async (t) => {
  const file = await keyFile(t);
  const { seal } = await sealingWith(file);
  const { open } = await sealingWith(file);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(open(place, seal(place, text)), text);
      assert.notEqual(seal(place, text), seal(place, text));
      if (text.length > 3) assert.equal(seal(place, text).includes(text), false);
    }),
  );
});

test('a sealed text opens in its place only, and not after a change', async (t) => {
  const { seal, open } = await sealingWith(await keyFile(t));
  const sealed = seal(place, '{"data":{}}');
  for (const other of [
    { ...place, name: 'other' },
    { ...place, namespace: 'other' },
    { ...place, kind: 'ConfigMap' },
  ]) {
    assert.throws(() => open(other, sealed), { code: 'access/cannot-open' });
  }
  const [cipher, id, body = ''] = sealed.split(':');
  const bytes = Buffer.from(body, 'base64');
  for (const index of [0, 12, 20, bytes.length - 1]) {
    const altered = Buffer.from(bytes);
    altered[index] = (altered[index] ?? 0) ^ 1;
    assert.throws(() => open(place, `${cipher}:${id}:${altered.toString('base64')}`), { code: 'access/cannot-open' });
  }
  for (const text of ['', '{"data":{}}', `${cipher}:${id}:`, `${cipher}:${id}:AAAA`, `${cipher}:other:${body}`]) {
    assert.throws(() => open(place, text), { code: 'access/cannot-open' }, text);
  }
});

test('several first starts at once agree on one key', async (t) => {
  const file = await keyFile(t);
  const all = await Promise.all([sealingWith(file), sealingWith(file), sealingWith(file)]);
  for (const one of all) for (const other of all) assert.equal(other.open(place, one.seal(place, 'x')), 'x');
});

test('the first key of the file seals, all of them open', async (t) => {
  const file = await keyFile(t);
  const old = await sealingWith(file);
  await writeFile(
    file,
    `# since today\nnew ${Buffer.alloc(32, 1).toString('base64')}\n${await readFile(file, 'utf8')}`,
  );
  const now = await sealingWith(file);
  assert.equal(now.open(place, old.seal(place, 'x')), 'x');
  assert.match(now.seal(place, 'x'), /^aes-256-gcm:new:/);
  assert.throws(() => old.open(place, now.seal(place, 'x')), /needs the key new/);
});

test('an invalid key file stops the start, and no key is shown', async (t) => {
  const file = await keyFile(t);
  const key = Buffer.alloc(32, 3).toString('base64');
  for (const text of ['', '# nothing\n', key, `a ${key.slice(0, 20)}`, `a ${key}\na ${key}`, `a b ${key}`]) {
    await writeFile(file, text);
    await assert.rejects(sealingWith(file), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'access/bad-key-file');
      assert.equal(error.message.includes(key.slice(0, 10)), false);
      return true;
    });
  }
});

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { publicKeyFault } from './public-key.ts';

const pairs = {
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  rsa: generateKeyPairSync('rsa', { modulusLength: 2_048 }),
  ed25519: generateKeyPairSync('ed25519'),
};
const jwk = (key: { export: (options: { format: 'jwk' }) => object }) =>
  key.export({ format: 'jwk' }) as Record<string, unknown>;

test('public keys for signatures are accepted', () => {
  for (const [name, { publicKey }] of Object.entries(pairs)) {
    assert.equal(publicKeyFault(jwk(publicKey)), undefined, name);
    assert.equal(publicKeyFault({ ...jwk(publicKey), kid: 'a', use: 'sig', alg: 'X', key_ops: ['verify'] }), undefined);
  }
});

test('a private or symmetric key is refused under any name, and never repeated', () => {
  const secrets = [
    ...Object.values(pairs).map(({ privateKey }) => jwk(privateKey)),
    { kty: 'oct', k: 'c2VjcmV0' },
    { kty: 'OCT', k: 'c2VjcmV0' },
    { kty: 'RSA', n: 'AQAB', e: 'AQAB', p: 'AQAB' },
    { kty: 'oct' },
  ];
  for (const secret of secrets) {
    const fault = publicKeyFault(secret) ?? '';
    assert.match(fault, /this is a secret/, JSON.stringify(Object.keys(secret)));
    for (const value of Object.values(secret)) assert.ok(String(value).length < 4 || !fault.includes(String(value)));
  }
});

test('a key that is unreadable, too short, or not for signatures is refused', () => {
  const cases: [key: Record<string, unknown>, fault: RegExp][] = [
    [{}, /cannot be read/],
    [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }, /cannot be read/],
    [{ kty: 'EC', crv: 'P-256', x: 1, y: null }, /cannot be read/],
    [jwk(generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey), /P-256 or P-384/],
    [jwk(generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey), /1024 bits/],
    [jwk(generateKeyPairSync('x25519').publicKey), /not supported/],
    [{ ...jwk(pairs.p256.publicKey), use: 'enc' }, /not for signatures/],
    [{ ...jwk(pairs.p256.publicKey), note: 'x' }, /"note" is no member/],
  ];
  for (const [key, fault] of cases) assert.match(publicKeyFault(key) ?? '', fault);
});

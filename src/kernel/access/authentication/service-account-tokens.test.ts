import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { serviceAccountTokens } from './service-account-tokens.ts';

const NOW = Temporal.Instant.from('2026-11-29T12:00:00Z');

/** A token as earlier versions minted it, without its minter. */
function oldToken(key: KeyObject): Promise<string> {
  return new SignJWT({ 'kubernetes.io': { namespace: 'default', serviceaccount: { name: 'robot', uid: '1' } } })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuer('backline')
    .setSubject('system:serviceaccount:default:robot')
    .setAudience(['backline'])
    .setExpirationTime(NOW.epochMilliseconds / 1_000 + 3_600)
    .sign(key);
}

test('a token without its minter is refused with a remedy; an unsigned one gets no explanation', async () => {
  const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const accounts = { get: () => assert.fail('no account is read') };
  const { authenticator } = serviceAccountTokens([{ id: 'k', ...ours }], accounts, () => NOW);
  await assert.rejects(async () => authenticator(await oldToken(ours.privateKey)), {
    code: 'access/token-without-minter',
    reason: 'Unauthorized',
    message: /older version .* did not record its minter/,
    remedy: /kubectl create token/,
  });
  await assert.rejects(async () => authenticator(await oldToken(other.privateKey)), {
    code: 'access/unauthorized',
  });
});

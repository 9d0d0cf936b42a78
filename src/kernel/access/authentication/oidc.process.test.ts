import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SignJWT, exportJWK, generateKeyPair, type CryptoKey, type JWK } from 'jose';
import { openLog, type Log } from '#kernel/base/log.ts';
import { serverIdentity } from '../certificates.ts';
import { authenticateWith } from './authenticate.ts';
import { oidcTokens, type OidcOptions } from './oidc.ts';

const START = Temporal.Instant.from('2026-11-22T12:00:00Z');
const silent = openLog('silent');

interface Issuer {
  readonly url: string;
  /** Of the authority that signed its certificate; undefined for plain HTTP. */
  readonly ca: string | undefined;
  keys: JWK[];
  /** How often its keys were fetched. */
  fetches: number;
  down: boolean;
}

/** An OpenID Connect provider: a discovery document and keys. */
async function startIssuer(t: TestContext, scheme: 'http' | 'https'): Promise<Issuer> {
  const directory = await mkdtemp(join(tmpdir(), 'backline-issuer-'));
  const { ca, cert, key } = await serverIdentity(directory, ['localhost', '127.0.0.1'], systemNow());
  const server = scheme === 'https' ? createHttpsServer({ cert, key }) : createHttpServer();
  const issuer: Issuer = { url: '', ca: scheme === 'https' ? ca : undefined, keys: [], fetches: 0, down: false };
  server.on('request', (request, response) => {
    if (issuer.down) return response.writeHead(500).end();
    const body =
      request.url === '/.well-known/openid-configuration'
        ? { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }
        : { keys: issuer.keys };
    if (request.url === '/keys') issuer.fetches += 1;
    return response.end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  });
  Object.assign(issuer, { url: `${scheme}://localhost:${(server.address() as AddressInfo).port}` });
  return issuer;
}

/** Certificates are checked against the time of this machine, not against the clock of the test. */
function systemNow(): Temporal.Instant {
  return Temporal.Now.instant();
}

interface Pair {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

async function pair(kid: string, alg = 'RS256'): Promise<Pair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

function sign(issuer: Issuer, { kid, privateKey, jwk }: Pair, claims: object = {}): Promise<string> {
  const now = START.epochMilliseconds / 1000;
  const all = { iss: issuer.url, aud: 'backline-cli', sub: '42', iat: now, exp: now + 3_600, ...claims };
  return new SignJWT(all).setProtectedHeader({ alg: jwk.alg ?? '', kid }).sign(privateKey);
}

function makeAuthenticator(
  issuer: Issuer,
  { log = silent, ...more }: Partial<OidcOptions> & { readonly log?: Log } = {},
  clock = () => START,
) {
  const options = { issuerUrl: issuer.url, clientId: 'backline-cli', ca: issuer.ca, ...more };
  const authenticate = authenticateWith([oidcTokens(options, clock, log)]);
  return (token: string) => authenticate({ headers: { authorization: `Bearer ${token}` } });
}

for (const scheme of ['http', 'https'] as const) {
  test(`a token of the issuer becomes a user, over ${scheme}`, async (t) => {
    const issuer = await startIssuer(t, scheme);
    const key = await pair('one');
    issuer.keys = [key.jwk];
    const plain = makeAuthenticator(issuer);
    assert.deepEqual(await plain(await sign(issuer, key)), {
      name: `${issuer.url}#42`,
      groups: ['system:authenticated'],
    });
    const claims = { email: 'ann@example.com', groups: ['growth', 'system:masters', 7, ''] };
    const named = makeAuthenticator(issuer, { usernameClaim: 'email', groupsClaim: 'groups' });
    assert.deepEqual(await named(await sign(issuer, key, claims)), {
      name: 'ann@example.com',
      groups: ['growth', 'system:authenticated'],
    });
    const prefixed = makeAuthenticator(issuer, {
      usernamePrefix: 'oidc:',
      groupsClaim: 'groups',
      groupsPrefix: 'oidc:',
    });
    assert.deepEqual(await prefixed(await sign(issuer, key, { groups: 'growth' })), {
      name: 'oidc:42',
      groups: ['oidc:growth', 'system:authenticated'],
    });
    assert.deepEqual(await prefixed(await sign(issuer, key, { groups: ['system:masters'] })), {
      name: 'oidc:42',
      groups: ['oidc:system:masters', 'system:authenticated'],
    });
    assert.equal(issuer.fetches, 3, 'once for each authenticator');
  });
}

test('an invalid token is rejected', async (t) => {
  const issuer = await startIssuer(t, 'http');
  const [key, stranger, curve] = [await pair('one'), await pair('one'), await pair('two', 'ES256')];
  issuer.keys = [key.jwk, curve.jwk];
  const codes: string[] = [];
  const log = { ...silent, info: ({ code }: { code: string }) => codes.push(code) } as unknown as Log;
  const ask = makeAuthenticator(issuer, { usernameClaim: 'email', log });
  const now = START.epochMilliseconds / 1000;
  const email = 'ann@example.com';
  assert.equal((await ask(await sign(issuer, curve, { email })))?.name, email);
  const makeUnsigned = (header: object, payload: object) =>
    `${[header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`;
  const symmetric = await new SignJWT({ iss: issuer.url, aud: 'backline-cli', email, exp: now + 60 })
    .setProtectedHeader({ alg: 'HS256', kid: 'one' })
    .sign(Buffer.from(JSON.stringify(key.jwk)));
  const wrong: Record<string, string> = {
    'signed with another key': await sign(issuer, stranger, { email }),
    'for another audience': await sign(issuer, key, { email, aud: 'other' }),
    over: await sign(issuer, key, { email, exp: now - 120 }),
    'not yet': await sign(issuer, key, { email, nbf: now + 600 }),
    'without an end': await sign(issuer, key, { email, exp: undefined }),
    'without the claim': await sign(issuer, key),
    'with an address that was not verified': await sign(issuer, key, { email, email_verified: false }),
    'with a reserved name': await sign(issuer, key, { email: 'system:admin' }),
    'with control characters in the name': await sign(issuer, key, { email: 'ann\u0000' }),
    'of an unknown key': await sign(issuer, await pair('three'), { email }),
    unsigned: makeUnsigned({ alg: 'none' }, { iss: issuer.url, aud: 'backline-cli', email, exp: now + 60 }),
    'signed with the public key as a password': symmetric,
  };
  for (const [what, token] of Object.entries(wrong)) {
    await assert.rejects(ask(token), { code: 'access/unauthorized', message: 'Unauthorized' }, what);
  }
  assert.equal(codes.length, Object.keys(wrong).length, 'the log has the reason of each');
  assert.deepEqual(
    codes.filter((code) => !code.startsWith('ERR_')),
    ['USERNAME_CLAIM', 'EMAIL_NOT_VERIFIED', 'RESERVED_NAME', 'USERNAME_CLAIM'],
  );
  for (const token of ['abc', 'a.b.c', await sign({ ...issuer, url: 'https://other.example' }, key, { email })]) {
    assert.equal(await ask(token), undefined, 'a token of another issuer is left to other authenticators');
  }
});

test('new keys of the issuer are fetched, at a limited rate', async (t) => {
  const issuer = await startIssuer(t, 'http');
  let now = START;
  const [first, second, third] = [await pair('one'), await pair('two'), await pair('three')];
  issuer.keys = [first.jwk];
  const ask = makeAuthenticator(issuer, {}, () => now);
  const exp = START.epochMilliseconds / 1000 + 86_400;
  const token = await sign(issuer, first, { exp });
  await Promise.all([ask(token), ask(token), ask(token)]);
  assert.equal(issuer.fetches, 1);
  issuer.keys = [second.jwk];
  await assert.rejects(ask(await sign(issuer, second, { exp })), { code: 'access/unauthorized' });
  assert.equal(issuer.fetches, 1, 'unknown keys do not cause further fetches');
  now = now.add({ seconds: 31 });
  assert.notEqual(await ask(await sign(issuer, second, { exp })), undefined);
  assert.equal(issuer.fetches, 2);
  now = now.add({ hours: 2 });
  await assert.rejects(ask(token), { code: 'access/unauthorized' }, 'a key that was withdrawn is rejected');
  assert.equal(issuer.fetches, 3);
  issuer.down = true;
  now = now.add({ hours: 2 });
  assert.notEqual(await ask(await sign(issuer, second, { exp })), undefined, 'cached keys still verify');
  await assert.rejects(ask(await sign(issuer, third, { exp })), { code: 'access/unauthorized' });
});

test('an unreachable issuer is not an error of the caller', async (t) => {
  const issuer = await startIssuer(t, 'http');
  const key = await pair('one');
  issuer.keys = [key.jwk];
  issuer.down = true;
  const ask = makeAuthenticator(issuer);
  await assert.rejects(ask(await sign(issuer, key)), { code: 'access/issuer-away', reason: 'ServiceUnavailable' });
  issuer.down = false;
  assert.notEqual(await ask(await sign(issuer, key)), undefined);
});

test('an issuer that can be impersonated on the network is refused', () => {
  const options = { issuerUrl: 'http://login.example.com', clientId: 'x' };
  assert.throws(() => oidcTokens(options, () => START, silent), { code: 'access/unsafe-issuer' });
});

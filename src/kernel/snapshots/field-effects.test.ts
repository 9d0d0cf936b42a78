import assert from 'node:assert/strict';
import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { generate } from 'selfsigned';
import { Client, type ClientSpec } from '#kernel/access/kinds/client.ts';
import { openLog } from '#kernel/base/log.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { send } from '#kernel/http/exchange.ts';
import { httpMetrics, openRegistry } from '#kernel/http/metrics.ts';
import { serveHttp } from '#kernel/http/server.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import { clientsModule } from './client-table.ts';
import { decisionGate, type Gate } from './gate.ts';
import { LiveObjects } from './live-objects.ts';
import type { Asking } from './module.ts';
import { OpenAnswers } from './open-answers.ts';

const NOW = Temporal.Instant.from('2026-05-01T12:00:00Z');
const KEYS = { one: 'bk_one', two: 'bk_two' };
const hashOf = (key: string): string => hash('sha256', key, 'hex');

/** Questions of each sort, by their paths. */
const ASKED: Readonly<Record<string, Asking>> = {
  '/v1/prices': { path: '/v1/prices', access: 'catalogue', isAboutNobody: true },
  '/v1/check': { path: '/v1/check', access: 'catalogue', subjectInputs: ['listener'] },
  '/ofrep/v1/flags': { path: '/ofrep/v1/flags', access: 'catalogue', subjectInputs: ['targetingKey'] },
  '/v1/subjects': { path: '/v1/subjects', access: 'records', forServers: true, subjectInputs: ['listener'] },
  '/v1/events': { path: '/v1/events', access: 'ingest' },
};

/** A signer: a key pair, and tokens of it. */
function signer() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, jwk: publicKey.export({ format: 'jwk' }) };
}

const token = (key: KeyObject, issuer: string, audience: string): Promise<string> =>
  new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(NOW.add({ hours: 1 }).epochMilliseconds / 1_000)
    .sign(key);

test('no field of a Client without an effect', async (t) => {
  let now = NOW;
  let gate: Gate | undefined;
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    tls: { key: made.private, cert: made.cert },
    handle: async (exchange) => {
      const asking = ASKED[exchange.path] ?? assert.fail(exchange.path);
      const admitted = await gate?.admit(exchange, asking, { listener: 'ann', targetingKey: 'ann' });
      send(exchange, 200, JSON.stringify(admitted));
    },
    log: openLog('silent'),
    metrics: httpMetrics(openRegistry()),
  });
  t.after(server.close);
  const [first, second] = [signer(), signer()];
  const tokens = [undefined, await token(first.privateKey, 'iss', 'aud'), await token(second.privateKey, 'iss', 'aud')];
  const ask = async (path: string, key: string, more: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    const headers = { authorization: `Bearer ${key}`, ...more };
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers });
    const { message, by, input } = (await answer.json()) as { message?: string; by?: string; input?: unknown };
    return [answer.status, message, by, input, answer.headers.get('access-control-allow-origin')];
  };

  /** The problems of a Client, and the answers that it gets. */
  const observe = async (spec: unknown): Promise<unknown> => {
    const problems = Client.validate?.(spec, { now: NOW, find: () => [], name: 'app' });
    const object = { kind: Client.id, namespace: 'default', name: 'app', labels: {}, spec, revision: '1' };
    const table = atOnce(
      clientsModule.compile(new LiveObjects(kindRegistry([Client]), [object]), { get: () => undefined } as never),
    );
    now = NOW;
    gate = decisionGate({
      table: () => table,
      clock: () => now,
      userOf: async () => undefined,
      authorize: () => {},
      keepRead: async () => {},
      openAnswers: new OpenAnswers(),
    });
    const answers: unknown[] = [problems];
    const note = async (answer: Promise<unknown>): Promise<void> => void answers.push(await answer);
    for (const subject of tokens) {
      const headers: Record<string, string> = subject === undefined ? {} : { 'x-subject-token': subject };
      for (const path of Object.keys(ASKED)) {
        now = now.add({ seconds: 10 });
        await note(ask(path, KEYS.one, headers));
      }
    }
    now = now.add({ seconds: 10 });
    await note(ask('/v1/prices', KEYS.two));
    await note(ask('/v1/prices', KEYS.one, { origin: 'https://app.example.com' }));
    for (const seconds of [10, 1]) {
      now = now.add({ seconds });
      for (let count = 0; count < 6; count += 1) await note(ask('/v1/prices', KEYS.one));
    }
    return answers;
  };
  const keys: ClientSpec['keys'] = [{ name: 'a', hash: hashOf(KEYS.one), notAfter: '2026-06-01T00:00:00Z' }];
  const signed = { issuer: 'iss', audience: 'aud', publicKeys: [first.jwk] };
  const origins = ['https://app.example.com'];
  const bases: readonly object[] = [
    { type: 'publishable', keys, subjectTokens: signed, origins, anonymous: false },
    { type: 'publishable', keys, endpoints: ['/v1/prices'], anonymous: true },
    { type: 'server', keys, rate: { perSecond: 2, burst: 4 } },
    { type: 'partner', keys },
  ];
  const without = await fieldsWithoutEffect({
    kind: Client,
    bases,
    informational: ['keys[].name'],
    values: {
      'keys[].hash': [hashOf(KEYS.two)],
      'keys[].notAfter': ['2026-04-01T00:00:00Z'],
      'endpoints[]': ['/v1/check'],
      'origins[]': ['https://other.example.com'],
      'subjectTokens.publicKeys[]': [second.jwk],
    },
    observe,
  });
  assert.deepEqual(without, []);
});

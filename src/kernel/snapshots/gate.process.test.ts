import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import type { ClientSpec } from '#kernel/access/kinds/client.ts';
import { openLog } from '#kernel/base/log.ts';
import { send } from '#kernel/http/exchange.ts';
import { httpMetrics, openRegistry } from '#kernel/http/metrics.ts';
import { serveHttp } from '#kernel/http/server.ts';
import type { User } from '#kernel/api/authority.ts';
import type { ClientTable } from './client-table.ts';
import { decisionGate, type RecordRead } from './gate.ts';
import { OpenAnswers } from './open-answers.ts';
import type { Asking } from './module.ts';

const CLIENTS: Readonly<Record<string, ClientSpec['type']>> = { bk_app: 'publishable', bk_backend: 'server' };
const STRANGERS_MAX = 3;

/** A server whose every question is let through or not by the gate; gives its port and the reads that were put on record. */
async function startGate(t: TestContext, asking: Asking, user?: User) {
  const table: ClientTable = {
    byKeyHash: new Map(
      Object.entries(CLIENTS).map(([key, type]) => {
        const client = { name: key, revision: '1', spec: { title: key, type, keys: [] } };
        return [hash('sha256', key, 'hex'), { client, notAfterMs: Infinity }] as const;
      }),
    ),
    origins: new Set(),
  };
  const reads: RecordRead[] = [];
  const gate = decisionGate({
    table: () => table,
    clock: () => Temporal.Instant.from('2026-11-29T12:00:00Z'),
    userOf: async () => user,
    authorize: () => {},
    keepRead: async (read) => void reads.push(read),
    openAnswers: new OpenAnswers(),
  });
  const made = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec', algorithm: 'sha256' });
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    tls: { key: made.private, cert: made.cert },
    handle: async (exchange) => {
      await gate.admit(exchange, asking, { listener: 'l1' });
      send(exchange, 200, 'ok');
    },
    log: openLog('silent'),
    metrics: httpMetrics(openRegistry()),
    limits: { unprovenPerAddressMax: STRANGERS_MAX },
  });
  t.after(server.close);
  return { port: server.port, reads };
}

test('the key of a publishable client, which everybody can copy, makes nobody less of a stranger', async (t) => {
  const { port } = await startGate(t, { path: '/v1/plans', access: 'catalogue', isAboutNobody: true });
  const open = async (key: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\n\r\n`);
    return new Promise((done) => {
      socket.once('data', (chunk: Buffer) => done(chunk.toString().slice(9, 12)));
      socket.once('close', () => done('closed'));
    });
  };
  for (let count = 0; count < 2 * STRANGERS_MAX; count += 1) assert.equal(await open('bk_backend'), '200');
  const answers: string[] = [];
  for (let count = 0; count < STRANGERS_MAX + 2; count += 1) answers.push(await open('bk_app'));
  assert.deepEqual(answers, [...Array<string>(STRANGERS_MAX).fill('200'), 'closed', 'closed']);
});

test('reads of listeners by a user are bounded by the day, and counted for an administrator and a server', async (t) => {
  const asking: Asking = {
    path: '/v1/subjects',
    access: 'records',
    subjectInputs: ['listener'],
    recordOf: { input: 'listener', path: '/v1/subjects' },
  };
  for (const [groups, authorization, isBounded] of [
    [[], 'Bearer of-ann', true],
    [['system:masters'], 'Bearer of-ann', false],
    [[], 'Bearer bk_backend', false],
  ] as const) {
    const { port, reads } = await startGate(t, asking, { name: 'ann', groups });
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization } });
    assert.equal(answer.status, 200, await answer.text());
    assert.deepEqual(
      reads.map((read) => read.isBounded),
      [isBounded],
    );
  }
});

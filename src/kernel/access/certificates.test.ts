import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Refusal } from '#kernel/base/failures.ts';
import { openLog } from '#kernel/base/log.ts';
import { keepCertificate, serverIdentity } from './certificates.ts';

const NOW = Temporal.Instant.from('2026-06-01T00:00:00Z');

async function installation(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'backline-pki-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const start = () => serverIdentity(folder, ['localhost', '127.0.0.1'], NOW);
  return { file: (name: string) => join(folder, name), start, first: await start() };
}

test('the next start uses the same authority and the same certificate', async (t) => {
  const { start, first } = await installation(t);
  assert.deepEqual(await start(), first);
});

for (const name of ['server.crt', 'server.key']) {
  test(`a ${name} that is torn or missing is created again, by the same authority`, async (t) => {
    const { file, start, first } = await installation(t);
    await truncate(file(name), 60);
    const second = await start();
    assert.equal(second.ca, first.ca);
    assert.notEqual(second.cert, first.cert);
    await rm(file(name));
    assert.equal((await start()).ca, first.ca);
  });
}

for (const name of ['ca.crt', 'ca.key']) {
  test(`a ${name} that is torn or missing is named, and no other authority takes its place`, async (t) => {
    const { file, start } = await installation(t);
    const refusal = (error: unknown): boolean =>
      error instanceof Refusal && error.code === 'access/bad-authority' && error.message.includes(file(name));
    await truncate(file(name), 60);
    await assert.rejects(start, refusal);
    await rm(file(name));
    await assert.rejects(start, refusal);
  });
}

test('an interrupted first start begins again', async (t) => {
  const { file, start } = await installation(t);
  for (const name of ['ca.crt', 'server.crt', 'server.key']) await rm(file(name));
  await start();
  assert.match(await readFile(file('ca.crt'), 'utf8'), /BEGIN CERTIFICATE/);
});

const DAY_MS = 86_400_000;

test('a certificate is renewed a month before it ends, also in a running process', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'backline-pki-'));
  t.after(() => rm(directory, { recursive: true }));
  let nowMs = Date.UTC(2026, 10, 29);
  let asked: ReturnType<typeof serverIdentity> | undefined;
  const identity = () =>
    (asked = serverIdentity(directory, ['a.example'], Temporal.Instant.fromEpochMilliseconds(nowMs)));
  const first = await identity();
  const renewed: string[] = [];
  let due: () => void = () => assert.fail('nothing waits');
  const kept = keepCertificate({
    first,
    identity,
    onRenewal: ({ ca, cert }) => {
      assert.equal(ca, first.ca);
      renewed.push(cert);
    },
    time: {
      after: (ms, call) => {
        assert.equal(ms, DAY_MS);
        due = call;
        return () => (due = () => {});
      },
    },
    log: openLog('silent'),
  });
  const daysLeft = () => Math.floor((kept.endsAtMs() - nowMs) / DAY_MS);
  const nextDay = async (days = 1) => {
    nowMs += days * DAY_MS;
    due();
    await asked;
    await Promise.resolve();
  };
  assert.equal(daysLeft(), 397);
  await nextDay();
  await nextDay(365);
  assert.deepEqual([renewed.length, daysLeft()], [0, 31]);
  await nextDay();
  assert.deepEqual([renewed.length, daysLeft()], [1, 397]);
  assert.ok(new X509Certificate(renewed[0] ?? '').checkIssued(new X509Certificate(first.ca)));
  kept.stop();
  asked = undefined;
  await nextDay(400);
  assert.equal(asked, undefined, 'the timer has stopped');
});

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Secret } from '#kernel/access/kinds/secret.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { openLog } from '#kernel/base/log.ts';
import { parseAllowedHosts } from '#kernel/outbound/address-policy.ts';
import { openOutbound } from '#kernel/outbound/outbound.ts';
import { localOutbound } from '#kernel/outbound/testing/local-outbound.ts';
import { openStore } from '#kernel/store/open-store.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Store } from '#kernel/store/contract.ts';
import { decideWith } from '#kernel/store/rules/write.ts';
import { startDatabase } from '#tests/support/database.ts';
import { Notification, type NotificationSpec, type NotificationStatus } from '../kinds/notification.ts';
import { Release } from '../kinds/release.ts';
import { runNotifications } from './run-notifications.ts';

const outbound = localOutbound();

const START = Temporal.Instant.from('2026-05-01T12:00:00Z');
const AUTHOR = { user: 'test', requestId: 'test' };
const SECRET = 'T0p/S3cret value';
const METRICS = { depth: () => {}, observeRun: () => {}, countRetry: () => {} };

interface ReceivedMessage {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

type Reply = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

/** A receiver of notifications that answers as a test says. */
async function startReceiver(
  t: TestContext,
  reply: (received: ReceivedMessage, count: number) => Reply = () => ({ status: 200 }),
) {
  const received: ReceivedMessage[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      const one = { path: request.url ?? '', headers: request.headers, body };
      received.push(one);
      const { status, headers = {}, body: answer = 'ok' } = reply(one, received.length);
      response.writeHead(status, headers).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

/** A store, a clock that a test moves, and the loop that tells. */
async function startTelling(t: TestContext, through = outbound) {
  const kinds = kindRegistry([Namespace, Secret, Release, Notification]);
  const db = await startDatabase();
  const time = new VirtualTime();
  const clock = () => START.add({ milliseconds: time.nowMs() });
  const real = await openStore<Operation>({
    database: db.database,
    kinds: kinds.all,
    decide: decideWith(kinds),
    sealing: { seal: (_place, text) => text, open: (_place, sealed) => sealed },
    clock,
  });
  let refuseWrites = false;
  const store: Store<Operation> = {
    ...real,
    write: (operations, author, options) =>
      refuseWrites ? Promise.reject(new Error('the process is gone')) : real.write(operations, author, options),
  };
  const logLines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(line) });
  const start = () =>
    runNotifications({
      store,
      outbound: through,
      clock,
      time,
      random: () => 1,
      log,
      metrics: METRICS,
      linkTo: (name) => `https://b/${name}`,
    });
  let running = start();
  t.after(async () => {
    await running.stop();
    await real.close();
    await db[Symbol.asyncDispose]();
  });
  const put = (operation: Operation) => real.write([operation], AUTHOR);
  return {
    time,
    logLines,
    store: real,
    lose: (lost: boolean) => {
      refuseWrites = lost;
    },
    restart: async () => {
      await running.stop();
      running = start();
    },
    secret: async (text: string) => {
      const object = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's', namespace: 'ops' },
        stringData: { key: text },
      };
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ops' } };
      await put({ verb: 'apply', kind: Namespace.id, namespace: '', name: 'ops', object: namespace, uid: 'n' });
      await put({ verb: 'apply', kind: Secret.id, namespace: 'ops', name: 's', object, uid: 's' });
    },
    /** As the engine does: the name ends with the millisecond. */
    tell: async (spec: Partial<NotificationSpec> & Pick<NotificationSpec, 'channel'>) => {
      const { release = 'cap-1', event = 'rolledBack' } = spec;
      const name = `${release}-${event.toLowerCase()}-0-${clock().epochMilliseconds.toString(36)}`;
      const whole = {
        release,
        event,
        phase: 'RolledBack',
        message: 'Denials 3× <those>',
        at: clock().toString(),
        ...spec,
      };
      const object = { apiVersion: Notification.apiVersion, kind: Notification.kind, metadata: { name }, spec: whole };
      await put({ verb: 'apply', kind: Notification.id, namespace: '', name, object, uid: crypto.randomUUID() });
      time.advance(1);
      return name;
    },
    statusOf: (name: string): NotificationStatus | undefined =>
      real.get(Notification, '', name)?.object().status as NotificationStatus | undefined,
  };
}

async function until(look: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!look()) {
    assert.ok(performance.now() < endMs, 'waited too long');
    await new Promise(setImmediate);
  }
}

/** Long enough for anything that would be sent to arrive. */
async function nothingMore(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
}

function channelOf(url: string, more: Partial<NotificationSpec['channel']> = {}): NotificationSpec['channel'] {
  return { type: 'webhook', url, on: ['rolledBack'], ...more };
}

const KEY = { namespace: 'ops', name: 's', key: 'key' };

test('a webhook arrives once, whole, and signed so that its receiver can tell who sent it and when', async (t) => {
  const { url, received } = await startReceiver(t);
  const telling = await startTelling(t);
  await telling.secret(SECRET);
  const name = await telling.tell({ channel: channelOf(url, { secret: KEY }) });
  await until(() => telling.statusOf(name)?.deliveredAt !== undefined);
  await nothingMore();
  assert.equal(received.length, 1);
  const [first] = received;
  assert.ok(first);
  const { headers, body } = first;
  assert.deepEqual(JSON.parse(body), {
    id: name,
    type: 'release.rolledBack',
    release: 'cap-1',
    phase: 'RolledBack',
    message: 'Denials 3× <those>',
    at: START.toString(),
    link: 'https://b/cap-1',
  });
  assert.equal(headers['webhook-id'], name);
  const seconds = String(START.epochMilliseconds / 1_000);
  assert.equal(headers['webhook-timestamp'], seconds);
  const mac = createHmac('sha256', SECRET).update(`${name}.${seconds}.${body}`).digest('base64');
  assert.equal(headers['webhook-signature'], `v1,${mac}`);
  assert.equal(headers['idempotency-key'], name);
  assert.deepEqual(telling.statusOf(name), { attempts: 1, deliveredAt: START.add({ milliseconds: 1 }).toString() });
});

test('Slack gets blocks that its own characters cannot break, at the address that the Secret holds', async (t) => {
  const { url, received } = await startReceiver(t);
  const telling = await startTelling(t);
  await telling.secret(`${url}/services/T/B/x\n`);
  await telling.tell({ channel: { type: 'slack', secret: KEY, on: ['rolledBack'] } });
  await until(() => received.length === 1);
  assert.equal(received[0]?.path, '/services/T/B/x');
  const { text, blocks } = JSON.parse(received[0]?.body ?? '');
  assert.equal(text, 'Release cap-1 was rolled back');
  assert.deepEqual(blocks[1], { type: 'section', text: { type: 'mrkdwn', text: 'Denials 3× &lt;those&gt;' } });
});

test('PagerDuty is called for what somebody has to look at, and called off once it goes on', async (t) => {
  const { url, received } = await startReceiver(t, () => ({ status: 202 }));
  const telling = await startTelling(t);
  await telling.secret('routing-key');
  const channel = channelOf(url, { type: 'pagerduty', secret: KEY });
  for (const event of ['approvalNeeded', 'paused', 'stage', 'failed', 'promoted'])
    await telling.tell({ event, channel });
  await until(() => received.length === 5);
  const bodies = received.map(({ body }) => JSON.parse(body));
  assert.deepEqual(
    bodies.map(({ event_action, payload }) => [event_action, payload?.severity]),
    [
      ['trigger', 'info'],
      ['trigger', 'warning'],
      ['resolve', undefined],
      ['trigger', 'error'],
      ['resolve', undefined],
    ],
  );
  for (const body of bodies) assert.deepEqual([body.routing_key, body.dedup_key], ['routing-key', 'cap-1']);
});

test('a notification that was sent and could not be noted is sent again under the same key', async (t) => {
  const { url, received } = await startReceiver(t);
  const telling = await startTelling(t);
  telling.lose(true);
  const name = await telling.tell({ channel: channelOf(url) });
  await until(() => received.length === 1);
  await telling.restart();
  telling.lose(false);
  await telling.restart();
  await until(() => telling.statusOf(name)?.deliveredAt !== undefined);
  assert.ok(received.length >= 2);
  assert.deepEqual(new Set(received.map(({ headers }) => headers['idempotency-key'])), new Set([name]));
});

test('one release tells one channel in order, whatever fails, and nobody else waits for it', async (t) => {
  const { url, received } = await startReceiver(t, ({ body }, count) => ({
    status: body.includes('cap-1') && count < 6 ? 500 : 200,
  }));
  const telling = await startTelling(t);
  const channel = channelOf(url);
  const first = await telling.tell({ event: 'started', channel });
  await until(() => telling.statusOf(first)?.attempts === 1);
  for (const event of ['stage', 'promoted']) await telling.tell({ event, channel });
  const other = await telling.tell({ release: 'price-2', channel });
  await until(() => telling.statusOf(other)?.deliveredAt !== undefined);
  assert.equal(telling.statusOf(first)?.deliveredAt, undefined);
  await telling.restart();
  for (let attempt = 2; telling.statusOf(first)?.deliveredAt === undefined; attempt += 1) {
    telling.time.advance(600_000);
    await until(() => (telling.statusOf(first)?.attempts ?? 0) >= attempt);
  }
  await until(() => received.at(-1)?.body.includes('release.promoted') === true);
  const types = received.filter(({ body }) => body.includes('cap-1')).map(({ body }) => JSON.parse(body).type);
  const attempts = telling.statusOf(first)?.attempts ?? 0;
  assert.deepEqual(types, [...Array(attempts).fill('release.started'), 'release.stage', 'release.promoted']);
});

test('a receiver that asks for patience gets it', async (t) => {
  const { url, received } = await startReceiver(t, (_, count) =>
    count === 1 ? { status: 429, headers: { 'retry-after': '120' } } : { status: 200 },
  );
  const telling = await startTelling(t);
  const name = await telling.tell({ channel: channelOf(url) });
  await until(() => telling.statusOf(name)?.attempts === 1);
  assert.equal(telling.statusOf(name)?.problem, 'Not taken: it answered 429.');
  telling.time.advance(119_000);
  await nothingMore();
  assert.equal(received.length, 1);
  telling.time.advance(2_000);
  await until(() => telling.statusOf(name)?.deliveredAt !== undefined);
  assert.deepEqual(telling.statusOf(name)?.problem, undefined);
});

test('no secret is in a status or in the log, whatever a receiver answers', async (t) => {
  const { url } = await startReceiver(t, ({ path, body }) => ({ status: 404, body: `cannot POST ${path} ${body}` }));
  const telling = await startTelling(t);
  const names: string[] = [];
  for (const [type, text] of [
    ['slack', `${url}/services/T/B/topsecret`],
    ['slack', 'http://127.0.0.1:1/services/topsecret'],
    ['slack', 'topsecret, which is no address'],
    ['pagerduty', 'topsecret'],
    ['webhook', 'topsecret'],
  ] as const) {
    await telling.secret(text);
    const channel = channelOf(url, { type, secret: KEY, ...(type === 'slack' ? { url: 'https://x.invalid' } : {}) });
    const name = await telling.tell({ release: `r${names.length}`, channel });
    names.push(name);
    await until(() => telling.statusOf(name)?.problem !== undefined);
  }
  assert.ok(telling.logLines.length >= names.length);
  const shown = [
    ...telling.logLines,
    ...names.map((name) => JSON.stringify(telling.store.get(Notification, '', name)?.object())),
  ];
  for (const text of shown) assert.ok(!text.includes('topsecret'), text);
  assert.deepEqual(
    names.map((name) => telling.statusOf(name)?.problem),
    [
      'Not taken: it answered 404.',
      'Not taken: it cannot be reached (ECONNREFUSED).',
      'Not taken: its address is not one of HTTP.',
      'Not taken: it answered 404.',
      'Not taken: it answered 404.',
    ],
  );
});

test('a missing Secret is reported, and its notification goes when it is', async (t) => {
  const { url, received } = await startReceiver(t);
  const telling = await startTelling(t);
  const name = await telling.tell({ channel: channelOf(url, { secret: KEY }) });
  await until(() => telling.statusOf(name)?.attempts === 1);
  assert.equal(telling.statusOf(name)?.problem, 'Not sent: there is no Secret "ops/s" with the key "key".');
  await telling.secret(SECRET);
  telling.time.advance(2_000);
  await until(() => received.length === 1);
});

test('a host that objects may not reach is given up at once, and the channel goes on with what comes next', async (t) => {
  const { url, received } = await startReceiver(t);
  const closed = openOutbound({ allowed: parseAllowedHosts([]), log: openLog('silent'), registry: new Registry() });
  const telling = await startTelling(t, closed);
  const names = [await telling.tell({ channel: channelOf(url) }), await telling.tell({ channel: channelOf(url) })];
  await until(() => names.every((name) => telling.statusOf(name)?.givenUpAt !== undefined));
  assert.match(telling.statusOf(names[0] ?? '')?.problem ?? '', /^Given up: Not taken: .*--allow-outbound\.$/);
  await telling.restart();
  telling.time.advance(3_600_000);
  await nothingMore();
  assert.deepEqual([names.map((name) => telling.statusOf(name)?.attempts), received.length], [[1, 1], 0]);
});

test('redirects are not followed', async (t) => {
  const { url: elsewhere, received } = await startReceiver(t);
  const { url } = await startReceiver(t, () => ({ status: 307, headers: { location: elsewhere } }));
  const telling = await startTelling(t);
  const name = await telling.tell({ channel: channelOf(url) });
  await until(() => telling.statusOf(name)?.attempts === 1);
  assert.equal(telling.statusOf(name)?.problem, 'Not taken: it answered 307; redirects are not followed.');
  assert.equal(received.length, 0);
});

test('a notification that nobody takes for a day is given up and says so; delivered ones are gone after a week, the rest after a month', async (t) => {
  const { url, received } = await startReceiver(t, ({ body }) => ({ status: body.includes('cap-1') ? 503 : 200 }));
  const telling = await startTelling(t);
  const lost = await telling.tell({ channel: channelOf(url) });
  const fine = await telling.tell({ release: 'other', channel: channelOf(url) });
  await until(() => telling.statusOf(lost)?.attempts === 1 && telling.statusOf(fine)?.deliveredAt !== undefined);
  const days = (count: number) => telling.time.advance(count * 24 * 3_600_000);
  days(1);
  await until(() => telling.statusOf(lost)?.nextAt === undefined);
  assert.equal(telling.statusOf(lost)?.problem, 'Given up: Not taken: it answered 503.');
  const count = received.length;
  days(5.9);
  await nothingMore();
  assert.equal(received.length, count);
  assert.notEqual(telling.statusOf(fine), undefined);
  days(0.2);
  await until(() => telling.statusOf(fine) === undefined);
  assert.notEqual(telling.statusOf(lost), undefined);
  days(23);
  await until(() => telling.statusOf(lost) === undefined);
});

test('a receiver that does not answer has few messages on their way to it, and holds up no other', async (t) => {
  let sending = 0;
  let most = 0;
  const held: (() => void)[] = [];
  let quick = 0;
  const silent = createServer((request, response) => {
    if (request.url === '/quick') {
      quick += 1;
      request.resume();
      return void response.writeHead(200).end();
    }
    sending += 1;
    most = Math.max(most, sending);
    request.resume();
    held.push(() => {
      sending -= 1;
      response.writeHead(200).end();
    });
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const { url, received } = await startReceiver(t);
  const telling = await startTelling(t);
  const silentUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const releases = Array.from({ length: 60 }, (_, number) => `cap-${number}`);
  const names: string[] = [];
  for (const release of releases) {
    names.push(await telling.tell({ release, channel: channelOf(`${silentUrl}/hook?${release}`) }));
    await telling.tell({ release, channel: channelOf(url), event: 'promoted' });
    await telling.tell({ release, channel: channelOf(`${silentUrl}/quick`), event: 'promoted' });
  }
  await until(() => received.length === releases.length);
  // Another path of the same host is another receiver.
  await until(() => quick === releases.length);
  assert.equal(most, 4, 'places of one receiver');
  // When it answers, all that waited for a place comes.
  let answered = 0;
  while (answered < releases.length) {
    await until(() => held.length > 0);
    for (const answer of held.splice(0)) {
      answered += 1;
      answer();
    }
  }
  await until(() => names.every((name) => telling.statusOf(name)?.deliveredAt !== undefined));
  assert.equal(most, 4, 'places of one receiver');
});

test('a message to Slack is cut between characters, never inside an escape', async (t) => {
  const { url, received } = await startReceiver(t);
  const telling = await startTelling(t);
  await telling.tell({ channel: channelOf(url, { type: 'slack' }), message: `x${'<&>'.repeat(1_200)}` });
  await until(() => received.length === 1);
  const { blocks } = JSON.parse(received[0]?.body ?? '') as { blocks: { text?: { text: string } }[] };
  const text = blocks[1]?.text?.text ?? '';
  assert.ok(text.length > 2_800 && text.length <= 2_900, String(text.length));
  assert.match(text, /^x(&lt;|&amp;|&gt;)+$/);
});

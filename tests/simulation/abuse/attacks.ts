import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { caller, type Call } from '../../support/backline.ts';
import { MEMBERS_MAX } from '#kernel/kinds/schema/weight.ts';
import { attribute, audience, flag, when } from '../../support/flags.ts';

/** People with their tokens, as an installation under attack has them. */
const TOKENS = {
  /** No binding at all. */
  nobody: 'nobody-token-0123456789',
  /** `edit` in the namespace `default`. */
  editor: 'editor-token-0123456789',
  /** Posts Queries. */
  analyst: 'analyst-token-0123456789',
} as const;

export const TOKEN_FILE = Object.entries(TOKENS)
  .map(([name, token]) => `${token},${name},${name}-uid`)
  .join('\n');

/** The server to attack, and the administrator's token for objects that are declared before. */
export interface AttackTarget {
  readonly url: string;
  readonly adminToken: string;
}

interface Attack {
  readonly name: string;
  /** Declares or reads the objects that the attack uses. */
  readonly prepare?: (call: Call) => Promise<void>;
  /** Goes on until the signal. Whatever the server answers is fine. */
  readonly play: (hands: Hands, signal: AbortSignal) => Promise<void>;
}

/** Means of an attack. */
interface Hands {
  readonly adminToken: string;
  /** Sends a request and gives its status; 0 when the connection broke. */
  readonly send: (method: string, path: string, options: SendOptions) => Promise<number>;
  /** A connection that has sent some bytes and reads nothing. */
  readonly deaf: (bytes: string | Buffer) => Promise<Socket>;
}

interface SendOptions {
  readonly token?: string;
  readonly body?: string | Buffer;
  readonly type?: string;
  /** Hangs up after so many milliseconds without having read the answer. */
  readonly hangUpMs?: number;
}

const MAPS = '/api/v1/namespaces/default/configmaps';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const FLAGS = '/apis/experience.backline.dev/v1/namespaces/default/flags';
const QUERIES = '/apis/events.backline.dev/v1/queries';
const CHANGE_SETS = '/apis/releases.backline.dev/v1/changesets';
const FREEZES = '/apis/releases.backline.dev/v1/freezes';

/** Declares the users and roles of all attackers, once. */
export async function prepareInstallation({ url, adminToken }: AttackTarget): Promise<void> {
  const call = caller({ server: url, token: adminToken });
  const bind = (kind: string, path: string, name: string, role: string, user: string) =>
    createIfAbsent(call, `${RBAC}/${path}`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind,
      metadata: { name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
    });
  await bind('RoleBinding', 'namespaces/default/rolebindings', 'editor', 'edit', 'editor');
  await createIfAbsent(call, `${RBAC}/clusterroles`, {
    metadata: { name: 'analyst' },
    rules: [{ apiGroups: ['events.backline.dev'], resources: ['queries'], verbs: ['create'] }],
  });
  await bind('ClusterRoleBinding', 'clusterrolebindings', 'analyst', 'analyst', 'analyst');
  await bind('ClusterRoleBinding', 'clusterrolebindings', 'editor-events', 'event-writer', 'editor');
  await createIfAbsent(call, FLAGS, flag('plain'));
  // It is compiled a moment later.
  for (let tries = 0; tries < 100; tries += 1) {
    const body = { context: { targetingKey: 'listener' } };
    if ((await call('POST', '/ofrep/v1/evaluate/flags/plain', { body })).status === 200) return;
    await wait(50);
  }
  throw new Error('the flag is not answered');
}

async function createIfAbsent(call: Call, path: string, body: object): Promise<void> {
  const { status, text } = await call('POST', path, { body });
  if (status !== 201 && status !== 409) throw new Error(`POST ${path} answered ${status}: ${text.slice(0, 500)}`);
}

export const ATTACKS: readonly Attack[] = [
  {
    name: 'patterns',
    prepare: async (call) => {
      // The largest expressions that are allowed, on texts on which RE2 in JavaScript is slowest.
      const conditions = Array.from({ length: 10 }, (_, index) => ({
        attribute: 'note',
        matches: `(a|b)*a(a|b){${30 - index}}$`,
        not: true,
      }));
      for (const object of [
        attribute('note', { type: 'string', description: 'x' }),
        audience('slow', ...conditions),
        flag('slow', { rules: [{ name: 'slow', when: when({ audience: 'slow' }), serve: 'b' }] }),
      ]) {
        const { kind } = object as { kind: string };
        const group = kind === 'Flag' ? 'experience' : 'audiences';
        const path = `/apis/${group}.backline.dev/v1/namespaces/default/${kind.toLowerCase()}s`;
        await createIfAbsent(call, path, object);
      }
    },
    play: each(4, async ({ send }) => {
      const note = Array.from({ length: 500 }, () => 'ab'[Math.floor(Math.random() * 2)]).join('');
      const body = JSON.stringify({ context: { targetingKey: 'u', note } });
      await send('POST', '/ofrep/v1/evaluate/flags', { body });
    }),
  },
  {
    name: 'pipelined lists that nobody reads',
    prepare: largeMaps,
    play: deafConnections(20, () => get(MAPS, TOKENS.editor).repeat(60)),
  },
  {
    name: 'pipelined metrics that nobody reads',
    play: deafConnections(20, () => get('/metrics').repeat(60)),
  },
  {
    name: 'watches that nobody reads',
    prepare: largeMaps,
    play: deafConnections(100, () => get(`${MAPS}?watch=true`, TOKENS.editor)),
  },
  {
    name: 'patches that move large maps',
    prepare: (call) =>
      createIfAbsent(call, MAPS, {
        metadata: { name: 'many' },
        data: largestMap(),
      }),
    play: each(2, async ({ send }) => {
      const moves = [
        { op: 'move', from: '/data', path: '/x' },
        { op: 'move', from: '/x', path: '/data' },
      ];
      // The first goes as far as it may, the last has more operations than a patch has.
      for (const times of [1, 1_000, 10_000]) {
        await send('PATCH', `${MAPS}/many?dryRun=All`, {
          token: TOKENS.editor,
          body: JSON.stringify(Array.from({ length: times }, () => moves).flat()),
          type: 'application/json-patch+json',
        });
      }
    }),
  },
  {
    name: 'large bodies of questions',
    play: each(4, ({ send }) => {
      const body = Buffer.from(`{"spec":{"x":"${'y'.repeat(4 * 1024 * 1024)}"}}`);
      return send('POST', REVIEWS, { token: TOKENS.nobody, body });
    }),
  },
  {
    name: 'objects that are hard to read',
    play: each(4, async ({ send }) => {
      const dense = `{"metadata":{"name":"d"},"data":{"a":[${'{"k":1},'.repeat(350_000).slice(0, -1)}]}}`;
      await send('POST', `${MAPS}?dryRun=All`, { token: TOKENS.editor, body: dense });
      const yaml = '---\n'.repeat(4_000);
      await send('POST', `${MAPS}?dryRun=All`, { token: TOKENS.editor, body: yaml, type: 'application/yaml' });
      const largest = JSON.stringify({ metadata: { name: 'd' }, data: largestMap(), binaryData: largestMap() });
      await send('POST', `${MAPS}?dryRun=All`, { token: TOKENS.editor, body: largest });
    }),
  },
  {
    name: 'change sets that are hard to read',
    play: each(4, async ({ send }) => {
      const item = `{"k":[${'{"k":1},'.repeat(18).slice(0, -1)}]}`;
      const spec = (items: number) => `{"spec":{"objects":[${`${item},`.repeat(items).slice(0, -1)}]}}`;
      await send('POST', `${CHANGE_SETS}?dryRun=All`, { token: TOKENS.nobody, body: spec(50_000) });
      await send('POST', `${CHANGE_SETS}?dryRun=All`, { token: TOKENS.editor, body: spec(10_000) });
      const objects = Array.from({ length: 2_000 }, (_, index) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `m${index}` },
        data: { a: 'b' },
      }));
      const body = JSON.stringify({ spec: { objects } });
      await send('POST', `${CHANGE_SETS}?dryRun=All`, { token: TOKENS.editor, body });
    }),
  },
  {
    name: 'writes that are refused',
    play: each(16, ({ send }) =>
      send('POST', FLAGS, { token: TOKENS.nobody, body: JSON.stringify(flag(`f${Math.random()}`)) }),
    ),
  },
  {
    name: 'events that no type accepts',
    play: each(4, ({ send }) => {
      const events = Array.from({ length: 1_000 }, (_, index) => ({
        id: `${Math.random()}-${index}`,
        type: 'no-such-type',
        time: '2026-01-01T00:00:00Z',
        properties: { text: 'x'.repeat(1_000) },
      }));
      return send('POST', '/v1/events', {
        token: TOKENS.editor,
        body: JSON.stringify({ events }),
        type: 'application/json',
      });
    }),
  },
  {
    name: 'queries whose asker hangs up',
    play: each(18, ({ send }) => {
      const spec = { sql: 'select count(*) from range(1000000000000)', timeoutSeconds: 60 };
      const body = JSON.stringify({ apiVersion: 'events.backline.dev/v1', kind: 'Query', spec });
      return send('POST', QUERIES, { token: TOKENS.analyst, body, hangUpMs: 200 });
    }),
  },
  {
    name: 'half of a TLS handshake',
    play: deafConnections(300, () => Buffer.from([0x16, 0x03, 0x01])),
  },
  {
    name: 'event streams that nobody reads',
    play: deafConnections(300, () => get('/ofrep/v1/events')),
  },
  {
    name: 'names that cannot go live',
    play: each(4, ({ send }) => {
      const name = `${'a'.repeat(230)}${Math.floor(Math.random() * 1e6)}`;
      return send('POST', FLAGS, { token: TOKENS.editor, body: JSON.stringify(flag(name)) });
    }),
  },
  {
    name: 'schedules that take long',
    play: async (hands, signal) => {
      for (const rrule of [
        'FREQ=SECONDLY;INTERVAL=7;BYMONTH=2',
        'FREQ=MINUTELY;BYMONTH=12',
        'FREQ=HOURLY;BYMONTH=12',
      ]) {
        const spec = { timeZone: 'Europe/Stockholm', start: '2016-01-01T00:00', rrule, duration: 'PT1H' };
        const freeze = { metadata: { name: `f${rrule.length}` }, spec: { ...spec, reason: 'x', owner: 'x' } };
        await hands.send('POST', FREEZES, { token: hands.adminToken, body: JSON.stringify(freeze) });
      }
      // Changes are held against what was taken in.
      await each(2, ({ send }) =>
        send('POST', FLAGS, {
          token: TOKENS.editor,
          body: JSON.stringify(flag(`n${Math.floor(Math.random() * 1e9)}`)),
        }),
      )(hands, signal);
    },
  },
];

/** Some players who each do one thing after the other until the end. */
function each(players: number, act: (hands: Hands) => Promise<unknown>): Attack['play'] {
  return async (hands, signal) => {
    await Promise.all(
      Array.from({ length: players }, async () => {
        while (!signal.aborted) {
          await act(hands);
          // A pause lets other players of the process have their turn.
          await wait(1);
        }
      }),
    );
  };
}

/** Keeps some connections open that read nothing; what the server closes is opened again. */
function deafConnections(count: number, bytes: () => string | Buffer): Attack['play'] {
  return async ({ deaf }, signal) => {
    await Promise.all(
      Array.from({ length: count }, async () => {
        while (!signal.aborted) {
          const socket = await deaf(bytes());
          if (!socket.destroyed) await Promise.race([once(socket, 'close'), waitForAbort(signal)]);
          socket.destroy();
          await wait(10);
        }
      }),
    );
  };
}

async function waitForAbort(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}

function get(path: string, token?: string): string {
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`;
  return `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${authorization}\r\n`;
}

function largestMap(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: MEMBERS_MAX }, (_, index) => [`k${index}`, 'v']));
}

async function largeMaps(call: Call): Promise<void> {
  for (let index = 0; index < 13; index += 1) {
    await createIfAbsent(call, MAPS, { metadata: { name: `large-${index}` }, data: { text: 'x'.repeat(1_000_000) } });
  }
}

/** Plays one attack until the signal. */
export async function play(name: string, target: AttackTarget, signal: AbortSignal): Promise<void> {
  const attack = ATTACKS.find((one) => one.name === name);
  if (attack === undefined) throw new Error(`there is no attack ${name}`);
  await attack.play(handsOn(target), signal);
}

function handsOn({ url, adminToken }: AttackTarget): Hands {
  const { hostname, port } = new URL(url);
  return {
    adminToken,
    send: (method, path, { token, body, type, hangUpMs }) =>
      new Promise((done) => {
        const headers = {
          host: 'localhost',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined
            ? {}
            : { 'content-type': type ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
        };
        const outgoing = request({ hostname, port, method, path, headers }, (answer: IncomingMessage) => {
          answer.resume();
          answer.once('close', () => done(answer.statusCode ?? 0));
        });
        outgoing.on('error', () => done(0));
        if (hangUpMs !== undefined) setTimeout(() => outgoing.destroy(), hangUpMs);
        outgoing.end(body);
      }),
    deaf: async (bytes) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.pause();
      socket.write(bytes);
      await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {});
      return socket;
    },
  };
}

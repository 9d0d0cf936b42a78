import { randomBytes, timingSafeEqual } from 'node:crypto';
import { digest } from '#kernel/access/authentication/digest.ts';
import { readBody, send, type Exchange } from '#kernel/http/exchange.ts';
import type { Deadline } from '#kernel/http/request-limit.ts';
import type { Route } from '#kernel/http/router.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import { readText, send as request } from '#kernel/api/client/http.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Deliver, ForwardedAnswer, ForwardedWrite, WriterAddress } from '#kernel/store/forwarding.ts';
import type { SharedStore } from '#kernel/store/shared-store.ts';

/** Where a process takes the writes that others forward to it. */
const FORWARDED_WRITES_PATH = '/internal/v1/writes';

const FORWARDED_BYTES_MAX = 256 * 1024 * 1024;
const SECRET_BYTES = 32;
/** As long as a resource request may take that is forwarded. */
const DEADLINE: Deadline = { msDefault: 300_000, msMax: 300_000 };

/** An address that only those can use who can read the database. */
export function peerAddress(url: string, ca: string): WriterAddress {
  return { url, ca, secret: randomBytes(SECRET_BYTES).toString('base64url') };
}

export const deliver: Deliver<Operation> = async ({ url, ca, secret }, write, { signal, leftMs }) => {
  const answer = await request({ server: url, ca, token: secret }, 'POST', FORWARDED_WRITES_PATH, {
    body: JSON.stringify(write),
    headers: { 'x-request-timeout-ms': String(Math.ceil(leftMs)) },
    signal,
  });
  const text = await readText(answer);
  if (answer.statusCode !== 200) throw new Error(`the writer answered with status ${answer.statusCode}: ${text}`);
  return JSON.parse(text) as ForwardedAnswer;
};

/** The route that takes writes from other processes of this installation. */
export function forwardedWrites(own: WriterAddress, store: SharedStore<Operation>): Route<'peers'> {
  return {
    methods: ['POST'],
    path: FORWARDED_WRITES_PATH,
    by: 'peers',
    deadline: DEADLINE,
    handle: async (exchange, context) => {
      requirePeer(exchange, own);
      const write = JSON.parse((await readBody(exchange, FORWARDED_BYTES_MAX)).toString());
      const answer = await store.receive(write as ForwardedWrite<Operation>, context);
      send(exchange, 200, JSON.stringify(answer));
    },
  };
}

function requirePeer(exchange: Exchange, own: WriterAddress): void {
  const given = exchange.request.headers.authorization ?? '';
  if (!timingSafeEqual(digest(given), digest(`Bearer ${own.secret}`))) {
    throw accessRefusal('unauthorized', 'Only processes of this installation may do this.');
  }
}

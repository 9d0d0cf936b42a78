import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { Refusal, type Reason } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '../kind.ts';
import type { Batch, ResourceClient } from './contract.ts';

const LIMITS = {
  /** A server that has not begun to answer by then counts as away. */
  answerMsMax: 10_000,
  /** A watch on which nothing came for this long is dead: the server sends a bookmark at least every 30 s. */
  silenceMsMax: 75_000,
} as const;

/** Where a server is and how to be believed by it. */
export interface Connection {
  readonly server: string;
  /** PEM of the authority that signed the server's certificate; undefined trusts those of the system. */
  readonly ca?: string | undefined;
  readonly token?: string | undefined;
}

/** Sends one request; resolves when the answer's headers are there. */
export function send(
  connection: Connection,
  method: string,
  path: string,
  options: { readonly body?: string; readonly headers?: Record<string, string>; readonly signal?: AbortSignal } = {},
): Promise<IncomingMessage> {
  const url = new URL(path, connection.server);
  const { body, signal } = options;
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'https:' ? httpsRequest : httpRequest)(
      url,
      {
        method,
        headers: {
          accept: 'application/json',
          ...(connection.token === undefined ? {} : { authorization: `Bearer ${connection.token}` }),
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
          ...options.headers,
        },
        ...(connection.ca === undefined ? {} : { ca: connection.ca }),
        ...(signal === undefined ? {} : { signal }),
      },
      resolve,
    );
    outgoing.once('error', reject);
    outgoing.setTimeout(LIMITS.answerMsMax, () =>
      outgoing.destroy(new Error(`${url.host} did not answer in ${LIMITS.answerMsMax / 1000} s`)),
    );
    outgoing.end(body);
  });
}

export async function readText(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer) text += chunk;
  return text;
}

/** Reads resources from an API server elsewhere. */
export function httpClient(connection: Connection): ResourceClient {
  const pathOf = (kind: Kind) =>
    kind.group === '' ? `/api/${kind.version}/${kind.plural}` : `/apis/${kind.apiVersion}/${kind.plural}`;
  return {
    list: async (kind) => {
      const answer = await send(connection, 'GET', pathOf(kind));
      const text = await readText(answer);
      if (answer.statusCode !== 200) throw refusalOf(text, answer.statusCode);
      const list = JSON.parse(text) as { metadata: { resourceVersion: string }; items: ResourceObject[] };
      return { items: list.items, version: list.metadata.resourceVersion };
    },
    watch: async function* (kind, from, signal) {
      const query = new URLSearchParams({
        watch: 'true',
        resourceVersion: from,
        allowWatchBookmarks: 'true',
        batchBookmarks: 'true',
      });
      try {
        const answer = await send(connection, 'GET', `${pathOf(kind)}?${query.toString()}`, { signal });
        if (answer.statusCode !== 200) throw refusalOf(await readText(answer), answer.statusCode);
        answer.setTimeout(LIMITS.silenceMsMax, () => answer.destroy(new Error('the watch fell silent')));
        yield* batches(answer);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}

/** Collects events up to the bookmark that ends their batch. */
async function* batches(answer: IncomingMessage): AsyncIterable<Batch> {
  let changes: { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: ResourceObject }[] = [];
  for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
    const { type, object } = JSON.parse(line) as { type: string; object: ResourceObject };
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
      case 'DELETED':
        changes.push({ type, object });
        break;
      case 'BOOKMARK':
        yield { version: object.metadata.resourceVersion ?? '', changes };
        changes = [];
        break;
      default:
        throw refusalOf(JSON.stringify(object), undefined);
    }
  }
}

/** The refusal that a server's `Status` tells of. */
function refusalOf(text: string, status: number | undefined): Error {
  try {
    const { reason, message } = JSON.parse(text) as { reason?: Reason; message?: string };
    if (reason === 'Expired') return new Refusal('resources/expired', reason, message ?? 'expired');
    if (reason !== undefined) return new Refusal('resources/refused', reason, message ?? `status ${status}`);
  } catch {
    // Not a Status: whatever stands between us and the server answered.
  }
  return new Error(`the API server answered with status ${status ?? '?'}: ${text.slice(0, 200)}`);
}

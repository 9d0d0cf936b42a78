import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { Refusal } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { At, Batch, ResourceClient, SelectOptions } from './contract.ts';
import { placeOf } from './place.ts';
import { parseRefusal } from '../parse-refusal.ts';

const LIMITS = {
  /** A server that has not begun to answer by then counts as away. */
  answerMsMax: 10_000,
  /** A watch on which nothing came for this long is dead: the server sends a bookmark every 3 s. */
  silenceMsMax: 15_000,
} as const;

/** The address of a server, and the credential for it. */
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
  options: {
    readonly body?: string;
    readonly headers?: Record<string, string>;
    readonly signal?: AbortSignal;
    readonly answerMsMax?: number;
  } = {},
): Promise<IncomingMessage> {
  const url = new URL(path, connection.server);
  const { body, signal, answerMsMax = LIMITS.answerMsMax } = options;
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
    outgoing.setTimeout(answerMsMax, () =>
      outgoing.destroy(new Error(`${url.host} did not answer in ${answerMsMax / 1000} s`)),
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

/** Reads and writes resources of an API server elsewhere. */
export function httpClient(connection: Connection): ResourceClient {
  return {
    list: async (kind, selected = {}) => {
      const read = async (from: Record<string, string>): Promise<ListPage> => {
        const query = { stored: 'true', limit: String(PAGE_OBJECTS), ...selectors(selected), ...from };
        return (await ask('GET', `${collection(kind, selected.namespace)}${queryText(query)}`)) as ListPage;
      };
      const first = await read({});
      return { version: first.metadata.resourceVersion, pages: pagesFrom(first, (token) => read({ continue: token })) };
    },
    watch: async function* (kind, from, signal, selected = {}) {
      const query = queryText({
        watch: 'true',
        resourceVersion: from,
        allowWatchBookmarks: 'true',
        batchBookmarks: 'true',
        stored: 'true',
        ...selectors(selected),
      });
      try {
        const path = `${collection(kind, selected.namespace)}${query}`;
        const answer = await send(connection, 'GET', path, { signal });
        if (answer.statusCode !== 200) throw parseRefusal(await readText(answer), answer);
        answer.setTimeout(LIMITS.silenceMsMax, () => answer.destroy(new Error('the watch fell silent')));
        try {
          yield* batches(answer);
        } finally {
          // A caller that stops early leaves a stream whose errors nobody handles.
          answer.on('error', () => {});
          answer.destroy();
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    get: async (kind, at) => {
      try {
        return await askObject('GET', pathOf(kind, at));
      } catch (error) {
        if (error instanceof Refusal && error.code === 'resources/not-found') return undefined;
        throw error;
      }
    },
    create: async (kind, object) => {
      const { namespace } = placeOf(kind, object.metadata);
      return askObject('POST', `${collection(kind, namespace)}${STRICT}`, object);
    },
    update: async (kind, object, part = 'main') =>
      askObject('PUT', `${pathOf(kind, object.metadata)}${part === 'main' ? '' : `/${part}`}${STRICT}`, object),
    mergePatch: async (kind, at, patch) => askObject('PATCH', `${pathOf(kind, at)}${STRICT}`, patch),
    patchStatus: async (kind, at, status) => askObject('PATCH', `${pathOf(kind, at)}/status${STRICT}`, { status }),
    delete: async (kind, at, { uid, resourceVersion, propagation } = {}) => {
      const left = await ask('DELETE', pathOf(kind, at), {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid, resourceVersion },
        propagationPolicy: propagation,
      });
      const object = left as ResourceObject;
      return object.kind === 'Status' ? undefined : object;
    },
  };

  async function askObject(method: string, path: string, body?: object): Promise<ResourceObject> {
    return (await ask(method, path, body)) as ResourceObject;
  }

  async function ask(method: string, path: string, body?: object): Promise<unknown> {
    const headers: Record<string, string> =
      method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {};
    const answer = await send(connection, method, path, {
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await readText(answer);
    const { statusCode = 0 } = answer;
    if (statusCode < 200 || statusCode > 299) throw parseRefusal(text, answer);
    return JSON.parse(text);
  }
}

const STRICT = '?fieldValidation=Strict';
/** Objects of a page of a list: one of a kilobyte each is parsed in some 8 ms. */
const PAGE_OBJECTS = 2_000;

interface ListPage {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly ResourceObject[];
}

/** The pages of a list; the next one is read ahead. */
async function* pagesFrom(
  first: ListPage,
  readNext: (token: string) => Promise<ListPage>,
): AsyncIterable<readonly ResourceObject[]> {
  for (let page = first; ;) {
    const { continue: token = '' } = page.metadata;
    if (token === '') return yield page.items;
    const ahead = readNext(token);
    // A caller that stops early waits for none.
    ahead.catch(() => {});
    yield page.items;
    page = await ahead;
  }
}

function collection(kind: Kind, namespace: string | undefined): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.apiVersion}`;
  const scope = kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${kind.plural}`;
}

function pathOf(kind: Kind, at: At): string {
  const { namespace, name } = placeOf(kind, at);
  return `${collection(kind, namespace)}/${encodeURIComponent(name)}`;
}

function selectors({ labelSelector = '', fieldSelector = '' }: SelectOptions): Record<string, string> {
  return {
    ...(labelSelector === '' ? {} : { labelSelector }),
    ...(fieldSelector === '' ? {} : { fieldSelector }),
  };
}

function queryText(query: Record<string, string>): string {
  const text = new URLSearchParams(query).toString();
  return text === '' ? '' : `?${text}`;
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
        throw parseRefusal(JSON.stringify(object));
    }
  }
}

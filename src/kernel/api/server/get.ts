import type { Entry } from '#kernel/store/contract.ts';
import { notFoundRefusal } from '#kernel/store/rules/write.ts';
import { sendJson } from '../answer.ts';
import { historyOf } from '../past.ts';
import { answerEntry } from './answer-entry.ts';
import { catchUp } from './catch-up.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { pageOf } from './page.ts';

export async function getObject(server: ResourceServer, request: VerbRequest): Promise<void> {
  await catchUp(server, request, 'get');
  const { requireObject } = request;
  const entry = await find(server, request).catch((error: unknown) => {
    requireObject(undefined);
    throw error;
  });
  requireObject(entry);
  return answerEntry(server, request, entry);
}

/** Versions of before may be of any object: only who may get all of them gets them. */
export async function getHistory({ store }: ResourceServer, request: VerbRequest): Promise<void> {
  const { exchange, call, query, accepted, requireEvery } = request;
  requireEvery();
  const history = await historyOf(exchange, store, call.target, query);
  return sendJson(exchange, { json: JSON.stringify(history), accepted });
}

async function find(server: ResourceServer, request: VerbRequest): Promise<Entry> {
  const {
    call: { target },
    query,
  } = request;
  const { kind, namespace = '', name = '' } = target;
  const isStored = !server.virtualLists.has(kind.id) && query.asOf === undefined;
  const stored = isStored ? server.store.get(kind, namespace, name) : undefined;
  const entry = stored ?? (await pageOf(server, request)).entries[0];
  if (entry === undefined) throw notFoundRefusal(kind, name);
  return entry;
}

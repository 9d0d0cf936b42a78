import type { Exchange } from '#kernel/http/exchange.ts';
import type { Verb } from '#kernel/kinds/kind.ts';
import { attributesOf } from '../call.ts';
import { methodRefusal, verbsOf, type Query, type RequestTarget } from '../request.ts';
import { answerQuestion } from './answer-question.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { createObject } from './create.ts';
import { deleteCollection } from './delete-collection.ts';
import { deleteObject } from './delete.ts';
import { getHistory, getObject } from './get.ts';
import { listObjects } from './list.ts';
import { patchObject } from './patch.ts';
import { updateObject } from './update.ts';
import { watchObjects } from './watch.ts';

const VERBS: Readonly<Record<Verb, (server: ResourceServer, request: VerbRequest) => Promise<void>>> = {
  get: getObject,
  list: listObjects,
  watch: watchObjects,
  create: createObject,
  update: updateObject,
  patch: patchObject,
  delete: deleteObject,
  deletecollection: deleteCollection,
};

/** Answers one request about resources, once its caller may make it. */
export async function serveRequest(
  server: ResourceServer,
  request: Pick<VerbRequest, 'exchange' | 'limit' | 'call' | 'query' | 'accepted'>,
): Promise<void> {
  const { store, authority, virtualLists } = server;
  const { exchange, call, query } = request;
  const { user, target } = call;
  const { kind, part, question } = target;
  call.dryRun = query.dryRun;
  if (question !== undefined && exchange.method !== 'POST') throw methodRefusal(exchange, target);
  const verb = question === undefined ? verbOf(exchange, target, query) : 'create';
  if (question === undefined && !verbsOf(target).includes(verb)) throw methodRefusal(exchange, target);
  // Writes of what is stored are held against their objects where they are decided.
  const grant = authority.grant(user, attributesOf(target, verb, query), !virtualLists.has(kind.id));
  if (part === 'history') return getHistory(server, { ...request, part: 'main', ...grant });
  const allowed = { ...request, part, ...grant };
  if (question === undefined) return VERBS[verb](server, allowed);
  const { namespace = '', name = '' } = target;
  await store.fresh();
  if (question.kind.isForGone !== true) grant.requireObject(store.get(kind, namespace, name));
  return answerQuestion(server, allowed, { kind: question.kind, id: `${kind.id}/${question.part}` });
}

function verbOf(exchange: Exchange, target: RequestTarget, query: Query): Verb {
  const { name, namespace, part } = target;
  switch (exchange.method) {
    case 'GET':
      // A part of an object is no collection: a watch gets it once.
      if (query.watch && part === 'main') return 'watch';
      return name === undefined ? 'list' : 'get';
    case 'HEAD':
      return name === undefined ? 'list' : 'get';
    case 'POST':
      if (name === undefined && namespace !== undefined) return 'create';
      break;
    case 'PUT':
      if (name !== undefined) return 'update';
      break;
    case 'PATCH':
      if (name !== undefined) return 'patch';
      break;
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
  }
  throw methodRefusal(exchange, target);
}

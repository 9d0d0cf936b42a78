import { refusalIn } from '#kernel/base/failures.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import type { Deadline } from '#kernel/http/request-limit.ts';
import {
  methodNotAllowed,
  READ_METHODS,
  type Handler,
  type Method,
  type RequestContext,
  type Route,
} from '#kernel/http/router.ts';
import { withoutValues } from '#kernel/kinds/confidential.ts';
import { fromKinds } from '#kernel/kinds/registry.ts';
import { acceptedBy, sendDocument, sendRefusal } from '../answer.ts';
import type { User } from '../authority.ts';
import { attemptOf, callOf, isWrite, type Call } from '../call.ts';
import type { AcceptedForm } from '../codec/accept.ts';
import { discoveryAnswer, discoveryDocuments } from '../discovery.ts';
import { schemaDocuments } from '../export/schema-documents.ts';
import { openApiV2 } from '../openapi-v2.ts';
import { openApiDocuments, type MadeDocuments } from '../openapi.ts';
import { parsePath, parseQuery } from '../request.ts';
import type { ResourceServer } from './context.ts';
import { serveRequest } from './serve.ts';

/** Answers resource requests of authenticated callers. Every refusal is a Kubernetes `Status`. */
export type ResourceApi = (exchange: Exchange, limit: RequestContext, user: User) => Promise<void>;

/** Of requests that are no watch: a large change set, or a question that reads many files, takes minutes. */
const DEADLINE: Deadline = { msDefault: 300_000, msMax: 600_000 };

/** The routes of the resource API. A watch has begun to answer long before its deadline, and goes on. */
export function resourceRoutes(handle: Handler): readonly Route<'users'>[] {
  const roots = ['/version', '/api', '/apis', '/openapi', '/schemas'].flatMap((path) => [path, `${path}/**`]);
  const paths = ['/', '/.well-known/openid-configuration', '/openid/v1/jwks', ...roots];
  const methods: readonly Method[] = [...READ_METHODS, 'POST', 'PUT', 'PATCH', 'DELETE'];
  const shared = {
    methods,
    by: 'users',
    deadline: DEADLINE,
    countedAs: 'resources',
    // A path allows what its kind does.
    isForAnyMethod: true,
    repetition: 'look whether it was, then apply it again',
    refuse: sendRefusal,
  } as const;
  return paths.map((path) => ({ ...shared, path, handle }));
}

/** Its protobuf is of a type of its own, which nothing else is. */
const OPENAPI_V2 = '/openapi/v2';

/** @param version of this program, for discovery and OpenAPI */
export function resourceApi(server: ResourceServer, version: string): ResourceApi {
  const { kinds, authority } = server;
  const made: MadeDocuments = new Map();
  const documents = fromKinds(kinds, (all) => {
    const openapi = openApiDocuments(all, version, made);
    return {
      discovery: discoveryDocuments(all, version),
      openapi,
      schemas: schemaDocuments(all),
      openapiV2: openApiV2(openapi, version),
    };
  });

  /** Whether a path leads to objects of a kind that this process serves. */
  function isServed(path: string): boolean {
    const [, root = '', group, version, ...tail] = path.split('/');
    if (root !== 'apis') return root === 'api';
    const plural = tail[0] === 'namespaces' && tail.length > 2 ? tail[2] : tail[0];
    return kinds.byPlural(group ?? '', version ?? '', plural ?? '') !== undefined;
  }

  async function documentFor(
    exchange: Exchange,
    accepted: AcceptedForm,
  ): Promise<Parameters<typeof sendDocument>[1] | undefined> {
    const { discovery, openapi, openapiV2, schemas } = documents();
    if (exchange.path === OPENAPI_V2) return openapiV2(exchange.request.headers.accept);
    return (
      discoveryAnswer(discovery, exchange.path, accepted) ??
      (await openapi.get(exchange.path.replace(/\/$/, ''))?.()) ??
      schemas.get(exchange.path)?.()
    );
  }

  return async (exchange, limit, user) => {
    let call: Call | undefined;
    let accepted: AcceptedForm | undefined;
    try {
      accepted = exchange.path === OPENAPI_V2 ? { as: 'json' } : acceptedBy(exchange);
      // Another process may have changed the kinds a moment ago.
      if (!isServed(exchange.path)) await server.settleKinds();
      const document = await documentFor(exchange, accepted);
      const make = document === undefined ? server.documentAt(exchange.path) : () => document;
      if (make !== undefined) {
        if (exchange.method !== 'GET' && exchange.method !== 'HEAD') throw methodNotAllowed(exchange, READ_METHODS);
        authority.authorize(user, { verb: 'get', path: exchange.path });
        return sendDocument(exchange, make());
      }
      call = callOf(exchange, user, parsePath(exchange.path, kinds));
      await serveRequest(server, { exchange, limit, call, query: parseQuery(exchange), accepted });
    } catch (error) {
      if (call !== undefined && isWrite(exchange.method))
        void authority.recordAttempt(call.author, attemptOf(call, error));
      const refusal = refusalIn(error);
      if (refusal === undefined) throw error;
      const shown = call?.target.kind.confidential === true ? withoutValues(refusal) : refusal;
      sendRefusal(exchange, shown, call?.target, accepted);
    }
  };
}

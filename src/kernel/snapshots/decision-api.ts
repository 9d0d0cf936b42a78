import { verbOfPath, type DeclaredPath, type PathAccess } from '#kernel/access/authorization/path-access.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { readBody, send, type Exchange } from '#kernel/http/exchange.ts';
import { requestedBase } from '#kernel/http/request-guards.ts';
import type { Deadline } from '#kernel/http/request-limit.ts';
import { READ_METHODS, type Method, type RequestContext, type Route } from '#kernel/http/router.ts';
import { answerCohort, type CheckedQuestion } from './answer-cohort.ts';
import { protocolAnswer } from './answer-protocol.ts';
import type { DecisionParts } from './decision-parts.ts';
import { factsBetween } from './facts.ts';
import type { DecisionModule, DecisionRoute } from './module.ts';
import { jsonInput, queryInput, readyRoute, requireInput, urlInput, type ReadyRoute } from './question-input.ts';

const BODY_BYTES_MAX = 16 * 1024;

/** Records are read and written within a second or two; a database that is away is refused by then. */
const DEADLINE: Deadline = { msDefault: 30_000, msMax: 60_000 };

/** The routes of all modules, answered from the follower's snapshot. Every answer names the snapshot and its age. */
export function decisionApi(
  modules: readonly DecisionModule<unknown>[],
  given: Omit<DecisionParts, 'facts'>,
): readonly Route<PathAccess>[] {
  const parts = { ...given, facts: factsBetween(modules) };
  const { answerPreflight } = parts.gate;
  return modules.flatMap((module) => [
    ...module.routes.map((route): Route<PathAccess> => {
      const { path, access: by } = route;
      const methods = methodsOf(route);
      return { methods, path, by, deadline: DEADLINE, answerPreflight, handle: questionAnswer(parts, module, route) };
    }),
    ...(module.protocols ?? []).map((protocol): Route<PathAccess> => {
      const { path, access: by, methods, isStream = false } = protocol;
      const deadline = isStream ? 'stream' : DEADLINE;
      return { methods, path, by, deadline, answerPreflight, handle: protocolAnswer(parts, module, protocol) };
    }),
  ]);
}

/** How questions of one route are answered. */
function questionAnswer(
  parts: DecisionParts,
  module: DecisionModule<unknown>,
  route: DecisionRoute<unknown>,
): (exchange: Exchange, limit: RequestContext) => void | Promise<void> {
  const { follower, clock, gate, facts, ownNames } = parts;
  const ready: ReadyRoute = readyRoute(module, route);
  const sources = facts.sourcesOf(module);
  return (exchange, limit) => {
    if (route.pathInput !== undefined) return ask(exchange, limit, urlInput(exchange, ready, route.pathInput));
    if (exchange.method !== 'POST') return ask(exchange, limit, queryInput(exchange.queryText, ready));
    return readBody(exchange, route.bodyBytesMax ?? BODY_BYTES_MAX).then((bytes) =>
      ask(exchange, limit, jsonInput(bytes)),
    );
  };

  function ask(exchange: Exchange, limit: RequestContext, input: unknown): void | Promise<void> {
    const isObject = isRecord(input);
    const admitted = gate.admit(exchange, route, isObject ? input : {}, (given) => requireInput(ready, given));
    if (admitted instanceof Promise)
      return admitted.then((allowed) => {
        // Nothing is counted for who no longer waits for the answer.
        limit.signal.throwIfAborted();
        return respond(exchange, limit, { ...allowed, input: isObject ? allowed.input : input });
      });
    return respond(exchange, limit, { ...admitted, input: isObject ? admitted.input : input });
  }

  function respond(exchange: Exchange, limit: RequestContext, question: CheckedQuestion): void | Promise<void> {
    const { input, by, isTrusted } = question;
    requireInput(ready, input);
    if (route.linksBack === true) requestedBase(exchange, ownNames);
    const { version, tables, worlds } = follower.snapshot();
    if (worlds.size > 0 && sources.some((name) => worlds.has(name))) {
      return answerCohort(parts, ready, question, { exchange, limit }).then((found) =>
        finish(exchange, found.answer, found.version, found.releases),
      );
    }
    const answer = route.handle(input, {
      table: tables.get(module.name),
      facts: facts.of(module, (name) => tables.get(name)),
      now: clock(),
      snapshotAgeMs: follower.ageMs,
      by,
      isTrusted,
      limit,
    });
    if (answer instanceof Promise) return answer.then((settled: object) => finish(exchange, settled, version, ''));
    return finish(exchange, answer, version, '');
  }

  function finish(exchange: Exchange, given: object, version: string, releases: string): void {
    const request = { method: exchange.method, baseUrl: () => requestedBase(exchange, ownNames) };
    const document = route.present?.(given, request);
    if (document !== undefined) {
      const { status, body, contentType, headers } = document;
      return send(exchange, status, body, { contentType, headers: { ...headers, 'x-snapshot-version': version } });
    }
    const answer = JSON.stringify(given);
    const ageSeconds = Math.round(follower.ageMs() / 1000);
    const snapshot = `"snapshot":{"version":"${version}","ageSeconds":${ageSeconds}${releases}}}`;
    send(exchange, 200, `${answer.slice(0, -1)}${answer.length > 2 ? ',' : ''}${snapshot}`);
  }
}

/** Questions are asked with GET too. Players send beacons with GET; a HEAD would count as one. */
function methodsOf({ access, pathInput }: DecisionRoute<unknown>): readonly Method[] {
  if (pathInput !== undefined) return ['GET', 'POST'];
  return verbOfPath(access) === 'post' ? ['POST'] : [...READ_METHODS, 'POST'];
}

/** The access rights of the modules' paths. */
export function pathsOf(modules: readonly DecisionModule<unknown>[]): readonly DeclaredPath[] {
  return modules.flatMap(({ routes, protocols = [] }) => [...routes, ...protocols]);
}

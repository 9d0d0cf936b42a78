import { refusalIn } from '#kernel/base/failures.ts';
import type { Exchange } from '#kernel/http/exchange.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { MANAGER_LIMITS } from '#kernel/managed-fields/entries.ts';
import type { Author } from '#kernel/store/contract.ts';
import type { Attempt, ResourceAttributes, User } from './authority.ts';
import type { Query, RequestTarget } from './request.ts';
import { requiredName } from './list.ts';
import { selectionOf } from './selection.ts';

/** As much of what the client says of itself as is kept. */
const USER_AGENT_CHARS_MAX = 256;

/** One request: who, what, and what became known of it on the way, for the record. */
export interface Call {
  readonly user: User;
  readonly author: Author;
  readonly target: RequestTarget;
  /** Of the object; for a creation it is known once the body was read. */
  name: string;
  dryRun: boolean;
}

/** The name under which a request owns fields: as it says, or that of its program; as Kubernetes. */
function managerOf({ queryText, request }: Exchange): string {
  const given = new URLSearchParams(queryText).get('fieldManager') ?? '';
  if (given !== '') return given;
  const [program = ''] = (request.headers['user-agent'] ?? '').split('/');
  // oxlint-disable-next-line no-control-regex
  return program.replaceAll(/[\x00-\x1f\x7f]/g, '').slice(0, MANAGER_LIMITS.nameCharsMax) || 'unknown';
}

export function callOf(exchange: Exchange, user: User, target: RequestTarget): Call {
  const { request, method, requestId } = exchange;
  const author: Author = {
    user: user.name,
    requestId,
    caller: {
      groups: user.groups,
      address: request.socket.remoteAddress ?? '',
      userAgent: (request.headers['user-agent'] ?? '').slice(0, USER_AGENT_CHARS_MAX),
      verb: writingVerb(method, target),
      ...(isWrite(method) ? { manager: managerOf(exchange) } : {}),
      ...(user.mintedBy === undefined ? {} : { mintedBy: user.mintedBy }),
    },
  };
  return { user, author, target, name: target.name ?? '', dryRun: false };
}

/** Whether requests with this method are on record. */
export function isWrite(method: string): boolean {
  return ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method);
}

function writingVerb(method: string, { name }: RequestTarget): string {
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}

/** How a request is on record that came to nothing: with the error that ended it, or the status of its answer. */
export function attemptOf(call: Call, end: unknown): Attempt {
  const { target, name, dryRun } = call;
  const { kind, namespace = '' } = target;
  const refusal = refusalIn(end);
  const refused =
    refusal === undefined ? { code: 500, reason: 'unexpected' } : { code: refusal.status, reason: refusal.code };
  return {
    kind,
    part: partOf(target),
    namespace,
    name,
    dryRun,
    ...(typeof end === 'number' ? { code: end, reason: '' } : refused),
  };
}

function partOf({ part, question }: RequestTarget): string {
  return question?.part ?? (part === 'main' ? '' : part);
}

/** The attributes of a request, in the words of authorization. */
export function attributesOf(target: RequestTarget, verb: string, query: Query): ResourceAttributes {
  const { kind, name = nameSelected(verb, query) } = target;
  return {
    verb,
    group: kind.group,
    resource: kind.plural,
    subresource: partOf(target),
    // A namespace is in itself, so that a role in it may allow to read it.
    namespace: kind === Namespace ? (target.name ?? '') : (target.namespace ?? ''),
    name,
    ...(OF_COLLECTIONS.has(verb) ? { selection: selectionOf(kind, query) } : {}),
  };
}

const OF_COLLECTIONS: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection']);

/** The one name that a selection selects, so that a rule for certain names may allow it. */
function nameSelected(verb: string, query: Query): string {
  return OF_COLLECTIONS.has(verb) ? (requiredName(query) ?? '') : '';
}

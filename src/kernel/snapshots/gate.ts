import { hash } from 'node:crypto';
import { createLocalJWKSet, errors, jwtVerify, type JWTPayload } from 'jose';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { send, type Exchange } from '#kernel/http/exchange.ts';
import { RateLimiter } from '#kernel/http/rate.ts';
import type { User } from '#kernel/resources/api/authority.ts';
import type { ClientTable, KnownClient } from './client-table.ts';
import type { Asking } from './module.ts';

const LIMITS = {
  /** Tokens whose good signature is remembered: checking one anew costs a hundred times as much as a decision. */
  tokensMax: 10_000,
  tokenCharsMax: 8_192,
  /** How long a browser need not ask again whether it may ask. */
  preflightSeconds: 600,
} as const;

const KEY_PREFIX = 'bk_';
const ALGORITHMS = ['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'];
/** Inputs that name the subject itself; others are claims of the same name. */
const SUBJECT_NAMES: ReadonlySet<string> = new Set(['listener', 'targetingKey', 'subject']);
const PARTNER_DEFAULT: ReadonlySet<string> = new Set(['/v1/prices']);

/** A question that was let through. */
export interface Admitted {
  /** What the asker is entitled to ask. */
  readonly input: Record<string, unknown>;
  /** Who asks: `client:NAME`, `user:NAME`, or `local` for whoever is on this machine. */
  readonly by: string;
}

export interface Gate {
  /** Lets a question through, with the input that the asker is entitled to. Throws Refusal for all others. */
  readonly admit: (exchange: Exchange, asking: Asking, input: Record<string, unknown>) => Admitted | Promise<Admitted>;
  /** Answers a browser's question whether a page may ask; false when the request is no such question. */
  readonly answerPreflight: (exchange: Exchange) => boolean;
}

/**
 * Who may ask the decision plane: the applications that are declared as Clients, and proved users. Until the first
 * Client is declared, whoever is on this machine may ask, but not write.
 */
export function decisionGate(options: {
  readonly table: () => ClientTable;
  readonly clock: Clock;
  /** The person or controller that proves itself as on the resource API; undefined for all others. */
  readonly userOf: (exchange: Exchange) => Promise<User | undefined>;
  /** Throws a Refusal when the user may not post to the path. */
  readonly requirePost: (user: User, path: string) => void;
  readonly isLocal: (exchange: Exchange) => boolean;
}): Gate {
  const { table, clock, userOf, requirePost, isLocal } = options;
  const limiter = new RateLimiter();
  const subjects = new Map<string, { readonly claims: JWTPayload; readonly revision: string }>();
  const keySets = new WeakMap<KnownClient, ReturnType<typeof createLocalJWKSet>>();

  return { admit, answerPreflight };

  function admit(exchange: Exchange, asking: Asking, input: Record<string, unknown>): ReturnType<Gate['admit']> {
    const { byKeyHash } = table();
    if (byKeyHash.size === 0 && asking.writes !== true && isLocal(exchange)) return { input, by: 'local' };
    const authorization = exchange.header('authorization');
    if (authorization === undefined) throw unauthorized('This needs the key of a client.');
    const key = keyIn(authorization);
    if (key === undefined) return asUser(exchange, asking, input);
    const found = byKeyHash.get(hash('sha256', key, 'hex'));
    if (found === undefined) throw unauthorized('No client has this key.');
    const { client, notAfterMs } = found;
    const nowMs = clock().epochMilliseconds;
    if (nowMs > notAfterMs) throw unauthorized(`This key of client ${client.name} has ended.`);
    allowOrigin(exchange, client);
    spend(client, nowMs);
    requireEndpoint(client, asking, input);
    const by = `client:${client.name}`;
    if (client.spec.type !== 'publishable') return { input, by };
    return subjectOf(exchange, client, nowMs).then((claims) => ({ input: boundTo(claims, asking, input), by }));
  }

  function answerPreflight(exchange: Exchange): boolean {
    const origin = exchange.header('origin');
    if (exchange.method !== 'OPTIONS' || origin === undefined) return false;
    if (!table().origins.has(origin)) throw foreignOrigin(origin);
    send(exchange, 204, 'text/plain', '', {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers':
        'authorization, content-type, if-none-match, x-subject-token, x-request-id, traceparent',
      'access-control-max-age': String(LIMITS.preflightSeconds),
      vary: 'Origin',
    });
    return true;
  }

  async function asUser(exchange: Exchange, asking: Asking, input: Record<string, unknown>): Promise<Admitted> {
    const user = await userOf(exchange);
    if (user === undefined) throw unauthorized('These credentials are not good.');
    if (asking.writes === true) requirePost(user, asking.path);
    return { input, by: `user:${user.name}` };
  }

  /** Counted on this node alone. */
  function spend({ name, spec: { rate } }: KnownClient, nowMs: number): void {
    if (rate === undefined) return;
    const { perSecond, burst = perSecond } = rate;
    if (limiter.spend(name, { perSecond, burst }, nowMs)) return;
    throw new Refusal(
      'clients/too-many',
      'TooManyRequests',
      `Client ${name} asks more than ${perSecond} times a second.`,
      {
        retryAfterSeconds: 1,
        remedy: 'Ask less often, or have its rate raised.',
      },
    );
  }

  async function subjectOf(exchange: Exchange, client: KnownClient, nowMs: number): Promise<JWTPayload> {
    const token = exchange.header('x-subject-token');
    const { subjectTokens } = client.spec;
    if (token === undefined || subjectTokens === undefined || token.length > LIMITS.tokenCharsMax) {
      throw unauthorized(`Client ${client.name} acts for a subject: send its token in X-Subject-Token.`);
    }
    const known = subjects.get(token);
    if (known !== undefined && known.revision === client.revision && (known.claims.exp ?? 0) * 1_000 > nowMs)
      return known.claims;
    let keys = keySets.get(client);
    if (keys === undefined) {
      keys = createLocalJWKSet({ keys: subjectTokens.publicKeys });
      keySets.set(client, keys);
    }
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: subjectTokens.issuer,
        audience: subjectTokens.audience,
        algorithms: ALGORITHMS,
        currentDate: new Date(nowMs),
        requiredClaims: ['sub', 'exp'],
      });
      if (subjects.size >= LIMITS.tokensMax) subjects.clear();
      subjects.set(token, { claims: payload, revision: client.revision });
      return payload;
    } catch (error) {
      const why = error instanceof errors.JOSEError ? error.message : 'it cannot be read';
      throw unauthorized(`The subject token is not good: ${why}.`);
    }
  }
}

/** The key of a client: as a bearer token, or, as analytics libraries send it, as the user name of Basic credentials. */
function keyIn(authorization: string): string | undefined {
  if (authorization.startsWith(`Bearer ${KEY_PREFIX}`)) return authorization.slice('Bearer '.length);
  if (!authorization.startsWith('Basic ')) return undefined;
  const [name = ''] = Buffer.from(authorization.slice('Basic '.length), 'base64').toString('latin1').split(':');
  return name.startsWith(KEY_PREFIX) ? name : undefined;
}

function allowOrigin(exchange: Exchange, client: KnownClient): void {
  const origin = exchange.header('origin');
  if (origin === undefined) return;
  if (client.spec.origins?.includes(origin) !== true) throw foreignOrigin(origin);
  exchange.response.setHeader('access-control-allow-origin', origin);
  exchange.response.setHeader('access-control-expose-headers', 'etag, retry-after, x-request-id');
  exchange.response.setHeader('vary', 'Origin');
}

function requireEndpoint({ name, spec }: KnownClient, asking: Asking, input: Record<string, unknown>): void {
  const isServer = spec.type === 'server';
  const allowed =
    spec.endpoints?.includes(asking.path) ?? (spec.type === 'partner' ? PARTNER_DEFAULT.has(asking.path) : true);
  if (!allowed || (asking.forServers === true && !isServer)) {
    throw forbidden(`Client ${name} (${spec.type}) may not ask ${asking.path}.`, isServer ? undefined : asking.path);
  }
  const reserved = isServer ? undefined : asking.inputsForServers?.find((input_) => input[input_] !== undefined);
  if (reserved !== undefined) throw forbidden(`Client ${name} (${spec.type}) may not set ${reserved}.`, reserved);
}

/** The question as the subject may ask it: what says who is asked about comes from the token alone. */
function boundTo(claims: JWTPayload, asking: Asking, input: Record<string, unknown>): Record<string, unknown> {
  const bound = { ...input };
  for (const name of asking.subjectInputs ?? []) {
    const claimed = SUBJECT_NAMES.has(name) ? claims.sub : claims[name];
    if (input[name] !== undefined && input[name] !== claimed) {
      throw forbidden(
        `A publishable client asks for the subject of its token only: ${name} is ${String(claimed ?? 'not in it')}.`,
        name,
      );
    }
    if (claimed !== undefined) bound[name] = claimed;
  }
  return bound;
}

function unauthorized(message: string): Refusal {
  return new Refusal('clients/unauthorized', 'Unauthorized', message, {
    remedy: 'Send "Authorization: Bearer KEY" with a key of a declared Client.',
  });
}

function forbidden(message: string, input: string | undefined): Refusal {
  return new Refusal('clients/forbidden', 'Forbidden', message, {
    ...(input === undefined ? {} : { problems: [{ path: [input], reason: 'FieldValueForbidden', detail: message }] }),
    remedy: 'Ask from a server client, or have its endpoints changed.',
  });
}

function foreignOrigin(origin: string): Refusal {
  return new Refusal('clients/foreign-origin', 'Forbidden', `Pages of ${origin} may not use this client.`, {
    remedy: 'Add the origin to the spec of the Client.',
  });
}

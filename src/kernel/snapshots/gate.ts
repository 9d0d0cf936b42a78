import { hash } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import type { Clock } from '#kernel/base/clock.ts';
import type { Refusal } from '#kernel/base/failures.ts';
import { clientRefusal } from './refusals.ts';
import { verbOfPath } from '#kernel/access/authorization/path-access.ts';
import { isMaster } from '#kernel/access/rules/rule-table.ts';
import { send, type Exchange } from '#kernel/http/exchange.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { readLiveName } from '#kernel/kinds/live-name.ts';
import { isFromForeignPage, isFromHere } from '#kernel/http/request-guards.ts';
import type { PathAttributes, User } from '#kernel/api/authority.ts';
import { ANONYMOUS } from './anonymous.ts';
import type { ClientTable, KnownClient } from './client-table.ts';
import { gateRates } from './gate-rates.ts';
import type { Asking } from './module.ts';
import type { OpenAnswers } from './open-answers.ts';
import { subjectTokenReader } from './subject-tokens.ts';
import { unauthorizedRefusal } from './unauthorized-refusal.ts';

const LIMITS = {
  /** How long a browser need not ask again whether it may ask. */
  preflightSeconds: 600,
} as const;

const KEY_PREFIX = 'bk_';
/** Inputs that name the subject itself; others are claims of the same name. */
const SUBJECT_NAMES: ReadonlySet<string> = new Set(['listener', 'targetingKey', 'subject']);
const PARTNER_DEFAULT: ReadonlySet<string> = new Set(['/v1/prices']);

/** A question that was let through. */
export interface AdmittedQuestion {
  /** The inputs that the caller is entitled to. */
  readonly input: Record<string, unknown>;
  /** The caller: `client:NAME`, `user:NAME`, `local` for programs on this machine, or `token` for the holder of one. */
  readonly by: string;
  /** Whether a server Client or a user asks, who may see what is not for listeners. */
  readonly isTrusted: boolean;
  /** The key of a publishable client. */
  readonly publishableKey?: string;
}

/** Credentials of a publishable client in a body, from where no header can be set. */
export interface BodyCredentials {
  readonly key?: string;
  readonly subjectToken?: string;
}

/** Refuses an input that cannot be answered, before a read is put on record for it. */
type Check = (input: Record<string, unknown>) => void;

/** A question with its caller. */
interface Question {
  readonly exchange: Exchange;
  readonly asking: Asking;
  readonly input: Record<string, unknown>;
  readonly check?: Check | undefined;
  readonly body?: BodyCredentials | undefined;
}

/** That the record of a listener is read. */
export interface RecordRead {
  /** As `AdmittedQuestion.by`. */
  readonly by: string;
  readonly listener: string;
  readonly path: string;
  /** Whether more than a person helps in a day are refused; for Clients and administrators they are counted. */
  readonly isBounded: boolean;
}

/** A subresource of an object that a question names. */
export interface AskedAbout {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

export interface Gate {
  /** Lets a question through, with the input that the asker is entitled to. Throws Refusal for all others. */
  readonly admit: (
    exchange: Exchange,
    asking: Asking,
    input: Record<string, unknown>,
    check?: Check,
  ) => AdmittedQuestion | Promise<AdmittedQuestion>;
  /** The same for a sender; a publishable client may have its credentials in the body. */
  readonly admitSender: (
    exchange: Exchange,
    asking: Asking,
    body: BodyCredentials | undefined,
  ) => AdmittedQuestion | Promise<AdmittedQuestion>;
  /** Lets the address of a request pay for its body, until somebody proves whose it is. */
  readonly chargeAddress: (exchange: Exchange) => void;
  /** Answers a browser's question whether a page may ask; false when the request is no such question. */
  readonly answerPreflight: (exchange: Exchange) => boolean;
}

/**
 * Who may ask the decision plane: applications that are declared as Clients, and users with the right to the path. Until
 * the first Client is declared, programs on this machine may ask the catalogue and flags without a credential.
 */
export function decisionGate(options: GateOptions): Gate {
  const { table, clock } = options;
  const parts: GateParts = { ...options, rates: gateRates(clock), subjectOf: subjectTokenReader() };
  return {
    admit: (exchange, asking, input, check) => admit(parts, { exchange, asking, input, check }),
    admitSender: (exchange, asking, body) => admit(parts, { exchange, asking, input: {}, body }),
    answerPreflight: (exchange) => answerPreflight(table(), exchange),
    chargeAddress: parts.rates.chargeAddress,
  };
}

interface GateOptions {
  readonly table: () => ClientTable;
  readonly clock: Clock;
  /** The person or controller that proves itself as on the resource API; undefined for all others. */
  readonly userOf: (exchange: Exchange) => Promise<User | undefined>;
  /** Throws a Refusal when the user may not ask the path, nor read the object that the question concerns. */
  readonly authorize: (user: User, wanted: PathAttributes, about?: AskedAbout) => void;
  /** Puts a read on record; resolves when it is durable. Rejects with a Refusal for more than one caller may read. */
  readonly keepRead: (read: RecordRead) => Promise<void>;
  /** Counts those who are let through without a credential. */
  readonly openAnswers: OpenAnswers;
}

interface GateParts extends GateOptions {
  readonly rates: ReturnType<typeof gateRates>;
  readonly subjectOf: ReturnType<typeof subjectTokenReader>;
}

function admit(parts: GateParts, question: Question): AdmittedQuestion | Promise<AdmittedQuestion> {
  const { exchange, asking, input, body } = question;
  if (asking.access === 'token') return admitHolder(parts, exchange, input);
  const authorization = exchange.header('authorization');
  const mayBeInUrl = asking.isAboutNobody === true || asking.access === 'ingest';
  const elsewhere = (mayBeInUrl ? keyInQuery(exchange) : undefined) ?? body?.key;
  const key = authorization === undefined ? elsewhere : keyIn(authorization);
  if (key !== undefined) return admitClient(parts, question, key);
  if (authorization !== undefined) return admitUser(parts, question);
  const { table, clock, openAnswers, rates } = parts;
  const isOpen =
    table().byKeyHash.size === 0 && asking.access === 'catalogue' && listenerIn(asking, input) === undefined;
  if (!isOpen || !isFromHere(exchange)) throw credentialRefusal(asking, input);
  refuseForeignPage(exchange);
  rates.chargeAddress(exchange);
  openAnswers.count(clock().epochMilliseconds);
  return { input, by: 'local', isTrusted: false };
}

/** Holders of tokens send from players and pages that nobody declared. The address pays for their bodies. */
function admitHolder({ rates }: GateParts, exchange: Exchange, input: Record<string, unknown>): AdmittedQuestion {
  exchange.response.setHeader('access-control-allow-origin', '*');
  rates.chargeAddress(exchange);
  return { input, by: 'token', isTrusted: false };
}

function admitClient(parts: GateParts, question: Question, key: string): AdmittedQuestion | Promise<AdmittedQuestion> {
  const { table, clock, rates, keepRead } = parts;
  const { exchange, asking, input, check } = question;
  const found = table().byKeyHash.get(hash('sha256', key, 'hex'));
  if (found === undefined) {
    throw unauthorizedRefusal(
      'No client has this key.',
      'Declare a Client with its hash; backline client-key makes both.',
    );
  }
  const { client, notAfterMs } = found;
  const nowMs = clock().epochMilliseconds;
  if (nowMs > notAfterMs) {
    throw unauthorizedRefusal(
      `This key of client ${client.name} has ended.`,
      'Use a newer key of the Client, or add one.',
    );
  }
  allowOrigin(exchange, client);
  const isPublishable = client.spec.type === 'publishable';
  if (exchange.header('authorization') === undefined && !isPublishable) {
    throw unauthorizedRefusal(
      `The key of a ${client.spec.type} client must not be in a URL or a body.`,
      'Send "Authorization: Bearer KEY".',
    );
  }
  rates.spend(client, nowMs);
  requireEndpoint(exchange, client, asking, input);
  // The key of a publishable client is public: its holder stays unauthenticated.
  if (isPublishable) return admitStranger(parts, question, client, key);
  const by = `client:${client.name}`;
  exchange.countCaller(by);
  const admitted = { input, by, isTrusted: client.spec.type === 'server' };
  const listener = listenerIn(asking, input);
  // Reads by Clients are not recorded: they are too many, and each Client knows its own.
  if (listener === undefined || asking.access === 'catalogue') return admitted;
  check?.(input);
  return keepRead({ by, listener, path: asking.path, isBounded: false }).then(() => admitted);
}

function admitStranger(
  { clock, rates, subjectOf }: GateParts,
  { exchange, asking, input, body }: Question,
  client: KnownClient,
  publishableKey: string,
): AdmittedQuestion | Promise<AdmittedQuestion> {
  const by = `client:${client.name}`;
  if (asking.isAboutNobody === true) return { input, by, isTrusted: false, publishableKey };
  const token = exchange.header('x-subject-token') ?? body?.subjectToken;
  if (token === undefined && client.spec.anonymous === true && (asking.access === 'ingest' || isAboutUnits(asking))) {
    rates.chargeAddress(exchange);
    const asked = asking.access === 'ingest' ? input : anonymously(input);
    return { input: asked, by: `${ANONYMOUS}${client.name}`, isTrusted: false, publishableKey };
  }
  return subjectOf(token, client, clock().epochMilliseconds).then((claims) => {
    rates.spendOfSubject(exchange, client, claims);
    return { input: boundTo(claims, asking, input), by, isTrusted: false, publishableKey };
  });
}

async function admitUser(
  { userOf, authorize, rates, keepRead }: GateParts,
  { exchange, asking, input, check }: Question,
): Promise<AdmittedQuestion> {
  const user = await userOf(exchange);
  if (user === undefined) {
    throw unauthorizedRefusal(
      'These credentials are not good.',
      'Send the token of a user that this server knows, or the key of a Client, which begins with bk_.',
    );
  }
  refuseForeignPage(exchange);
  authorize(user, { verb: verbOfPath(asking.access), path: exchange.path }, aboutIn(asking, input));
  const by = `user:${user.name}`;
  const listener = listenerIn(asking, input);
  if (listener === undefined || asking.recordOf === undefined) return { input, by, isTrusted: true };
  authorize(user, { verb: 'get', path: asking.recordOf.path });
  check?.(input);
  const isBounded = !isMaster(user);
  if (isBounded) rates.spendRecord(user);
  await keepRead({ by, listener, path: asking.path, isBounded });
  return { input, by, isTrusted: true };
}

function answerPreflight({ origins }: ClientTable, exchange: Exchange): boolean {
  const origin = exchange.header('origin');
  if (exchange.method !== 'OPTIONS' || origin === undefined) return false;
  if (!origins.has(origin)) throw foreignPage(origin);
  const headers = {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers':
      'authorization, content-encoding, content-type, if-none-match, x-subject-token, x-request-id, x-request-timeout-ms, traceparent',
    'access-control-max-age': String(LIMITS.preflightSeconds),
    vary: 'Origin',
  };
  send(exchange, 204, '', { contentType: 'text/plain', headers });
  return true;
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
  if (client.spec.origins?.includes(origin) !== true) throw foreignPage(origin);
  exchange.response.setHeader('access-control-allow-origin', origin);
  exchange.response.setHeader('access-control-expose-headers', 'etag, retry-after, x-request-id');
  exchange.response.setHeader('vary', 'Origin');
}

function requireEndpoint(
  exchange: Exchange,
  { name, spec }: KnownClient,
  asking: Asking,
  input: Record<string, unknown>,
): void {
  const isServer = spec.type === 'server';
  const allowed =
    // Several paths may be one endpoint: each of them may be named, or the one that stands for all.
    spec.endpoints?.some((path) => path === asking.path || path === exchange.path) ??
    (spec.type === 'partner' ? PARTNER_DEFAULT.has(asking.path) : true);
  if (!allowed || (asking.forServers === true && !isServer)) {
    throw forbiddenRefusal(`Client ${name} (${spec.type}) may not ask ${asking.path}.`, undefined);
  }
  const reserved = isServer ? undefined : asking.inputsForServers?.find((input_) => input[input_] !== undefined);
  if (reserved !== undefined)
    throw forbiddenRefusal(`Client ${name} (${spec.type}) may not set ${reserved}.`, reserved);
}

/** The question as the subject may ask it: what says who is asked about comes from the token alone. */
function boundTo(claims: JWTPayload, asking: Asking, input: Record<string, unknown>): Record<string, unknown> {
  const bound = { ...input };
  for (const name of asking.subjectInputs ?? []) {
    const claimed = SUBJECT_NAMES.has(name) ? claims.sub : claims[name];
    if (input[name] !== undefined && input[name] !== claimed) {
      throw forbiddenRefusal(
        `A publishable client asks for the subject of its token only: ${name} is ${String(claimed ?? 'not in it')}.`,
        name,
      );
    }
    if (claimed !== undefined) bound[name] = claimed;
  }
  return bound;
}

/** Whether a question concerns the unit of its context, and no record: flags. */
function isAboutUnits({ access, subjectInputs }: Asking): boolean {
  return access === 'catalogue' && subjectInputs?.length === 1 && subjectInputs[0] === TARGETING_KEY;
}

/** The same question about nobody who has an account: what the sender calls itself is a name of its own. */
function anonymously(input: Record<string, unknown>): Record<string, unknown> {
  const id = input[TARGETING_KEY];
  return typeof id === 'string' && id !== '' ? { ...input, [TARGETING_KEY]: `${ANONYMOUS}${id}` } : input;
}

/** The listener whose record a question reads. */
function listenerIn({ recordOf }: Asking, input: Record<string, unknown>): string | undefined {
  const listener = recordOf === undefined ? undefined : input[recordOf.input];
  return typeof listener === 'string' ? listener : undefined;
}

/** The object that a question concerns; undefined where it names none. */
function aboutIn({ about }: Asking, input: Record<string, unknown>): AskedAbout | undefined {
  const named = about === undefined ? undefined : input[about.input];
  if (about === undefined || typeof named !== 'string') return undefined;
  const { kind, subresource } = about;
  return { kind, subresource, namespace: '', ...readLiveName(kind, named) };
}

function keyInQuery({ queryText }: Exchange): string | undefined {
  if (!queryText.includes('key=')) return undefined;
  return new URLSearchParams(queryText).get('key') ?? undefined;
}

/** Pages of others send what their visitors' browsers have; no answer of ours is for them. */
function refuseForeignPage(exchange: Exchange): void {
  if (isFromForeignPage(exchange)) throw foreignPage(exchange.header('origin') ?? 'another site');
}

function credentialRefusal(asking: Asking, input: Record<string, unknown>): Refusal {
  const { access, path } = asking;
  const listener = listenerIn(asking, input);
  if (access === 'catalogue' && listener === undefined) {
    return unauthorizedRefusal(
      'This needs the key of a Client.',
      'Send "Authorization: Bearer KEY" with a key of a declared Client.',
    );
  }
  return unauthorizedRefusal(
    listener === undefined ? `${path} needs a credential.` : 'What is on record for a listener needs a credential.',
    `Send "Authorization: Bearer" with a key of a Client, or the token of a user who may ${verbOfPath(access)} ${path}.`,
  );
}

function forbiddenRefusal(message: string, input: string | undefined): Refusal {
  return clientRefusal(
    'forbidden',
    message,
    input === undefined ? {} : { problems: [{ path: [input], reason: 'FieldValueForbidden', detail: message }] },
  );
}

function foreignPage(origin: string): Refusal {
  return clientRefusal('foreign-origin', `Pages of ${origin} may not ask here.`);
}

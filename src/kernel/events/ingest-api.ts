import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { DeclaredPath, PathAccess } from '#kernel/access/authorization/path-access.ts';
import type { Clock } from '#kernel/base/clock.ts';
import { Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { readBody, send, type Exchange } from '#kernel/http/exchange.ts';
import type { Deadline } from '#kernel/http/request-limit.ts';
import type { RequestContext, Route } from '#kernel/http/router.ts';
import type { BodyCredentials } from '#kernel/snapshots/gate.ts';
import { cloudEventsIn } from './cloud-events.ts';
import type { EventTable } from './event-table.ts';
import type { EventMetrics } from './event-metrics.ts';
import { judge } from './judge.ts';
import type { LogWriter } from './log-writer.ts';
import { type GivenBatch, readBatch, readCloudEvents, readSegmentBatch, readSegmentCall } from './read-batch.ts';
import type { EventResult } from './write-events.ts';

export const INGEST_LIMITS = {
  /** Of one body, also after decompression. */
  bodyBytesMax: 4 * 1024 * 1024,
  /** Events that wait for the database: about a second of work. */
  waitingEventsMax: 50_000,
  /** Bytes of bodies that are not answered yet. Ingest takes about three times as much of this process's memory. */
  waitingBytesMax: 64 * 1024 * 1024,
  /** Of one body that holds its own credentials: it is read before the sender is authenticated. */
  strangerBytesMax: 512 * 1024,
  retryAfterSeconds: 1,
} as const;

/** An authenticated sender of events. */
export interface Sender {
  /** `client:NAME`, `user:NAME` or `local`. */
  readonly client: string;
  /** The one subject that it may name; absent: any. */
  readonly subject?: string | undefined;
}

/**
 * Authenticates a sender; throws Refusal for all others. `subjectInput` is the name of the subject in the request,
 * `credentials` came in the body.
 */
export type Admit = (
  exchange: Exchange,
  path: string,
  subjectInput: string,
  credentials?: BodyCredentials,
) => Sender | Promise<Sender>;

/** A body may take a minute to come. */
const DEADLINE: Deadline = { msDefault: 60_000, msMax: 60_000 };

/** A path that events are posted to, and the reader of its body. */
interface Endpoint {
  /** The path that a Client must be allowed to use. */
  readonly path: string;
  readonly isSegment: boolean;
  readonly read: (body: unknown, table: EventTable, exchange: Exchange) => GivenBatch;
}

const NATIVE: Endpoint = {
  path: '/v1/events',
  isSegment: false,
  read: (body, _table, exchange) => {
    const given = cloudEventsIn(exchange, body);
    return given === undefined ? readBatch(body) : readCloudEvents(given);
  },
};
const SEGMENT: Endpoint = { path: '/v1/batch', isSegment: true, read: readSegmentBatch };
const CALLS = ['track', 'identify', 'page', 'screen', 'group', 'alias'];

/** Segment's libraries in browsers and on phones send single calls, or use paths of one letter. */
const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  ['/v1/events', NATIVE],
  ['/v1/batch', SEGMENT],
  ['/v1/b', SEGMENT],
  ...CALLS.flatMap((call): [string, Endpoint][] => {
    const alone: Endpoint = { ...SEGMENT, read: (body, table) => readSegmentCall(body, call, table) };
    return [
      [`/v1/${call}`, alone],
      [`/v1/${call.slice(0, 1)}`, alone],
    ];
  }),
]);

/** The permissions that these paths require. */
export const INGEST_PATHS: readonly DeclaredPath[] = [...ENDPOINTS.keys()].map((path) => ({ path, access: 'ingest' }));

const unpack = promisify(gunzip);

/** Bytes of requests under way. */
export interface Load {
  bytes: number;
}

/** Authenticates senders of events. */
export interface EventGate {
  readonly admit: Admit;
  /** Charges the rate limit of the address for reading a body whose sender is not authenticated yet. */
  readonly chargeStranger: (exchange: Exchange) => void;
  /** As `Route.answerPreflight`. */
  readonly answerPreflight?: (exchange: Exchange) => boolean;
}

/** The routes that events are posted to. */
export function ingestRoutes(parts: {
  readonly table: () => EventTable;
  readonly writer: LogWriter;
  readonly gate: EventGate;
  readonly clock: Clock;
  readonly metrics: EventMetrics;
  readonly load: Load;
  readonly limits?: Partial<Record<keyof typeof INGEST_LIMITS, number>>;
}): readonly Route<PathAccess>[] {
  const { table, writer, gate, clock, metrics, load } = parts;
  const { admit, chargeStranger, answerPreflight } = gate;
  const limits = { ...INGEST_LIMITS, ...parts.limits };

  return [...ENDPOINTS].map(([path, endpoint]) => ({
    methods: ['POST'],
    path,
    by: 'ingest',
    deadline: DEADLINE,
    ...(answerPreflight === undefined ? {} : { answerPreflight }),
    handle: (exchange, context) => take(exchange, context, endpoint),
  }));

  async function take(
    exchange: Exchange,
    { signal }: RequestContext,
    { path, isSegment, read }: Endpoint,
  ): Promise<void> {
    requireJson(exchange);
    const isStranger = exchange.header('authorization') === undefined;
    const known = isStranger ? undefined : await admit(exchange, path, 'subject');
    if (isStranger) chargeStranger(exchange);
    const reserved = reserve(exchange);
    try {
      const bytesMax = isStranger ? Math.min(limits.strangerBytesMax, limits.bodyBytesMax) : limits.bodyBytesMax;
      const body = parse(await unpackBody(exchange, await readBody(exchange, bytesMax), bytesMax));
      const { client, subject } = known ?? (await admit(exchange, path, 'subject', credentialsIn(body)));
      const rules = table();
      const receivedMs = clock().epochMilliseconds;
      const batch = read(body, rules, exchange);
      const { sentMs, producer, sequence } = batch;
      if (sentMs !== undefined) metrics.observeSkew(receivedMs - sentMs);
      const waiting = writer.waiting();
      requireRoom(waiting === 0 || waiting + batch.events.length <= limits.waitingEventsMax);
      const envelope = { client, boundTo: subject, sentMs, receivedMs };
      const verdicts = batch.events.map((event) => judge(rules, event, envelope));
      const origin = { client, producer, sequence, boundTo: subject, sentMs, receivedMs };
      const results = await writer.write({ origin, verdicts }, signal);
      send(exchange, 200, JSON.stringify(answer(results, isSegment)));
    } finally {
      load.bytes -= reserved;
    }
  }

  /** Reserves bytes for a body before it is read; gives their number. A body without a length may become long. */
  function reserve(exchange: Exchange): number {
    const length = Number(exchange.header('content-length') ?? Number.NaN);
    const isPlain = exchange.header('content-encoding') === undefined;
    const bytes = isPlain && length >= 0 ? Math.min(length, limits.bodyBytesMax) : limits.bodyBytesMax;
    // A request that is alone is accepted, however large.
    requireRoom(load.bytes === 0 || load.bytes + bytes <= limits.waitingBytesMax);
    requireRoom(writer.waiting() < limits.waitingEventsMax);
    load.bytes += bytes;
    return bytes;
  }

  function requireRoom(isThere: boolean): void {
    if (isThere) return;
    metrics.countTurnedAway();
    throw httpRefusal(
      'overloaded',
      `${writer.waiting()} events, and requests of ${load.bytes} bytes, are waiting already.`,
      { retryAfterSeconds: limits.retryAfterSeconds, remedy: 'Send the same batch again in a moment.' },
    );
  }
}

/** RFC 9110, section 8.4.1.3. */
const GZIP: ReadonlySet<string> = new Set(['gzip', 'x-gzip']);

async function unpackBody(exchange: Exchange, bytes: Buffer, bytesMax: number): Promise<Buffer> {
  const encoding = (exchange.header('content-encoding') ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity') return bytes;
  if (!GZIP.has(encoding)) {
    throw httpRefusal('unsupported-media-type', `Bodies packed with ${encoding} are not read.`, {
      remedy: 'Pack them with gzip, or not at all.',
    });
  }
  try {
    const plain = await unpack(bytes, { maxOutputLength: bytesMax });
    exchange.chargeBody(plain.length - bytes.length);
    return plain;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw badBody('it is not gzip');
    throw httpRefusal('body-too-large', `The body is larger than ${bytesMax} bytes when unpacked.`);
  }
}

/** Media types of JSON bodies: `sendBeacon` sends text, and libraries that set none send a form. */
const JSON_TYPES = /^(application\/(json|x-www-form-urlencoded|[\w.-]+\+json)|text\/plain)\s*(;|$)/i;

function requireJson(exchange: Exchange): void {
  const type = exchange.header('content-type');
  if (type === undefined || JSON_TYPES.test(type)) return;
  throw httpRefusal('unsupported-media-type', `A body of type "${type}" is not read.`, {
    remedy: 'Send JSON, and say so: "Content-Type: application/json".',
  });
}

/** Reads the credentials of a sender that cannot set headers from its body. */
function credentialsIn(body: unknown): BodyCredentials {
  if (!isRecord(body)) return {};
  const { writeKey, subjectToken } = body;
  return {
    ...(typeof writeKey === 'string' ? { key: writeKey } : {}),
    ...(typeof subjectToken === 'string' ? { subjectToken } : {}),
  };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw badBody(error instanceof Error ? error.message : 'it cannot be read');
  }
}

function badBody(why: string): Refusal {
  return httpRefusal('bad-json', `The body is not JSON: ${why}.`);
}

/** Segment's libraries look for `success`. */
function answer(results: readonly (EventResult | undefined)[], isSegment: boolean): object {
  const of = (outcome: EventResult['outcome']) => results.filter((result) => result?.outcome === outcome).length;
  return {
    ...(isSegment ? { success: true } : {}),
    accepted: of('accepted'),
    duplicates: of('duplicate'),
    quarantined: of('quarantined'),
    results,
  };
}

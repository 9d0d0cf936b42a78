import { fnv1a32 } from '#kernel/audiences/bucketing/fnv1a.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { parseExactJson } from '#kernel/base/exact-json.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { jsonPointer, type Path } from '#kernel/base/failures.ts';
import type { Log } from '#kernel/base/log.ts';
import { unstorableIn } from '#kernel/base/storable-text.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { isKnown, readBody, send, type Exchange } from '#kernel/http/exchange.ts';
import { openLongAnswer } from '#kernel/http/long-answer.ts';
import type { Asking, DecisionProtocol, ProtocolContext, ProtocolView } from '#kernel/snapshots/module.ts';
import { decideWithRecord } from './assignment-record.ts';
import { subjectOfContext } from './cohort-subject.ts';
import type { Evaluation, ExperienceTable, Outcome } from './decisions/table.ts';
import { wrongSaid, wrongValues } from './decisions/wrong-values.ts';
import { ofrepDocuments } from './ofrep-documents.ts';
import type { AssignmentStore } from './records/assignments.ts';

const BULK_PATH = '/ofrep/v1/evaluate/flags';
const SINGLE_PATH = '/ofrep/v1/evaluate/flags/*';
const EVENTS_PATH = '/ofrep/v1/events';
const BODY_BYTES_MAX = 64 * 1024;
/** Announced maximum silence of the event stream; the server sends a heartbeat every 15 s. */
const INACTIVITY_SECONDS = 120;

/** URL of the event stream. A browser's EventSource sends no headers, so the URL carries the key. */
function eventStreams(publishableKey: string | undefined): string {
  const requestUri =
    publishableKey === undefined ? EVENTS_PATH : `${EVENTS_PATH}?key=${encodeURIComponent(publishableKey)}`;
  return JSON.stringify([{ type: 'sse', endpoint: { requestUri }, inactivityDelaySec: INACTIVITY_SECONDS }]);
}

export interface FlagFacts {
  /** Recorded variants; undefined on a node without a database. */
  readonly assignments: AssignmentStore | undefined;
  readonly random: () => number;
  readonly log: Log;
}

type Context = ProtocolContext<ExperienceTable>;

/** An evaluation request and its inputs. */
interface Question {
  readonly evaluation: Evaluation;
  readonly view: ProtocolView<ExperienceTable>;
  readonly publishableKey: string | undefined;
}

/** OFREP 0.3: flags for every OpenFeature SDK. */
export function ofrep(facts: FlagFacts): readonly DecisionProtocol<ExperienceTable>[] {
  return [
    {
      path: BULK_PATH,
      methods: ['POST'],
      ...ASKING,
      openApi: ofrepDocuments.bulk,
      answer: (exchange, context) => bulk(exchange, context, facts),
    },
    {
      path: SINGLE_PATH,
      methods: ['POST'],
      ...ASKING,
      openApi: ofrepDocuments.single,
      answer: (exchange, context) => single(exchange, context, facts),
    },
    {
      path: EVENTS_PATH,
      methods: ['GET'],
      isStream: true,
      access: 'catalogue',
      isAboutNobody: true,
      openApi: ofrepDocuments.events,
      answer: events,
    },
  ];
}

async function bulk(exchange: Exchange, context: Context, facts: FlagFacts): Promise<void> {
  const question = await questionIn(exchange, context, facts, undefined);
  if (question === undefined) return;
  const { evaluation, view, publishableKey } = question;
  const { table, version, releases } = view;
  const outcomes = await decideWithRecord(table, table.inOrder(), evaluation, recordOf(context, facts));
  const etag = tagOf(outcomes, releases);
  const headers = { etag, 'cache-control': 'private, no-cache', vary: 'Authorization' };
  if (isKnown(exchange, etag)) {
    exchange.response.writeHead(304, { ...headers, 'x-request-id': exchange.requestId }).end();
    exchange.noteAnswer(304);
    return;
  }
  let flags = '';
  for (const { json } of outcomes) flags += flags === '' ? json : `,${json}`;
  const metadata = `"snapshot":"${version}"${releaseMember(releases)}`;
  const body = `{"flags":[${flags}],"metadata":{${metadata}},"eventStreams":${eventStreams(publishableKey)}}`;
  send(exchange, 200, body, { headers });
}

async function single(exchange: Exchange, context: Context, facts: FlagFacts): Promise<void> {
  const key = keyIn(exchange);
  const question = await questionIn(exchange, context, facts, key);
  if (question === undefined) return;
  const { evaluation, view } = question;
  const { table, version, releases } = view;
  const flag = table.flags.get(key);
  if (flag === undefined) {
    const near = didYouMean(nearSpellings(key, table.flags.keys()));
    return fail(exchange, 404, { key, errorCode: 'FLAG_NOT_FOUND', errorDetails: `There is no flag "${key}"${near}.` });
  }
  const [outcome] = await decideWithRecord(table, [flag], evaluation, recordOf(context, facts));
  if (outcome === undefined) return undefined;
  if (outcome.error !== undefined) return send(exchange, 400, outcome.json);
  // The metadata is the last member and never empty.
  const metadata = `"snapshot":"${version}"${releaseMember(releases)}`;
  send(exchange, 200, `${outcome.json.slice(0, -2)},${metadata}}}`);
}

/** OFREP metadata has no lists: several releases share one text. */
function releaseMember(releases: string): string {
  return releases === '' ? '' : `,"release":${JSON.stringify(releases)}`;
}

function recordOf(request: Context, { assignments, log }: FlagFacts) {
  return { store: assignments, request, log };
}

/** Notifies the client that flags may have changed, without saying which. */
async function events(exchange: Exchange, { admit }: Context): Promise<void> {
  await readBody(exchange, 0);
  const { everybodys, onSwap } = await admit({});
  const { table, exposure } = everybodys();
  let tag = table.tag + exposure;
  let stop = (): void => {};
  const answer = openLongAnswer(exchange, {
    contentType: 'text/event-stream',
    beat: ': still here\n\n',
    onEnd: () => stop(),
    admit: () => admit({}),
  });
  const say = (at: string): void => {
    answer.write(`id: ${at}\nevent: message\ndata: ${JSON.stringify({ type: 'refetchEvaluation', etag: at })}\n\n`);
  };
  const last = exchange.header('last-event-id');
  if (last !== undefined && last !== tag) say(tag);
  else answer.write(`id: ${tag}\n: connected\n\n`);
  stop = onSwap((next, exposed) => {
    if (!answer.recheck()) return;
    const after = next.tag + exposed;
    if (after === tag) return;
    tag = after;
    say(tag);
  });
  // The client may have disconnected already.
  if (exchange.response.destroyed) stop();
}

const ASKING = {
  access: 'catalogue',
  subjectInputs: [TARGETING_KEY],
  inputsForServers: ['$forced'],
} as const satisfies Omit<Asking, 'path'>;

/** Parses the request; undefined when it is invalid and has been answered. */
async function questionIn(
  exchange: Exchange,
  { now, admit }: Context,
  { random }: FlagFacts,
  key: string | undefined,
): Promise<Question | undefined> {
  const bytes = await readBody(exchange, BODY_BYTES_MAX);
  const { body, unstorable } = parse(bytes);
  const about = key === undefined ? {} : { key };
  if (body === undefined) {
    const errorDetails = 'The body is not UTF-8 JSON; send an object like {"context":{"targetingKey":"…"}}.';
    return fail(exchange, 400, { ...about, errorCode: 'PARSE_ERROR', errorDetails });
  }
  if (unstorable !== undefined) {
    const where = jsonPointer(unstorable).slice(0, 200);
    const errorDetails = `${where}: a text with U+0000 or a lone surrogate cannot be stored.`;
    return fail(exchange, 400, { ...about, errorCode: 'INVALID_CONTEXT', errorDetails });
  }
  const { context = {}, forced } = isRecord(body) ? body : { context: body };
  if (!isRecord(context)) {
    const errorDetails = `The context is ${Array.isArray(context) ? 'a list' : JSON.stringify(context)?.slice(0, 80)}; it must be an object of attributes.`;
    return fail(exchange, 400, { ...about, errorCode: 'INVALID_CONTEXT', errorDetails });
  }
  const { viewOf, publishableKey, input } = await admit(
    forced === undefined ? context : { ...context, $forced: forced },
  );
  const view = await viewOf(subjectOfContext, input);
  const { refused, evaluation: wrongs } = wrongValues(input, view.table);
  if (refused.length > 0) {
    const errorDetails = refused.map(wrongSaid).join('; ');
    return fail(exchange, 400, { ...about, errorCode: 'INVALID_CONTEXT', errorDetails });
  }
  const wrong = forcedProblem(forced, view.table);
  if (wrong !== undefined) return fail(exchange, 400, { ...about, errorCode: 'GENERAL', errorDetails: wrong });
  const evaluation: Evaluation = {
    context: input,
    nowMs: now.epochMilliseconds,
    random,
    ...wrongs,
    ...(isRecord(forced) ? { forced: forced as Record<string, string> } : {}),
  };
  return { evaluation, view, publishableKey };
}

/** The body, undefined when it is invalid; and the position of text that cannot be stored. */
function parse(bytes: Buffer): { readonly body: unknown; readonly unstorable?: Path | undefined } {
  if (bytes.length === 0) return { body: {} };
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const body = parseExactJson(text);
    return { body, unstorable: unstorableIn(body, text) };
  } catch {
    return { body: undefined };
  }
}

/** The problem of forced variants. */
export function forcedProblem(forced: unknown, table: ExperienceTable): string | undefined {
  if (forced === undefined) return undefined;
  if (!isRecord(forced)) return 'forced must be an object of variants by flag';
  for (const [name, variant] of Object.entries(forced)) {
    const flag = table.flags.get(name);
    if (flag === undefined)
      return `forced: there is no flag "${name}"${didYouMean(nearSpellings(name, table.flags.keys()))}`;
    if (typeof variant !== 'string' || !flag.forced.has(variant)) {
      return `forced: flag "${name}" has no variant ${JSON.stringify(variant)}; it has ${[...flag.forced.keys()].join(', ')}`;
    }
  }
  return undefined;
}

interface OfrepFailure {
  readonly key?: string;
  readonly errorCode: 'PARSE_ERROR' | 'INVALID_CONTEXT' | 'FLAG_NOT_FOUND' | 'GENERAL';
  readonly errorDetails: string;
}

function fail(exchange: Exchange, status: number, failure: OfrepFailure): undefined {
  send(exchange, status, JSON.stringify(failure));
  return undefined;
}

function keyIn({ path }: Exchange): string {
  const raw = path.slice(SINGLE_PATH.length - 1);
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}

/** ETag of this context's outcomes alone: changes for other contexts do not affect it. */
function tagOf(outcomes: readonly Outcome[], releases: string): string {
  let low = 0x811c9dc5;
  let high = outcomes.length;
  for (const { digest } of outcomes) {
    low = Math.imul(low ^ digest, 0x01000193);
    high = (Math.imul(high, 0x85ebca6b) + digest) ^ (high >>> 15);
  }
  const ofReleases = releases === '' ? '' : `-${fnv1a32(releases).toString(16)}`;
  return `"${(high >>> 0).toString(16)}-${(low >>> 0).toString(16)}${ofReleases}"`;
}

import { Compile } from 'typebox/compile';
import type { TSchema } from 'typebox';
import { verbOfPath, type DeclaredPath, type PathAccess } from '#kernel/access/authorization/path-access.ts';
import type { Clock } from '#kernel/base/clock.ts';
import { parseExactJson } from '#kernel/base/exact-json.ts';
import { Refusal, type Path } from '#kernel/base/failures.ts';
import { unstorableIn } from '#kernel/base/storable-text.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { readBody, send, type Exchange } from '#kernel/http/exchange.ts';
import type { Deadline } from '#kernel/http/request-limit.ts';
import { READ_METHODS, type Method, type RequestContext, type Route } from '#kernel/http/router.ts';
import type { CohortSubject } from './cohort-membership.ts';
import type { Follower } from './follow.ts';
import type { Admitted, Gate } from './gate.ts';
import type { AdmittedToProtocol, DecisionModule, DecisionProtocol, DecisionRoute } from './module.ts';
import { factsBetween } from './facts.ts';
import { releasesExplained, releasesMember, releasesText } from './name-releases.ts';
import type { Snapshot } from './snapshot.ts';
import { resultOfStatus, type Result, type Witness } from './witness.ts';
import type { Seen } from './worlds.ts';
import { isRecord } from '#kernel/base/is-record.ts';

const BODY_BYTES_MAX = 16 * 1024;
/** As many problems as a person mends at once, and as much of a name as they read. */
const PROBLEMS_MAX = 10;
const SHOWN_CHARS_MAX = 100;
/** As much of a path as a person reads. */
const SHOWN_DEPTH_MAX = 20;

/** Records are read and written within a second or two; a database that is away is refused by then. */
const DEADLINE: Deadline = { msDefault: 30_000, msMax: 60_000 };

interface Ready {
  readonly module: DecisionModule<unknown>;
  readonly route: DecisionRoute<unknown>;
  readonly check: (input: unknown) => boolean;
  /** What a query value becomes, by parameter. */
  readonly types: ReadonlyMap<string, 'text' | 'number' | 'boolean' | 'list'>;
  readonly errors: (input: unknown) => readonly { readonly instancePath: string; readonly message: string }[];
}

/** The routes of all modules, answered from the follower's snapshot. Every answer names the snapshot and its age. */
export function decisionApi(
  modules: readonly DecisionModule<unknown>[],
  follower: Follower,
  clock: Clock,
  gate: Gate,
  witness: Witness,
): readonly Route<PathAccess>[] {
  const facts = factsBetween(modules);
  const { answerPreflight } = gate;
  return modules.flatMap((module) => [
    ...module.routes.map((route): Route<PathAccess> => {
      const found = ready(module, route);
      const { path, access: by } = route;
      const methods: readonly Method[] = verbOfPath(by) === 'post' ? ['POST'] : [...READ_METHODS, 'POST'];
      return {
        methods,
        path,
        by,
        deadline: DEADLINE,
        answerPreflight,
        handle: (exchange, context) => handle(exchange, context, found),
      };
    }),
    ...(module.protocols ?? []).map((protocol): Route<PathAccess> => {
      const { path, access: by, methods, isStream = false } = protocol;
      return {
        methods,
        path,
        by,
        deadline: isStream ? 'stream' : DEADLINE,
        answerPreflight,
        handle: (exchange, context) => speak(exchange, context, module, protocol),
      };
    }),
  ]);

  function handle(exchange: Exchange, context: RequestContext, found: Ready): void | Promise<void> {
    if (exchange.method !== 'POST') return ask(exchange, context, found, queryInput(exchange.queryText, found));
    return readBody(exchange, found.route.bodyBytesMax ?? BODY_BYTES_MAX).then((bytes) =>
      ask(exchange, context, found, jsonInput(bytes)),
    );
  }

  function ask(exchange: Exchange, context: RequestContext, found: Ready, input: unknown): void | Promise<void> {
    const allowed = gate.admit(exchange, found.route, isRecord(input) ? input : {}, (given) =>
      requireInput(found, given),
    );
    if (allowed instanceof Promise)
      return allowed.then((admitted) => {
        // Nothing is counted for who no longer waits for the answer.
        context.signal.throwIfAborted();
        return respond(exchange, context, found, isRecord(input) ? admitted.input : input, admitted.by);
      });
    return respond(exchange, context, found, isRecord(input) ? allowed.input : input, allowed.by);
  }

  function speak(
    exchange: Exchange,
    request: RequestContext,
    module: DecisionModule<unknown>,
    protocol: DecisionProtocol<unknown>,
  ): void | Promise<void> {
    const now = clock();
    const letThrough = ({ input, publishableKey }: Admitted): AdmittedToProtocol<unknown> => ({
      input,
      publishableKey,
      everybodys: () => {
        const { tables, worlds } = follower.snapshot();
        return { table: tables.get(module.name), exposure: exposureOf(worlds) };
      },
      viewOf: (subjectOf, about) => {
        const snapshot = follower.snapshot();
        const { version } = snapshot;
        const exposed = snapshot.worlds.get(module.name);
        if (exposed === undefined) return { table: snapshot.tables.get(module.name), version, releases: '' };
        const subject = subjectOf(about);
        const seen = exposed.see(subject, now.epochMilliseconds);
        exchange.response.once('finish', () => {
          witness.saw(seen, subject, resultOfStatus(exchange.response.statusCode), now);
        });
        return { table: seen.table, version, releases: releasesText(seen.releases) };
      },
      onSwap: (listener) =>
        follower.onSwap((snapshot) => listener(snapshot.tables.get(module.name), exposureOf(snapshot.worlds))),
    });
    return protocol.answer(exchange, {
      now,
      get signal() {
        return request.signal;
      },
      admit: (input) => {
        const admitted = gate.admit(exchange, protocol, input);
        return admitted instanceof Promise ? admitted.then(letThrough) : letThrough(admitted);
      },
    });

    function exposureOf(exposed: Snapshot['worlds']): string {
      return exposed.get(module.name)?.tag ?? '';
    }
  }

  function respond(
    exchange: Exchange,
    request: RequestContext,
    found: Ready,
    input: unknown,
    by: string,
  ): void | Promise<void> {
    const { module, route } = found;
    requireInput(found, input);
    const { version, tables, worlds } = follower.snapshot();
    const table = tables.get(module.name);
    if (worlds.size > 0 && facts.sourcesOf(module).some((name) => worlds.has(name))) {
      return respondInWorld(exchange, request, found, { table, input, by });
    }
    const answer = route.handle(input, {
      table,
      facts: facts.of(module, (name) => tables.get(name)),
      now: clock(),
      by,
      get signal() {
        return request.signal;
      },
    });
    if (answer instanceof Promise) return answer.then((settled: object) => finish(exchange, settled, version, ''));
    return finish(exchange, answer, version, '');
  }

  /** The same while releases are under way: what the subject sees of them is found once, and all is answered from that. */
  async function respondInWorld(
    exchange: Exchange,
    { signal }: RequestContext,
    { module, route }: Ready,
    { table, input, by }: { readonly table: unknown; readonly input: unknown; readonly by: string },
  ): Promise<void> {
    const subject = await subjectIn(exchange, module, table, input);
    signal.throwIfAborted();
    // The snapshot of now: records may have been read meanwhile.
    const snapshot = follower.snapshot();
    const now = clock();
    const byModule = new Map(facts.sourcesOf(module).map((name) => [name, seenOf(snapshot, name, subject, now)]));
    const tableOf = (name: string): unknown => byModule.get(name)?.table;
    const seen = together([...byModule.values()]);
    const note = (result: Result): void => {
      if (subject !== undefined && route.explains !== true) witness.saw(seen, subject, result, now);
    };
    let answer: object;
    try {
      const context = { table: tableOf(module.name), facts: facts.of(module, tableOf), now, by, signal };
      answer = await route.handle(input, context);
    } catch (error) {
      note(error instanceof Refusal ? resultOfStatus(error.status) : 'failed');
      throw error;
    }
    note(module.isDenial?.(answer) === true ? 'denied' : 'given');
    const explained = route.explains === true ? { ...answer, ...releasesExplained(seen) } : answer;
    finish(exchange, explained, snapshot.version, releasesMember(seen.releases));
  }

  function finish(exchange: Exchange, given: object, version: string, releases: string): void {
    const answer = JSON.stringify(given);
    const ageSeconds = Math.round(follower.ageMs() / 1000);
    const snapshot = `"snapshot":{"version":"${version}","ageSeconds":${ageSeconds}${releases}}}`;
    send(exchange, 200, 'application/json', `${answer.slice(0, -1)}${answer.length > 2 ? ',' : ''}${snapshot}`);
  }
}

function requireInput({ route, check, errors }: Ready, input: unknown): void {
  if (!check(input)) throw wrongInput(route, input, () => errors(input));
}

/** Whom a question is about; undefined when that cannot be told, and everybody's world answers. */
async function subjectIn(
  exchange: Exchange,
  { subjectOf }: DecisionModule<unknown>,
  table: unknown,
  input: unknown,
): Promise<CohortSubject | undefined> {
  try {
    return await subjectOf?.(table, input);
  } catch (error) {
    // A refusal is about the question itself: the answer will be the same one.
    if (!(error instanceof Refusal)) exchange.log.warn({ err: error }, 'whom a question is about cannot be told');
    return undefined;
  }
}

/** What a subject sees of one module. */
function seenOf(
  { tables, worlds }: Snapshot,
  module: string,
  subject: CohortSubject | undefined,
  now: Temporal.Instant,
): Seen<unknown> {
  const exposed = subject === undefined ? undefined : worlds.get(module);
  return subject === undefined || exposed === undefined
    ? { table: tables.get(module), releases: [], tracks: [], isBroken: false }
    : exposed.see(subject, now.epochMilliseconds);
}

/** What releases make of somebody in several modules: one that carries objects of more than one is one. */
function together(all: readonly Seen<unknown>[]): Omit<Seen<unknown>, 'table'> {
  const [one] = all;
  if (all.length === 1 && one !== undefined) return one;
  return {
    releases: [...new Map(all.flatMap(({ releases }) => releases.map((release) => [release.name, release]))).values()],
    tracks: [...new Map(all.flatMap(({ tracks }) => tracks.map((track) => [track.release.name, track]))).values()],
    isBroken: all.some(({ isBroken }) => isBroken),
  };
}

/** What callers must be allowed who ask the modules. */
export function pathsOf(modules: readonly DecisionModule<unknown>[]): readonly DeclaredPath[] {
  return modules.flatMap(({ routes, protocols = [] }) => [...routes, ...protocols]);
}

function ready(module: DecisionModule<unknown>, route: DecisionRoute<unknown>): Ready {
  const validator = Compile(route.input);
  const types = new Map(
    Object.entries(propertiesOf(route.input)).map(([name, schema]) => {
      const { type } = schema as { type?: string };
      if (type === 'integer' || type === 'number') return [name, 'number'] as const;
      if (type === 'boolean') return [name, 'boolean'] as const;
      return [name, type === 'array' ? 'list' : 'text'] as const;
    }),
  );
  return { module, route, types, check: (input) => validator.Check(input), errors: (input) => validator.Errors(input) };
}

export function propertiesOf(schema: TSchema): Record<string, TSchema> {
  return (schema as { properties?: Record<string, TSchema> }).properties ?? {};
}

/** The query string as an object; text becomes what the schema names where it can, and is left for the check otherwise. */
function queryInput(queryText: string, { types }: Ready): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  if (queryText === '') return input;
  for (const pair of queryText.split('&')) {
    if (pair === '') continue;
    const mark = pair.indexOf('=');
    const name = decode(mark === -1 ? pair : pair.slice(0, mark));
    const value = mark === -1 ? '' : decode(pair.slice(mark + 1));
    if (name === '__proto__')
      throw new Refusal('decisions/unknown-parameter', 'BadRequest', `There is no parameter ${name}.`);
    const type = types.get(name);
    if (type === 'list') {
      const list = (input[name] ??= []) as string[];
      list.push(...value.split(','));
    } else if (input[name] !== undefined) {
      throw new Refusal('decisions/repeated-parameter', 'BadRequest', `The parameter ${name} is given twice.`);
    } else if (type === 'number' && value.trim() !== '' && !Number.isNaN(Number(value))) input[name] = Number(value);
    else if (type === 'boolean' && (value === 'true' || value === 'false')) input[name] = value === 'true';
    else input[name] = value;
  }
  return input;
}

function decode(text: string): string {
  try {
    return text.includes('%') || text.includes('+') ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
  } catch {
    throw new Refusal('decisions/bad-query', 'BadRequest', `The query has bad percent-encoding: ${text.slice(0, 100)}`);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function jsonInput(bytes: Buffer): unknown {
  let text: string;
  let input: unknown;
  try {
    text = UTF8.decode(bytes);
    input = parseExactJson(text);
  } catch (error) {
    throw new Refusal(
      'decisions/bad-json',
      'BadRequest',
      `The body is not JSON: ${error instanceof Error ? error.message : 'unreadable'}`,
      {
        remedy: 'Send one JSON object in UTF-8.',
      },
    );
  }
  const path = unstorableIn(input, text);
  if (path === undefined) return input;
  const detail = 'U+0000 and half of a surrogate pair cannot be kept';
  throw new Refusal(
    'decisions/unstorable-text',
    'BadRequest',
    'The body has a text with U+0000 or half of a surrogate pair.',
    {
      problems: [{ path: path.slice(0, SHOWN_DEPTH_MAX), reason: 'FieldValueInvalid', detail }],
    },
  );
}

/** What is wrong with an input: parameters that there are not, or else what the schema says. */
export function wrongInput(
  route: Pick<DecisionRoute<unknown>, 'path' | 'input'>,
  input: unknown,
  errors: () => Iterable<{ readonly instancePath: string; readonly message: string }>,
): Refusal {
  const names = Object.keys(propertiesOf(route.input));
  const known = new Set(names);
  const unknown = isRecord(input) ? Object.keys(input).filter((name) => !known.has(name)) : [];
  const wrong: { path: Path; detail: string }[] = unknown.slice(0, PROBLEMS_MAX).map((name) => {
    const shown = name.slice(0, SHOWN_CHARS_MAX).toWellFormed();
    return { path: [shown], detail: `there is no parameter "${shown}"${didYouMean(nearSpellings(name, names))}` };
  });
  let more = unknown.length - wrong.length;
  if (unknown.length === 0) {
    for (const { instancePath, message } of errors()) {
      if (wrong.length === PROBLEMS_MAX) more += 1;
      else {
        const steps = instancePath.split('/', SHOWN_DEPTH_MAX + 1).slice(1);
        wrong.push({ path: steps.map((step) => step.slice(0, SHOWN_CHARS_MAX)), detail: message });
      }
    }
  }
  const said = wrong.map(({ path, detail }) => (path.length === 0 ? detail : `${path.join('.')}: ${detail}`));
  if (more > 0) said.push(`and ${more} more`);
  return new Refusal('decisions/wrong-input', 'BadRequest', `${route.path}: ${said.join('; ')}`, {
    problems: wrong.map((problem) => ({ ...problem, reason: 'FieldValueInvalid' })),
    remedy: `It takes ${names.join(', ')}.`,
  });
}

import { Compile } from 'typebox/compile';
import type { TSchema } from 'typebox';
import { parseExactJson } from '#kernel/base/exact-json.ts';
import type { Path, Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from '#kernel/http/refusals.ts';
import { decisionRefusal } from './refusals.ts';
import { isRecord } from '#kernel/base/is-record.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { unstorableIn } from '#kernel/base/storable-text.ts';
import type { DecisionModule, DecisionRoute } from './module.ts';

/** As many problems as a person mends at once, and as much of a name as they read. */
const PROBLEMS_MAX = 10;
const SHOWN_CHARS_MAX = 100;
/** As much of a path as a person reads. */
const SHOWN_DEPTH_MAX = 20;

/** A route of a module, and how its questions are read. */
export interface ReadyRoute {
  readonly module: DecisionModule<unknown>;
  readonly route: DecisionRoute<unknown>;
  readonly check: (input: unknown) => boolean;
  /** The conversion of a query value, by parameter. */
  readonly types: ReadonlyMap<string, 'text' | 'number' | 'boolean' | 'list'>;
  readonly errors: (input: unknown) => readonly { readonly instancePath: string; readonly message: string }[];
}

/** Refuses what does not fit the schema of the route. */
export function requireInput({ route, check, errors }: ReadyRoute, input: unknown): void {
  if (!check(input)) throw wrongInput(route, input, () => errors(input));
}

export function readyRoute(module: DecisionModule<unknown>, route: DecisionRoute<unknown>): ReadyRoute {
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
export function queryInput(queryText: string, { types }: ReadyRoute): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  if (queryText === '') return input;
  for (const pair of queryText.split('&')) {
    if (pair === '') continue;
    const mark = pair.indexOf('=');
    const name = decode(mark === -1 ? pair : pair.slice(0, mark));
    const value = mark === -1 ? '' : decode(pair.slice(mark + 1));
    if (name === '__proto__') throw decisionRefusal('unknown-parameter', `There is no parameter ${name}.`);
    const type = types.get(name);
    if (type === 'list') {
      const list = (input[name] ??= []) as string[];
      list.push(...value.split(','));
    } else if (input[name] !== undefined) {
      throw decisionRefusal('repeated-parameter', `The parameter ${name} is given twice.`);
    } else if (type === 'number' && value.trim() !== '' && !Number.isNaN(Number(value))) input[name] = Number(value);
    else if (type === 'boolean' && (value === 'true' || value === 'false')) input[name] = value === 'true';
    else input[name] = value;
  }
  return input;
}

/** The inputs of a URL whose last part is one of them. */
export function urlInput(
  { path, queryText }: { readonly path: string; readonly queryText: string },
  ready: ReadyRoute,
  pathInput: string,
): Record<string, unknown> {
  const input = queryInput(queryText, ready);
  if (input[pathInput] !== undefined) {
    throw decisionRefusal('repeated-parameter', `The parameter ${pathInput} stands in the path.`);
  }
  return { ...input, [pathInput]: decode(path.slice(path.lastIndexOf('/') + 1)) };
}

function decode(text: string): string {
  try {
    return text.includes('%') || text.includes('+') ? decodeURIComponent(text.replaceAll('+', ' ')) : text;
  } catch {
    throw decisionRefusal('bad-query', `The query has bad percent-encoding: ${text.slice(0, 100)}`);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The body as a value; U+0000 and half of a surrogate pair in a text are refused. */
export function jsonInput(bytes: Buffer): unknown {
  let text: string;
  let input: unknown;
  try {
    text = UTF8.decode(bytes);
    input = parseExactJson(text);
  } catch (error) {
    throw httpRefusal('bad-json', `The body is not JSON: ${error instanceof Error ? error.message : 'unreadable'}`);
  }
  const path = unstorableIn(input, text);
  if (path === undefined) return input;
  const detail = 'U+0000 and half of a surrogate pair cannot be kept';
  throw httpRefusal('unstorable-text', 'The body has a text with U+0000 or half of a surrogate pair.', {
    problems: [{ path: path.slice(0, SHOWN_DEPTH_MAX), reason: 'FieldValueInvalid', detail }],
  });
}

/** The problems of an input: unknown parameters, or else the errors of the schema. */
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
  const problems = wrong.map(({ path, detail }) => (path.length === 0 ? detail : `${path.join('.')}: ${detail}`));
  if (more > 0) problems.push(`and ${more} more`);
  return decisionRefusal('wrong-input', `${route.path}: ${problems.join('; ')}`, {
    problems: wrong.map((problem) => ({ ...problem, reason: 'FieldValueInvalid' })),
    remedy: `It takes ${names.join(', ')}.`,
  });
}

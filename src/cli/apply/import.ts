import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { importFlagd } from '#domains/experience/importers/flagd/flagd.ts';
import { importGrowthbook } from '#domains/experience/importers/growthbook/growthbook.ts';
import type { AttributeKind, ImportResult, ImportOptions, Note } from '#domains/experience/importers/import-result.ts';
import { importUnleash } from '#domains/experience/importers/unleash/unleash.ts';
import { InexactNumbers } from '#domains/experience/importers/inexact.ts';
import { jsonPointer, Refusal, type Path } from '#kernel/base/failures.ts';
import { encodeYaml } from '#kernel/api/codec/body.ts';
import { parseJson } from '#kernel/api/codec/text/json.ts';
import { sendChangeSet } from '../objects/change-set.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { requireLive } from './apply.ts';
import { applyText, heldText } from '../objects/plan-text.ts';

export const SOURCES = ['unleash', 'growthbook', 'flagd'] as const;

const LIMITS = {
  /** The state of one tool; what people export has kilobytes, and that of the largest a few megabytes. */
  documentBytesMax: 64 * 1024 * 1024,
} as const;

/** Options that are for some of the tools alone. */
const ONLY_FOR = {
  attribute: ['growthbook', 'flagd'],
  bucketing: ['flagd'],
  stickyBucketing: ['growthbook'],
} as const satisfies Partial<Record<keyof ImportCliOptions, readonly (typeof SOURCES)[number][]>>;

export type ImportCliOptions = ConnectionOptions & {
  readonly namespace?: string;
  readonly output?: 'json' | 'yaml';
  readonly apply?: boolean;
  readonly allowNotLive?: boolean;
  readonly skipUnsupported?: boolean;
  readonly targetingKey?: string;
  readonly attribute?: readonly string[];
  readonly bucketing?: 'flagd-v1' | 'flagd-v2';
  readonly stickyBucketing?: boolean;
};

const importers: Readonly<
  Record<(typeof SOURCES)[number], (document: unknown, options: ImportOptions) => ImportResult>
> = {
  unleash: importUnleash,
  growthbook: importGrowthbook,
  flagd: importFlagd,
};

/**
 * `backline import`: turns flags of another tool into objects of ours, in which every unit keeps its variant. Ends with 1
 * when a flag was left out because it cannot be translated exactly, unless that is allowed.
 */
export async function importFlags(
  source: (typeof SOURCES)[number],
  file: string,
  options: ImportCliOptions,
  io: Io,
): Promise<number> {
  refuseStrayOptions(source, options);
  const { document, rounded } = await readDocument(file, io);
  const inexact = new InexactNumbers(rounded);
  const { objects, notes } = translate(source, file, document, { ...options, inexact });
  const [beside] = inexact.leftPaths();
  if (beside !== undefined) {
    throw new CliFailure(`${file}: ${jsonPointer(beside)} is a whole number that cannot be kept exactly.`, {
      remedy: `Whole numbers go up to ${Number.MAX_SAFE_INTEGER}; write larger ones as text.`,
    });
  }
  const named = objects.map((object) => ({
    ...object,
    metadata: { ...object.metadata, ...(options.namespace === undefined ? {} : { namespace: options.namespace }) },
  }));
  const left = notes.filter(({ leftOut }) => leftOut === true);
  for (const note of notes) io.stderr.write(`${noteText(note)}\n`);
  io.stderr.write(`${objects.length} objects, ${left.length} left out\n`);
  const mayGoOn = left.length === 0 || options.skipUnsupported === true;
  if (options.apply !== true) {
    const text =
      options.output === 'json'
        ? JSON.stringify({ apiVersion: 'v1', kind: 'List', items: named }, null, 2)
        : named.map((object) => encodeYaml(object)).join('---\n');
    if (named.length > 0) io.exact.write(`${text.trimEnd()}\n`);
    return mayGoOn ? EXIT.ok : EXIT.failed;
  }
  if (!mayGoOn) {
    throw new CliFailure(`nothing was applied: ${left.length} things cannot be carried over exactly.`, {
      remedy: 'Change them in the source, or leave them out with --skip-unsupported.',
    });
  }
  if (named.length === 0) throw new CliFailure(`there is nothing to import in ${file}.`);
  const target = connectionFrom(options, io);
  const declared = named.map((object) => ({ object, place: () => `${object.kind} ${object.metadata.name}` }));
  const namespace = options.namespace ?? target.namespace;
  const places = named.map(() => file);
  if (options.allowNotLive !== true) {
    // Half of it live is another world than that of the source: nobody would keep their variant.
    const { results } = await sendChangeSet(target, declared, { namespace, dryRun: true });
    const held = heldText(results, places, coloursFor(io.stderr, io.env));
    if (held !== '') io.stderr.write(`${held}\n`);
    requireLive(results, true);
  }
  const answer = await sendChangeSet(target, declared, { namespace, dryRun: false });
  io.stdout.write(`${applyText(answer, false, coloursFor(io.stdout, io.env))}\n`);
  const held = heldText(answer.results, places, coloursFor(io.stderr, io.env));
  if (held !== '') io.stderr.write(`${held}\n`);
  if (options.allowNotLive !== true) requireLive(answer.results);
  return EXIT.ok;
}

function refuseStrayOptions(source: (typeof SOURCES)[number], options: ImportCliOptions): void {
  for (const [option, sources] of Object.entries(ONLY_FOR)) {
    const isGiven = options[option as keyof typeof ONLY_FOR] !== undefined;
    if (!isGiven || (sources as readonly string[]).includes(source)) continue;
    const name = option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new CliFailure(`--${name} is for ${sources.join(' and ')}, not for ${source}.`, { exitCode: EXIT.usage });
  }
}

function translate(
  source: (typeof SOURCES)[number],
  file: string,
  document: unknown,
  options: ImportCliOptions & Required<Pick<ImportOptions, 'inexact'>>,
): ImportResult {
  const { targetingKey, bucketing, stickyBucketing, inexact, attribute = [] } = options;
  try {
    return importers[source](document, {
      ...(targetingKey === undefined ? {} : { targetingKey }),
      ...(bucketing === undefined ? {} : { bucketing }),
      ...(stickyBucketing === undefined ? {} : { stickyBucketing }),
      attributes: new Map(attribute.map(parseAttribute)),
      inexact,
    });
  } catch (error) {
    if (error instanceof Refusal) throw new CliFailure(`${file}: ${error.message}`, { remedy: error.remedy });
    throw error;
  }
}

function noteText({ path, says, leftOut }: Note): string {
  return `${leftOut === true ? 'left out' : 'note'}  ${jsonPointer(path) || '/'}: ${says}.`;
}

/** The document, and where in it JavaScript has rounded a whole number. */
async function readDocument(file: string, io: Io): Promise<{ document: unknown; rounded: readonly Path[] }> {
  const text = await readText(file, io);
  const rounded: Path[] = [];
  try {
    const { value, duplicates } = parseJson(text.replace(/^\uFEFF/, ''), rounded);
    const [twice] = duplicates;
    if (twice === undefined) return { document: value, rounded };
    throw new CliFailure(`${file}: the key ${jsonPointer(twice)} is given twice; only the last would count.`);
  } catch (error) {
    if (error instanceof Refusal) throw new CliFailure(`${file}: ${error.message}`, { remedy: error.remedy });
    throw error;
  }
}

async function readText(file: string, io: Io): Promise<string> {
  if (file === '-') {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of io.stdin) {
      const read = Buffer.from(chunk);
      bytes += read.length;
      if (bytes > LIMITS.documentBytesMax) throw tooLarge('standard input', bytes);
      chunks.push(read);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
  const path = resolve(io.directory, file);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) throw new CliFailure(`there is no file ${file}.`, { exitCode: EXIT.usage });
  if (found.size > LIMITS.documentBytesMax) throw tooLarge(file, found.size);
  return readFile(path, 'utf8');
}

function tooLarge(what: string, bytes: number): CliFailure {
  const { documentBytesMax } = LIMITS;
  return new CliFailure(`${what} has ${bytes} bytes or more; ${documentBytesMax} fit (documentBytesMax).`, {
    remedy: 'Export the flags of one project or environment at a time.',
  });
}

const ATTRIBUTE = /^([^=]+)=(string|number|boolean)(,multi)?$/;

function parseAttribute(text: string): readonly [name: string, kind: AttributeKind] {
  const [, name = '', type, multi] = ATTRIBUTE.exec(text) ?? [];
  switch (type) {
    case 'string':
    case 'number':
    case 'boolean':
      return [name, { type, ...(multi === undefined ? {} : { multiValued: true }) }];
    default:
      throw new CliFailure(`--attribute ${text} cannot be read.`, {
        exitCode: EXIT.usage,
        remedy: 'Write it like age=number or genres=string,multi: string, number or boolean, and whether it is a list.',
      });
  }
}

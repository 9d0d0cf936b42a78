import { encodeYaml } from '#kernel/api/codec/body.ts';
import type { ChangeAnswer, ChangeResult } from '#kernel/releases/kinds/change-answer.ts';
import { sendChangeSet } from '../objects/change-set.ts';
import { connectionFrom, type ConnectionOptions, type NamespacedConnection } from '../api/connection.ts';
import { remove, withPlaces } from './delete.ts';
import { CliFailure, EXIT } from '../terminal/failure.ts';
import { coloursFor, type Io } from '../terminal/io.ts';
import { readManifests } from '../objects/manifest-files.ts';
import { applyText, heldText, notLive, planText, warningsText } from '../objects/plan-text.ts';
import { findUndeclared } from './prune.ts';
import { firstWord, releaseText, unseenText } from '../release/apply-release.ts';
import { waitForEnd } from '../release/watch.ts';

export interface ChangeOptions extends ConnectionOptions {
  readonly filename: readonly string[];
  readonly namespace?: string;
  /** Whether what the files do not have any more goes too: all that has the labels of `selector`. */
  readonly prune?: boolean;
  readonly selector?: string;
  readonly output?: 'json' | 'yaml';
}

export interface ApplyOptions extends ChangeOptions {
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly allowNotLive?: boolean;
  /** How long it is waited, in milliseconds. */
  readonly timeout?: number;
}

/** `backline apply`: declares everything as one atomic change, and says how it goes live. */
export async function apply(options: ApplyOptions, io: Io): Promise<number> {
  const dryRun = options.dryRun === true;
  const { answer, places, target, doomed } = await change(options, dryRun, io);
  const colours = coloursFor(io.stdout, io.env);
  const text = answerText(options, answer);
  if (text === undefined) io.stdout.write(`${applyText(answer, dryRun, colours)}\n`);
  else io.exact.write(`${text}\n`);
  const held = heldText(answer.results, places, coloursFor(io.stderr, io.env));
  const warnings = warningsText(answer.results, coloursFor(io.stderr, io.env));
  for (const text of [warnings, held]) if (text !== '') io.stderr.write(`${text}\n`);
  // Programs read the answer alone.
  const shown = text === undefined ? io : { ...io, stdout: io.stderr };
  for (const one of withPlaces(doomed)) await remove(one, dryRun, target, shown);
  const names = carriersOf(answer);
  for (const name of text === undefined ? names : []) {
    const release = await firstWord(target, name);
    io.stdout.write(`${release === undefined ? unseenText(name) : releaseText(release, colours)}\n`);
  }
  const status = options.wait === true ? await waitFor(target, names, options.timeout, shown) : EXIT.ok;
  if (options.allowNotLive !== true) requireLive(answer.results, dryRun);
  return status;
}

/** Ends with 1 when something was declared that listeners do not get and no release brings them. */
export function requireLive(results: readonly ChangeResult[], dryRun = false): void {
  const held = notLive(results).length;
  if (held === 0) return;
  const counted = `${held} of ${results.length} ${results.length === 1 ? 'object' : 'objects'}`;
  throw new CliFailure(
    dryRun
      ? `${counted} would not go live, and no release would carry them.`
      : `${counted} ${held === 1 ? 'is' : 'are'} declared and not live, and no release carries them.`,
    { remedy: 'Fix the problems above, or accept them with --allow-not-live.' },
  );
}

/** The release that was made of a change; where nothing was to be changed, those that carry it already. */
function carriersOf({ release, results }: ChangeAnswer): readonly string[] {
  if (release !== undefined) return [release];
  return [...new Set(results.flatMap((result) => result.release ?? []))];
}

async function waitFor(
  target: NamespacedConnection,
  names: readonly string[],
  timeoutMs: number | undefined,
  io: Io,
): Promise<number> {
  const endMs = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  for (const name of names) {
    const left = endMs === undefined ? {} : { timeoutMs: Math.max(0, endMs - performance.now()) };
    const status = await waitForEnd(target, name, io, left);
    if (status !== EXIT.ok) return status;
  }
  return EXIT.ok;
}

/** `backline plan`: what applying would do. Ends with 2 when there are changes, so that scripts can tell. */
export async function plan(options: ChangeOptions, io: Io): Promise<number> {
  const { answer, places, doomed } = await change(options, true, io);
  const text = answerText(options, answer);
  const colours = coloursFor(io.stdout, io.env);
  const gone = doomed.map(({ type, namespace, name }) => ({ kind: type.kind, namespace, name }));
  if (text === undefined) io.stdout.write(`${planText(answer, places, colours, gone)}\n`);
  else io.exact.write(`${text}\n`);
  const isChange = doomed.length > 0 || answer.results.some(({ action }) => action !== 'unchanged');
  return isChange ? EXIT.changes : EXIT.ok;
}

async function change(options: ChangeOptions, dryRun: boolean, io: Io) {
  const declared = await readManifests(options.filename, io);
  const target = connectionFrom(options, io);
  const namespace = options.namespace ?? target.namespace;
  if ((options.prune === true) !== (options.selector !== undefined)) {
    throw new CliFailure('--prune needs the labels of what may go, and -l is for --prune alone.', {
      exitCode: EXIT.usage,
      remedy: 'Write --prune -l LABELS, like --prune -l team=growth.',
    });
  }
  const answer = await sendChangeSet(target, declared, { namespace, dryRun });
  // Looked for before anything is deleted, and after the change was accepted.
  const doomed =
    options.selector === undefined
      ? []
      : await findUndeclared(target, declared, { namespace, selector: options.selector });
  return { answer, places: declared.map(({ place }) => place([])), target, doomed };
}

function answerText({ output }: ChangeOptions, answer: ChangeAnswer): string | undefined {
  if (output === 'json') return JSON.stringify(answer, null, 2);
  return output === 'yaml' ? encodeYaml(answer).trimEnd() : undefined;
}

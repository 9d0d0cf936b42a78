import { encodeYaml } from '#kernel/resources/codec/body.ts';
import { sendChangeSet, type ChangeAnswer } from './change-set.ts';
import { connectionFrom, type ConnectionOptions } from './connection.ts';
import { EXIT } from './failure.ts';
import { coloursFor, type Io } from './io.ts';
import { readManifests } from './manifest-files.ts';
import { applyText, heldText, planText } from './plan-text.ts';

export interface ChangeOptions extends ConnectionOptions {
  readonly filename: readonly string[];
  readonly namespace?: string;
  readonly output?: 'json' | 'yaml';
}

/** `backline apply`: declares everything as one atomic change. */
export async function apply(options: ChangeOptions & { readonly dryRun?: boolean }, io: Io): Promise<number> {
  const dryRun = options.dryRun === true;
  const { answer, places } = await change(options, dryRun, io);
  const text = applyText(answer, dryRun, coloursFor(io.stdout, io.env));
  io.stdout.write(`${asked(options, answer) ?? text}\n`);
  const held = heldText(answer.results, places, coloursFor(io.stderr, io.env));
  if (held !== '') io.stderr.write(`${held}\n`);
  return EXIT.ok;
}

/** `backline plan`: what applying would do. Ends with 2 when there are changes, so that scripts can tell. */
export async function plan(options: ChangeOptions, io: Io): Promise<number> {
  const { answer, places } = await change(options, true, io);
  const text = planText(answer.results, places, coloursFor(io.stdout, io.env));
  io.stdout.write(`${asked(options, answer) ?? text}\n`);
  return answer.results.some(({ action }) => action !== 'unchanged') ? EXIT.changes : EXIT.ok;
}

async function change(options: ChangeOptions, dryRun: boolean, io: Io) {
  const declared = await readManifests(options.filename, io);
  const target = connectionFrom(options, io);
  const namespace = options.namespace ?? target.namespace;
  const answer = await sendChangeSet(target, declared, { namespace, dryRun });
  return { answer, places: declared.map(({ place }) => place([])) };
}

function asked({ output }: ChangeOptions, answer: ChangeAnswer): string | undefined {
  if (output === 'json') return JSON.stringify(answer, null, 2);
  return output === 'yaml' ? encodeYaml(answer).trimEnd() : undefined;
}

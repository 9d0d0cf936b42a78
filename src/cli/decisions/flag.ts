import { call } from '../api/call.ts';
import { connectionFrom, type ConnectionOptions } from '../api/connection.ts';
import { parseAttribute } from '../terminal/attribute-option.ts';
import { EXIT } from '../terminal/failure.ts';
import { coloursFor, type Colours, type Io } from '../terminal/io.ts';

export type FlagOptions = ConnectionOptions & {
  readonly listener?: string;
  readonly context?: readonly string[];
  readonly output?: 'json';
};

/** The answer of /v1/flags/explain. */
interface FlagExplanation {
  readonly flag: string;
  readonly variant?: string;
  readonly value?: unknown;
  readonly reason: { readonly code: string; readonly message: string };
  readonly steps: readonly { readonly step: string; readonly says: string }[];
  /** The releases under way that concern the answer. */
  readonly releases?: readonly { readonly says: string }[];
}

/** `backline flag`: what a flag is for one context, and why. */
export async function flag(key: string, options: FlagOptions, io: Io): Promise<number> {
  const context = Object.fromEntries((options.context ?? []).map(parseAttribute));
  if (options.listener !== undefined) context['targetingKey'] = options.listener;
  const body = { flag: key, context };
  const answer = await call(connectionFrom(options, io), 'POST', '/v1/flags/explain', { body });
  const text =
    options.output === 'json'
      ? JSON.stringify(answer, null, 2)
      : flagText(answer as FlagExplanation, coloursFor(io.stdout, io.env));
  (options.output === 'json' ? io.exact : io.stdout).write(`${text}\n`);
  return EXIT.ok;
}

function flagText({ variant, value, reason, steps, releases = [] }: FlagExplanation, colours: Colours): string {
  const head = variant === undefined ? 'the default in the code' : `${variant}  ${JSON.stringify(value)}`;
  const wide = Math.max(...steps.map(({ step }) => step.length));
  return [
    `${colours.bold(head)}  ${reason.message} (${reason.code})`,
    ...steps.map(({ step, says }) => `  ${step.padEnd(wide)}  ${says}`),
    ...releases.map(({ says }) => `  ${says}`),
  ].join('\n');
}

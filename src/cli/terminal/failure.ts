import type { Io } from './io.ts';
import { coloursFor } from './io.ts';

/** How the program ends; documented in `backline --help`. */
export const EXIT = {
  ok: 0,
  /** ServerRefusal by the server, or failed. */
  failed: 1,
  /** `plan`: there are changes. */
  changes: 2,
  /** The command line is wrong. */
  usage: 64,
  /** The server cannot be reached. */
  unavailable: 69,
  /** Stopped with Ctrl-C, as every program. */
  interrupted: 130,
} as const;

/** One thing that was wrong, and where the user finds it. */
export interface Detail {
  /** `plans.yaml:14 spec.title`, or a field. */
  readonly where: string;
  readonly what: string;
}

/** A verb could not do what it was asked. What the user reads is all in here. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly exitCode: number;
  readonly details: readonly Detail[];
  readonly remedy: string | undefined;

  constructor(
    message: string,
    more: { exitCode?: number; details?: readonly Detail[]; remedy?: string | undefined } = {},
  ) {
    super(message);
    this.exitCode = more.exitCode ?? EXIT.failed;
    this.details = more.details ?? [];
    this.remedy = more.remedy;
  }
}

/** Writes a failure as one block to standard error. */
export function printFailure(failure: CliFailure, io: Io): void {
  const { red, bold, cyan } = coloursFor(io.stderr, io.env);
  const lines = [`${red(bold('error:'))} ${failure.message}`];
  for (const { where, what } of failure.details) {
    lines.push(...(where === '' ? [] : [`  ${bold(where)}`]), `    ${what}`);
  }
  if (failure.remedy !== undefined) lines.push(`${cyan('→')} ${failure.remedy}`);
  io.stderr.write(`${lines.join('\n')}\n`);
}

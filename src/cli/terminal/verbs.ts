import { InvalidArgumentError, type Command } from 'commander';
import type { Io } from './io.ts';

/** The parts that verbs are added to. Each is loaded when it is used, so that `--help` and small verbs start fast. */
export interface Verbs {
  readonly program: Command;
  readonly io: Io;
  /** Sets the exit status. */
  readonly end: (status: number) => void;
}

/** Options of verbs that speak to a server. */
export function connecting(command: Command): Command {
  return command
    .option(
      '--kubeconfig <file>',
      'kubeconfig file (default: $BACKLINE_KUBECONFIG, else .backline/kubeconfig here or above, else $KUBECONFIG)',
    )
    .option('--server <url>', 'URL of the server (default: from the kubeconfig)')
    .option('--token <token>', 'bearer token (default: from the kubeconfig)');
}

/** Reads a whole number from `least` to `most`. */
export function numberOf(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}\n`).join('')}`;
}

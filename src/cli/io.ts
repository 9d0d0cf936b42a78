import { createColors } from 'picocolors';

/** Where a verb reads from and writes to; the process in earnest, texts in tests. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
}

export interface Output {
  readonly isTTY?: boolean;
  /** Of a terminal, which changes when somebody drags its corner. */
  readonly columns?: number;
  readonly rows?: number;
  readonly on?: (event: 'resize', listener: () => void) => unknown;
  readonly off?: (event: 'resize', listener: () => void) => unknown;
  readonly write: (text: string) => unknown;
}

export type Colours = ReturnType<typeof createColors>;

/** Colours for a terminal, unless NO_COLOR asks for none. */
export function coloursFor(output: Output, env: Io['env']): Colours {
  return createColors(output.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb');
}

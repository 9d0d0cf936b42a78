import { createColors } from 'picocolors';

/** Where a verb reads from and writes to; the process in earnest, texts in tests. */
export interface Io extends Streams {
  /** Standard output for what programs read: it gets every character as it is, unless it is a terminal. */
  readonly exact: Output;
}

/** The streams and the environment of the process. Text for people goes through `readable`, see `ioOf`. */
export interface Streams {
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

/** The streams as verbs see them: nothing that they write for people can move the cursor, or hide what stands there. */
export function ioOf(streams: Streams): Io {
  const { stdout, stderr, stdin, env, directory } = streams;
  // On a terminal people read it: what is spelled out is still JSON.
  const exact = stdout.isTTY === true ? forPeople(stdout) : stdout;
  return { stdout: forPeople(stdout), stderr: forPeople(stderr), exact, stdin, env, directory };
}

function forPeople(output: Output): Output {
  return {
    get isTTY() {
      return output.isTTY === true;
    },
    write: (text) => output.write(readable(text)),
  };
}

const ESC = '\u001b';
/**
 * Stands for ESC in our own colours until they are written: one of the 6,400 characters for private use, another one in
 * each run, so that nobody's text can bring colours of its own.
 */
const MARK = String.fromCharCode(0xe000 + Math.trunc(Math.random() * 6_400));
const COLOUR = new RegExp(`${MARK}(?=\\[[0-9;]*m)`, 'g');
/** Control characters but for ends of lines and tabs, and what changes the direction of text or ends lines unseen. */
// oxlint-disable-next-line no-control-regex -- these are what it looks for.
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text as it may go to a terminal: what would steer it is spelled out. Our own colours stay. */
export function readable(text: string): string {
  return spelledOut(text).replaceAll(COLOUR, ESC);
}

function spelledOut(text: string): string {
  return text.replaceAll(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A text that stays on one line, whatever it is. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\n\t]/g, (char) => (char === '\n' ? '\\n' : ' '));
}

/** Colours for a terminal, unless NO_COLOR asks for none. */
export function coloursFor(output: Output, env: Io['env']): Colours {
  const colours = createColors(output.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb');
  if (!colours.isColorSupported) return colours;
  const marked = Object.entries(colours).map(([name, paint]) => [
    name,
    typeof paint === 'function'
      ? (text: string) => paint(spelledOut(String(text)).replaceAll(COLOUR, ESC)).replaceAll(ESC, MARK)
      : paint,
  ]);
  return Object.fromEntries(marked) as Colours;
}

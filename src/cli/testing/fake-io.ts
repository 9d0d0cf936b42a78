import type { Io } from '../terminal/io.ts';

export interface FakeIo extends Io {
  /** The text that was written so far. */
  readonly written: { stdout: string; stderr: string };
}

/** Streams of text, no environment, and by default a folder that has no kubeconfig above it. */
export function fakeIo(options: { readonly directory?: string; readonly stdin?: string } = {}): FakeIo {
  const written = { stdout: '', stderr: '' };
  const stdout = { write: (text: string) => (written.stdout += text) };
  return {
    written,
    stdout,
    exact: stdout,
    stderr: { write: (text) => (written.stderr += text) },
    stdin: (async function* () {
      yield options.stdin ?? '';
    })(),
    env: {},
    directory: options.directory ?? '/',
  };
}

import type { Io } from '../io.ts';

export interface FakeIo extends Io {
  /** What was written so far. */
  readonly written: { stdout: string; stderr: string };
}

/** Streams of text, no environment, and by default a folder that has no kubeconfig above it. */
export function fakeIo(options: { readonly directory?: string; readonly stdin?: string } = {}): FakeIo {
  const written = { stdout: '', stderr: '' };
  return {
    written,
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    stdin: (async function* () {
      yield options.stdin ?? '';
    })(),
    env: {},
    directory: options.directory ?? '/',
  };
}

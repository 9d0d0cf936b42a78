import { jittered, pause, systemTime, type Time } from '#kernel/base/time.ts';
import type { StreamLine } from '#kernel/snapshots/stream.ts';
import type { Transport } from './transport.ts';

const LIMITS = {
  retryMsMin: 200,
  retryMsMax: 10_000,
  /** The server says something at least every 15 s; a stream that is silent for longer is dead. */
  silenceMsMax: 45_000,
  /** One line, as large as everything that is live. */
  lineCharsMax: 512 * 1024 * 1024,
} as const;

/** Reads the stream of what is live until `signal`; reconnects with growing pauses, and goes on from where it was. */
export async function followStream(options: {
  readonly transport: Transport;
  readonly version: () => string | undefined;
  readonly take: (line: StreamLine) => void;
  readonly connected: () => void;
  /** What went wrong, each time that the stream is lost. */
  readonly lost: (why: string) => void;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { transport, version, take, connected, lost, signal } = options;
  let retryMs: number = LIMITS.retryMsMin;
  while (!signal.aborted) {
    const silence = new AbortController();
    let watchdog = setTimeout(() => silence.abort(), LIMITS.silenceMsMax);
    const heard = (): void => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => silence.abort(), LIMITS.silenceMsMax);
      watchdog.unref();
    };
    try {
      const since = version();
      const path = `/v1/snapshot${since === undefined ? '' : `?since=${encodeURIComponent(since)}`}`;
      const answer = await transport.stream(path, AbortSignal.any([signal, silence.signal]));
      for await (const line of linesOf(answer, heard)) {
        if (line === '') continue;
        take(JSON.parse(line) as StreamLine);
        connected();
        retryMs = LIMITS.retryMsMin;
      }
      lost('the server ended the stream');
    } catch (error) {
      if (signal.aborted) return;
      lost(
        silence.signal.aborted
          ? 'the stream was silent for too long'
          : error instanceof Error
            ? error.message
            : String(error),
      );
    } finally {
      clearTimeout(watchdog);
    }
    await pause(backgroundTime, jittered(retryMs, Math.random), signal);
    retryMs = Math.min(retryMs * 2, LIMITS.retryMsMax);
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>, heard: () => void): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  let length = 0;
  for await (const bytes of body) {
    heard();
    const pieces = decoder.decode(bytes, { stream: true }).split('\n');
    for (const [index, piece] of pieces.entries()) {
      parts.push(piece);
      length += piece.length;
      if (length > LIMITS.lineCharsMax) throw new Error('a line of the stream is too long');
      if (index === pieces.length - 1) break;
      yield parts.join('');
      parts = [];
      length = 0;
    }
  }
}

/** Time of which waiting does not keep the process alive. */
export const backgroundTime: Time = {
  ...systemTime,
  after: (ms, call) => {
    const timer = setTimeout(call, ms).unref();
    return () => clearTimeout(timer);
  },
};

import { jitter, pause, systemTime, type Time } from '#kernel/base/time.ts';
import { placeText, type StreamLine, type StreamPlace } from '#kernel/snapshots/stream-log.ts';
import type { Transport } from './transport.ts';

const LIMITS = {
  retryMsMin: 200,
  retryMsMax: 30_000,
  /** A stream that lived so long ended by chance: the next attempt comes soon. One that ends at once has a reason. */
  steadyMs: 20_000,
  /** The server says something at least every 15 s; a stream that is silent for longer is dead. */
  silenceMsMax: 45_000,
  /** One line: some objects, or one that is as large as the server takes it. */
  lineCharsMax: 64 * 1024 * 1024,
} as const;

/** Reads the stream of what is live until `signal`; reconnects with growing pauses, and goes on from where it was. */
export async function followStream(options: {
  readonly transport: Transport;
  readonly place: () => StreamPlace | undefined;
  readonly take: (line: StreamLine) => void;
  readonly onConnect: () => void;
  /** Called with the error each time that the stream is lost. */
  readonly onLoss: (why: string) => void;
  readonly signal: AbortSignal;
  readonly time?: Time;
}): Promise<void> {
  const { transport, place, take, onConnect, onLoss, signal, time = backgroundTime } = options;
  let retryMs: number = LIMITS.retryMsMin;
  while (!signal.aborted) {
    const silence = new AbortController();
    let stopWatching = time.after(LIMITS.silenceMsMax, () => silence.abort());
    const heard = (): void => {
      stopWatching();
      stopWatching = time.after(LIMITS.silenceMsMax, () => silence.abort());
    };
    const begunMs = time.nowMs();
    try {
      const since = place();
      const path = `v1/snapshot${since === undefined ? '' : `?since=${encodeURIComponent(placeText(since))}`}`;
      const answer = await transport.stream(path, AbortSignal.any([signal, silence.signal]));
      for await (const line of linesOf(answer, heard)) {
        if (line === '') continue;
        take(JSON.parse(line) as StreamLine);
        onConnect();
      }
      onLoss('the server ended the stream');
    } catch (error) {
      if (signal.aborted) return;
      onLoss(
        silence.signal.aborted
          ? 'the stream was silent for too long'
          : error instanceof Error
            ? error.message
            : String(error),
      );
    } finally {
      stopWatching();
    }
    if (time.nowMs() - begunMs >= LIMITS.steadyMs) retryMs = LIMITS.retryMsMin;
    await pause(time, jitter(retryMs, Math.random), signal);
    retryMs = Math.min(retryMs * 2, LIMITS.retryMsMax);
  }
}

/** The lines of a text that comes in pieces; one that has no end yet is not given. */
export async function* linesOf(body: AsyncIterable<Uint8Array>, heard: () => void = () => {}): AsyncIterable<string> {
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

import { Refusal } from '#kernel/base/failures.ts';
import type { Exchange } from './exchange.ts';

const LIMITS = {
  /** A reader that has this much unsent is too slow: it is cut off, and starts anew when it comes back. */
  unsentBytesMax: 256 * 1024,
  /** Proxies close what is silent for a minute. */
  beatMs: 15_000,
} as const;

/** An answer that goes on until the client or the server ends it. */
export interface LongAnswer {
  /** Writes a text of its own for each reader, or bytes that many readers share, which cost a slow reader nothing. */
  readonly write: (text: string | Buffer) => void;
  /** Asks again whether the reader may go on; ends the answer when not. False when that is known at once. */
  readonly recheck: () => boolean;
}

/**
 * Begins an answer that is written bit by bit. `beat` is sent when nothing else is, so that both sides notice a broken
 * connection; `ended` is called once, when it is over for whatever reason.
 */
export function openLongAnswer(
  exchange: Exchange,
  options: {
    readonly contentType: string;
    readonly beat: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly ended: () => void;
    /** Throws a Refusal, or rejects with one, when whoever reads may no longer. Asked with each beat. */
    readonly admit: () => unknown;
  },
): LongAnswer {
  const { response, closing } = exchange;
  response.writeHead(200, {
    'content-type': options.contentType,
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'x-request-id': exchange.requestId,
    ...options.headers,
  });
  response.flushHeaders();
  exchange.streaming(1);
  const beats = setInterval(() => {
    if (recheck()) write(options.beat);
  }, LIMITS.beatMs);
  const finish = (): void => void response.end();
  closing.addEventListener('abort', finish, { once: true });
  response.once('close', () => {
    clearInterval(beats);
    closing.removeEventListener('abort', finish);
    options.ended();
    exchange.streaming(-1);
  });
  let sharedBytes = 0;
  return { write, recheck };

  function recheck(): boolean {
    try {
      const pending = options.admit();
      if (pending instanceof Promise) pending.catch(endIfRefused);
      return true;
    } catch (error) {
      return endIfRefused(error);
    }
  }

  /** Whoever asks too often elsewhere, or cannot be asked about now, goes on. */
  function endIfRefused(error: unknown): boolean {
    const goesOn = !(error instanceof Refusal) || (error.reason !== 'Unauthorized' && error.reason !== 'Forbidden');
    if (!goesOn) finish();
    return goesOn;
  }

  function write(text: string | Buffer): void {
    if (response.destroyed || response.writableEnded) return;
    // What is written first may be long: it is what was unsent before that tells a slow reader.
    if (response.writableLength - sharedBytes > LIMITS.unsentBytesMax) return void response.destroy();
    if (typeof text === 'string') return void response.write(text);
    sharedBytes += text.length;
    response.write(text, () => {
      sharedBytes -= text.length;
    });
  }
}

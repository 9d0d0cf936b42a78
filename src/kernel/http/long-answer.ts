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
  const beats = setInterval(() => write(options.beat), LIMITS.beatMs);
  const finish = (): void => void response.end();
  closing.addEventListener('abort', finish, { once: true });
  response.once('close', () => {
    clearInterval(beats);
    closing.removeEventListener('abort', finish);
    options.ended();
    exchange.streaming(-1);
  });
  let sharedBytes = 0;
  return { write };

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

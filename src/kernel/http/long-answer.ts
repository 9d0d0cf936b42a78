import { Refusal } from '#kernel/base/failures.ts';
import type { Exchange } from './exchange.ts';
import { paceAnswer } from './paced-answer.ts';

const LIMITS = {
  /** A reader that has this much unsent is too slow: it is cut off, and starts anew when it comes back. */
  unsentBytesMax: 256 * 1024,
  /** Proxies close what is silent for a minute. */
  beatMs: 15_000,
} as const;

interface LongAnswerOptions {
  readonly contentType: string;
  /** Sent when nothing else is, so that both sides notice a broken connection. */
  readonly beat: string;
  /** Called once, when it is over for whatever reason; at once when the reader has left already. */
  readonly onEnd: () => void;
  /** Throws a Refusal, or rejects with one, when the reader has lost the right. Called with each beat. */
  readonly admit: () => unknown;
}

/** An answer that goes on until the client or the server ends it. */
export interface LongAnswer {
  readonly write: (text: string) => void;
  /** Asks again whether the reader may go on; ends the answer when not. False when that is known at once. */
  readonly recheck: () => boolean;
}

/** Begins an answer that is written bit by bit: short texts, of which a slow reader has few unsent. */
export function openLongAnswer(exchange: Exchange, options: LongAnswerOptions): LongAnswer {
  const { response } = exchange;
  const recheck = begin(exchange, options, () => write(options.beat));
  return { write, recheck };

  function write(text: string): void {
    if (response.destroyed || response.writableEnded) return;
    // The first write may be long. Unsent bytes of earlier writes show a slow reader.
    if (response.writableLength > LIMITS.unsentBytesMax) return void response.destroy();
    response.write(text);
  }
}

/** An answer of which the next part is made when its reader has room for it, however long the whole is. */
export interface PulledAnswer {
  /** There may be something new. */
  readonly wake: () => void;
  readonly recheck: LongAnswer['recheck'];
}

/**
 * Begins an answer that is asked for its next part: undefined when there is nothing for now, null at the end. A reader
 * that takes nothing of what waits for it is cut off after a minute.
 */
export function openPulledAnswer(
  exchange: Exchange,
  options: LongAnswerOptions & { readonly next: () => string | undefined | null },
): PulledAnswer {
  const { response } = exchange;
  let isBeatDue = false;
  const recheck = begin(exchange, options, () => {
    isBeatDue = true;
    paced.wake();
  });
  const paced = paceAnswer(response, {
    next: () => {
      if (!isBeatDue) return options.next();
      isBeatDue = false;
      return options.beat;
    },
    onStall: () => exchange.log.warn({ path: exchange.path }, 'http: slow reader of a stream disconnected (timeout)'),
    onFailure: (error) => {
      exchange.log.error({ err: error, path: exchange.path }, 'http: stream failed');
      response.destroy();
    },
  });
  return { wake: paced.wake, recheck };
}

/** Sends the head of a long answer and keeps it alive. Gives what asks again whether the reader may go on. */
function begin(exchange: Exchange, options: LongAnswerOptions, beat: () => void): () => boolean {
  const { response, closing } = exchange;
  // It was answered already, as its deadline has passed.
  if (response.headersSent) {
    options.onEnd();
    return () => false;
  }
  response.writeHead(200, {
    'content-type': options.contentType,
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
    'x-request-id': exchange.requestId,
  });
  // Who left while it was asked whether they may read: nothing will say so again.
  if (response.destroyed) {
    options.onEnd();
    return () => false;
  }
  response.flushHeaders();
  exchange.streaming(1);
  const beats = setInterval(() => {
    if (recheck()) beat();
  }, LIMITS.beatMs);
  const finish = (): void => void response.end();
  closing.addEventListener('abort', finish, { once: true });
  response.once('close', () => {
    clearInterval(beats);
    closing.removeEventListener('abort', finish);
    options.onEnd();
    exchange.streaming(-1);
  });
  return recheck;

  function recheck(): boolean {
    try {
      const pending = options.admit();
      if (pending instanceof Promise) pending.catch(endIfRefused);
      return true;
    } catch (error) {
      return endIfRefused(error);
    }
  }

  /** A caller above its rate, or one that cannot be checked now, keeps its stream. */
  function endIfRefused(error: unknown): boolean {
    const goesOn = !(error instanceof Refusal) || (error.reason !== 'Unauthorized' && error.reason !== 'Forbidden');
    if (!goesOn) finish();
    return goesOn;
  }
}

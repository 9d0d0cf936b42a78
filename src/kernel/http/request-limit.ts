import { DeadlineError, type Refusal } from '#kernel/base/failures.ts';
import { httpRefusal } from './refusals.ts';
import type { Exchange } from './exchange.ts';

/** How long an answer may take to begin, from the end of the request's headers. */
export interface Deadline {
  readonly msDefault: number;
  /** The most that `X-Request-Timeout-Ms` can ask for; more is cut to it. */
  readonly msMax: number;
}

const TIMEOUT_HEADER = 'x-request-timeout-ms';
const MILLISECONDS = /^[1-9]\d*$/;

/** The milliseconds that a request may take: the wish in its header, cut to the maximum of the route. */
export function requestDeadline(exchange: Exchange, { msDefault, msMax }: Deadline): number {
  const wanted = exchange.header(TIMEOUT_HEADER);
  if (wanted === undefined) return msDefault;
  if (MILLISECONDS.test(wanted)) return Math.min(Number(wanted), msMax);
  throw httpRefusal(
    'bad-timeout',
    `The header X-Request-Timeout-Ms is "${wanted.slice(0, 20)}", not a whole number of milliseconds from 1.`,
    { remedy: `Send one up to ${msMax}, or leave the header out.` },
  );
}

/** The time that one request has, and the signal that it is over. Most requests never ask for the signal. */
export class RequestLimit {
  readonly #exchange: Exchange;
  readonly #ms: number;
  #ending: AbortController | undefined;
  /** Why it ended before anybody asked for the signal. */
  #ended: Refusal | undefined;

  /** @param ms from the end of the request's headers; Infinity for a stream */
  constructor(exchange: Exchange, ms: number) {
    this.#exchange = exchange;
    this.#ms = ms;
  }

  /** Milliseconds until the deadline; Infinity for a stream. */
  get leftMs(): number {
    return Math.max(0, this.#exchange.startedMs + this.#ms - performance.now());
  }

  get signal(): AbortSignal {
    if (this.#ending !== undefined) return this.#ending.signal;
    const ending = new AbortController();
    this.#ending = ending;
    const { response } = this.#exchange;
    if (this.#ended !== undefined) ending.abort(this.#ended);
    else if (response.destroyed) ending.abort(clientGone());
    else {
      response.once('close', () => {
        if (!response.writableFinished) ending.abort(clientGone());
      });
    }
    return ending.signal;
  }

  /**
   * Waits for an answer until the deadline, then lets `refuse` answer instead; a later answer is dropped. An answer that has
   * begun by then goes on.
   * @param repetition how a write is repeated that may have been done
   */
  async hold(pending: Promise<void>, refuse: (refusal: Refusal) => void, repetition = REPETITION): Promise<void> {
    const { request, response } = this.#exchange;
    const timer = setTimeout(() => {
      if (response.headersSent || response.destroyed) return;
      const refusal = this.#exchange.isReadingBody ? bodyTooLate(this.#ms) : tooLate(this.#ms, repetition);
      this.#ended = refusal;
      // The rest of a body that is not wanted any more is not read.
      if (!request.complete) response.shouldKeepAlive = false;
      // Work that waits in a queue leaves it at once, and notes that.
      this.#ending?.abort(refusal);
      refuse(refusal.wasUndone ? undone(this.#ms) : refusal);
    }, this.leftMs);
    try {
      await pending;
    } catch (error) {
      if (this.#ended === undefined) throw error;
      this.#exchange.log.debug({ err: error, path: this.#exchange.path }, 'http: request failed after its deadline');
    } finally {
      clearTimeout(timer);
    }
  }
}

const REPETITION = 'repeat it with the same key or id';

function bodyTooLate(ms: number): DeadlineError {
  return new DeadlineError('http/deadline', 'Timeout', `The body did not come whole within the deadline of ${ms} ms.`, {
    retryAfterSeconds: 1,
    remedy: 'Nothing was done: send the request again. For more time send X-Request-Timeout-Ms, or send less.',
  });
}

function tooLate(ms: number, repetition: string): DeadlineError {
  return new DeadlineError(
    'http/deadline',
    'Timeout',
    `The request was not answered within its deadline of ${ms} ms.`,
    {
      retryAfterSeconds: 1,
      remedy: `A write may have been done: ${repetition}. For more time send X-Request-Timeout-Ms, or ask for less.`,
    },
  );
}

function undone(ms: number): Refusal {
  return httpRefusal('deadline', `The request was not begun within its deadline of ${ms} ms.`, {
    retryAfterSeconds: 1,
    remedy: 'Nothing was done: send the request again. For more time send X-Request-Timeout-Ms.',
  });
}

/** Nobody reads the answer any more. */
function clientGone(): Error {
  return Object.assign(new Error('the client has gone'), { code: 'ECONNRESET' });
}

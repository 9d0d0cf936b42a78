import { pause } from '#kernel/base/time.ts';
import type { EventCounts } from '../package/types/index.d.ts';
import { backgroundTime } from './follow.ts';
import type { Transport } from './transport.ts';

const LIMITS = {
  /** Events that wait; beyond, the oldest are dropped and counted: an app must not run out of memory for them. */
  waitingMax: 10_000,
  /** Events of one request; the server takes 1,000. */
  batchMax: 500,
  everyMs: 1_000,
  retryMsMin: 500,
  retryMsMax: 30_000,
  requestMsMax: 10_000,
} as const;

/** An event as the server takes it. */
export interface QueuedEvent {
  readonly type: string;
  readonly id: string;
  readonly at: string;
  readonly subject?: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * Sends events in batches, in the background. Each has an id, so that one that is sent twice counts once. While the
 * server is away or busy they wait; what it refuses for good is dropped, and said.
 */
export class EventQueue {
  readonly #transport: Transport;
  readonly #warn: (message: string) => void;
  readonly #closing = new AbortController();
  readonly #producer = crypto.randomUUID();
  #waiting: QueuedEvent[] = [];
  #sequence = 0;
  #sent = 0;
  #dropped = 0;
  #quarantined = 0;
  #retryMs: number = LIMITS.retryMsMin;
  #working: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(transport: Transport, warn: (message: string) => void) {
    this.#transport = transport;
    this.#warn = warn;
  }

  get counts(): EventCounts {
    return { waiting: this.#waiting.length, sent: this.#sent, dropped: this.#dropped, quarantined: this.#quarantined };
  }

  add(event: QueuedEvent): void {
    this.#waiting.push(event);
    if (this.#waiting.length > LIMITS.waitingMax) {
      this.#waiting.shift();
      this.#dropped += 1;
      if (this.#dropped === 1) this.#warn(`more than ${LIMITS.waitingMax} events wait; the oldest are dropped`);
    }
    if (this.#waiting.length >= LIMITS.batchMax) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), LIMITS.everyMs).unref();
  }

  /** Sends what is waiting; resolves when it is sent or, while the server is away, after one try. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#working ??= this.#drain().finally(() => {
      this.#working = undefined;
      if (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
        this.#timer ??= setTimeout(() => void this.flush(), this.#retryMs).unref();
      }
    });
    return this.#working;
  }

  /** Sends what is waiting, for as long as `ms` at most. */
  async close(ms: number): Promise<void> {
    const late = setTimeout(() => this.#closing.abort(), ms);
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
      await this.flush();
      if (this.#waiting.length > 0) await pause(backgroundTime, Math.min(this.#retryMs, ms), this.#closing.signal);
    }
    clearTimeout(late);
    this.#closing.abort();
    clearTimeout(this.#timer);
    if (this.#waiting.length > 0) this.#warn(`${this.#waiting.length} events could not be sent before the end`);
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
      const batch = this.#waiting.slice(0, LIMITS.batchMax);
      const outcome = await this.#send(batch);
      if (outcome === 'later') {
        this.#retryMs = Math.min(this.#retryMs * 2, LIMITS.retryMsMax);
        return;
      }
      this.#retryMs = LIMITS.retryMsMin;
      const done = new Set(batch);
      this.#waiting = this.#waiting.filter((event) => !done.has(event));
    }
  }

  async #send(batch: readonly QueuedEvent[]): Promise<'done' | 'later'> {
    const body = JSON.stringify({
      sentAt: new Date().toISOString(),
      producer: this.#producer,
      sequence: this.#sequence,
      events: batch,
    });
    let answer;
    try {
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(LIMITS.requestMsMax)]);
      answer = await this.#transport.post('/v1/events', body, signal);
    } catch {
      return 'later';
    }
    const { status, text, retryAfterSeconds } = answer;
    if (status === 429 || status >= 500) {
      if (retryAfterSeconds !== undefined) this.#retryMs = Math.max(this.#retryMs, retryAfterSeconds * 500);
      return 'later';
    }
    this.#sequence += 1;
    if (status !== 200) {
      this.#dropped += batch.length;
      this.#warn(`the server refused ${batch.length} events with status ${status}: ${text.slice(0, 300)}`);
      return 'done';
    }
    this.#sent += batch.length;
    this.#note(text);
    return 'done';
  }

  #note(text: string): void {
    const { results = [] } = JSON.parse(text) as { results?: { outcome?: string; reason?: string; detail?: string }[] };
    const bad = results.filter(({ outcome }) => outcome === 'quarantined');
    const [first] = bad;
    if (first === undefined) return;
    this.#quarantined += bad.length;
    this.#warn(`${bad.length} events are in quarantine: ${first.reason ?? ''} ${first.detail ?? ''}`);
  }
}

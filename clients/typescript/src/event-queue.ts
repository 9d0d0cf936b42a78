import { pause } from '#kernel/base/time.ts';
import type { EventCounts } from '../package/types/index.d.ts';
import { backgroundTime } from './follow.ts';
import type { Transport } from './transport.ts';

const LIMITS = {
  /** Events that wait, and their characters; beyond, the oldest are dropped and counted: an app must not run out of memory for them. */
  waitingMax: 10_000,
  waitingCharsMax: 32 * 1024 * 1024,
  /** Events of one request, and their characters; the server takes 1,000 and 4 MiB. */
  batchMax: 500,
  batchCharsMax: 1024 * 1024,
  everyMs: 1_000,
  retryMsMin: 500,
  retryMsMax: 30_000,
  requestMsMax: 10_000,
} as const;

/** Statuses that say that something in the batch will never do. With any other the batch is sent again. */
const REFUSED: ReadonlySet<number> = new Set([400, 413, 415, 422]);

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
 * server is away or busy they wait. An event that it refuses for good is dropped alone, with a warning. Never throws.
 */
export class EventQueue {
  readonly #transport: Transport;
  readonly #warn: (message: string) => void;
  readonly #closing = new AbortController();
  readonly #producer = crypto.randomUUID();
  /** As JSON, made when they come: the app may change what it handed over. */
  #waiting: string[] = [];
  #waitingChars = 0;
  /** Events of the next batch: halved while one of them is refused. */
  #batch: number = LIMITS.batchMax;
  #sequence = 0;
  #sent = 0;
  #dropped = 0;
  #quarantined = 0;
  #retryMs: number = LIMITS.retryMsMin;
  #working: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Topics of warnings that were given: each is given once. */
  readonly #warned = new Set<string>();

  constructor(transport: Transport, warn: (message: string) => void) {
    this.#transport = transport;
    this.#warn = warn;
  }

  get counts(): EventCounts {
    return { waiting: this.#waiting.length, sent: this.#sent, dropped: this.#dropped, quarantined: this.#quarantined };
  }

  add(event: QueuedEvent): void {
    if (this.#closing.signal.aborted) return this.#drop('events that come after close() are dropped');
    let text: string;
    try {
      text = JSON.stringify(event);
    } catch (error) {
      return this.#drop(`an event that cannot be written as JSON is dropped, of type ${event.type}: ${String(error)}`);
    }
    this.#waiting.push(text);
    this.#waitingChars += text.length;
    while (this.#waiting.length > LIMITS.waitingMax || this.#waitingChars > LIMITS.waitingCharsMax) {
      this.#waitingChars -= this.#waiting.shift()?.length ?? 0;
      this.#drop(
        `more than ${LIMITS.waitingMax} events or ${LIMITS.waitingCharsMax} characters wait; the oldest are dropped`,
      );
    }
    if (this.#waiting.length >= LIMITS.batchMax || this.#waitingChars >= LIMITS.batchCharsMax) void this.flush();
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
    if (this.#waiting.length === 0) return;
    this.#warn(`${this.#waiting.length} events could not be sent before the end`);
    this.#dropped += this.#waiting.length;
    this.#waiting = [];
    this.#waitingChars = 0;
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
      const batch = this.#nextBatch();
      const outcome = await this.#send(batch);
      if (outcome === 'later') {
        this.#retryMs = Math.min(this.#retryMs * 2, LIMITS.retryMsMax);
        return;
      }
      this.#retryMs = LIMITS.retryMsMin;
      if (outcome === 'smaller') {
        this.#batch = Math.ceil(batch.length / 2);
        continue;
      }
      this.#batch = Math.min(this.#batch * 2, LIMITS.batchMax);
      const done = new Set(batch);
      this.#waiting = this.#waiting.filter((event) => !done.has(event));
      this.#waitingChars = this.#waiting.reduce((sum, { length }) => sum + length, 0);
    }
  }

  #nextBatch(): readonly string[] {
    const batch: string[] = [];
    let chars = 0;
    for (const event of this.#waiting) {
      chars += event.length;
      if (batch.length === this.#batch || (batch.length > 0 && chars > LIMITS.batchCharsMax)) break;
      batch.push(event);
    }
    return batch;
  }

  async #send(batch: readonly string[]): Promise<'done' | 'later' | 'smaller'> {
    const head = { sentAt: new Date().toISOString(), producer: this.#producer, sequence: this.#sequence };
    const body = `${JSON.stringify(head).slice(0, -1)},"events":[${batch.join(',')}]}`;
    let answer;
    try {
      const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(LIMITS.requestMsMax)]);
      answer = await this.#transport.post('v1/events', body, signal);
    } catch {
      return 'later';
    }
    const { status, text, retryAfterSeconds } = answer;
    if (status === 200) {
      const results = resultsIn(text);
      if (results === undefined) {
        this.#say(`the answer to events is not one of Backline; they are sent again: ${text.slice(0, 300)}`);
        return 'later';
      }
      this.#sequence += 1;
      this.#sent += batch.length;
      this.#note(results);
      return 'done';
    }
    if (!REFUSED.has(status)) {
      if (retryAfterSeconds !== undefined) this.#retryMs = Math.max(this.#retryMs, retryAfterSeconds * 500);
      if (status < 500 && status !== 429) {
        this.#say(`the server does not take events now, status ${status}; they are sent again: ${text.slice(0, 300)}`);
      }
      return 'later';
    }
    if (batch.length > 1) return 'smaller';
    this.#sequence += 1;
    this.#dropped += 1;
    this.#warn(`the server refused an event with status ${status}: ${text.slice(0, 300)}`);
    return 'done';
  }

  #note(results: readonly EventResult[]): void {
    const bad = results.filter(({ outcome }) => outcome === 'quarantined');
    const [first] = bad;
    if (first === undefined) return;
    this.#quarantined += bad.length;
    this.#warn(`${bad.length} events are in quarantine: ${first.reason ?? ''} ${first.detail ?? ''}`);
  }

  #drop(why: string): void {
    this.#dropped += 1;
    this.#say(why);
  }

  /** Warns once of what may happen with every event. */
  #say(why: string): void {
    const topic = why.slice(0, 40);
    if (this.#warned.has(topic)) return;
    this.#warned.add(topic);
    this.#warn(why);
  }
}

interface EventResult {
  readonly outcome?: string;
  readonly reason?: string;
  readonly detail?: string;
}

/** The outcome of each event; undefined when the answer comes from a proxy and not from Backline. */
function resultsIn(text: string): readonly EventResult[] | undefined {
  try {
    const { results } = JSON.parse(text) as { results?: EventResult[] };
    return Array.isArray(results) ? results : undefined;
  } catch {
    return undefined;
  }
}

import type { Sequencer } from './sequencer.ts';

/** Whether this process writes, and who waits here for an answer of another one that does. */
export class WriterRole<Operation> {
  #sequencer: Sequencer<Operation> | undefined;
  #unattended: string | undefined;
  #readOnly: string | undefined;
  #isAttended = false;
  readonly #listeners: ((isWriter: boolean) => void)[] = [];
  /** The epoch in whose writer each is interested. */
  readonly #waiting = new Map<AbortController, number>();

  /** The sequencer, as long as this process is the writer. */
  get sequencer(): Sequencer<Operation> | undefined {
    return this.#sequencer;
  }

  /** Why nothing can be written for now although the database answers, whichever process writes. */
  get refusedBecause(): string | undefined {
    if (this.#sequencer !== undefined) return this.#sequencer.refusedBecause;
    return this.readOnlyBecause ?? this.#unattended;
  }

  /** Why this process cannot write, as long as no other one shows that it does: beside a replica there may be a writer. */
  get readOnlyBecause(): string | undefined {
    return this.#isAttended ? undefined : this.#readOnly;
  }

  /** @param why the database took no write of this process when it last tried to become the writer; undefined: unknown */
  noticeReadOnly(why: string | undefined): void {
    this.#readOnly = why;
  }

  /** Notes whether another process shows that it writes. */
  noticeAttended(isAttended: boolean): void {
    this.#isAttended = isAttended;
  }

  /** @param why nothing seems to be written by others; undefined when they show that they are there */
  noticeUnattended(why: string | undefined): void {
    this.#unattended = why;
  }

  begin(sequencer: Sequencer<Operation>): void {
    this.#sequencer = sequencer;
    this.#readOnly = undefined;
    this.#isAttended = false;
    for (const listener of this.#listeners) listener(true);
  }

  end(): void {
    this.#sequencer = undefined;
    for (const listener of this.#listeners) listener(false);
  }

  /** Calls back when this process becomes the writer, and when it ceases to be. */
  onChange(listener: (isWriter: boolean) => void): void {
    this.#listeners.push(listener);
    if (this.#sequencer !== undefined) listener(true);
  }

  /** Ends the waiting for answers of writers of earlier epochs. */
  noticeEpoch(epoch: number): void {
    for (const [waiting, sentIn] of this.#waiting) if (epoch > sentIn) waiting.abort();
  }

  /** Does work that ends, by its signal, when a later epoch has begun, or after so many milliseconds. */
  async during<Result>(epoch: number, msMax: number, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    const ended = new AbortController();
    const timer = setTimeout(() => ended.abort(), msMax);
    this.#waiting.set(ended, epoch);
    try {
      return await work(ended.signal);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(ended);
    }
  }
}

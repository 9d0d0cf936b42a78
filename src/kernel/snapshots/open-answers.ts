const MINUTE_MS = 60_000;
/** How far back it is counted. */
const MINUTES = 5;

/** How many questions were answered without a credential in the last minutes. */
export class OpenAnswers {
  readonly #counts = Array.from({ length: MINUTES }, () => 0);
  #minute = 0;

  count(nowMs: number): void {
    this.#turnTo(nowMs);
    const at = this.#minute % MINUTES;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  recent(nowMs: number): { readonly answers: number; readonly minutes: number } {
    this.#turnTo(nowMs);
    return { answers: this.#counts.reduce((sum, count) => sum + count, 0), minutes: MINUTES };
  }

  /** Empties the places of the minutes that have begun since. */
  #turnTo(nowMs: number): void {
    const minute = Math.floor(nowMs / MINUTE_MS);
    for (let next = Math.max(this.#minute + 1, minute - MINUTES + 1); next <= minute; next += 1) {
      this.#counts[next % MINUTES] = 0;
    }
    this.#minute = Math.max(this.#minute, minute);
  }
}

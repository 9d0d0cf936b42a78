import { ONE, type Ratio } from './ratio.ts';

/** A rate, and the moment from which it holds. */
export interface DatedRate {
  readonly fromMs: number;
  readonly ratio: Ratio;
}

/** Rates into one currency, by the currency that is converted; each list in the order of time. */
export type RateTimelines = ReadonlyMap<string, readonly DatedRate[]>;

/** Gives the rates that hold at a moment. Between two changes they are the same map. */
export class RatesInto {
  readonly #currency: string;
  readonly #timelines: RateTimelines;
  #fromMs = Infinity;
  #untilMs = -Infinity;
  #rates: ReadonlyMap<string, Ratio> = new Map();

  constructor(currency: string, timelines: RateTimelines) {
    this.#currency = currency;
    this.#timelines = timelines;
  }

  /** By the currency that is converted; the own one is among them. */
  at(nowMs: number): ReadonlyMap<string, Ratio> {
    if (nowMs >= this.#fromMs && nowMs < this.#untilMs) return this.#rates;
    const rates = new Map([[this.#currency, ONE]]);
    let [fromMs, untilMs] = [-Infinity, Infinity];
    for (const [currency, timeline] of this.#timelines) {
      const next = timeline.findIndex((rate) => rate.fromMs > nowMs);
      const current = timeline[(next === -1 ? timeline.length : next) - 1];
      if (next !== -1) untilMs = Math.min(untilMs, (timeline[next] as DatedRate).fromMs);
      if (current === undefined) continue;
      fromMs = Math.max(fromMs, current.fromMs);
      if (currency !== this.#currency) rates.set(currency, current.ratio);
    }
    [this.#fromMs, this.#untilMs, this.#rates] = [fromMs, untilMs, rates];
    return rates;
  }
}

const MINUTE_MS = 60_000;

export interface OracleLoad {
  readonly breaksPerHour?: number | undefined;
  readonly gapSeconds?: number | undefined;
  readonly graceMinutes?: number | undefined;
}

export interface OracleQuestion {
  /** Of the policy of the placement. */
  readonly load: OracleLoad;
  readonly listener: string | undefined;
  readonly isRewarded: boolean;
}

/** All that ever happened to a listener, in lists that are read from end to end. */
interface Life {
  /** Those that were asked while there was a grace. */
  readonly questionsMs: readonly number[];
  readonly breaksMs: readonly number[];
  readonly rewardsUntilMs: readonly number[];
}

const NEW_LIFE: Life = { questionsMs: [], breaksMs: [], rewardsUntilMs: [] };

export class LoadOracle {
  readonly #lives: Map<string, Life>;

  constructor(lives: ReadonlyMap<string, Life> = new Map()) {
    this.#lives = new Map(lives);
  }

  copy(): LoadOracle {
    return new LoadOracle(this.#lives);
  }

  /** The reason why there is no break, or the number of ads. */
  ask({ load, listener, isRewarded }: OracleQuestion, nowMs: number): string {
    if (listener === undefined) return 'adLoadUnknown';
    const life = this.#lives.get(listener) ?? NEW_LIFE;
    const questionsMs = [...life.questionsMs, nowMs];
    const reason = isRewarded ? undefined : reasonOf(load, { ...life, questionsMs }, nowMs);
    this.#lives.set(listener, {
      questionsMs: load.graceMinutes === undefined ? life.questionsMs : questionsMs,
      breaksMs: reason === undefined ? [...life.breaksMs, nowMs] : life.breaksMs,
      rewardsUntilMs: life.rewardsUntilMs,
    });
    return reason ?? '1 ads';
  }

  /** Of an erased listener nothing comes back. */
  reward(listener: string, untilMs: number): void {
    const life = this.#lives.get(listener);
    if (life !== undefined) this.#lives.set(listener, { ...life, rewardsUntilMs: [...life.rewardsUntilMs, untilMs] });
  }

  erase(listener: string): void {
    this.#lives.delete(listener);
  }
}

function reasonOf(
  { breaksPerHour = Infinity, gapSeconds = 0, graceMinutes = 0 }: OracleLoad,
  life: Life,
  nowMs: number,
) {
  if (life.rewardsUntilMs.some((untilMs) => nowMs < untilMs)) return 'rewarded';
  let [startMs, lastMs] = [-Infinity, -Infinity];
  for (const askedMs of life.questionsMs) {
    if (askedMs - lastMs >= 30 * MINUTE_MS) startMs = askedMs;
    lastMs = askedMs;
  }
  if (nowMs - startMs < graceMinutes * MINUTE_MS) return 'grace';
  const inHour = life.breaksMs.filter((ms) => nowMs - ms < 60 * MINUTE_MS).length;
  const isTooSoon = life.breaksMs.some((ms) => nowMs - ms < gapSeconds * 1_000);
  return inHour >= breaksPerHour || isTooSoon ? 'adLoad' : undefined;
}

import assert from 'node:assert/strict';

/** An ad may play for a day after its answer, and its event is charged to its reservation for a quarter of an hour. */
const PLAYABLE_MS = 24 * 3_600_000;
const RESERVED_MS = 15 * 60_000;
const HOUR_MS = 3_600_000;
/** Events of the last moments may fall on either side. */
const MARGIN_MS = 30_000;

/** The result of a report: an outcome, the code of a refusal, or nothing that anybody knows. */
export type Report = { readonly outcome: string } | { readonly code: string } | 'unknown';

export interface SentReport {
  readonly ad: BookedAd;
  readonly event: string;
  readonly report: Report;
  /** By the clock of this machine. */
  readonly sentRealMs: number;
}

export interface BookedAd {
  readonly token: string;
  readonly adSet: string;
  readonly listener: string;
  readonly micros: number;
  readonly paidBy: string;
  readonly atMs: number;
  /** By the clock of this machine. */
  readonly realMs: number;
  readonly events: Map<string, BookedEvent>;
}

/** All reports of one event of one ad. */
interface BookedEvent {
  counted: number;
  /** Those that were held, or got no answer: they may be counted. */
  open: number;
  /** Whether it was counted while its reservation stood. */
  isInTime: boolean;
}

/** The books of somebody outside: every answer, every report, and every budget, in plain lists. */
export class AdBook {
  readonly ads: BookedAd[] = [];
  /** Listeners without ads, for certain. */
  readonly adFree = new Set<string>();
  /** Listeners whose upgrade got no answer yet. */
  readonly upgrading = new Set<string>();
  readonly paused = new Set<string>();
  readonly #caps: Readonly<Record<string, number>>;
  /** Most of a counter: its budget, or what was used when the budget was lowered below that. */
  readonly #ceilings = new Map<string, number>();
  readonly #breaks = new Map<string, { readonly atMs: number; readonly realMs: number }[]>();
  readonly #rewards = new Map<string, { readonly untilMs: number; readonly realMs: number }[]>();
  /** Moments at which PostgreSQL was killed, by the clock of this machine, and at which it was lost in some other way too. */
  readonly #crashes: number[] = [];
  readonly #losses: number[] = [];

  /** @param caps of ad sets, for each listener in 24 hours */
  constructor(caps: Readonly<Record<string, number>>) {
    this.#caps = caps;
  }

  answer(ads: readonly BookedAd[], isMidway: boolean): void {
    for (const ad of ads) {
      assert.ok(isMidway || !this.adFree.has(ad.listener), `${ad.listener} has no ads, and got ${ad.adSet}`);
      assert.ok(isMidway || !this.paused.has(ad.adSet), `${ad.adSet} is paused, and was served to ${ad.listener}`);
      this.ads.push(ad);
      this.#verifyCap(ad);
    }
  }

  losePostgres(isCrash: boolean): void {
    this.#losses.push(performance.now());
    if (isCrash) this.#crashes.push(performance.now());
  }

  /** No window of 24 hours has more answers than the cap; only the last second before a crash may be forgotten. */
  #verifyCap({ adSet, listener, atMs }: BookedAd): void {
    const cap = this.#caps[adSet];
    if (cap === undefined) return;
    const heard = this.ads.filter(
      (one) =>
        one.adSet === adSet &&
        one.listener === listener &&
        one.atMs > atMs - PLAYABLE_MS &&
        !this.#mayBeForgotten(one.realMs),
    );
    assert.ok(heard.length <= cap, `${listener} got ${adSet} ${heard.length} times within its day; its cap is ${cap}`);
  }

  /** A break under the load; one that a listener asks for themselves is held back by nothing. */
  giveBreak(listener: string, placement: string, atMs: number, breaksPerHour: number): void {
    const own = this.#breaks.get(listener) ?? [];
    if (placement !== 'reward') {
      const inHour = own.filter((one) => one.atMs > atMs - HOUR_MS && !this.#mayBeForgotten(one.realMs)).length;
      assert.ok(inHour < breaksPerHour, `${listener} got break ${inHour + 1} in an hour`);
      const rewards = this.#rewards.get(listener) ?? [];
      const isRewarded = rewards.some(({ untilMs, realMs }) => atMs < untilMs && !this.#mayBeForgotten(realMs));
      assert.ok(!isRewarded, `${listener} was rewarded, and got a break`);
    }
    this.#breaks.set(listener, [...own, { atMs, realMs: performance.now() }]);
  }

  reward(listener: string, untilMs: number): void {
    this.#rewards.set(listener, [...(this.#rewards.get(listener) ?? []), { untilMs, realMs: performance.now() }]);
  }

  /** Only the last second before a crash of PostgreSQL may be forgotten. */
  #mayBeForgotten(realMs: number): boolean {
    return this.#crashes.some((at) => realMs <= at && realMs > at - 1_000);
  }

  /** A report that is sent: it may count from now on. */
  send(ad: BookedAd, event: string): void {
    const booked = ad.events.get(event) ?? { counted: 0, open: 0, isInTime: false };
    booked.open += 1;
    ad.events.set(event, booked);
  }

  /** Reports that were sent at once: one of them counts, and the others repeat it. */
  report(sent: readonly SentReport[], nowMs: number): void {
    // All of them first: one that is a repetition may be answered before the one that counts.
    const repeats = sent.filter(({ ad, event, report }) => this.#isRepeat(ad, event, report, nowMs));
    for (const { ad, event, sentRealMs } of repeats) {
      const booked = ad.events.get(event);
      if (booked === undefined || booked.counted + booked.open > 0) continue;
      // A node whose connection is lost before the answer repeats the statement.
      const isRepeatedByNode = this.#losses.some((at) => at > sentRealMs);
      assert.ok(isRepeatedByNode, `${event} of ${ad.adSet} for ${ad.listener}: a duplicate of nothing`);
      this.#count(ad, booked, nowMs);
    }
  }

  #isRepeat(ad: BookedAd, event: string, report: Report, nowMs: number): boolean {
    const booked = ad.events.get(event);
    const what = `${event} of ${ad.adSet} for ${ad.listener}`;
    assert.ok(booked !== undefined, what);
    if (report === 'unknown') return false;
    booked.open -= 1;
    if ('code' in report) this.#verifyRefusal(ad, report.code, what, nowMs);
    else {
      if (report.outcome === 'duplicate') return true;
      assert.ok(nowMs < ad.atMs + PLAYABLE_MS + MARGIN_MS, `${what}: ${report.outcome} after its token had expired`);
      if (report.outcome === 'held') booked.open += 1;
      else {
        assert.equal(report.outcome, 'counted', what);
        this.#count(ad, booked, nowMs);
        const isAdFree = event === 'impression' && this.adFree.has(ad.listener);
        assert.ok(!isAdFree, `${what} counted after the upgrade`);
        assert.equal(booked.counted, 1, `${what} was counted twice`);
      }
    }
    return false;
  }

  #count(ad: BookedAd, booked: BookedEvent, nowMs: number): void {
    booked.counted += 1;
    booked.isInTime = nowMs < ad.atMs + RESERVED_MS - MARGIN_MS;
  }

  #verifyRefusal(ad: BookedAd, code: string, what: string, nowMs: number): void {
    if (code === 'ads/token-expired') {
      assert.ok(nowMs > ad.atMs + PLAYABLE_MS - MARGIN_MS, `${what}: expired too early`);
    } else if (code === 'ads/listener-is-ad-free') {
      assert.ok(this.adFree.has(ad.listener) || this.upgrading.has(ad.listener), `${what}: ${code}`);
    } else assert.equal(code, 'ads/entitlement-unknown', what);
  }

  /** `used` of the ledger against the budgets, by the names that buckets have. */
  verifyUse(use: ReadonlyMap<string, number>, budgets: ReadonlyMap<string, number>): void {
    for (const [counter, used] of use) {
      const budget = budgets.get(counter.split(' @')[0] ?? '');
      if (budget === undefined) continue;
      const most = Math.max(budget, this.#ceilings.get(counter) ?? 0);
      assert.ok(used <= most, `${counter}: ${used} micro-units are used or reserved, of ${most}`);
    }
  }

  /** Budgets were lowered: use above them stays, and may not grow. */
  lower(use: ReadonlyMap<string, number>): void {
    for (const [counter, used] of use) this.#ceilings.set(counter, used);
  }

  /** Events and charges of each ad set: at least, and at most. */
  bounds(): ReadonlyMap<string, { events: Map<string, Bounds>; micros: Bounds }> {
    const all = new Map<string, { events: Map<string, Bounds>; micros: Bounds }>();
    for (const ad of this.ads) {
      const sums = all.get(ad.adSet) ?? { events: new Map(), micros: { least: 0, most: 0 } };
      all.set(ad.adSet, sums);
      for (const [event, { counted, open, isInTime }] of ad.events) {
        const bounds = sums.events.get(event) ?? { least: 0, most: 0 };
        sums.events.set(event, bounds);
        const most = Math.min(1, counted + open);
        bounds.least += counted;
        bounds.most += most;
        if (event !== ad.paidBy) continue;
        sums.micros.least += isInTime ? counted * ad.micros : 0;
        sums.micros.most += most * ad.micros;
      }
    }
    return all;
  }
}

export interface Bounds {
  least: number;
  most: number;
}

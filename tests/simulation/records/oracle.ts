import { windowAt } from '#kernel/quotas/rules/window.ts';

/** How a subscription is bought: for a year at Apple, or as before; the first is monthly on the web. */
interface Way {
  readonly isYearly?: boolean;
}
interface Use {
  readonly who: string;
  readonly feature: Feature;
}
interface Settling extends Use {
  readonly of: string;
  readonly amount: number;
}

/** A request to records or usage. `of` names a subscription, grant or operation by the key of the step that made it. */
export type Step = { readonly key: string; readonly atMs: number } & (
  | ({ readonly do: 'begin'; readonly who: string; readonly plan: string; readonly anchor: string } & Way)
  | ({ readonly do: 'plan'; readonly of: string; readonly plan: string } & Way)
  | { readonly do: 'lapse'; readonly of: string }
  | { readonly do: 'resume'; readonly of: string }
  | { readonly do: 'end'; readonly of: string }
  | { readonly do: 'join'; readonly of: string; readonly who: string; readonly role: string }
  | { readonly do: 'part'; readonly of: string; readonly who: string }
  | { readonly do: 'grant'; readonly who: string }
  | { readonly do: 'endGrant'; readonly of: string }
  | { readonly do: 'give'; readonly who: string; readonly limit: number; readonly hours: number }
  | { readonly do: 'endGive'; readonly of: string }
  | ({ readonly do: 'consume'; readonly amount: number; readonly agoMs?: number; readonly isPartial?: boolean } & Use)
  | { readonly do: 'batch'; readonly who: string; readonly books: number; readonly podmin: number }
  | ({ readonly do: 'reserve'; readonly amount: number } & Use)
  | ({ readonly do: 'lease'; readonly amount: number } & Use)
  | ({ readonly do: 'commit' } & Settling)
  | ({ readonly do: 'return' } & Settling)
  | ({ readonly do: 'refund' } & Settling)
  | ({ readonly do: 'release'; readonly of: string } & Use)
  | ({ readonly do: 'extend'; readonly of: string } & Use)
  | { readonly do: 'acquire' | 'heartbeat' | 'leave'; readonly who: string; readonly session: string }
);
export type Feature = 'books' | 'podmin' | 'skips';

/** The code of a refusal; of use, what was charged; of a subscription, its plan, status, price and members. */
export type OracleAnswer = string;

interface Terms {
  readonly sub: string;
  readonly plan: string;
  readonly role: string;
  readonly anchor: string;
  readonly house: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}
interface Sub {
  readonly id: string;
  readonly manager: string;
  readonly anchor: string;
  plan: string;
  price: string;
  status: 'active' | 'lapsed' | 'ended';
  sinceMs: number;
  readonly members: Map<string, { role: string; sinceMs: number }>;
}
interface Grant {
  readonly id: string;
  readonly who: string;
  readonly fromMs: number;
  untilMs: number;
}
interface Gift {
  readonly id: string;
  readonly who: string;
  readonly limit: number;
  untilMs: number;
}
interface Bucket {
  readonly counter: string;
  /** Infinity: nothing is counted. */
  readonly limit: number;
  readonly untilMs: number;
}
interface Line {
  readonly counter: string;
  readonly untilMs: number;
  readonly amount: number;
  back: number;
}
interface Done {
  readonly answer: OracleAnswer;
  readonly step: Step;
  readonly lines: readonly Line[];
  readonly quota: string;
  /** When held units are released by themselves. */
  untilMs: number;
  state: 'held' | 'settled' | 'taken' | 'denied';
}

const ZONE = 'Europe/Berlin';
const DAY_MS = 86_400_000;
const YEARLY = 'P1Y';
const MONTHLY = 'P1M';
const SLOTS = 2;
const SLOT_MS = 2 * 3_600_000;
const SLOT_STEPS: ReadonlySet<Step['do']> = new Set(['acquire', 'heartbeat', 'leave']);
export const PEOPLE = ['a', 'b', 'c/d', 'e'] as const;
export const PLANS = ['weekly', 'monthly', 'all', 'none', 'duo', 'family'] as const;
export const ANCHORS = ['2026-10-10T00:00:00', '2026-10-25T12:00:00', '2026-01-31T15:00:00'] as const;
export const FEATURES: readonly Feature[] = ['books', 'podmin', 'skips'];
/** The price of a plan, by interval. A plan without a price is free. */
const PRICES: Record<string, Record<string, string>> = {
  weekly: { [MONTHLY]: '4.99' },
  monthly: { [MONTHLY]: '9.99', [YEARLY]: '99.00' },
  family: { [MONTHLY]: '19.99', [YEARLY]: '199.00' },
};
const LEASE_MS = 30 * DAY_MS;
const RESERVE_MS = 6 * 3_600_000;
const GIVES: Record<Feature, Record<string, { limit: number; per: string; isAnchored: boolean; isShared: boolean }>> = {
  books: Object.fromEntries(
    ['weekly', 'monthly', 'duo', 'family', 'all'].map((plan) => [
      plan,
      { limit: plan === 'all' ? Infinity : 900, per: 'P1M', isAnchored: true, isShared: false },
    ]),
  ),
  podmin: {
    weekly: { limit: 100, per: 'P1W', isAnchored: false, isShared: false },
    monthly: { limit: 300, per: 'P1M', isAnchored: false, isShared: false },
    all: { limit: Infinity, per: 'P1M', isAnchored: false, isShared: false },
  },
  skips: Object.fromEntries(
    ['duo', 'family'].map((plan) => [plan, { limit: 50, per: 'P1M', isAnchored: true, isShared: true }]),
  ),
};
const SEATS: Record<string, number> = { duo: 2, family: 6 };
const ROLES: Record<string, readonly string[]> = { duo: ['manager', 'member'], family: ['manager', 'member', 'child'] };
const rolesOf = (plan: string): readonly string[] => ROLES[plan] ?? ['manager'];

/** Subscriptions, buckets and use as one clerk with one ledger would keep them, one request after the other. */
export class Oracle {
  readonly subs = new Map<string, Sub>();
  readonly on = new Map<string, string>();
  readonly past = new Map<string, Terms[]>();
  readonly grants: Grant[] = [];
  readonly gifts: Gift[] = [];
  /** End of each slot in ms, by household, listener and session. */
  readonly slots = new Map<string, number>();
  readonly used = new Map<string, number>();
  readonly moved = new Map<string, { to: string; gain: number }>();
  readonly done = new Map<string, Done>();
  #nowMs = 0;

  clone(): Oracle {
    const copy = new Oracle();
    for (const [id, sub] of this.subs) {
      const members = new Map([...sub.members].map(([who, member]) => [who, { ...member }]));
      copy.subs.set(id, { ...sub, members });
    }
    for (const [who, id] of this.on) copy.on.set(who, id);
    for (const [who, terms] of this.past) copy.past.set(who, [...terms]);
    for (const grant of this.grants) copy.grants.push({ ...grant });
    for (const gift of this.gifts) copy.gifts.push({ ...gift });
    for (const [id, untilMs] of this.slots) copy.slots.set(id, untilMs);
    for (const [counter, units] of this.used) copy.used.set(counter, units);
    for (const [counter, moved] of this.moved) copy.moved.set(counter, { ...moved });
    for (const [key, done] of this.done) {
      copy.done.set(key, { ...done, lines: done.lines.map((line) => ({ ...line })) });
    }
    return copy;
  }

  /** Drops all operations but the last `kept` ones and those that hold units. */
  forget(kept: number): void {
    let rest = this.done.size - kept;
    for (const [key, { state }] of this.done) {
      if (rest <= 0) return;
      rest -= 1;
      if (state !== 'held') this.done.delete(key);
    }
  }

  /** Equal for equal books. */
  text(): string {
    const sortByKey = <Value>(map: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] =>
      [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    const { subs, on, past, grants, gifts, slots, used, moved, done } = this;
    const members = sortByKey(subs).map(([, sub]) => sortByKey(sub.members));
    const byId = [grants, gifts].map((all) => all.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
    return JSON.stringify([members, ...[subs, on, past, slots, used, moved, done].map(sortByKey<unknown>), byId]);
  }

  /** @param nowMs later than that of the step when it is repeated */
  tell(asked: Step, nowMs: number): OracleAnswer {
    const before = this.done.get(asked.key);
    if (before !== undefined) return before.answer;
    this.#expire(nowMs);
    const ago = 'agoMs' in asked ? { agoMs: nowMs - asked.atMs + (asked.agoMs ?? 0) } : {};
    const step: Step = { ...asked, ...ago, atMs: nowMs };
    const untilMs = nowMs + (asked.do === 'lease' ? LEASE_MS : RESERVE_MS);
    const made: Omit<Done, 'answer' | 'step'> = { lines: [], quota: '', state: 'taken', untilMs };
    const done = { ...made, step, ...this.#do(step) };
    // A refused step has not happened, and use that is not counted is not recorded.
    const isCount = step.do === 'consume' || step.do === 'batch';
    const isKept = !/^\w+\/|^nothing$/.test(done.answer) && !SLOT_STEPS.has(step.do) && !(isCount && done.quota === '');
    if (!isKept) return done.answer;
    this.done.set(step.key, done);
    return done.answer;
  }

  /** Units of a feature that a listener has left; undefined where nothing is counted. */
  remaining(who: string, feature: Feature, atMs: number): number | undefined {
    this.#expire(atMs);
    const terms = this.#now(who, atMs);
    const buckets = terms === undefined ? [] : this.#buckets(who, feature, terms, atMs);
    if (buckets.length === 0 || buckets[0]?.limit === Infinity) return undefined;
    return buckets.reduce((sum, { limit, counter }) => sum + Math.max(0, limit - (this.used.get(counter) ?? 0)), 0);
  }

  #do(step: Step): Partial<Done> & { answer: OracleAnswer } {
    switch (step.do) {
      case 'begin': {
        if (this.on.has(step.who)) return { answer: 'products/already-subscribed' };
        const { key: id, who: manager, plan, anchor, atMs: sinceMs } = step;
        const price = priceOf(plan, step.isYearly === true ? YEARLY : MONTHLY);
        if (price === undefined) return { answer: 'products/not-sold' };
        const sub: Sub = { id, manager, anchor, plan, price, status: 'active', sinceMs, members: new Map() };
        return this.#change(sub, step, () => {
          this.subs.set(id, sub);
          this.#seat(sub, manager, 'manager', sinceMs);
        });
      }
      case 'grant': {
        const terms = this.#now(step.who, step.atMs);
        if (terms === undefined) return { answer: 'products/plan-needed' };
        const untilMs = Temporal.Instant.fromEpochMilliseconds(step.atMs)
          .toZonedDateTimeISO(ZONE)
          .add('P12M').epochMilliseconds;
        this.grants.push({ id: step.key, who: step.who, fromMs: step.atMs, untilMs });
        return { answer: 'done' };
      }
      case 'endGrant': {
        const grant = this.grants.find(({ id }) => id === step.of);
        if (grant !== undefined) grant.untilMs = Math.min(grant.untilMs, step.atMs);
        return { answer: 'done' };
      }
      case 'give': {
        const { key: id, who, limit, hours, atMs } = step;
        this.gifts.push({ id, who, limit, untilMs: atMs + hours * 3_600_000 });
        return { answer: 'done' };
      }
      case 'endGive': {
        const gift = this.gifts.find(({ id }) => id === step.of);
        if (gift !== undefined) gift.untilMs = Math.min(gift.untilMs, step.atMs);
        return { answer: 'done' };
      }
      case 'acquire':
      case 'heartbeat':
      case 'leave':
        return { answer: this.#slot(step) };
      case 'batch':
        return this.#batch(step);
      case 'extend': {
        const hold = this.done.get(step.of);
        if (hold === undefined || hold.lines.length === 0) return { answer: 'nothing' };
        if (hold.state !== 'held') return { answer: 'quotas/reservation-settled' };
        hold.untilMs = step.atMs + RESERVE_MS;
        return { answer: `charged ${sum(hold.lines)}` };
      }
      case 'consume':
      case 'reserve':
      case 'lease':
        return this.#take(step);
      case 'commit':
      case 'return':
      case 'release':
        return this.#settle(step);
      case 'refund':
        return this.#refund(step);
      default: {
        const sub = this.subs.get(step.of);
        if (sub === undefined) throw new Error(`no subscription ${step.of}`);
        return sub.status === 'ended' && step.do !== 'end'
          ? { answer: 'products/subscription-ended' }
          : this.#turn(sub, step);
      }
    }
  }

  #turn(
    sub: Sub,
    step: Extract<Step, { do: 'plan' | 'lapse' | 'resume' | 'end' | 'join' | 'part' }>,
  ): { answer: OracleAnswer } {
    switch (step.do) {
      case 'plan':
        if (sub.members.size > (SEATS[step.plan] ?? 1)) return { answer: 'products/no-seat' };
        if ([...sub.members].some(([who, { role }]) => who !== sub.manager && !rolesOf(step.plan).includes(role))) {
          return { answer: 'products/role-not-in-plan' };
        }
        if (sub.plan === step.plan && step.isYearly !== true) return { answer: textOf(sub) };
        {
          const price = priceOf(step.plan, step.isYearly === true ? YEARLY : wayOf(sub.price));
          if (price === undefined) return { answer: 'products/not-sold' };
          return this.#change(sub, step, () => {
            if (sub.plan !== step.plan) sub.sinceMs = step.atMs;
            sub.plan = step.plan;
            sub.price = price;
          });
        }
      case 'lapse':
      case 'resume':
      case 'end': {
        const status = ({ lapse: 'lapsed', resume: 'active', end: 'ended' } as const)[step.do];
        if (sub.status === status) return { answer: textOf(sub) };
        return this.#change(sub, step, () => {
          sub.status = status;
          if (status === 'active') sub.sinceMs = step.atMs;
          if (status !== 'ended') return;
          for (const who of sub.members.keys()) this.on.delete(who);
          sub.members.clear();
        });
      }
      case 'join': {
        const member = sub.members.get(step.who);
        if (!rolesOf(sub.plan).includes(step.role)) return { answer: 'products/unknown-role' };
        if (member === undefined && this.on.has(step.who)) return { answer: 'products/already-subscribed' };
        if (member === undefined && sub.members.size >= (SEATS[sub.plan] ?? 1)) return { answer: 'products/no-seat' };
        return this.#change(sub, step, () => {
          if (member === undefined) this.#seat(sub, step.who, step.role, step.atMs);
          else member.role = step.role;
        });
      }
      case 'part':
        if (step.who === sub.manager && sub.members.has(step.who)) return { answer: 'products/manager-stays' };
        return this.#change(sub, step, () => {
          if (sub.members.delete(step.who)) this.on.delete(step.who);
        });
    }
  }

  /** Records the earlier terms of each listener, and carries their use over to the new ones. */
  #change(sub: Sub, step: Step, work: () => void): { answer: OracleAnswer } {
    const all = new Set([...sub.members.keys(), ...('who' in step ? [step.who] : [])]);
    const before = new Map([...all].map((who) => [who, this.#now(who, step.atMs)]));
    work();
    const seen = new Set<string>();
    for (const who of all) {
      const [old, now] = [before.get(who), this.#now(who, step.atMs)];
      const isSame = old?.sub === now?.sub && old?.plan === now?.plan && old?.role === now?.role;
      if (isSame) continue;
      const past = this.past.get(who) ?? [];
      if (old !== undefined) past.unshift({ ...old, untilMs: step.atMs });
      this.past.set(who, past.slice(0, 10));
      for (const from of now === undefined ? [] : (this.past.get(who) ?? [])) {
        for (const feature of ['books', 'podmin', 'skips'] as const)
          this.#carry(who, feature, from, now, step.atMs, seen);
      }
    }
    return { answer: textOf(sub) };
  }

  #carry(who: string, feature: Feature, from: Terms, to: Terms | undefined, atMs: number, seen: Set<string>): void {
    const [source, target] = [from, to].map((terms) => {
      const plan = terms && this.#plan(who, feature, terms, atMs);
      return plan === undefined || plan.limit === Infinity ? undefined : plan.counter;
    });
    if (source === undefined || target === undefined || source === target || seen.has(`${source} ${target}`)) return;
    if (source.split('|')[0] !== target.split('|')[0]) return;
    seen.add(`${source} ${target}`);
    const [had, comes] = [this.used.get(target) ?? 0, this.used.get(source) ?? 0];
    this.used.set(target, Math.max(had, comes));
    this.moved.delete(target);
    this.moved.set(source, { to: target, gain: Math.max(0, comes - had) });
  }

  #take(step: Extract<Step, { do: 'consume' | 'reserve' | 'lease' }>): Partial<Done> & { answer: OracleAnswer } {
    const { who, feature, amount, atMs } = step;
    const at = this.#termsAt(who, atMs - (step.do === 'consume' ? (step.agoMs ?? 0) : 0), atMs);
    if (at === undefined) return { answer: 'products/plan-needed' };
    const { terms, usedMs, isPast } = at;
    const buckets = this.#buckets(who, feature, terms, usedMs);
    if (buckets[0]?.limit === Infinity || buckets.length === 0) {
      const isFree = buckets.length > 0;
      return step.do === 'consume'
        ? { answer: 'charged 0', quota: isFree ? feature : '' }
        : { answer: 'products/not-counted' };
    }
    if (step.do === 'lease' && feature !== 'books') return { answer: 'products/not-offline' };
    const lines = this.#linesOf(buckets, amount, step.do === 'consume' && step.isPartial === true);
    if (lines.length === 0) return { answer: 'charged 0', state: 'denied', quota: feature };
    this.#charge(lines, isPast);
    return { answer: `charged ${sum(lines)}`, lines, quota: feature, state: step.do === 'consume' ? 'taken' : 'held' };
  }

  #batch({ who, books, podmin, atMs }: Extract<Step, { do: 'batch' }>): Partial<Done> & { answer: OracleAnswer } {
    const terms = this.#now(who, atMs);
    if (terms === undefined) return { answer: 'products/plan-needed' };
    const lines: Line[] = [];
    let isDenied = false;
    for (const [feature, amount] of [
      ['books', books],
      ['podmin', podmin],
    ] as const) {
      const buckets = this.#buckets(who, feature, terms, atMs);
      if (buckets.length === 0) return { answer: 'charged 0' };
      if (buckets[0]?.limit === Infinity) continue;
      const own = this.#linesOf(buckets, amount, false);
      isDenied ||= own.length === 0;
      lines.push(...own);
    }
    if (isDenied) return { answer: 'charged 0', state: 'denied', quota: 'both' };
    this.#charge(lines, false);
    return { answer: `charged ${sum(lines)}`, lines, quota: 'both' };
  }

  /** The units to take from each bucket; empty when there are not enough. */
  #linesOf(buckets: readonly Bucket[], amount: number, isPartial: boolean): Line[] {
    let missing = amount;
    const lines: Line[] = [];
    for (const { counter, limit, untilMs } of buckets) {
      const units = Math.min(missing, Math.max(0, limit - (this.used.get(counter) ?? 0)));
      if (units > 0) lines.push({ counter, untilMs, amount: units, back: 0 });
      missing -= units;
    }
    return missing > 0 && !isPartial ? [] : lines;
  }

  #charge(lines: readonly Line[], isPast: boolean): void {
    for (const { counter, amount } of lines) {
      if (!isPast) this.moved.delete(counter);
      this.#add(counter, amount);
    }
  }

  #slot(step: Extract<Step, { do: 'acquire' | 'heartbeat' | 'leave' }>): OracleAnswer {
    const { who, session, atMs } = step;
    const terms = this.#now(who, atMs);
    const ownOf = (house: string): string => `${house} ${who} ${session}`;
    const isLive = (id: string): boolean => (this.slots.get(id) ?? 0) > atMs;
    const hasStreams = terms !== undefined && (terms.plan === 'duo' || terms.plan === 'family');
    if (step.do === 'leave' || (step.do === 'heartbeat' && !hasStreams)) {
      const houses = [
        this.subs.get(this.on.get(who) ?? '')?.manager,
        ...(this.past.get(who) ?? []).map(({ house }) => house),
      ];
      for (const house of houses) if (house !== undefined) this.slots.delete(ownOf(house));
      return step.do === 'leave' ? 'left' : 'ended';
    }
    if (terms === undefined) return 'products/plan-needed';
    if (!hasStreams) return 'no';
    const own = ownOf(terms.house);
    if (step.do === 'heartbeat' && !isLive(own)) return 'ended';
    const live = [...this.slots.keys()].filter((id) => id.startsWith(`${terms.house} `) && isLive(id));
    if (!live.includes(own) && live.length >= SLOTS) return 'no';
    this.slots.set(own, atMs + SLOT_MS);
    return 'allow';
  }

  #settle(step: Extract<Step, { do: 'commit' | 'return' | 'release' }>): Partial<Done> & { answer: OracleAnswer } {
    const hold = this.done.get(step.of);
    if (hold === undefined || hold.lines.length === 0) return { answer: 'nothing' };
    if (hold.state !== 'held') {
      return { answer: step.do === 'return' ? 'quotas/lease-replayed' : 'quotas/reservation-settled' };
    }
    const reserved = sum(hold.lines);
    const amount = step.do === 'release' ? 0 : step.amount;
    hold.state = 'settled';
    const back = this.#giveBack(hold.lines, reserved - amount);
    return { answer: `charged ${step.do === 'release' ? back : amount}` };
  }

  #refund(step: Extract<Step, { do: 'refund' }>): Partial<Done> & { answer: OracleAnswer } {
    const use = this.done.get(step.of);
    const left = use?.lines.reduce((sum, line) => sum + line.amount - line.back, 0) ?? 0;
    if (use === undefined || use.state !== 'taken' || left < step.amount) return { answer: 'nothing' };
    return { answer: `charged ${this.#giveBack(use.lines, step.amount)}` };
  }

  /** Last in, first out; a window that is closed takes nothing back. */
  #giveBack(lines: readonly Line[], amount: number): number {
    let missing = amount;
    for (const line of lines.toReversed()) {
      if (line.untilMs + DAY_MS <= this.#nowMs) continue;
      const units = Math.min(missing, line.amount - line.back);
      line.back += units;
      missing -= units;
      this.#add(line.counter, -units);
    }
    return amount - missing;
  }

  #add(counter: string, units: number): void {
    this.used.set(counter, Math.max(0, (this.used.get(counter) ?? 0) + units));
    const moved = this.moved.get(counter);
    if (moved === undefined) return;
    const there = units > 0 ? units : -Math.min(moved.gain, -units);
    moved.gain += there;
    this.#add(moved.to, there);
  }

  #expire(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const hold of this.done.values()) {
      if (hold.state !== 'held' || hold.untilMs > nowMs) continue;
      hold.state = 'settled';
      this.#giveBack(hold.lines, Infinity);
    }
  }

  #seat(sub: Sub, who: string, role: string, sinceMs: number): void {
    sub.members.set(who, { role, sinceMs });
    this.on.set(who, sub.id);
  }

  #now(who: string, atMs: number): Terms | undefined {
    const sub = this.subs.get(this.on.get(who) ?? '');
    const member = sub?.members.get(who);
    if (sub === undefined || member === undefined || sub.status !== 'active') return undefined;
    const sinceMs = Math.max(sub.sinceMs, member.sinceMs, this.past.get(who)?.[0]?.untilMs ?? 0);
    return {
      sub: sub.id,
      plan: sub.plan,
      role: member.role,
      anchor: sub.anchor,
      house: sub.manager,
      sinceMs,
      untilMs: atMs + 1,
    };
  }

  #termsAt(who: string, usedMs: number, nowMs: number): { terms: Terms; usedMs: number; isPast: boolean } | undefined {
    const now = this.#now(who, nowMs);
    if (now !== undefined && usedMs >= now.sinceMs) return { terms: now, usedMs, isPast: false };
    if (usedMs >= nowMs) return undefined;
    const past = this.past.get(who) ?? [];
    const then = past.find((one) => one.sinceMs <= usedMs && usedMs < one.untilMs);
    if (then !== undefined) return { terms: then, usedMs, isPast: true };
    const next = past.findLast((one) => one.sinceMs > usedMs);
    if (next !== undefined) return { terms: next, usedMs: next.sinceMs, isPast: true };
    return now && { terms: now, usedMs: now.sinceMs, isPast: false };
  }

  #buckets(who: string, feature: Feature, terms: Terms, atMs: number): readonly Bucket[] {
    const plan = this.#plan(who, feature, terms, atMs);
    const gift = this.#gift(who, feature, atMs);
    if (plan?.limit === Infinity) return [plan];
    const own = this.grants.filter(
      (one) => feature === 'books' && one.who === who && one.fromMs <= atMs && atMs < one.untilMs,
    );
    own.sort((a, b) => a.untilMs - b.untilMs || a.fromMs - b.fromMs);
    return [
      ...(plan === undefined ? [] : [plan]),
      ...(plan !== undefined || gift === undefined
        ? []
        : [{ counter: `${who}|${gift.id}`, limit: gift.limit, untilMs: Infinity }]),
      ...own.map(({ id }) => ({ counter: `${who}|${id}`, limit: 600, untilMs: Infinity })),
    ];
  }

  #plan(who: string, feature: Feature, { plan, anchor, house }: Terms, atMs: number): Bucket | undefined {
    const gives = GIVES[feature][plan];
    if (gives === undefined) return undefined;
    const spec = {
      type: gives.isAnchored ? 'anchored' : 'calendar',
      per: gives.per,
      ...(gives.isAnchored ? {} : { zone: ZONE }),
    } as const;
    const at = { at: anchor, zone: ZONE };
    // Use of a window that is closed counts in the present one.
    const own = windowAt(spec, at, atMs);
    const { key, untilMs = Infinity } =
      (own.untilMs ?? Infinity) + DAY_MS <= this.#nowMs ? windowAt(spec, at, this.#nowMs) : own;
    const limit = this.#gift(who, feature, atMs)?.limit ?? gives.limit;
    return { counter: `${gives.isShared ? `house ${house}` : who}|${feature} ${key}`, limit, untilMs };
  }

  /** The override in place of the plan's limit: of several the most generous, then the one that lasts longest. */
  #gift(who: string, feature: Feature, atMs: number): Gift | undefined {
    const all = this.gifts.filter((gift) => feature === 'books' && gift.who === who && gift.untilMs > atMs);
    return all.sort((a, b) => b.limit - a.limit || b.untilMs - a.untilMs)[0];
  }
}

function textOf({ plan, status, price, members }: Sub): OracleAnswer {
  return `${plan} ${status} ${price} ${[...members]
    .map(([who, { role }]) => `${who}:${role}`)
    .sort()
    .join(' ')}`;
}

/** undefined: the plan is sold, but not for this interval. */
function priceOf(plan: string, way: string): string | undefined {
  const prices = PRICES[plan];
  return prices === undefined ? 'nothing' : prices[way];
}

/** The interval of a price. */
function wayOf(price: string): string {
  return Object.values(PRICES).some((prices) => prices[YEARLY] === price) ? YEARLY : MONTHLY;
}

function sum(lines: readonly { readonly amount: number }[]): number {
  return lines.reduce((all, { amount }) => all + amount, 0);
}

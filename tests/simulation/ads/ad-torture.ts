import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClockedNodes, ClockedProcess } from '../../support/clocked-nodes.ts';
import type { Answer } from '../../support/backline.ts';
import { feature, market, plan } from '../../support/catalogue.ts';
import type { seededChance } from '../../support/chance.ts';
import { draftOf, DRAFTS, publicationOf } from '../../support/drafts.ts';
import { changeSet, CHANGE_SETS } from '../../support/flags.ts';
import { until } from '../../support/installation.ts';
import type { MortalPostgres } from '../../support/mortal-postgres.ts';
import { AdBook, type BookedAd, type Report, type SentReport } from './ad-book.ts';

const LIMITS = {
  /** A break: 300 ms for the record of the listener, 300 ms for histories and budgets; the rest is for a machine that is busy. */
  breakMs: 3_000,
  /** Other answers: a statement is given up after eleven seconds. */
  answerMs: 14_000,
  /** From the return of PostgreSQL, or of a node, until ads are answered again. */
  recoverySeconds: 30,
  /** Until readiness shows that PostgreSQL is away. */
  noticeSeconds: 20,
  /** Until a pause holds on all nodes: a second, by a machine that is busy. */
  pauseMs: 2_000,
  /** The same of a policy, which is released. */
  releaseMs: 6_000,
  /** A fault comes after so many steps. */
  stepsForFault: 8,
} as const;

const ADS_PATH = '/apis/ads.backline.dev/v1/namespaces/default';
const BACKEND_KEY = 'bk_backend';
const EVENTS = ['impression', 'start', 'firstQuartile', 'complete', 'click'] as const;
const MICROS = 1_000_000;

interface TorturedAdSet {
  readonly name: string;
  readonly goal: 'cpm' | 'cpc' | 'cpcv';
  readonly bid: string;
  readonly cap?: number;
  readonly tier?: string;
}

/** Separated accounts; the last one has no limit, so that ads flow wherever the rest is used up. */
const AD_SETS: readonly TorturedAdSet[] = [
  { name: 'acme.x', goal: 'cpm', bid: '1000.00', cap: 2 },
  { name: 'acme.y', goal: 'cpc', bid: '40.00' },
  { name: 'bolt.x', goal: 'cpcv', bid: '0.50', cap: 3 },
  { name: 'bolt.y', goal: 'cpm', bid: '300.00' },
  { name: 'hall.x', goal: 'cpm', bid: '1.00', tier: 'house' },
];
const PAID_BY = { cpm: 'impression', cpc: 'click', cpcv: 'complete' } as const;
/** Of `acme`: a policy may deny it. */
const CATEGORY = 'alcohol';
const ZONES = ['UTC', 'Asia/Tokyo', 'America/Los_Angeles', 'Pacific/Kiritimati'];
const LOAD = { breaksPerHour: 3, rewardedMinutes: 30 } as const;
const AD_SECONDS = 20;
const RENDITIONS = [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg', kbps: 128 }];
const CAPS = Object.fromEntries(AD_SETS.flatMap(({ name, cap }) => (cap === undefined ? [] : [[live(name), cap]])));
export const ACCOUNTS = ['acme', 'bolt', 'hall'] as const;

/** Budgets in whole units, by `adset acme.x day` and so on. */
const BUDGETS: Readonly<Record<string, number>> = {
  'adset acme.x day': 6,
  'adset acme.x lifetime': 14,
  'adset acme.y day': 120,
  'campaign acme.c lifetime': 150,
  'account acme day': 130,
  'adset bolt.x day': 4,
  'adset bolt.y day': 3,
  'account bolt lifetime': 12,
};
/** A new ad set pays for one event at least, as one that is declared again. */
const LEAST_UNITS: Readonly<Record<string, number>> = { 'adset acme.y day': 40 };
const LOWERED_KINDS = { adset: 'adsets', campaign: 'campaigns', account: 'advertisers' } as const;

function live(name: string): string {
  return `default/${name}`;
}

function object(kind: string, name: string, spec: object) {
  return { apiVersion: 'ads.backline.dev/v1', kind, metadata: { name, namespace: 'default' }, spec };
}

/** The policy of the placement `songs`. */
function openPolicy(isDenied: boolean): object {
  const categories = isDenied ? { categories: [{ categories: [CATEGORY], deniedIn: ['DE'] }] } : {};
  return object('AdPolicy', 'all', { consent: [{ framework: 'none' }], ...categories });
}

type Step = readonly [weight: number, name: string, run: () => Promise<unknown>];
type Chance = ReturnType<typeof seededChance>;

/** Two nodes, their PostgreSQL, and players and advertisers who use them; each answer is held against the book. */
export class AdTorture {
  readonly book = new AdBook(CAPS);
  readonly counts = new Map<string, number>();
  readonly slowest = new Map<string, number>();
  readonly #nodes: ClockedNodes<ClockedProcess>;
  readonly #postgres: MortalPostgres;
  readonly #chance: Chance;
  readonly #budgets = new Map(Object.entries(BUDGETS).map(([name, units]) => [name, units * MICROS]));
  readonly #zones = new Map<string, string>();
  #listeners = 0;
  #drafts = 0;

  constructor(parts: { nodes: ClockedNodes<ClockedProcess>; postgres: MortalPostgres; chance: Chance }) {
    this.#nodes = parts.nodes;
    this.#postgres = parts.postgres;
    this.#chance = parts.chance;
  }

  async declare(): Promise<void> {
    const [node] = this.#nodes.nodes;
    assert.ok(node !== undefined);
    const post = async (path: string, body: object): Promise<void> => {
      const { status, text } = await node.call('POST', path, { body });
      assert.ok(status < 300, text);
    };
    const catalogue = [
      market('de', { title: 'Germany' }),
      feature('ad-free', { title: 'Without ads' }),
      plan('free', { rank: 0 }),
      plan('premium', { rank: 10, entitlements: [{ feature: 'ad-free' }] }),
    ];
    const placement = {
      format: 'audio',
      slots: 2,
      seconds: 60,
      currency: 'EUR',
      policy: 'all',
      adFreeFeature: 'ad-free',
    };
    const rewarding = object('AdPolicy', 'rewarding', { consent: [{ framework: 'none' }], load: LOAD });
    await post(
      CHANGE_SETS,
      changeSet(
        ...catalogue,
        openPolicy(false),
        rewarding,
        object('Placement', 'songs', placement),
        object('Placement', 'talk', { ...placement, policy: 'rewarding' }),
        object('Placement', 'reward', { ...placement, slots: 1, policy: 'rewarding', rewarded: true }),
      ),
    );
    for (const account of ACCOUNTS) {
      await post(`${ADS_PATH}/advertisers`, this.#declared(`advertisers/${account}`));
      await post(`${ADS_PATH}/campaigns`, this.#declared(`campaigns/${account}.c`));
      await post(`${ADS_PATH}/assets`, this.#declared(`assets/${account}.f`));
    }
    for (const { name } of AD_SETS) {
      await post(`${ADS_PATH}/adsets`, this.#declared(`adsets/${name}`));
      await post(`${ADS_PATH}/ads`, this.#declared(`ads/${name}.a`));
    }
    // Breaks are asked for by a backend: reads of listeners by users are put on record first.
    const keys = [{ name: 'a', hash: createHash('sha256').update(BACKEND_KEY).digest('hex') }];
    await post('/apis/access.backline.dev/v1/namespaces/default/clients', {
      apiVersion: 'access.backline.dev/v1',
      kind: 'Client',
      metadata: { name: 'backend' },
      spec: { type: 'server', keys },
    });
    await this.#untilFlowing();
  }

  /** An object as it is declared, with the budget that it has by now. */
  #declared(path: string, more: object = {}): object {
    const [plural = '', name = ''] = path.split('/');
    const [account = ''] = name.split('.');
    const adSet = AD_SETS.find((one) => one.name === name);
    if (plural === 'advertisers') {
      const categories = account === 'acme' ? { categories: [CATEGORY] } : {};
      const zone = this.#zones.get(account) ?? 'UTC';
      const spec = { title: account, currency: 'EUR', zone, ...categories, ...this.#budgetSpec(`account ${account}`) };
      return object('Advertiser', name, { ...spec, ...more });
    }
    if (plural === 'campaigns')
      return object('Campaign', name, { account, ...this.#budgetSpec(`campaign ${name}`), ...more });
    if (plural === 'assets')
      return object('Asset', name, { account, format: 'audio', seconds: AD_SECONDS, renditions: RENDITIONS });
    if (adSet === undefined) {
      return object('Ad', name, { account, adSet: name.replace(/\.a$/, ''), asset: `${account}.f`, ...more });
    }
    const { goal, bid, cap, tier = 'auction' } = adSet;
    const caps = cap === undefined ? {} : { frequencyCaps: [{ count: cap, per: 'P1D', scope: 'listener' }] };
    const spec = { account, campaign: `${account}.c`, goal, bid, tier, pacing: 'asap', ...caps };
    return object('AdSet', name, { ...spec, ...this.#budgetSpec(`adset ${name}`), ...more });
  }

  #budgetSpec(owner: string): object {
    const [daily, lifetime] = ['day', 'lifetime'].map((per) => this.#budgets.get(`${owner} ${per}`));
    if (daily === undefined && lifetime === undefined) return {};
    const decimal = (micros: number): string => (micros / MICROS).toFixed(2);
    return {
      budget: {
        ...(daily === undefined ? {} : { daily: decimal(daily) }),
        ...(lifetime === undefined ? {} : { lifetime: decimal(lifetime) }),
      },
    };
  }

  /** One step, by its number; gives a line for the log. In every eighth something ends or hangs, each in its turn. */
  async step(number: number): Promise<string> {
    const faults: readonly Step[] = [
      [1, 'kill PostgreSQL', () => this.losePostgres('kill')],
      [1, 'kill a node', () => this.killNode()],
      [1, 'hang PostgreSQL', () => this.losePostgres('hang')],
      [1, 'restart PostgreSQL', () => this.losePostgres('stop')],
    ];
    const steps: readonly Step[] = [
      [30, 'decide', () => this.decide()],
      [34, 'report', () => this.report()],
      [8, 'budget', () => this.changeBudget()],
      [6, 'pause', () => this.pause()],
      [6, 'upgrade', () => this.upgrade()],
      [5, 'zone', () => this.changeZone()],
      [6, 'declare again', () => this.declareAgain()],
      [4, 'draft', () => this.publishDraft()],
      [4, 'policy', () => this.changePolicy()],
      [8, 'reward', () => this.reward()],
      [12, 'wait', () => this.wait()],
    ];
    const isFault = number % LIMITS.stepsForFault === 0;
    const fault = faults[(number / LIMITS.stepsForFault) % faults.length];
    const [, name, run] = isFault && fault !== undefined ? fault : this.#pickByWeight(steps);
    this.count(name);
    const from = performance.now();
    const done = await run();
    await this.look();
    return `${Math.round(performance.now() - from)} ms: ${name}${typeof done === 'string' ? `: ${done}` : ''}`;
  }

  #pickByWeight(steps: readonly Step[]): Step {
    let at = this.#chance.between(
      1,
      steps.reduce((sum, [weight]) => sum + weight, 0),
    );
    return steps.find(([weight]) => (at -= weight) <= 0) as Step;
  }

  count(name: string, by = 1): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  /** Some breaks at once, on any node. */
  async decide(isMidway = false): Promise<string> {
    const listeners = Array.from({ length: this.#chance.between(1, 4) }, () => `l${this.#chance.between(1, 8)}`);
    const answered = await Promise.all(listeners.map((listener) => this.decideOn(this.#node(), listener)));
    for (const ads of answered) this.book.answer(ads, isMidway);
    return answered.map((ads, at) => `${listeners[at]} ${ads.map(({ adSet }) => adSet).join('+') || '-'}`).join(', ');
  }

  async decideOn(node: ClockedProcess, listener: string, placement = 'songs'): Promise<readonly BookedAd[]> {
    const body = { placement, plan: 'free', market: 'de', listener };
    const answer = await this.#ask('decide', node, ['POST', '/v1/ads/decide', { body, token: BACKEND_KEY }]);
    if (answer === undefined || answer.status !== 200) return [];
    this.count('ads', answer.json.ads.length);
    const times = { atMs: this.#nodes.nowMs(), realMs: performance.now() };
    return answer.json.ads.map((ad: { token: string; adSet: string; price: string; goal: keyof typeof PAID_BY }) => ({
      ...times,
      token: ad.token,
      adSet: ad.adSet,
      listener,
      micros: Math.round(Number(ad.price) * MICROS),
      paidBy: PAID_BY[ad.goal],
      events: new Map(),
    }));
  }

  /** Some events of some ads at once: in any order, repeated, late, on any node. */
  async report(): Promise<string> {
    if (this.book.ads.length === 0) return 'nothing';
    const isWhole = this.#chance.between(0, 2) === 0;
    const recent = this.book.ads.slice(-24);
    const sends = Array.from({ length: this.#chance.between(1, 4) }, () => this.#pick(recent)).flatMap((ad) => {
      const events = isWhole ? EVENTS : [this.#pick(EVENTS)];
      const times = this.#chance.between(0, 3) === 0 ? 2 : 1;
      return events.flatMap((event) => Array.from({ length: times }, () => ({ ad, event })));
    });
    const nowMs = this.#nodes.nowMs();
    for (const { ad, event } of sends) this.book.send(ad, event);
    const sentRealMs = performance.now();
    const sent = await Promise.all(
      sends.map(async ({ ad, event }): Promise<SentReport> => {
        const report = await this.#report(ad, event);
        return { ad, event, report, sentRealMs };
      }),
    );
    this.book.report(sent, nowMs);
    return sent
      .map(({ ad, event, report }) => `${event} of ${ad.adSet} to ${ad.listener} ${JSON.stringify(report)}`)
      .join(', ');
  }

  async #report({ token }: BookedAd, event: string): Promise<Report> {
    const path = `/v1/ads/events/${event}?token=${token}`;
    const answer = await this.#ask('report', this.#node(), ['POST', path, { token: '' }]);
    if (answer === undefined || answer.status >= 500) return 'unknown';
    const report: Report = answer.status === 200 ? { outcome: answer.json.outcome } : { code: answer.json.code };
    this.count(String(Object.values(report)[0]));
    return report;
  }

  /** Raised, lowered below what is used, or as before. */
  async changeBudget(): Promise<string> {
    const name = this.#pick([...this.#budgets.keys()]);
    const [kind = '', object = '', per = ''] = name.split(' ');
    const before = this.#budgets.get(name) ?? 0;
    const units = Math.round((before / MICROS) * this.#pick([0.25, 0.5, 0.8, 1.5, 3]));
    const after = Math.max(LEAST_UNITS[name] ?? 1, units) * MICROS;
    const [most, field] = [Math.max(before, after), per === 'day' ? 'daily' : 'lifetime'];
    this.#budgets.set(name, most);
    await this.#write(`${ADS_PATH}/${LOWERED_KINDS[kind as keyof typeof LOWERED_KINDS]}/${object}`, {
      budget: { [field]: (after / MICROS).toFixed(2) },
    });
    for (const node of this.#nodes.nodes) {
      await until(
        async () => ((await this.#budgetOn(node, name)) === after ? true : undefined),
        () => `${name} to be ${after} on every node`,
        10,
      );
    }
    if (after < before) this.book.lower(await this.#use());
    this.#budgets.set(name, after);
    return `${name} ${before} -> ${after}`;
  }

  /** A pause holds on every node within a second; then it ends. */
  async pause(): Promise<string> {
    const probe = await this.decideOn(this.#node(), this.#newListener());
    this.book.answer(probe, false);
    if (probe.length === 0) return 'nothing is served';
    const name = this.#pick(probe).adSet.replace('default/', '');
    const path = `${ADS_PATH}/adsets/${name}`;
    await this.#withhold([name], {
      begin: () => this.#write(path, { paused: true }),
      end: () => this.#write(path, { paused: null }),
    });
    return name;
  }

  /** After its beginning none of the ad sets is served on any node. */
  async #withhold(
    names: readonly string[],
    {
      begin,
      end,
      limitMs = LIMITS.pauseMs,
    }: { begin: () => Promise<unknown>; end: () => Promise<unknown>; limitMs?: number },
  ): Promise<void> {
    await begin();
    const since = performance.now();
    for (const node of this.#nodes.nodes) {
      await until(
        async () => {
          // An explanation spends nothing: the budget of the ad set stays.
          const body = { placement: 'songs', plan: 'free', market: 'de', listener: this.#newListener() };
          const answer = await this.#ask('explain', node, ['POST', '/v1/ads/explain', { body }]);
          if (answer?.status !== 200) return undefined;
          const ads = answer.json.ads as readonly { readonly adSet: string }[];
          const found = ads.find(({ adSet }) => names.some((name) => adSet === live(name)));
          if (found !== undefined)
            assert.ok(performance.now() - since < limitMs, `${found.adSet} is served after ${limitMs} ms`);
          return found === undefined ? true : undefined;
        },
        () => `${names.join()} to be held back`,
        10,
      );
    }
    for (const name of names) this.book.paused.add(live(name));
    await this.decide();
    for (const name of names) this.book.paused.delete(live(name));
    await end();
  }

  /** The day of an account begins elsewhere: no day has more than its budget all the same. */
  async changeZone(): Promise<string> {
    const account = this.#pick(ACCOUNTS);
    const zone = this.#pick(ZONES);
    this.#zones.set(account, zone);
    await this.#write(`${ADS_PATH}/advertisers/${account}`, { zone });
    await this.decide();
    return `${account} ${zone}`;
  }

  /** An object is deleted amid decisions and reports, and declared again: it goes on with the ledger of its name. */
  async declareAgain(): Promise<string> {
    const account = this.#pick(['acme', 'bolt']);
    const adSet = this.#pick([`${account}.x`, `${account}.y`]);
    const path = this.#pick([
      `advertisers/${account}`,
      `campaigns/${account}.c`,
      `assets/${account}.f`,
      `adsets/${adSet}`,
      `ads/${adSet}.a`,
    ]);
    const isOne = path.includes(adSet);
    const work = this.#workMeanwhile(true);
    await this.#withhold(isOne ? [adSet] : [`${account}.x`, `${account}.y`], {
      begin: () => this.#repeat('delete', ['DELETE', `${ADS_PATH}/${path}`], [200, 404]),
      end: () => {
        const body = this.#declared(path);
        return this.#repeat('create', ['POST', `${ADS_PATH}/${path.split('/')[0]}`, { body }], [201, 409]);
      },
    });
    await work();
    return path;
  }

  /** A draft pauses all of an account in one write. Its end is no draft: few listeners ask here, for which one is refused. */
  async publishDraft(): Promise<string> {
    const account = this.#pick(['acme', 'bolt']);
    const names = [`${account}.x`, `${account}.y`];
    const publish = async (): Promise<void> => {
      const name = `draft-${(this.#drafts += 1)}`;
      // A draft builds on what is declared.
      const objects = await Promise.all(
        names.map(async (one) => {
          const { json } = await this.#repeat('read', ['GET', `${ADS_PATH}/adsets/${one}`], [200]);
          const { resourceVersion } = json.metadata;
          const declared = this.#declared(`adsets/${one}`, { paused: true });
          return { ...declared, metadata: { name: one, namespace: 'default', resourceVersion } };
        }),
      );
      const drafted = { body: draftOf(name, objects) };
      await this.#repeat('draft', ['POST', DRAFTS, drafted], [201, 409]);
      const found = await this.#repeat('draft', ['GET', `${DRAFTS}/${name}`], [200]);
      const { uid } = found.json.metadata;
      await this.#repeat(
        'publish',
        ['POST', `${DRAFTS}/${name}/publish`, { body: publicationOf({ uid }) }],
        [200, 201],
      );
    };
    await this.#withhold(names, {
      begin: publish,
      end: () => Promise.all(names.map((one) => this.#write(`${ADS_PATH}/adsets/${one}`, { paused: null }))),
    });
    return names.join();
  }

  /** A policy denies the category of an account, and is taken back. */
  async changePolicy(): Promise<string> {
    const write = (isDenied: boolean) => async (): Promise<void> => {
      const body = changeSet(openPolicy(isDenied));
      await this.#repeat('policy', ['POST', CHANGE_SETS, { body }], [201]);
    };
    const limitMs = LIMITS.releaseMs;
    await this.#withhold(['acme.x', 'acme.y'], { begin: write(true), end: write(false), limitMs });
    await this.#untilFlowing();
    return CATEGORY;
  }

  /**
   * A listener plays a rewarded ad to the end, or its `complete` overtakes the rest; breaks of the other placement keep to the
   * load and to the reward.
   */
  async reward(): Promise<string> {
    const listener = `l${this.#chance.between(1, 8)}`;
    const ask = async (placement: string): Promise<readonly BookedAd[]> => {
      const ads = await this.decideOn(this.#node(), listener, placement);
      this.book.answer(ads, false);
      if (ads.length > 0) this.book.giveBreak(listener, placement, this.#nodes.nowMs(), LOAD.breaksPerHour);
      return ads;
    };
    await ask('talk');
    const [ad] = await ask('reward');
    if (ad === undefined) return 'nothing to play';
    const isEarly = this.#chance.between(0, 2) === 0;
    await this.#nodes.travelTo(this.#nodes.nowMs() + this.#pick([1, AD_SECONDS + 1, 90]) * 1_000);
    for (const event of isEarly ? ['complete', 'impression', 'start'] : ['impression', 'start', 'complete'])
      await this.#reportOne(ad, event);
    const wasLongEnough = this.#nodes.nowMs() >= ad.atMs + AD_SECONDS * 1_000;
    const isRewarded = !isEarly && wasLongEnough && ad.events.get('complete')?.counted === 1;
    if (isRewarded) this.book.reward(listener, this.#nodes.nowMs() + LOAD.rewardedMinutes * 60_000);
    await ask('talk');
    return `${listener} ${isRewarded}`;
  }

  async #reportOne(ad: BookedAd, event: string): Promise<void> {
    const nowMs = this.#nodes.nowMs();
    const sentRealMs = performance.now();
    this.book.send(ad, event);
    this.book.report([{ ad, event, report: await this.#report(ad, event), sentRealMs }], nowMs);
  }

  /** A plan without ads, asked for again under its key where no answer came. */
  async upgrade(): Promise<string> {
    const listener = `l${this.#chance.between(1, 8)}`;
    if (this.book.adFree.size > 3 || this.book.adFree.has(listener)) return 'enough';
    this.book.upgrading.add(listener);
    const body = { listener, plan: 'premium', market: 'de', key: `up-${listener}` };
    const midway = this.decide(true);
    await until(
      async () => {
        const answer = await this.#ask('subscribe', this.#node(), ['POST', '/v1/subscriptions', { body }]);
        return answer !== undefined && answer.status < 300 ? true : undefined;
      },
      () => 'a subscription',
      30,
    );
    await midway;
    this.book.adFree.add(listener);
    return listener;
  }

  /** A decision and reports that go on beside something else. A failure of theirs is one of the step that waits for them. */
  #workMeanwhile(isMidway = false, decided = this.decide(isMidway)): () => Promise<void> {
    const settled = Promise.allSettled([decided, this.report()]);
    return async () => {
      for (const one of await settled) if (one.status === 'rejected') throw one.reason;
    };
  }

  async wait(): Promise<string> {
    const minute = 60_000;
    const ms = this.#pick([1_000, 20_000, 61_000, 5 * minute, 16 * minute, 60 * minute, 25 * 60 * minute]);
    await this.#nodes.travelTo(this.#nodes.nowMs() + ms);
    return `${ms / 1_000} s`;
  }

  /** SIGKILL amid decisions and reports, and another process in its place. */
  async killNode(): Promise<string> {
    const node = this.#node();
    const work = this.#workMeanwhile();
    await sleep(this.#chance.between(0, 30));
    await node.kill();
    await work();
    await this.decide();
    await node.restart();
    const ms = await this.#untilFlowing();
    return `flows after ${Math.round(ms)} ms`;
  }

  /** PostgreSQL dies, hangs or is restarted amid requests, stays away for some more, and comes back; nobody helps. */
  async losePostgres(how: 'kill' | 'hang' | 'stop'): Promise<string> {
    const postgres = this.#postgres;
    const decided = this.decide();
    const work = this.#workMeanwhile(false, decided);
    await sleep(this.#chance.between(0, 30));
    this.book.losePostgres(how === 'kill');
    if (how === 'hang') postgres.hang();
    else await postgres[how]();
    await decided;
    await Promise.all([this.decide(), this.decide()]);
    const noticed: number[] = [];
    for (const node of this.#nodes.nodes) noticed.push(await this.#untilReady(node, false, LIMITS.noticeSeconds));
    // Events that wait get an answer, from PostgreSQL or in its place.
    const isLong = this.#chance.between(0, 7) === 0;
    if (isLong) await Promise.all([work(), this.report()]);
    // Of an event that was reported meanwhile a statement that hung is executed too, beside its repetition.
    this.book.losePostgres(false);
    if (how === 'hang') postgres.goOn();
    else await postgres.start();
    await work();
    const ms = await this.#untilFlowing();
    for (const node of this.#nodes.nodes) await this.#untilReady(node, true, LIMITS.recoverySeconds);
    return `noticed after ${noticed.map(Math.round).join(' and ')} ms, flows after ${Math.round(ms)} ms`;
  }

  /** Compares the use of all budgets with the book. */
  async look(): Promise<void> {
    this.book.verifyUse(await this.#use(), this.#budgets);
  }

  /** Use in micro-units: `adset acme.x day @WINDOW`. */
  async #use(): Promise<ReadonlyMap<string, number>> {
    const use = new Map<string, number>();
    for (const account of ACCOUNTS) {
      for (const { bucket, window, used } of await this.#ledger(this.#node(), account))
        use.set(`${bucket.replace('default/', '')} @${window}`, Math.round(Number(used) * MICROS));
    }
    return use;
  }

  /** A budget by what a node knows of it, in micro-units. */
  async #budgetOn(node: ClockedProcess, name: string): Promise<number | undefined> {
    const [kind, object = '', per] = name.split(' ');
    const adSet =
      AD_SETS.find((one) => one.name === object) ??
      AD_SETS.find((one) => one.name.startsWith(`${object.split('.')[0]}.`));
    const answer = await this.#ask('diagnose', node, ['GET', `/v1/ads/diagnose?adSet=${live(adSet?.name ?? '')}`]);
    if (answer?.status !== 200) return undefined;
    const budgets = answer.json.budgets as readonly { owner: string; per: string; limit: string }[];
    const found = budgets.find((one) => one.owner === `${kind} ${live(object)}` && one.per === per);
    return found === undefined ? undefined : Math.round(Number(found.limit) * MICROS);
  }

  async #ledger(node: ClockedProcess, account: string): Promise<readonly LedgerCounter[]> {
    return until(
      async () => {
        const body = { account: live(account) };
        const answer = await this.#ask('ledger', node, ['POST', '/v1/ads/ledger', { body }]);
        return answer?.status === 200 ? (answer.json.counters as LedgerCounter[]) : undefined;
      },
      () => `the ledger of ${account}`,
      30,
    );
  }

  /** Milliseconds until every node answers a new listener with an ad. */
  async #untilFlowing(): Promise<number> {
    const from = performance.now();
    for (const node of this.#nodes.nodes) {
      await until(
        async () => {
          if (node.hasEnded()) {
            // Its supervisor starts it again.
            this.count('ended by itself');
            await node.restart();
          }
          const ads = await this.decideOn(node, this.#newListener());
          this.book.answer(ads, true);
          if (ads.length > 0) return true;
          // Budgets that were unknown are asked for again by the clock.
          await this.#nodes.travelTo(this.#nodes.nowMs() + 500);
          return undefined;
        },
        () => 'ads to flow again',
        LIMITS.recoverySeconds,
      );
    }
    return performance.now() - from;
  }

  /** Milliseconds until readiness is as it should be, with a reason where it is not ready. */
  async #untilReady(node: ClockedProcess, isReady: boolean, seconds: number): Promise<number> {
    const from = performance.now();
    let last = '';
    await until(
      async () => {
        const answer = await this.#ask('readyz', node, ['GET', '/readyz']);
        last = answer?.text ?? 'no answer';
        if (answer === undefined) return node.hasEnded() ? true : undefined;
        return (answer.status === 200) === isReady ? true : undefined;
      },
      () => `readiness to be ${isReady}: ${last}`,
      seconds,
    );
    return performance.now() - from;
  }

  /** A write that is repeated until it is acknowledged. */
  async #write(path: string, spec: object): Promise<void> {
    await until(
      async () => {
        const options = { body: { spec }, headers: { 'content-type': 'application/merge-patch+json' } };
        const answer = await this.#ask('write', this.#node(), ['PATCH', path, options]);
        if (answer !== undefined && answer.status < 500) assert.equal(answer.status, 200, answer.text);
        return answer?.status === 200 ? true : undefined;
      },
      () => `a write of ${path}`,
      30,
    );
  }

  /** A request that is repeated until it is answered, with one of these. */
  async #repeat(name: string, asked: Parameters<ClockedProcess['call']>, statuses: readonly number[]): Promise<Answer> {
    return until(
      async () => {
        const answer = await this.#ask(name, this.#node(), asked);
        if (answer === undefined || answer.status >= 500) return undefined;
        assert.ok(statuses.includes(answer.status), `${name}: ${answer.status} ${answer.text}`);
        return answer;
      },
      () => `an answer to ${name}`,
      30,
    );
  }

  /** The answer: a success, or a refusal with a reason, in bounded time. Undefined where the node died or is away. */
  async #ask(
    name: string,
    node: ClockedProcess,
    asked: Parameters<ClockedProcess['call']>,
  ): Promise<Answer | undefined> {
    const from = performance.now();
    const answer = await node.call(...asked).catch((error: unknown) => {
      if (error instanceof assert.AssertionError) throw error;
      return undefined;
    });
    const ms = performance.now() - from;
    this.slowest.set(name, Math.max(ms, this.slowest.get(name) ?? 0));
    assert.ok(
      ms < (name === 'decide' ? LIMITS.breakMs : LIMITS.answerMs),
      `${name} was answered after ${Math.round(ms)} ms`,
    );
    if (answer === undefined || answer.status < 300) return answer;
    const what = `${name}: ${answer.status} ${answer.text}`;
    assert.ok(answer.status < 500 || answer.status === 503 || answer.status === 504, what);
    if (name !== 'readyz') assert.match(answer.text, /"(detail|message)":".{10,}/, what);
    if (answer.status >= 500) this.count(`${name} ${answer.status}`);
    return answer;
  }

  #newListener(): string {
    return `new-${(this.#listeners += 1)}-${randomUUID().slice(0, 4)}`;
  }

  #node(): ClockedProcess {
    return this.#pick(this.#nodes.nodes);
  }

  #pick<One>(all: readonly One[]): One {
    return all[this.#chance.between(0, all.length - 1)] as One;
  }
}

interface LedgerCounter {
  readonly bucket: string;
  readonly window: string;
  readonly used: string;
}

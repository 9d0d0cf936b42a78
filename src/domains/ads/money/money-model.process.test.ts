import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { seedRandom } from '#kernel/base/chance.ts';
import { amount } from '#tests/support/amount.ts';
import { askedSeed, keptSeeds } from '#tests/support/kept-seeds.ts';
import { adSetsOf, startMoneyWorld, type MoneyNode, type MoneySpecs, type MoneyWorld } from '../testing/money-world.ts';
import type { Reservation } from './money.ts';

const STEPS = amount({ usual: 250, long: 5_000 });
const NODES = 3;
const AD_SETS = ['s', 't', 'u'] as const;
const ONE = 1_000_000;
const ZONE = 'America/New_York';
/** The hour that is skipped is on the second day. */
const START = '2026-03-07T20:00:00-05:00';
const PASSES_S = [1, 1, 5, 5, 20, 61, 61, 300, 900, 1_100, 3_600, 20_000];

/** An ad that may be charged, by the book of this test. */
interface AdPrice {
  readonly adSet: string;
  readonly day: string;
  readonly reservation: Reservation;
  state: 'open' | 'charged' | 'late' | 'free' | 'back';
  /** The day that a late event was charged to. */
  lateDay?: string;
}

/** Budgets in whole units, undefined without a limit. */
type Limits = Record<`${string} ${'day' | 'lifetime'}`, number | undefined>;

const SEEDS = askedSeed().length > 0 ? askedSeed() : [...keptSeeds('ad-money'), Date.now() % 1_000_000];

for (const seed of SEEDS) {
  test(`ads: what is charged and what may still be charged never exceed a budget, seed ${seed}`, async (t) => {
    await play(t, seed);
  });
}

/**
 * Three processes reserve, charge, give back and die at random, while budgets are raised, lowered and removed. After every step, for
 * each limit: what was charged, and what may still be charged, is at most the limit (or, where it was lowered below that, no more than
 * then), and the ledger has at least as much. At the end the ledger is what was charged, to the micro-unit.
 */
async function play(t: TestContext, seed: number): Promise<void> {
  const chance = seedRandom(seed);
  const below = (count: number): number => Math.floor(chance() * count);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;
  await using world = await startMoneyWorld(Temporal.Instant.from(START).toString());
  let nodes = Array.from({ length: NODES }, () => world.open());
  const promised: AdPrice[] = [];
  const counts = { reserved: 0, denied: 0, charged: 0, late: 0, free: 0, back: 0, killed: 0 };
  let limits = randomLimits();
  let find = adSetsOf(specsOf(limits));
  /** The most for each limit and window: the limit, or the use where it was lowered below that. */
  const ceilings = new Map<string, number>();

  for (let step = 0; step < STEPS; step += 1) {
    const dice = chance();
    if (dice < 0.35) await Promise.all(Array.from({ length: 1 + below(6) }, () => reserve(pick(nodes))));
    else if (dice < 0.6) await Promise.all(Array.from({ length: 1 + below(4) }, () => playOne(pick(nodes))));
    else if (dice < 0.8) world.pass({ seconds: pick(PASSES_S) });
    else if (dice < 0.9) await pick(nodes).settle();
    else if (dice < 0.96) change();
    else await kill();
    await verify(`step ${step}`);
  }
  world.pass({ minutes: 20 });
  // A slice whose node is gone ends by itself.
  for (let rest = 1; rest > 0;) rest = await (nodes[0] as MoneyNode).settle();
  for (const node of nodes) await node.settle();
  world.pass({ minutes: 20 });
  for (let rest = 1; rest > 0;) rest = await (nodes[0] as MoneyNode).settle();
  const use = await world.readUse();
  for (const [key, value] of sums((one) => one.state === 'charged' || one.state === 'late'))
    assert.equal(use[key] ?? 0, value, `${key} at the end`);
  t.diagnostic(JSON.stringify(counts));

  async function reserve(node: MoneyNode): Promise<void> {
    const name = pick(AD_SETS);
    const micros = 1 + below(ONE);
    const day = dayOf(world);
    const reservation = await node.reserve(find(name), micros);
    counts[reservation === undefined ? 'denied' : 'reserved'] += 1;
    if (reservation === undefined) return;
    const one: AdPrice = { adSet: name, day, reservation, state: 'open' };
    promised.push(one);
    if (chance() > 0.05) return;
    node.giveBack(reservation);
    one.state = 'back';
    counts.back += 1;
  }

  /** The event of an open reservation: mostly in time. */
  async function playOne(node: MoneyNode): Promise<void> {
    const open = promised.filter(({ state }) => state === 'open');
    if (open.length === 0) return;
    const one = pick(open.slice(-20));
    if (world.charge(one.reservation)) one.state = 'charged';
    else {
      one.state = 'free';
      const day = dayOf(world);
      const { slice, micros } = one.reservation;
      if (await node.chargeLate(find(one.adSet), micros, `${slice} ${promised.indexOf(one)}`)) {
        one.state = 'late';
        one.lateDay = day;
      }
    }
    counts[one.state] += 1;
  }

  function change(): void {
    const before = sums(mayBeCharged);
    limits = randomLimits();
    find = adSetsOf(specsOf(limits));
    for (const [key, value] of before) ceilings.set(key, Math.max(value, ceilings.get(key) ?? 0));
  }

  async function kill(): Promise<void> {
    const at = below(NODES);
    await (nodes[at] as MoneyNode).kill();
    nodes = nodes.with(at, world.open());
    counts.killed += 1;
  }

  async function verify(where: string): Promise<void> {
    const use = await world.readUse();
    for (const [key, value] of sums(mayBeCharged)) {
      const limit = limits[key.split(' P1D')[0] as keyof Limits];
      if (limit === undefined) {
        ceilings.delete(key);
        continue;
      }
      // Use above a lowered limit drains, and does not come back.
      const ceiling = Math.max(limit * ONE, Math.min(value, ceilings.get(key) ?? 0));
      if (ceilings.has(key)) ceilings.set(key, ceiling);
      assert.ok(value <= ceiling, `${where}: ${key} may cost ${value} of ${ceiling}`);
      assert.ok(value <= (use[key] ?? 0), `${where}: ${key} may cost ${value}, the ledger has ${use[key]}`);
    }
  }

  function mayBeCharged({ state, reservation }: AdPrice): boolean {
    return (
      state === 'charged' ||
      state === 'late' ||
      (state === 'open' && world.now().epochMilliseconds < reservation.untilMs)
    );
  }

  /** Micro-units by limit and window. */
  function sums(counts: (one: AdPrice) => boolean): ReadonlyMap<string, number> {
    const all = new Map<string, number>();
    for (const one of promised) {
      if (!counts(one)) continue;
      for (const owner of [`adset a.${one.adSet}`, 'campaign a.c', 'account a'])
        for (const window of ['lifetime', `day P1D:${one.lateDay ?? one.day}`]) {
          const key = `${owner} ${window}`;
          all.set(key, (all.get(key) ?? 0) + one.reservation.micros);
        }
    }
    return all;
  }

  function randomLimits(): Limits {
    const maybe = (most: number): number | undefined => (chance() < 0.4 ? undefined : 1 + below(10 * most));
    return Object.fromEntries(
      [
        ...AD_SETS.map((name) => [`adset a.${name}`, 12] as const),
        ['campaign a.c', 30] as const,
        ['account a', 40] as const,
      ].flatMap(([owner, most]) => [
        [`${owner} day`, maybe(most)],
        [`${owner} lifetime`, maybe(3 * most)],
      ]),
    );
  }

  function specsOf(all: Limits): MoneySpecs {
    const budget = (owner: string): object => {
      const [daily, lifetime] = [all[`${owner} day`], all[`${owner} lifetime`]];
      if (daily === undefined && lifetime === undefined) return {};
      return {
        budget: {
          ...(daily === undefined ? {} : { daily: `${daily}.00` }),
          ...(lifetime === undefined ? {} : { lifetime: `${lifetime}.00` }),
        },
      };
    };
    return {
      account: { zone: ZONE, ...budget('account a') },
      campaign: budget('campaign a.c'),
      adSets: Object.fromEntries(
        AD_SETS.map((name) => [name, { ...budget(`adset a.${name}`), pacing: chance() < 0.3 ? 'even' : 'asap' }]),
      ),
    };
  }
}

function dayOf(world: MoneyWorld): string {
  return world.now().toZonedDateTimeISO(ZONE).toPlainDate().toString();
}

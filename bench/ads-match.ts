import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { compileInSteps, updateInSteps } from '#domains/ads/decisions/compile.ts';
import { decideBreak, type BreakQuestion } from '#domains/ads/decisions/decide.ts';
import type { AdsTable } from '#domains/ads/decisions/table.ts';
import { Ad } from '#domains/ads/kinds/ad.ts';
import { AdSet } from '#domains/ads/kinds/ad-set.ts';
import { Advertiser } from '#domains/ads/kinds/advertiser.ts';
import { Asset } from '#domains/ads/kinds/asset.ts';
import { Campaign } from '#domains/ads/kinds/campaign.ts';
import { Placement } from '#domains/ads/kinds/placement.ts';
import { askBreak, live, worldOf, worldOver } from '#domains/ads/testing/world.ts';
import { chance, type Chance } from '#simulation/chance.ts';
import { absolute, median, type Figure } from './figure.ts';

const SIZES = [1_000, 10_000, 100_000, 300_000];
const QUESTIONS = 512;
const ROUNDS = 5;
const UPDATES = 200;
const NOW_MS = Date.UTC(2026, 10, 30, 12);
/** Values of each attribute, and how many of them a rule names. */
const SHAPE = { market: [80, 4], device: [12, 3], language: [40, 2], genre: [200, 5], ageBand: [6, 2] } as const;

/**
 * A break of three filled for one listener, from 1,000 to 300,000 ad sets: the best 64 candidates of the index, and the packing. Then
 * one ad set changed until answers show it, and the longest time that a compile of all holds the event loop.
 */
export async function* run(): AsyncIterable<Figure> {
  for (const size of SIZES) {
    const luck = chance(size);
    const world = worldOf([...objectsOf(luck, size)]);
    const audiences = compileAudiences(world);
    const compiled = await blockOf(() => inTurns(compileInSteps(world, audiences)));
    let table = compiled.result;
    yield absolute(`ads-match/compile ${size}`, 's', compiled.seconds, { max: size / 20_000 + 1 });
    yield absolute(`ads-match/compile ${size}, longest block`, 'ms', compiled.blockMs, { max: 20 });
    const questions = Array.from({ length: QUESTIONS }, () => questionOf(luck, table));
    const micros: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const { user, system } = process.cpuUsage();
      for (const question of questions) decideBreak(table, question);
      const spent = process.cpuUsage({ user, system });
      if (round > 0) micros.push((spent.user + spent.system) / QUESTIONS);
    }
    yield absolute(`ads-match/break of 3 among ${size}`, 'µs', median(micros), { max: 100 });
    const millis: number[] = [];
    for (let n = 0; n < UPDATES; n += 1) {
      const name = `a${n}.s${n}`;
      const object = live(AdSet, name, { ...adSetSpec(luck, n), bid: '99.00' });
      const startedMs = performance.now();
      const next = worldOver(world);
      next.put(AdSet.id, object.name, object);
      table = await inTurns(updateInSteps(table, next, [object], audiences));
      world.set(object);
      millis.push(performance.now() - startedMs);
    }
    yield absolute(`ads-match/one ad set of ${size}`, 'ms', median(millis), { max: 5 });
  }
}

async function blockOf<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly seconds: number; readonly blockMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const startedMs = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedMs) / 1_000;
  // The delay of the last block is noted in the next turn.
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  return { result, seconds, blockMs: delay.max / 1e6 };
}

/** An advertiser for each ad set, as most are small. */
function* objectsOf(luck: Chance, size: number): Iterable<LiveObject> {
  for (const name of Object.keys(SHAPE)) yield live(Attribute, name.toLowerCase(), { name, type: 'string' });
  yield live(Placement, 'break', {
    format: 'audio',
    slots: 3,
    seconds: 90,
    currency: 'EUR',
    floor: { cpm: '1.00' },
    pricing: 'firstPrice',
    policy: 'standard',
    adFreeFeature: 'ad-free',
  });
  for (let n = 0; n < size; n += 1) {
    const account = `a${n}`;
    yield live(Advertiser, account, { currency: 'EUR', categories: [`C${n % 300}`] });
    yield live(Campaign, `${account}.c`, { account });
    yield live(AdSet, `${account}.s${n}`, adSetSpec(luck, n));
    yield live(Asset, `${account}.f`, {
      account,
      format: 'audio',
      seconds: [15, 20, 30, 30][n % 4],
      renditions: [{ url: 'https://cdn.example.com/a.mp3', mime: 'audio/mpeg' }],
    });
    yield live(Ad, `${account}.a`, { account, adSet: `${account}.s${n}`, asset: `${account}.f`, weight: 1 });
  }
}

function adSetSpec(luck: Chance, n: number): object {
  const named = Object.entries(SHAPE).filter(() => luck.yes(0.5));
  const allOf = named.map(([attribute, [values, count]]) => ({
    attribute,
    in: Array.from({ length: count }, () => `v${Math.floor(luck.next() * values)}`),
  }));
  return {
    account: `a${n}`,
    campaign: `a${n}.c`,
    tier: 'auction',
    position: 'any',
    bid: (1 + luck.next() * 40).toFixed(2),
    ...(allOf.length === 0 ? {} : { when: { anyOf: [{ allOf }] } }),
  };
}

function questionOf(luck: Chance, table: AdsTable): BreakQuestion {
  const attributes = Object.entries(SHAPE).map(([name, [values]]) => [name, `v${Math.floor(luck.next() * values)}`]);
  const context = { targetingKey: 'ann', ...Object.fromEntries(attributes) };
  return askBreak(table, { nowMs: NOW_MS, context, slots: 3, seconds: 90, random: luck.next });
}

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { compileAudiences, type AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { inTurns } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { CompactObject } from '#kernel/snapshots/compact-object.ts';
import { compileInSteps, rankOf, updateInSteps } from '#domains/ads/decisions/compile.ts';
import { decideBreak, type BreakQuestion } from '#domains/ads/decisions/decide.ts';
import type { AdsTable } from '#domains/ads/decisions/table.ts';
import { Ad } from '#domains/ads/kinds/ad.ts';
import { AdSet, listenerRule } from '#domains/ads/kinds/ad-set.ts';
import { Advertiser } from '#domains/ads/kinds/advertiser.ts';
import { Asset } from '#domains/ads/kinds/asset.ts';
import { Campaign } from '#domains/ads/kinds/campaign.ts';
import { Placement } from '#domains/ads/kinds/placement.ts';
import { askBreak, live, worldOf, worldOver } from '#domains/ads/testing/world.ts';
import { chance, type Chance } from '#simulation/chance.ts';
import { countingSearch, linearSearch, microseconds } from './best-searches.ts';
import { absolute, median, type Figure } from './figure.ts';

const SIZES = [1_000, 10_000, 100_000, 300_000];
const QUESTIONS = 512;
const BEST = 50;
const ROUNDS = 5;
const UPDATES = 200;
const NOW_MS = Date.UTC(2026, 10, 30, 12);
/** Values of each attribute, and how many of them a rule names. */
const SHAPE = { market: [80, 4], device: [12, 3], language: [40, 2], genre: [200, 5], ageBand: [6, 2] } as const;

/**
 * From 1,000 to 300,000 ad sets, as a node has them. The compile of all: its CPU time, the longest time that it holds the event
 * loop, and the memory of the table beside its objects. The best 50 for one listener by the index of the table, beside a linear
 * scan that stops as early, and beside counting along lists. A break of three filled: the best 64 candidates, and the packing.
 * One ad set, and one audience, changed until answers show it.
 */
export async function* run(): AsyncIterable<Figure> {
  for (const size of SIZES) {
    const luck = chance(size);
    const world = worldOf([...objectsOf(luck, size)]);
    const audiences = compileAudiences(world);
    const bytesBefore = usedBytes();
    const compiled = await measureBlocks(() => inTurns(compileInSteps(world, audiences)));
    const table = compiled.result;
    const bytes = usedBytes() - bytesBefore;
    yield absolute(`ads-match/compile ${size}, CPU`, 's', compiled.cpuSeconds, { max: Math.max(0.5, size / 60_000) });
    yield absolute(`ads-match/compile ${size}, longest block`, 'ms', compiled.blockMs, { max: 20 });
    // Of few, code and shapes are most of it.
    if (size >= 100_000) yield absolute(`ads-match/bytes of each of ${size}`, 'B', bytes / size, { max: 500 });
    const questions = Array.from({ length: QUESTIONS }, () => questionOf(luck, table));
    yield* bestFifty(size, table, questions);
    const micros: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const { user, system } = process.cpuUsage();
      for (const question of questions) decideBreak(table, question);
      const spent = process.cpuUsage({ user, system });
      if (round > 0) micros.push((spent.user + spent.system) / QUESTIONS);
    }
    yield absolute(`ads-match/break of 3 among ${size}`, 'µs', median(micros), { max: 100 });
    const changed = await measureUpdates(world, { table, audiences }, (n) =>
      live(AdSet, `${accountOf(n)}.s${n}`, { ...adSetSpec(luck, n), bid: '99.00' }),
    );
    yield absolute(`ads-match/one ad set of ${size}`, 'ms', changed.ms, { max: 5 });
    const audience = await measureUpdates(world, changed, (n) => live(Audience, 'new', audienceSpec(n)));
    yield absolute(`ads-match/one audience beside ${size}`, 'ms', audience.ms, { max: 5 });
  }
}

/** The best by the index. All bid for impressions in one currency: scores are the bounds. */
function* bestFifty(size: number, table: AdsTable, questions: readonly BreakQuestion[]): Iterable<Figure> {
  const { rows, index, audiences } = table;
  const candidates = Array.from({ length: rows.length }, (_, at) => ({
    rule: listenerRule(AdSet.spec(rows.objectAt(at))),
    upperBound: rankOf(rows.tierAt(at), rows.bidAt(at)),
  }));
  const score = (at: number): number => candidates[at]?.upperBound ?? 0;
  const linear = linearSearch(candidates, score, { best: BEST, nowMs: NOW_MS, lookup: audiences });
  const counting = countingSearch(candidates, score, { best: BEST });
  const ours = (context: Context): number[] => index.best(context, NOW_MS, BEST, score);
  const listeners = questions.map(({ context }) => context);
  for (const context of listeners.slice(0, 20)) {
    const found = ours(context).join();
    if (found !== linear(context).join() || found !== counting(context).join()) throw new Error('they do not agree');
  }
  const times = { ours: [] as number[], linear: [] as number[], counting: [] as number[] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    const took = {
      ours: microseconds(listeners, 10, ours),
      linear: microseconds(listeners.slice(0, 64), 1, linear),
      counting: microseconds(listeners.slice(0, 16), 1, counting),
    };
    if (round === 0) continue;
    times.ours.push(took.ours);
    times.linear.push(took.linear);
    times.counting.push(took.counting);
  }
  const goal = { max: 15 };
  yield absolute(`ads-match/best 50 of ${size}, linear`, 'µs', median(times.ours), goal, median(times.linear));
  yield absolute(`ads-match/best 50 of ${size}, counting`, 'µs', median(times.ours), goal, median(times.counting));
}

interface Tables {
  readonly table: AdsTable;
  readonly audiences: AudienceTable;
}

/** Changes one object after the other; the time until the next table is there. */
async function measureUpdates(
  world: LiveObjects,
  { table: first, audiences: firstAudiences }: Tables,
  objectOf: (n: number) => LiveObject,
): Promise<Tables & { readonly ms: number }> {
  let [table, audiences] = [first, firstAudiences];
  const millis: number[] = [];
  for (let n = 0; n < UPDATES; n += 1) {
    const object = objectOf(n);
    const startedMs = performance.now();
    const next = worldOver(world);
    next.put(object.kind, object.name, object);
    audiences = await inTurns(audiences.update(next, [object]));
    table = await inTurns(updateInSteps(table, next, [object], audiences));
    world.set(object);
    millis.push(performance.now() - startedMs);
  }
  return { table, audiences, ms: median(millis) };
}

function audienceSpec(n: number): object {
  return { anyOf: [{ allOf: [{ attribute: 'market', in: [`v${n}`] }] }] };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of objects and typed arrays that are in use. */
function usedBytes(): number {
  for (let round = 0; round < 2; round += 1) collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function measureBlocks<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly cpuSeconds: number; readonly blockMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  // The delay of the last block is noted in the next turn.
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  return { result, cpuSeconds: (user + system) / 1e6, blockMs: delay.max / 1e6 };
}

/** Longer than the names that V8 keeps in a table of its own, which grows in one step. */
function accountOf(n: number): string {
  return `advertiser-${n}`;
}

/** As a node keeps them: with their specs as text. */
function* objectsOf(luck: Chance, size: number): Iterable<LiveObject> {
  for (const object of declaredOf(luck, size)) {
    yield new CompactObject({ ...object, spec: undefined }, JSON.stringify(object.spec));
  }
}

/** An advertiser for each ad set, as most are small. */
function* declaredOf(luck: Chance, size: number): Iterable<LiveObject> {
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
    const account = accountOf(n);
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
    in: [...new Set(Array.from({ length: count }, () => `v${Math.floor(luck.next() * values)}`))],
  }));
  return {
    account: accountOf(n),
    campaign: `${accountOf(n)}.c`,
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

import { packPod, type PodCandidate, type PodRoom } from '#domains/ads/rules/pack-pod.ts';
import { chance, type Chance } from '#simulation/chance.ts';
import { absolute, median, type Figure } from './figure.ts';

const BREAKS = 400;
const ROUNDS = 7;
/** Small enough for all sets. */
const CHECKED = 200;

interface Case {
  readonly name: string;
  readonly candidates: number;
  readonly room: PodRoom;
  readonly microsMax: number;
}

const CASES: readonly Case[] = [
  { name: '3 of 30', candidates: 30, room: { seconds: 90, slots: 3 }, microsMax: 300 },
  { name: '2 of 20', candidates: 20, room: { seconds: 60, slots: 2 }, microsMax: 300 },
  { name: '6 of 50', candidates: 50, room: { seconds: 180, slots: 6 }, microsMax: 1_000 },
];

/**
 * Breaks filled exactly, in microseconds of CPU for each; beside it greedy filling by price, with the share of the best sum
 * that it earns. Small breaks are first held against all sets.
 */
export async function* run(): AsyncIterable<Figure> {
  const luck = chance(11);
  for (let index = 0; index < CHECKED; index += 1) {
    const small = ads(luck, 12);
    const room = { seconds: 60, slots: 4 };
    if (packPod(small, room).value !== bestOfAll(small, room)) throw new Error('a packing is not the best');
  }
  for (const { name, candidates, room, microsMax } of CASES) {
    const breaks = Array.from({ length: BREAKS }, () => ads(luck, candidates));
    const exact = measure(breaks, (one) => packPod(one, room).value);
    const greedy = measure(breaks, (one) => greedySum(one, room));
    yield absolute(`ads-pods/${name}`, 'µs', exact.micros, { max: microsMax }, greedy.micros);
    yield absolute(`ads-pods/${name}, sum of greedy`, 'of the best', greedy.sum / exact.sum, { max: 1 });
    const gaps = breaks.filter((one) => packPod(one, room).gap > 0).length;
    yield absolute(`ads-pods/${name}, not exact`, 'of 400', gaps, { max: 0 });
  }
}

function measure(
  breaks: readonly (readonly PodCandidate[])[],
  pack: (candidates: readonly PodCandidate[]) => number,
): { readonly micros: number; readonly sum: number } {
  const micros: number[] = [];
  let sum = 0;
  for (let round = 0; round <= ROUNDS; round += 1) {
    sum = 0;
    const { user, system } = process.cpuUsage();
    for (const candidates of breaks) sum += pack(candidates);
    const spent = process.cpuUsage({ user, system });
    if (round > 0) micros.push((spent.user + spent.system) / breaks.length);
  }
  return { micros: median(micros), sum };
}

/** Prices between 4 and 40 a thousand, mostly by length; 12 advertisers and 8 categories share them. */
function ads(luck: Chance, count: number): readonly PodCandidate[] {
  return Array.from({ length: count }, () => {
    const seconds = luck.pick([
      [10, 1],
      [15, 2],
      [20, 1],
      [30, 3],
      [45, 1],
    ]);
    return {
      price: Math.round(seconds * (200_000 + below(luck, 1_000_000))),
      seconds,
      position: luck.pick([
        ['any', 6],
        ['first', 1],
        ['last', 1],
      ] as const),
      separations: [`advertiser ${below(luck, 12)}`, `category ${below(luck, 8)}`],
    };
  });
}

function below(luck: Chance, limit: number): number {
  return Math.floor(luck.next() * limit);
}

function greedySum(candidates: readonly PodCandidate[], room: PodRoom): number {
  const chosen: PodCandidate[] = [];
  for (const one of candidates.toSorted((a, b) => b.price - a.price)) {
    if (isAllowed([...chosen, one], room)) chosen.push(one);
  }
  return chosen.reduce((sum, { price }) => sum + price, 0);
}

function bestOfAll(candidates: readonly PodCandidate[], room: PodRoom): number {
  let best = 0;
  for (let set = 0; set < 2 ** candidates.length; set += 1) {
    const chosen = candidates.filter((_, index) => (set >> index) % 2 === 1);
    if (isAllowed(chosen, room)) {
      best = Math.max(
        best,
        chosen.reduce((sum, { price }) => sum + price, 0),
      );
    }
  }
  return best;
}

function isAllowed(chosen: readonly PodCandidate[], { seconds, slots }: PodRoom): boolean {
  const names = chosen.flatMap(({ separations }) => separations);
  const at = (position: string) => chosen.filter((one) => one.position === position).length;
  return (
    chosen.length <= slots &&
    chosen.reduce((sum, one) => sum + one.seconds, 0) <= seconds &&
    new Set(names).size === names.length &&
    at('first') <= 1 &&
    at('last') <= 1
  );
}

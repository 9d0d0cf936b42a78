import { addCells, CELLS, clusteringOf, NO_CELLS, type CellCounts, type Cells } from '#kernel/statistics/cells.ts';
import { NOTHING, sumOf, type Counts, type Interval } from '#kernel/statistics/interval.ts';
import { learnHistory } from '#kernel/statistics/learn-history.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import { normal, poisson } from '#kernel/statistics/testing/draws.ts';

const MINUTE_MS = 60_000;

/** A simulated release: its units, rates and noise, by look. */
export interface World {
  /** The candidate's part of units, by look. */
  readonly share: (look: number) => number;
  /** The rate of bad events of stable, by look. */
  readonly rate: (look: number) => number;
  /** Ratio of the candidate's rate to that of stable, by look. */
  readonly ratio: (look: number) => number;
  readonly looks: number;
  readonly minutes: number;
  /** Units of both tracks in a minute. */
  readonly unitsAMinute: number;
  /** Variance over mean of the events of one track in one window; 1 where they are independent. */
  readonly burst?: number;
  /** How often each bad event is repeated. */
  readonly retries?: number;
  /** Noise of each track's own that hangs together: correlation from look to look, and standard deviation of its logarithm. */
  readonly noise?: { readonly correlation: number; readonly deviation: number };
  /** Households, of which those of the candidate are the share of the first look; each with a rate of its own. */
  readonly households?: { readonly count: number; readonly variation: number } | undefined;
  /** Whether the day before, in halves of one thing, says how a track moves by itself. */
  readonly hasHistory?: boolean;
}

/** The windows of one release. Units are simulated by cell, as what a household does shows in the sum of its cell only. */
export function* windowsOf(world: World, chance: () => number): Iterable<Interval> {
  const { looks, minutes, unitsAMinute, households, noise } = world;
  const history = world.hasHistory === true ? learnDay(world, chance) : undefined;
  const tracks = households === undefined ? undefined : tracksOf(households, world.share(0), chance);
  let cells: Cells = NO_CELLS;
  let own = [normal(chance), normal(chance)] as const;
  for (let look = 0; look < looks; look += 1) {
    const share = world.share(look);
    const rate = world.rate(look);
    const factors = own.map((one) => factorOf(one, noise?.deviation ?? 0)) as [number, number];
    own = [nextOf(own[0], noise, chance), nextOf(own[1], noise, chance)];
    const units = unitsAMinute * minutes;
    const times = { fromMs: look * minutes * MINUTE_MS, toMs: (look + 1) * minutes * MINUTE_MS };
    const ofTrack = (isCandidate: boolean) => ({
      units: units * (isCandidate ? share : 1 - share),
      rate: rate * (isCandidate ? world.ratio(look) * factors[0] : factors[1]),
    });
    const [candidate, stable] = [ofTrack(true), ofTrack(false)];
    if (tracks === undefined) {
      const counts = ({ units, rate }: typeof candidate): Counts => ({
        units,
        bad: events(units * rate, world, chance),
      });
      yield {
        ...times,
        candidate: counts(candidate),
        stable: counts(stable),
        ...(history === undefined ? {} : { history }),
      };
      continue;
    }
    const window = {
      candidate: cellCounts(tracks.candidate, candidate, world, chance),
      stable: cellCounts(tracks.stable, stable, world, chance),
    };
    cells = addCells(cells, window);
    const clustering = clusteringOf(cells);
    yield {
      ...times,
      candidate: window.candidate.reduce<Counts>(sumOf, NOTHING),
      stable: window.stable.reduce<Counts>(sumOf, NOTHING),
      clustering: { release: clustering, scope: clustering },
    };
  }
}

/**
 * Learns the history from a day in which both tracks had the same version, with the sizes of this world. (Noise of single
 * instances has the same weight in halves as in tracks of other sizes; noise that does not shrink with size, as here, has not.)
 */
function learnDay(world: World, chance: () => number): TimeHistory | undefined {
  const looks = Math.round((24 * 60) / world.minutes);
  const day = { ...world, looks, ratio: () => 1, hasHistory: false };
  return learnHistory([...windowsOf(day, chance)]);
}

/** Households by cell: their number and the sum of their rates; the mean rate of a household is 1. */
interface Track {
  readonly sizes: readonly number[];
  readonly rates: readonly number[];
  /** The sums of the rates up to each cell. */
  readonly ratesUpTo: readonly number[];
  readonly size: number;
}

function tracksOf(
  { count, variation }: NonNullable<World['households']>,
  share: number,
  chance: () => number,
): { readonly candidate: Track; readonly stable: Track } {
  const track = (households: number): Track => {
    const sizes = Array.from({ length: CELLS }, () => poisson(households / CELLS, chance));
    const shape = 1 / variation ** 2;
    const rates = sizes.map((size) => (size === 0 || variation === 0 ? size : gamma(shape * size, chance) / shape));
    let sum = 0;
    const ratesUpTo = rates.map((rate) => (sum += rate));
    return { sizes, rates, ratesUpTo, size: sizes.reduce((sum, size) => sum + size, 0) };
  };
  return { candidate: track(count * share), stable: track(count * (1 - share)) };
}

function cellCounts(
  { sizes, rates, ratesUpTo, size }: Track,
  { units, rate }: { readonly units: number; readonly rate: number },
  world: World,
  chance: () => number,
): CellCounts[] {
  const { burst = 1, retries = 0 } = world;
  const each = units / size;
  const mean = (ratesUpTo.at(-1) ?? 0) * each * rate;
  // A burst in a window of a track hits all of its cells.
  const factor = burst === 1 || mean === 0 ? 1 : gamma(mean / (burst - 1), chance) / (mean / (burst - 1));
  const bad = mean * factor < CELLS / 4 ? fewEvents(ratesUpTo, mean * factor, world, chance) : undefined;
  return sizes.flatMap((count, cell) => {
    if (count === 0) return [];
    const expected = ((rates[cell] ?? 0) * each * rate * factor) / (1 + retries);
    return [{ cell, units: count * each, bad: bad?.[cell] ?? poisson(expected, chance) * (1 + retries) }];
  });
}

/** The same where there are fewer events than cells: each falls into one. */
function fewEvents(
  ratesUpTo: readonly number[],
  mean: number,
  { retries = 0 }: World,
  chance: () => number,
): readonly number[] {
  const bad = ratesUpTo.map(() => 0);
  const all = ratesUpTo.at(-1) ?? 0;
  for (let left = poisson(mean / (1 + retries), chance); left > 0; left -= 1) {
    const cell = firstBeyond(ratesUpTo, chance() * all);
    bad[cell] = (bad[cell] ?? 0) + 1 + retries;
  }
  return bad;
}

/** The first of rising numbers that is greater. */
function firstBeyond(rising: readonly number[], value: number): number {
  let [from, to] = [0, rising.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((rising[middle] ?? 0) > value) to = middle;
    else from = middle + 1;
  }
  return from;
}

function events(mean: number, { burst = 1, retries = 0 }: World, chance: () => number): number {
  const varied = burst === 1 || mean === 0 ? mean : gamma(mean / (burst - 1), chance) * (burst - 1);
  return poisson(varied / (1 + retries), chance) * (1 + retries);
}

/** A factor of mean 1. */
function factorOf(own: number, deviation: number): number {
  return Math.exp(deviation * own - deviation ** 2 / 2);
}

function nextOf(own: number, noise: World['noise'], chance: () => number): number {
  if (noise === undefined) return own;
  return noise.correlation * own + Math.sqrt(1 - noise.correlation ** 2) * normal(chance);
}

/** A gamma variable of scale 1 (Marsaglia, Tsang 2000). */
function gamma(shape: number, chance: () => number): number {
  if (shape < 1) return gamma(shape + 1, chance) * (1 - chance()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(chance);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - chance()) < 0.5 * x ** 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { seedRandom } from '#kernel/base/chance.ts';
import { fold, type GuardrailState } from '#kernel/statistics/fold.ts';
import type { RiskRatioSpec } from '#kernel/statistics/guardrail.ts';
import { judge } from '#kernel/statistics/judge.ts';
import { minute } from '#kernel/statistics/testing/draws.ts';
import { absolute, median, type Figure } from './figure.ts';
import type { Outcome } from './judge-row.ts';
import { ROWS, type Row } from './judge-rows.ts';

/** Simulated releases of each row. */
const RUNS = Number(process.env['BENCH_JUDGE_RUNS'] ?? 400);
const SEED = 20_261_129;
const WORKERS = 2;
/** Rows whose name has this, or all. */
const ONLY = process.env['BENCH_JUDGE_ONLY'] ?? '';

/**
 * How often the judge is wrong, how soon it is right, and what that costs, each beside a z-test made anew at each look (the
 * peer), and with what an mSPRT and Kayenta's rule say of the same windows. Chance is seeded: the same numbers everywhere.
 */
export async function* run(): AsyncIterable<Figure> {
  const chosen = ROWS.flatMap((row, index) => (`${row.group} ${row.name}`.includes(ONLY) ? [index] : []));
  const outcomes = playAll(chosen);
  const worst = new Map<string, Figure>();
  for (const [position, index] of chosen.entries()) {
    const row = ROWS[index];
    if (row === undefined) continue;
    const ends = (await outcomes[position]) ?? [];
    const figure = figureOf(row, ends);
    yield figure;
    if (row.safe !== undefined) {
      const { safe, ...same } = row;
      yield figureOf({ ...same, group: 'called safe, as stable', counts: 'passed', goal: { min: safe } }, ends);
    }
    const known = worst.get(row.group);
    if (row.counts === 'failed' && 'max' in row.goal && figure.ours > (known?.ours ?? -1)) worst.set(row.group, figure);
  }
  for (const [group, figure] of worst) {
    yield { ...figure, name: `judge/worst of "${group}": ${figure.name.split(': ').at(-1) ?? ''}` };
  }
  if (ONLY === '') {
    const chance = seedRandom(SEED);
    yield absolute('judge/looks', 'looks/s', looksPerSecond(chance), { min: 2_000 });
  }
}

/** The rows, each by the worker that is free first. */
function playAll(rows: readonly number[]): readonly Promise<readonly Outcome[]>[] {
  const waiting = rows.map((row) => ({ row, ...Promise.withResolvers<readonly Outcome[]>() }));
  const queue = [...waiting];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { row, resolve } = next;
      const workerData = { row, runs: Math.ceil(RUNS * (ROWS[row]?.part ?? 1)), seed: SEED + row };
      const worker = new Worker(new URL('./judge-worker.ts', import.meta.url), { workerData });
      const [outcomes] = await once(worker, 'message');
      resolve(outcomes as readonly Outcome[]);
    }
  };
  for (let number = 0; number < WORKERS; number += 1) {
    void work().catch((error: unknown) => waiting.forEach(({ reject }) => reject(error)));
  }
  return waiting.map(({ promise }) => promise);
}

function figureOf({ group, name, counts, goal }: Row, outcomes: readonly Outcome[]): Figure {
  const label = `judge/${group}: ${name}`;
  const part = (is: (outcome: Outcome) => boolean) => outcomes.filter(is).length / outcomes.length;
  const percent = (is: (outcome: Outcome) => boolean) => Number((100 * part(is)).toFixed(1));
  const dispersion = median(outcomes.map((one) => one.dispersion)).toPrecision(2);
  const others = `mSPRT ${percent(({ peers }) => peers.msprt)} %, Kayenta ${percent(({ peers }) => peers.kayenta)} %`;
  if (counts === 'units' || counts === 'looks') {
    const of = outcomes.map((one) => (one.failed ? (counts === 'units' ? one.candidateUnits : one.looks) : Infinity));
    return absolute(`${label} (${outcomes.length} runs)`, counts, median(of), goal);
  }
  const is = counts === 'failed' ? ({ failed }: Outcome) => failed : ({ passed }: Outcome) => passed;
  const error = Math.sqrt((part(is) * (1 - part(is))) / outcomes.length);
  // A promise of at most 5 % is broken by what chance does not explain.
  const allowed =
    'max' in goal
      ? {
          max: Number(
            (goal.max + 200 * Math.sqrt(((goal.max / 100) * (1 - goal.max / 100)) / outcomes.length)).toFixed(1),
          ),
        }
      : goal;
  return absolute(
    `${label} (± ${(100 * error).toFixed(1)}, dispersion ${dispersion}; ${others})`,
    '%',
    100 * part(is),
    allowed,
    percent(({ peers }) => peers.z),
  );
}

const ERRORS: RiskRatioSpec = { type: 'riskRatio', name: 'Errors', better: 'fewer', margin: 1.5 };

/** Each minute of a day folded and judged: what a release engine does, undecided to the end. */
function looksPerSecond(chance: () => number): number {
  const traffic = { units: 200, share: 0.05, rate: 0.001, ratio: 1.2 };
  const intervals = Array.from({ length: 1_440 }, (_, index) => minute(index, traffic, chance));
  const started = performance.now();
  let folded: GuardrailState | undefined;
  for (const interval of intervals) {
    folded = fold(ERRORS, folded, [interval]);
    judge(
      ERRORS,
      { at: 'intervals', intervals: [], folded },
      { nowMs: interval.toMs, alpha: 0.05, beta: 0.05, metrics: 1 },
    );
  }
  return (intervals.length * 1_000) / (performance.now() - started);
}

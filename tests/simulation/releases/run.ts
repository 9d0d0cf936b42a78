/**
 * Runs schedules of the release engine: `npm run simulate:releases -- [--first SEED] [--schedules COUNT] [--steps MOST] [--goOn]`. Tells
 * the seed of the first that breaks an invariant; the same seed is the same schedule.
 */
import { parseArgs } from 'node:util';
import { runSchedule } from './schedule.ts';

const { values } = parseArgs({
  options: {
    first: { type: 'string', default: '1' },
    schedules: { type: 'string', default: '10000' },
    steps: { type: 'string', default: '8' },
    goOn: { type: 'boolean', default: false },
  },
});
const first = Number(values.first);
const total = new Map<string, number>();
let failed = 0;
const beganMs = performance.now();
for (let seed = first; seed < first + Number(values.schedules); seed += 1) {
  try {
    for (const [what, count] of await runSchedule(seed, Number(values.steps)))
      total.set(what, (total.get(what) ?? 0) + count);
  } catch (error) {
    failed += 1;
    process.stderr.write(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    if (!values.goOn) break;
  }
}
process.stdout.write(
  `${values.schedules} schedules from ${first}, ${failed} failed, ${((performance.now() - beganMs) / 1_000).toFixed(1)} s\n`,
);
for (const [what, count] of [...total].sort(([a], [b]) => (a < b ? -1 : 1)))
  process.stdout.write(`${count}\t${what}\n`);
process.exitCode = failed === 0 ? 0 : 1;

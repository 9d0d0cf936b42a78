/**
 * Runs schedules of the release engine: `node tests/simulation/releases/run.ts [--first SEED] [--schedules COUNT]`. Tells
 * the seed of the first that breaks an invariant; the same seed is the same schedule.
 */
import { parseArgs } from 'node:util';
import { runSchedule } from './schedule.ts';

const { values } = parseArgs({
  options: {
    first: { type: 'string', default: '1' },
    schedules: { type: 'string', default: '10000' },
    goOn: { type: 'boolean', default: false },
  },
});
const first = Number(values.first);
const total = new Map<string, number>();
let failed = 0;
const beganMs = performance.now();
for (let seed = first; seed < first + Number(values.schedules); seed += 1) {
  try {
    for (const [what, count] of await runSchedule(seed)) total.set(what, (total.get(what) ?? 0) + count);
  } catch (error) {
    failed += 1;
    console.error(`seed ${seed}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    if (!values.goOn) break;
  }
}
console.log(
  `${values.schedules} schedules from ${first}, ${failed} failed, ${((performance.now() - beganMs) / 1_000).toFixed(1)} s`,
);
console.log(Object.fromEntries([...total].sort(([a], [b]) => (a < b ? -1 : 1))));
process.exitCode = failed === 0 ? 0 : 1;

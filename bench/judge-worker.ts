import { parentPort, workerData } from 'node:worker_threads';
import { ROWS } from './judge-rows.ts';
import { play } from './judge-row.ts';

/** Plays the row with the given number. */
const { row, runs, seed } = workerData as { row: number; runs: number; seed: number };
const { spec, world } = ROWS[row] ?? {};
if (spec === undefined || world === undefined) throw new RangeError(`there is no row ${row}`);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- that of a window, which this is not
parentPort?.postMessage(play(spec, world, runs, seed));

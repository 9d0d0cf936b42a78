import { parentPort } from 'node:worker_threads';
import { ROWS } from './judge-rows.ts';
import { play } from './judge-row.ts';

/** Plays the rows that it is told the numbers of. */
parentPort?.on('message', ({ row, runs, seed }: { row: number; runs: number; seed: number }) => {
  const { spec, world } = ROWS[row] ?? {};
  if (spec === undefined || world === undefined) throw new RangeError(`there is no row ${row}`);
  parentPort?.postMessage(play(spec, world, runs, seed));
});

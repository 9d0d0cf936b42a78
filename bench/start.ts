import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { absolute, median, type Figure } from './figure.ts';
import { startBackline, startScript } from './load.ts';

const ROUNDS = 5;

/** From the start of the program to its line `ready`: first start (makes the database and the sample), then warm. */
export async function* run(): AsyncIterable<Figure> {
  const data = await mkdtemp(join(tmpdir(), 'backline-bench-'));
  try {
    const seconds: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      const started = performance.now();
      const server = await startBackline([], data);
      seconds.push((performance.now() - started) / 1000);
      await server.close();
    }
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const started = performance.now();
      const { child } = await startScript('bench/bare-server.ts', ['{}']);
      bare.push((performance.now() - started) / 1000);
      child.kill();
    }
    const [first = Number.NaN, ...warm] = seconds;
    yield absolute('start/first', 's', first, { max: 10 }, median(bare));
    yield absolute('start/warm', 's', median(warm), { max: 3 }, median(bare));
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { amount } from '#tests/support/amount.ts';
import { askedSeed, keptSeeds } from '#tests/support/kept-seeds.ts';

const SCHEDULES = amount({ usual: 600, long: 10_000 });
const PROCESSES = 2;
const RUN = fileURLToPath(new URL('run.ts', import.meta.url));

/** Events that the schedules must contain; without them they prove nothing. */
const MUST_HAPPEN = [
  'Promoted by policy',
  'Promoted at once',
  'Promoted back',
  'RolledBack by policy',
  'Aborted by policy',
  'Superseded by policy',
  'crash',
  'follower crash',
  'with clusters',
  'lost',
  'unknown',
  'unseen',
  'repeated',
  'releases/pinned',
  'releases/under-way',
  'by policy of n1',
  'by policy of n2',
  'a defined kind by policy',
  'definition changed',
  'back of n1',
];

test('no schedule of people, faults, jumping clocks and a dying engine breaks what must hold of releases', async (t) => {
  const [first = 1] = askedSeed();
  const count = Math.ceil(SCHEDULES / PROCESSES);
  for (const seed of keptSeeds('releases')) await run(seed, 1);
  const outputs = await Promise.all(Array.from({ length: PROCESSES }, (_, part) => run(first + part * count, count)));
  const total = new Map<string, number>();
  for (const text of outputs) {
    for (const [, times = '', what = ''] of text.matchAll(/^(\d+)\t(.+)$/gm)) {
      total.set(what, (total.get(what) ?? 0) + Number(times));
    }
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(total)));
  for (const what of MUST_HAPPEN) assert.ok((total.get(what) ?? 0) > SCHEDULES / 1_000, `${what} hardly ever happened`);
});

/** Runs schedules and returns their counts. Fails with the seed of the first broken one, and the command that repeats it. */
function run(first: number, count: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = ['--first', String(first), '--schedules', String(count)];
    execFile(process.execPath, [RUN, ...options], (error, out, failures) => {
      if (error === null) resolve(out);
      else reject(new Error(`npm run simulate:releases -- ${options.join(' ')}\n${failures}${out}`));
    });
  });
}

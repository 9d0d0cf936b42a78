import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ATTACKS, prepareInstallation, TOKEN_FILE } from '#tests/simulation/abuse/attacks.ts';
import { observeUnder } from '#tests/simulation/abuse/observe-under-attack.ts';
import { absolute, type Figure } from './figure.ts';
import { startBackline } from './load.ts';

/** Duration of each attack. */
const SECONDS = Number(process.env['BENCH_ABUSE_SECONDS'] ?? 60);

/**
 * Plays each attack beside a client that asks every 10 ms: how long it waits, and what memory the server takes. The
 * attacker runs at the lowest priority, as on two processors it would else be measured for the processor it takes.
 */
export async function* run(): AsyncIterable<Figure> {
  const folder = await mkdtemp(join(tmpdir(), 'backline-abuse-'));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, TOKEN_FILE);
  for (const { name } of ATTACKS) {
    const backline = await startBackline(['--no-sample', '--no-simulation', '--token-file', tokenFile]);
    try {
      const target = { url: backline.url, adminToken: backline.token };
      await prepareInstallation(target);
      const seen = await observeUnder(name, target, { seconds: SECONDS, pid: backline.pid });
      const failed = seen.failed.length / Math.max(1, seen.answered + seen.failed.length);
      yield absolute(`abuse/${name}: p99 of others`, 'ms', seen.p99Ms, { max: 50 });
      yield absolute(`abuse/${name}: memory`, 'MB', seen.residentMb, { max: 1_000 });
      yield absolute(`abuse/${name}: others refused`, 'share', failed, { max: 0 });
    } finally {
      await backline.close();
    }
  }
  await rm(folder, { recursive: true, force: true });
}

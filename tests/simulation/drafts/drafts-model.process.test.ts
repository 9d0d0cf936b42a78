import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { amount } from '#tests/support/amount.ts';
import { advertiserWithAd } from '#tests/support/ads.ts';
import { caller } from '#tests/support/backline.ts';
import { seededChance } from '#tests/support/chance.ts';
import { startDatabase } from '#tests/support/database.ts';
import { ADS } from '#tests/support/drafts.ts';
import { kill, startApi, type ApiProcess } from '../processes.ts';
import { DraftModel, USERS, type DraftStage } from './draft-model.ts';

const STEPS = amount({ usual: 200, long: 5_000 });
/** Each takes the time of a start. */
const KILLS = Math.ceil(STEPS / 100);

/** Two API processes on one database. The first one writes, until it is killed. */
async function startStage(t: TestContext): Promise<DraftStage> {
  const database = await startDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'backline-drafts-'));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, USERS.map((name) => `${name}-token-1234,${name},,system:masters\n`).join(''));
  const nodes: ApiProcess[] = [];
  const start = async (index: number, port = 0) => {
    nodes[index] = await startApi(database.url, join(folder, String(index)), port, ['--token-file', tokenFile]);
  };
  t.after(async () => {
    await Promise.all(nodes.map((node) => kill(node, 'SIGKILL')));
    await database[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  await start(0);
  // The processes of one installation share their keys; the first one makes them.
  await cp(join(folder, '0'), join(folder, '1'), { recursive: true });
  await start(1);
  let writer = 0;
  return {
    ask: (index, user, ...request) => {
      const server = nodes[index]?.url ?? assert.fail('no such node');
      return caller({ server, token: `${user}-token-1234` })(...request);
    },
    killWriter: async () => {
      const dead = nodes[writer] ?? assert.fail('no writer');
      await kill(dead, 'SIGKILL');
      await start(writer, Number(new URL(dead.url).port));
      writer = 1 - writer;
    },
  };
}

test(
  'drafts of two users on two nodes, raced, repeated and killed, are published as in some order, one after the other',
  { timeout: Math.max(120_000, STEPS * 500) },
  async (t) => {
    const chance = seededChance(t);
    const stage = await startStage(t);
    const [[, advertiser] = ['', {}]] = advertiserWithAd('acme');
    assert.equal((await stage.ask(0, 'ann', 'POST', `${ADS}/advertisers`, { body: advertiser })).status, 201);
    const model = new DraftModel(stage, chance);
    const begun = performance.now();
    for (let step = 1; step <= STEPS; step += 1) {
      await model.step();
      if (step % Math.floor(STEPS / KILLS) === 0) await model.crash();
    }
    t.diagnostic(`${STEPS} steps in ${Math.round((performance.now() - begun) / 1_000)} s`);
    t.diagnostic(JSON.stringify(Object.fromEntries([...model.counts].sort())));
    for (const what of ['publish 201', 'publish 409', 'repeated', 'valid', 'not valid', 'killed']) {
      assert.ok(model.counts.has(what), `${what} never happened`);
    }
  },
);

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { amount } from '../../support/amount.ts';
import { startWorld } from '../../support/backline.ts';
import { flag } from '../../support/flags.ts';
import { ATTACKS, prepareInstallation, TOKEN_FILE } from './attacks.ts';
import { observeUnder } from './observe-under-attack.ts';

const SECONDS = amount({ usual: 1, long: 60 });

test('while attackers abuse the server, other callers are answered and it stays up', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'backline-abuse-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'tokens.csv');
  await writeFile(tokenFile, TOKEN_FILE);
  await using world = await startWorld(t, { roles: ['api', 'decide', 'ingest'], access: { tokenFile } });
  const target = { url: world.url, adminToken: world.running.token };
  await prepareInstallation(target);
  for (const { name } of ATTACKS) {
    await t.test(name, async () => {
      const seen = await observeUnder(name, target, { seconds: SECONDS, pid: process.pid });
      t.diagnostic(`${name}: p99 ${seen.p99Ms.toFixed(0)} ms, ${seen.residentMb.toFixed(0)} MB`);
      assert.deepEqual(seen.failed, []);
      assert.ok(seen.answered > 0);
      const made = await world.call('POST', '/apis/experience.backline.dev/v1/namespaces/default/flags?dryRun=All', {
        body: flag('after'),
      });
      assert.equal(made.status, 201, made.text);
    });
  }
});

import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { startAdNode } from './testing/ad-node.ts';
import { cappedTable } from './testing/caps-world.ts';

const TEA = { account: 'bolt', campaign: 'bolt.c', name: 'bolt.tea', bid: '3.00' };

test('an impression counts where the listener certainly hears ads, and no line of the log names them', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, new Writable({ write: (line, _, done) => done(void lines.push(String(line))) }));
  await using node = await startAdNode(undefined, log);
  const table = cappedTable([TEA], {}, { consent: [{ framework: 'none' }] });
  const now = Temporal.Now.instant();
  const [ad] = (await node.ask('/v1/ads/decide', { placement: 'break', listener: 'ann-1815' }, { table, now })).ads;
  assert.ok(ad !== undefined);
  const reportAs = (isAdFree: boolean | undefined) =>
    node.report('impression', ad.token, { table, now, hasFeature: async () => isAdFree });
  const countRows = async () => (await node.database.query('select place from backline.ad_deliveries')).length;

  await assert.rejects(reportAs(undefined), { code: 'ads/entitlement-unknown' });
  await assert.rejects(reportAs(true), { code: 'ads/listener-is-ad-free' });
  assert.equal(await countRows(), 0);
  assert.match(lines.join(''), /impression after an upgrade refused/);
  assert.equal(await reportAs(false), 'counted');
  assert.equal(await countRows(), 1);
  // One that counted before the upgrade, and is repeated, is none after it.
  assert.equal(await reportAs(true), 'duplicate');
  assert.doesNotMatch(lines.join(''), /ann-1815/);
});

test('an ad that was skipped is not completed: nobody pays for it', async () => {
  let now = Temporal.Now.instant();
  await using node = await startAdNode(() => now);
  const table = cappedTable([TEA], {}, { consent: [{ framework: 'none' }] });
  const play = async (...events: readonly string[]): Promise<readonly unknown[]> => {
    const { ads } = await node.ask('/v1/ads/decide', { placement: 'break' }, { table, now });
    now = now.add({ seconds: 30 });
    const outcomes: unknown[] = [];
    for (const event of events) {
      const outcome = await node
        .report(event, ads[0]?.token ?? '', { table, now })
        .catch((error: { code: string }) => error.code);
      outcomes.push(outcome);
    }
    return outcomes;
  };
  assert.deepEqual(await play('impression', 'start', 'skip', 'complete'), [
    'counted',
    'counted',
    'counted',
    'ads/skipped',
  ]);
  const late = await play('impression', 'start', 'complete', 'skip');
  assert.deepEqual(late, ['counted', 'counted', 'counted', 'counted'], 'a button that is pressed at the very end');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommandLine } from '#cli/program.ts';
import { fakeIo } from '#cli/testing/fake-io.ts';
import { amount } from '../../support/amount.ts';
import { seededChance } from '../../support/chance.ts';
import { startClockedNodes, type ClockedNodes, type ClockedProcess } from '../../support/clocked-nodes.ts';
import { startMortalPostgres } from '../../support/mortal-postgres.ts';
import { ACCOUNTS, AdTorture } from './ad-torture.ts';

const STEPS = amount({ usual: 34, long: 1_500 });
const BEGIN_MS = Date.UTC(2026, 10, 30, 12);
/** Files are complete until some seconds ago. */
const FILE_STEP_MS = 20_000;

test(
  'ads under kills and restarts: money, caps and counts are as in one book',
  { timeout: 200_000 + STEPS * 2_000 },
  async (t) => {
    const chance = seededChance(t);
    await using postgres = await startMortalPostgres();
    const nodes = await startClockedNodes(t, {
      count: 2,
      nowMs: BEGIN_MS,
      roles: ['api', 'decide', 'controllers', 'ingest'],
      databaseUrl: postgres.url,
      rollUpSeconds: 1,
      logLevel: 'silent',
    });
    const torture = new AdTorture({ nodes, postgres, chance });
    await torture.declare();
    const log: string[] = [];
    try {
      for (let step = 1; step <= STEPS; step += 1) log.push(await torture.step(step));
    } catch (error) {
      t.diagnostic(log.slice(-40).join('\n'));
      throw error;
    }
    t.diagnostic(log.filter((line) => line.includes('flows')).join('\n'));
    t.diagnostic(JSON.stringify(Object.fromEntries([...torture.counts].sort())));
    t.diagnostic(JSON.stringify(Object.fromEntries([...torture.slowest].map(([name, ms]) => [name, Math.round(ms)]))));
    // Held events are dropped or counted by then, and reservations have ended.
    await nodes.travelTo(nodes.nowMs() + 20 * 60_000);
    await verifyEventLog(nodes, torture);
  },
);

/** Ledger and event log agree, and both with the book. */
async function verifyEventLog(
  { nodes: [node], nowMs, travelTo }: ClockedNodes<ClockedProcess>,
  { book }: AdTorture,
): Promise<void> {
  assert.ok(node !== undefined);
  const { server, token = '' } = node.connection();
  const backline = async (...line: readonly string[]) => {
    const io = fakeIo();
    const status = await runCommandLine([...line, '--server', server, '--token', token], io);
    return { status, out: io.written.stdout, err: io.written.stderr };
  };
  for (const account of ACCOUNTS) {
    const reconciling = backline('ads', 'reconcile', account, '--timeout', '30');
    const isDone = reconciling.then(() => true);
    while (!(await Promise.race([isDone, sleep(500, false)]))) await travelTo(nowMs() + FILE_STEP_MS);
    const { status, out, err } = await reconciling;
    assert.equal(status, 0, out + err);
  }
  const sql = `select "adSet", event, count(*) as events, count(distinct (decision, place)) as plays, sum(micros) as micros
    from ad_delivery group by all`;
  const logged = await backline('sql', sql, '-o', 'json');
  assert.equal(logged.status, 0, logged.err);
  const rows = JSON.parse(logged.out) as {
    adSet: string;
    event: string;
    events: number;
    plays: number;
    micros: number;
  }[];
  for (const [adSet, { events, micros }] of book.bounds()) {
    const own = rows.filter((row) => row.adSet === adSet);
    const spent = own.reduce((sum, row) => sum + Number(row.micros), 0);
    assert.ok(spent >= micros.least && spent <= micros.most, `${adSet}: ${spent} charged of ${JSON.stringify(micros)}`);
    for (const [event, { least, most }] of events) {
      const row = own.find((one) => one.event === event);
      const { count, plays } = { count: Number(row?.events ?? 0), plays: Number(row?.plays ?? 0) };
      assert.equal(count, plays, `${event} of ${adSet} is in the event log twice`);
      assert.ok(count >= least && count <= most, `${event} of ${adSet}: ${count} of ${least} to ${most}`);
    }
  }
}

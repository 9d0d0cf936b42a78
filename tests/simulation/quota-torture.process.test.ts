import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '#kernel/postgres/database.ts';
import { seededChance } from '../support/chance.ts';
import { startDatabase } from '../support/database.ts';

const SECONDS = Number(process.env['TORTURE_SECONDS'] ?? 8);
const PROCESSES = 3;
const AT_A_TIME = 100;
const LIMIT = 100;
/** A limit out of reach, set now and then in a run of faults so that units go on being granted. */
const MUCH = 1_000_000;
const PROGRAM = join(import.meta.dirname, '../../src/kernel/quotas/testing/burst.ts');

/** Additional time on a busy machine. */
const SLOW_MS = 60_000;

interface Consumer {
  readonly child: ChildProcess;
  /** Resolves with its first answer, or when it has ended. */
  readonly begun: Promise<unknown>;
  /** Resolves with the code when it has ended and all that it printed is read. */
  readonly ended: Promise<number | null>;
}

/** Starts a process that consumes; notes each answer. */
function consumer(url: string, options: readonly string[], answered: (key: string, outcome: string) => void): Consumer {
  const child = spawn(process.execPath, [PROGRAM, url, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const { promise: first, resolve: begin } = Promise.withResolvers<void>();
  lines.on('line', (line) => {
    // A killed process may leave half a line.
    const [, key, outcome] = /^(\S+) (granted|denied)$/.exec(line) ?? [];
    if (key === undefined || outcome === undefined) return;
    begin();
    answered(key, outcome);
  });
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]).then(() => child.exitCode);
  return { child, ended, begun: Promise.race([first, ended]) };
}

test('of 300 consumers in three processes on a limit of 100 exactly 100 get a unit', async () => {
  await using db = await startDatabase();
  const outcomes: string[] = [];
  const running = ['a', 'b', 'c'].map((prefix) =>
    consumer(db.url, [prefix, '100', String(AT_A_TIME), String(LIMIT)], (_, outcome) => outcomes.push(outcome)),
  );
  assert.deepEqual(await Promise.all(running.map(({ ended }) => ended)), [0, 0, 0]);
  assert.equal(outcomes.length, 300);
  assert.equal(outcomes.filter((outcome) => outcome === 'granted').length, LIMIT);
});

test('killed processes and cut connections lose no acknowledged unit, and repeated requests are answered the same', async (t) => {
  await using db = await startDatabase();
  const admin = openDatabase(db.url);
  const { between } = seededChance(t);
  const answers = new Map<string, string>();
  let repeated = 0;
  const note = (key: string, outcome: string): void => {
    const before = answers.get(key);
    if (before !== undefined) {
      repeated += 1;
      assert.equal(outcome, before, key);
    }
    answers.set(key, outcome);
  };
  const faults: string[] = [];
  const limit = String(between(0, 1) === 0 ? 500 : MUCH);
  // A process that comes back asks everything again, under the same keys.
  const start = (index: number): Consumer =>
    consumer(db.url, [`p${index}-`, '1000000', String(AT_A_TIME), limit], note);
  const running = Array.from({ length: PROCESSES }, (_, index) => start(index));
  const end = performance.now() + SECONDS * 1_000;
  const isEnough = () => answers.size > 100 && repeated > 100 && faults.length >= 3;
  while (performance.now() < end || (!isEnough() && performance.now() < end + SLOW_MS)) {
    await sleep(between(100, 700));
    if (between(0, 2) > 0) {
      const index = between(0, PROCESSES - 1);
      // However slow the machine is, it dies in the middle of its work.
      await running[index]?.begun;
      running[index]?.child.kill('SIGKILL');
      await running[index]?.ended;
      running[index] = start(index);
      faults.push(`SIGKILL ${index}`);
    } else {
      await admin.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
      );
      faults.push('connections cut');
    }
  }
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  // A killed process may have left a transaction that still commits.
  await admin.query("select from backline.quota_subjects where subject = 'promotion' for update");
  const [counter] = await admin.query<{ used: number }>('select used from backline.quota_counters');
  const recorded = await admin.query<{ key: string; denied: boolean }>(
    'select key, denied from backline.quota_operations',
  );
  const outcomeOf = new Map(recorded.map(({ key, denied }) => [key, denied ? 'denied' : 'granted']));
  for (const [key, outcome] of answers) assert.equal(outcomeOf.get(key), outcome, `${key} was acknowledged`);
  const granted = recorded.filter(({ denied }) => !denied).length;
  assert.equal(counter?.used, granted, 'the counter is what the ledger says');
  assert.ok(granted <= Number(limit));
  t.diagnostic(
    `limit ${limit}: ${granted} granted, ${answers.size} acknowledged, ${repeated} repeated, ${faults.length} faults`,
  );
  assert.ok(isEnough(), 'there was something to survive');
  await admin.close();
});

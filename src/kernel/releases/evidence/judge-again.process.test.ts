import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { startDatabase, type TestDatabase } from '#tests/support/database.ts';
import { judgements } from './judge-again.ts';

const KEPT = {
  at: 'measured',
  measured: { called: 'Denials', better: 'fewer', of: 'events', isSplit: false },
  candidate: { units: 10, bad: 1 },
  stable: { units: 90, bad: 9 },
};

function storeWithRelease() {
  const guardrails = ['denied', 'failed'].map((name) => ({ name, decisions: name, noWorse: { margin: 1.5 } }));
  const policy = { name: 'p', spec: { guardrails, judging: { alpha: 0.05, beta: 0.05, every: 'PT10S' }, stages: [] } };
  const object = { spec: { policy } } as unknown as ResourceObject;
  const entry = { uid: 'uid-1', object: () => object } as unknown as Entry;
  return {
    get: (_kind: unknown, _namespace: string, name: string) => (name === 'cap-1' ? entry : undefined),
    fresh: () => undefined,
  };
}

async function keep(db: TestDatabase, guardrail: string, count: number): Promise<void> {
  await db.database.query({
    text: `insert into backline.release_intervals
      (uid, guardrail, from_ms, to_ms, stage, share, reading, judge_version, at)
      select 'uid-1', $1, i * 10000, (i + 1) * 10000, 0, 0.1, $2::jsonb, 1, now() from generate_series(1, $3::integer) as i`,
    values: [guardrail, JSON.stringify(KEPT), count],
  });
}

async function judge(db: TestDatabase, spec: object, name = 'cap-1') {
  const [answer] = judgements({ store: storeWithRelease(), database: db.database }).values();
  assert.ok(answer);
  const object = { apiVersion: 'releases.backline.dev/v1', kind: 'Judgement', metadata: { name }, spec };
  const call = {
    user: { name: 'a', groups: [] },
    author: { user: 'a', requestId: 'r' },
    dryRun: false,
    namespace: undefined,
    name,
  };
  const given = (await answer(object, call)) as {
    status: {
      verdicts: { name: string; outcome?: string; figures: { candidate: { units: number } } }[];
      windows: {
        guardrail: string;
        from: string;
        verdict?: { figures: { candidate: { units: number } } };
      }[];
      windowsLeftOut: number;
    };
  };
  return given.status;
}

test('every window is judged, the newest 10,000 are shown in the order of time, and the rest are counted', async () => {
  await using db = await startDatabase();
  await keep(db, 'denied', 7_001);
  await keep(db, 'failed', 3_002);
  const { verdicts, windows, windowsLeftOut } = await judge(db, {});
  assert.deepEqual(
    verdicts.map(({ name, figures }) => [name, figures.candidate.units]),
    [
      ['denied', 70_010],
      ['failed', 30_020],
    ],
  );
  assert.deepEqual([windows.length, windowsLeftOut], [10_000, 3]);
  const starts = windows.map(({ from }) => from);
  assert.deepEqual(starts, starts.toSorted());
  assert.equal(windows.at(-1)?.from, '1970-01-01T19:26:50Z');
});

test('one guardrail can be asked about, with another margin or more certainty; what was not measured has no verdict', async () => {
  await using db = await startDatabase();
  await keep(db, 'denied', 120);
  const outcome = async (spec: object) =>
    (await judge(db, { guardrail: 'denied', ...spec })).verdicts.map((one) => one.outcome);
  assert.deepEqual(await outcome({ margin: 1.2 }), ['undecided']);
  assert.deepEqual(await outcome({ margin: 3 }), ['pass']);
  assert.deepEqual(await outcome({ margin: 3, judging: { beta: 1e-60 } }), ['undecided']);
  assert.deepEqual((await judge(db, { guardrail: 'failed' })).verdicts, [{ name: 'failed' }]);
});

test('a replay says of each of the newest 1,000 windows what it came to with all before', async () => {
  await using db = await startDatabase();
  await keep(db, 'denied', 1_003);
  const { windows, windowsLeftOut, verdicts } = await judge(db, { guardrail: 'denied', replay: true });
  assert.deepEqual([windows.length, windowsLeftOut], [1_000, 3]);
  const units = windows.map((one) => one.verdict?.figures.candidate.units);
  assert.deepEqual([units[0], units[1], units.at(-1)], [40, 50, 10_030]);
  assert.deepEqual(windows.at(-1)?.verdict, verdicts[0]);
  assert.equal((await judge(db, { guardrail: 'denied' })).windows[0]?.verdict, undefined);
});

test('a release or guardrail that is not there, and what nobody could mean, are refused', async () => {
  await using db = await startDatabase();
  await assert.rejects(judge(db, {}, 'other'), { reason: 'NotFound' });
  await assert.rejects(judge(db, { guardrail: 'errors' }), { code: 'releases/no-guardrail' });
});

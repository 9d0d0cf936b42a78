import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLog } from '#kernel/base/log.ts';
import type { Time } from '#kernel/base/time.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import type { Queryable } from '#kernel/postgres/database.ts';
import { losingDatabase, type LostPart } from '#kernel/postgres/testing/losing-database.ts';
import { startDatabase, type TestDatabase } from '#tests/support/database.ts';
import type { Evidence, JudgedRelease } from '../evidence.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import { splitIn } from '../kinds/splits.ts';
import { LISTENERS } from '../testing/listeners.ts';
import { clusteringsOf } from './cell-state.ts';
import { readCellState } from './stored-cells.ts';
import { readWindows, tidyWindows } from './stored-windows.ts';
import type { HistoryRequest, MeasureSource, MetricTraits, Measurement, Window } from './measure-source.ts';
import { ReleaseEvidence } from './release-evidence.ts';
import type { StoredWindow } from './tally.ts';

const SEEN_MS = Date.parse('2026-05-01T12:00:00Z');
const MEASURED: MetricTraits = { called: 'Errors', better: 'fewer', of: 'events', isSplit: true };
const DENIED: GuardrailSpec = { name: 'denied', decisions: 'denied', noWorse: { margin: 1.5 } };
const SOLD: GuardrailSpec = { name: 'sold', metric: 'purchases', noWorse: { margin: 1.5 } };

/** The stage that follows those of the policy. */
const BAKES = 3;

function judgedRelease(
  guardrails: readonly GuardrailSpec[],
  stage = 0,
  seenMs = SEEN_MS,
  earlier: JudgedRelease['earlier'] = [],
): JudgedRelease {
  const stages = [10, 50, 50].map((percent, index) => ({
    name: `s${index}`,
    listeners: { unit: 'group', percent, ...(index === 2 ? { regions: ['se'] } : {}) },
    soak: 'PT0S',
    promote: 'auto' as const,
    maxUnknown: 0,
  }));
  const policy: PolicySpec = {
    selector: {},
    priority: 0,
    stages,
    bake: 'PT10M',
    guardrails: [...guardrails],
    judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
    onFailure: 'rollBack',
    onUndecided: 'halt',
    queue: 'supersede',
  };
  const spec = {
    number: 1,
    authors: ['a'],
    changeSet: '1',
    policy: { name: 'p', spec: policy },
    objects: [],
    planHash: 'h',
    open: true,
  };
  const splits = [...stages, undefined].map((_, index) => splitIn(policy, index, [LISTENERS]));
  return { name: 'cap-1', uid: 'uid-1', spec, stage, splits, seenMs, earlier };
}

/** A source that answers what a test says, and notes what it was asked. */
function sourceOf(answer: (window: Window) => Measurement | Promise<Measurement>) {
  const asked: Window[] = [];
  const source: MeasureSource = {
    grainMs: 10_000,
    lagMs: 3_000,
    completeUntil: (nowMs) => Promise.resolve(nowMs - 3_000),
    measure: async (window) => {
      asked.push(window);
      return answer(window);
    },
  };
  return { source, asked };
}

const good = (): Measurement => ({
  at: 'measured',
  measured: MEASURED,
  candidate: { units: 100, bad: 1 },
  stable: { units: 900, bad: 9 },
});

function evidenceOn(
  db: { readonly database: Queryable },
  sources: Readonly<Record<string, MeasureSource>>,
  time: Time = new VirtualTime(),
): Evidence {
  return new ReleaseEvidence({
    database: db.database,
    sourceOf: ({ name }) => sources[name] ?? assert.fail(`no source for ${name}`),
    time,
    log: openLog('silent'),
  });
}

async function keptOf(db: TestDatabase, guardrail = 'denied', uid = 'uid-1'): Promise<StoredWindow[]> {
  const all: StoredWindow[] = [];
  for await (const page of readWindows(db.database, uid, guardrail)) all.push(...page);
  return all;
}

async function look(evidence: Evidence, release: JudgedRelease, afterMs: number) {
  return evidence.verdicts(release, SEEN_MS + afterMs);
}

test('nothing is asked and nothing judged before a whole interval, and each window is asked for once', async () => {
  await using db = await startDatabase();
  const { source, asked } = sourceOf(good);
  const evidence = evidenceOn(db, { denied: source });
  const release = judgedRelease([DENIED]);
  for (const seconds of [0, 10, 30, 42]) assert.equal((await look(evidence, release, seconds * 1_000)).size, 0);
  assert.equal(asked.length, 0);
  for (const seconds of [43, 50, 60, 72, 73, 103]) {
    const verdict = (await look(evidence, release, seconds * 1_000)).get('denied');
    assert.equal(verdict?.outcome, 'undecided', `${seconds} s`);
  }
  const windows = asked.map(({ fromMs, toMs }) => [(fromMs - SEEN_MS) / 1_000, (toMs - SEEN_MS) / 1_000]);
  assert.deepEqual(windows, [
    [10, 40],
    [40, 70],
    [70, 100],
  ]);
});

test('I8: an engine that takes over judges the same and asks for no window again', async () => {
  await using db = await startDatabase();
  const noisy = (window: Window): Measurement => {
    const bad = (window.fromMs / 10_000) % 7;
    return { at: 'measured', measured: MEASURED, candidate: { units: 100, bad }, stable: { units: 900, bad: 20 } };
  };
  const first = sourceOf(noisy);
  const second = sourceOf(good);
  const release = judgedRelease([DENIED]);
  const before = evidenceOn(db, { denied: first.source });
  let verdicts = new Map();
  for (let seconds = 43; seconds < 400; seconds += 15) verdicts = new Map(await look(before, release, seconds * 1_000));
  const after = await look(evidenceOn(db, { denied: second.source }), release, 399_000);
  assert.deepEqual(new Map(after), verdicts);
  assert.equal(second.asked.length, 0);
});

test('an engine that takes over acts on a failure that was measured, although the source has died of it', async () => {
  await using db = await startDatabase();
  const harm = (): Measurement => ({ ...(good() as object), candidate: { units: 100, bad: 90 } }) as Measurement;
  const release = judgedRelease([DENIED]);
  const before = evidenceOn(db, { denied: sourceOf(harm).source });
  for (const seconds of [43, 73, 103]) await look(before, release, seconds * 1_000);
  const dead = sourceOf(() => ({ at: 'down', because: 'it is away' }));
  const after = evidenceOn(db, { denied: dead.source });
  for (const seconds of [133, 163, 900])
    assert.equal((await look(after, release, seconds * 1_000)).get('denied')?.outcome, 'fail', `${seconds} s`);
  assert.equal(dead.asked.length, 3);
});

test('a shadow takes no part of alpha', async () => {
  await using db = await startDatabase();
  const sources = { denied: sourceOf(good).source, sold: sourceOf(good).source };
  const neededHarm = async (uid: string, guardrails: readonly GuardrailSpec[]) => {
    const release = { ...judgedRelease(guardrails), uid };
    const figures = (await look(evidenceOn(db, sources), release, 43_000)).get('denied')?.figures;
    return figures?.of === 'riskRatio' ? figures.harm.needed : undefined;
  };
  assert.equal(await neededHarm('two', [DENIED, SOLD]), 40);
  assert.equal(await neededHarm('shadow', [DENIED, { ...SOLD, shadow: true }]), 20);
  assert.equal(await neededHarm('only', [{ ...DENIED, shadow: true }]), 20);
});

test('of two engines at once the first window counts for both', async () => {
  await using db = await startDatabase();
  const bad = (): Measurement => ({ ...(good() as object), candidate: { units: 100, bad: 50 } }) as Measurement;
  const engines = [sourceOf(good), sourceOf(bad)].map(({ source }) => evidenceOn(db, { denied: source }));
  const release = judgedRelease([DENIED]);
  for (const seconds of [43, 73, 103, 133]) {
    const verdicts = await Promise.all(engines.map((one) => look(one, release, seconds * 1_000)));
    assert.deepEqual(new Map(verdicts[0]), new Map(verdicts[1]), `${seconds} s`);
  }
  assert.equal((await keptOf(db)).length, 4);
});

test('a window is of one stage, with its share', async () => {
  await using db = await startDatabase();
  const { source } = sourceOf(good);
  const evidence = evidenceOn(db, { denied: source });
  for (const seconds of [43, 75]) await look(evidence, judgedRelease([DENIED], 0), seconds * 1_000);
  const later = judgedRelease([DENIED], 1, SEEN_MS + 84_000, [
    { stage: 0, seenMs: SEEN_MS, untilMs: SEEN_MS + 83_000 },
  ]);
  for (const seconds of [84, 103, 110, 123, 133]) {
    const verdict = (await look(evidence, later, seconds * 1_000)).get('denied');
    assert.equal(verdict?.outcome, 'undecided', 'what was measured before is judged meanwhile, and is not stale');
    assert.equal(verdict?.isOfStage, seconds >= 123, `${seconds} s`);
  }
  assert.deepEqual(
    (await keptOf(db)).map(({ fromMs, toMs, stage, share }) => [
      (fromMs - SEEN_MS) / 1_000,
      (toMs - SEEN_MS) / 1_000,
      stage,
      share,
    ]),
    [
      [10, 40, 0, 0.1],
      [40, 70, 0, 0.1],
      [70, 80, 0, 0.1],
      [90, 120, 1, 0.5],
    ],
  );
});

/** A source that counts by cell since the stage began: so many units of each of two households a second, and `ahead`. */
function countingByCell(stageMs: Readonly<Record<number, number>>, ahead = 0) {
  return sourceOf(({ stage, toMs }) => {
    const seconds = (toMs - (stageMs[stage] ?? 0)) / 1_000;
    const cells = [3, 200].map((cell) => ({ cell, units: cell * seconds + ahead, bad: seconds }));
    const measured = good() as Extract<Measurement, { at: 'measured' }>;
    return { ...measured, cells: { since: 'stage', candidate: cells.slice(0, 1), stable: cells } };
  });
}

function clusteringIn(kept: StoredWindow | undefined) {
  return kept?.reading.at === 'measured' ? kept.reading.clustering : undefined;
}

test('cells are added up from window to window, of the release and of the scope', async () => {
  await using db = await startDatabase();
  const begunMs: Readonly<Record<number, number>> = { 0: SEEN_MS, 1: SEEN_MS + 84_000, 2: SEEN_MS + 160_000 };
  const evidence = evidenceOn(db, { denied: countingByCell(begunMs).source });
  const at = async (stage: number, seconds: number): Promise<void> => {
    await look(evidence, judgedRelease([DENIED], stage, begunMs[stage]), seconds * 1_000);
  };
  for (const seconds of [43, 73]) await at(0, seconds);
  for (const seconds of [133, 153]) await at(1, seconds);
  for (const seconds of [203, 233]) await at(2, seconds);
  const kept = await keptOf(db);
  const units = kept.map((one) => {
    const { release, scope } = clusteringIn(one) ?? assert.fail();
    return [one.scope, release.candidate.units / 3, scope.candidate.units / 3, release.stable.units / 203];
  });
  // Seconds since the stage began, and those of the stages before up to their last window.
  assert.deepEqual(units, [
    [0, 40, 40, 40],
    [0, 70, 70, 70],
    [0, 70 + 46, 70 + 46, 70 + 46],
    [2, 70 + 46 + 40, 40, 70 + 46 + 40],
    [2, 70 + 46 + 70, 70, 70 + 46 + 70],
  ]);
  const { stable } = clusteringIn(kept[4])?.scope ?? assert.fail();
  assert.deepEqual([stable.cells, stable.bad], [2, 140]);
});

test('I11: of two engines at once the state of the one whose window is kept is kept, and both go on from it', async () => {
  await using db = await startDatabase();
  const begunMs = { 0: SEEN_MS };
  const engines = [0, 2, 5].map((ahead) => evidenceOn(db, { denied: countingByCell(begunMs, ahead).source }));
  const release = judgedRelease([DENIED]);
  for (const seconds of [43, 73, 103, 133, 163]) {
    await Promise.all(engines.map((one) => look(one, release, seconds * 1_000)));
    const kept = (await keptOf(db)).at(-1);
    const { state } = (await readCellState(db.database, 'uid-1', 'denied')) ?? assert.fail();
    assert.deepEqual(clusteringIn(kept), clusteringsOf(state), `${seconds} s`);
    // The last verdict of any engine: no window counts twice, and none is left out.
    const beyond = (state.release.candidate.units[3] ?? 0) - 3 * (seconds - 3);
    assert.ok([0, 2, 5].includes(beyond), `${beyond} beyond`);
  }
  assert.equal((await keptOf(db)).length, 5);
});

test('an engine that dies at any moment leaves the next one what an engine that lives has', async () => {
  await using db = await startDatabase();
  const begunMs = { 0: SEEN_MS };
  const lookAt = [43, 73, 103, 133, 163, 193];
  const steady = evidenceOn(db, { denied: countingByCell(begunMs).source });
  for (const seconds of lookAt) await look(steady, judgedRelease([DENIED]), seconds * 1_000);
  const mortal = { ...judgedRelease([DENIED]), uid: 'uid-2' };
  for (const [index, seconds] of lookAt.entries()) {
    const lost: LostPart = index % 2 === 0 ? 'the write' : 'its answer';
    const dying: Queryable = {
      query: (statement) => {
        const isKeeping = typeof statement === 'object' && statement.name === 'keep-release-window';
        return (isKeeping ? losingDatabase(db.database, lost) : db.database).query(statement);
      },
    };
    await look(evidenceOn({ database: dying }, { denied: countingByCell(begunMs).source }), mortal, seconds * 1_000);
    assert.equal((await keptOf(db, 'denied', 'uid-2')).length, lost === 'the write' ? index : index + 1);
    await look(evidenceOn(db, { denied: countingByCell(begunMs).source }), mortal, seconds * 1_000);
  }
  assert.deepEqual(await keptOf(db, 'denied', 'uid-2'), await keptOf(db));
  const states = await Promise.all(['uid-1', 'uid-2'].map((uid) => readCellState(db.database, uid, 'denied')));
  assert.deepEqual(states[1], states[0]);
});

test('a window of which cells are not known has no clustering, and the next one goes on', async () => {
  await using db = await startDatabase();
  const begunMs = { 0: SEEN_MS };
  const counting = countingByCell(begunMs).source;
  let hasCells = true;
  const source: MeasureSource = {
    ...counting,
    measure: async (window, signal) => (hasCells ? counting.measure(window, signal) : good()),
  };
  const evidence = evidenceOn(db, { denied: source });
  for (const seconds of [43, 73, 103]) {
    hasCells = seconds !== 73;
    await look(evidence, judgedRelease([DENIED]), seconds * 1_000);
  }
  const units = (await keptOf(db)).map((kept) => clusteringIn(kept)?.release.candidate.units);
  assert.deepEqual(units, [3 * 40, undefined, 3 * 100]);
});

test('harm in the last moments of a stage is found in the next one, and while it bakes', async () => {
  await using db = await startDatabase();
  const late = sourceOf(({ fromMs }) => {
    const bad = fromMs >= SEEN_MS + 40_000 ? 90 : 9;
    return { at: 'measured', measured: MEASURED, candidate: { units: 100, bad }, stable: { units: 900, bad: 81 } };
  });
  const evidence = evidenceOn(db, { denied: late.source });
  for (const seconds of [43, 73]) await look(evidence, judgedRelease([DENIED]), seconds * 1_000);
  const first = { stage: 0, seenMs: SEEN_MS, untilMs: SEEN_MS + 81_000 };
  const second = judgedRelease([DENIED], 1, SEEN_MS + 82_000, [first]);
  await look(evidence, second, 84_000);
  assert.deepEqual(
    (await keptOf(db)).map(({ stage, toMs }) => [stage, toMs - SEEN_MS]),
    [
      [0, 40_000],
      [0, 70_000],
      [0, 80_000],
    ],
  );
  const next = [first, { stage: 1, seenMs: SEEN_MS + 82_000, untilMs: SEEN_MS + 125_000 }];
  const bakes = judgedRelease([DENIED], BAKES, SEEN_MS + 126_000, next);
  for (const seconds of [126, 130, 160, 400]) await look(evidence, bakes, seconds * 1_000);
  const verdict = (await look(evidence, bakes, 700_000)).get('denied');
  assert.equal(verdict?.outcome, 'fail', 'the third window of it is the last of all');
  assert.deepEqual(
    (await keptOf(db))
      .slice(3)
      .map(({ stage, share, fromMs, toMs }) => [stage, share, fromMs - SEEN_MS, toMs - SEEN_MS]),
    [[1, 0.5, 90_000, 120_000]],
    'with everybody there is nobody left to compare with',
  );
});

test('while it bakes, a threshold goes on with everybody, and what compares is not stale', async () => {
  await using db = await startDatabase();
  const LIMIT: GuardrailSpec = { name: 'sold', decisions: 'denied', threshold: { above: 0.1, unitsMin: 100 } };
  const everybody = sourceOf(() => ({ ...good(), measured: MEASURED }) as Measurement);
  const evidence = evidenceOn(db, { denied: sourceOf(good).source, sold: everybody.source });
  await look(evidence, judgedRelease([DENIED, LIMIT]), 43_000);
  const earlier = [{ stage: 1, seenMs: SEEN_MS, untilMs: SEEN_MS + 41_000 }];
  const bakes = judgedRelease([DENIED, LIMIT], BAKES, SEEN_MS + 44_000, earlier);
  for (const seconds of [83, 113, 143]) await look(evidence, bakes, seconds * 1_000);
  const verdicts = await look(evidence, bakes, 150_000);
  assert.equal(verdicts.get('denied')?.outcome, 'undecided');
  const windows = (await keptOf(db, 'sold')).map(({ stage, share }) => [stage, share]);
  assert.deepEqual(windows, [[0, 0.1], ...Array.from({ length: 3 }, () => [BAKES, 1])]);
});

test('a clock that was an hour ahead and went back leaves nothing behind: measuring goes on at once', async () => {
  await using db = await startDatabase();
  const { source, asked } = sourceOf(good);
  const evidence = evidenceOn(db, { denied: source });
  const release = judgedRelease([DENIED]);
  for (const seconds of [43, 3_673]) await look(evidence, release, seconds * 1_000);
  const blind = evidenceOn(
    {
      database: {
        query: async (statement) => {
          if (typeof statement !== 'string' && statement.text.includes('delete')) throw new Error('away');
          return db.database.query(statement) as never;
        },
      },
    },
    { denied: source },
  );
  const verdict = (await look(blind, release, 73_000)).get('denied');
  assert.equal(verdict?.outcome, 'stale', 'what is of the future is no success');
  for (const engine of [evidence, evidenceOn(db, { denied: source })]) {
    assert.equal((await look(engine, release, 73_000)).get('denied')?.outcome, 'undecided');
    assert.deepEqual(
      (await keptOf(db)).map(({ toMs }) => (toMs - SEEN_MS) / 1_000),
      [40, 70],
    );
  }
  assert.equal(asked.length, 3);
});

/** A source that counts by cell in each window what has happened of it by then: a unit of each of two cells a second. */
function happeningByCell(now: () => number) {
  return sourceOf(({ fromMs, toMs }) => {
    const units = Math.max(0, Math.min(toMs, now()) - fromMs) / 1_000;
    const cells = [3, 200].map((cell) => ({ cell, units, bad: 0 }));
    const measured = good() as Extract<Measurement, { at: 'measured' }>;
    return { ...measured, cells: { since: 'window', candidate: cells.slice(0, 1), stable: cells } };
  });
}

test('I12: events of a window that is dropped are in the state by cell once, whichever clock was wrong', async () => {
  await using db = await startDatabase();
  for (const [uid, leapMs] of [
    ['ahead', 3_600_000],
    ['behind', -3_600_000],
  ] as const) {
    let realMs = 0;
    const evidence = evidenceOn(db, { denied: happeningByCell(() => realMs).source });
    const release = { ...judgedRelease([DENIED], 0, SEEN_MS - 3_700_000), uid };
    for (const [seconds, aheadMs] of [
      [43, 0],
      [103, leapMs],
      [133, 0],
      [163, 0],
    ] as const) {
      realMs = SEEN_MS + seconds * 1_000;
      await look(evidence, release, seconds * 1_000 + aheadMs);
    }
    const { state } = (await readCellState(db.database, uid, 'denied')) ?? assert.fail();
    const units = state.release.candidate.units[3] ?? 0;
    assert.ok(units > 3_000 && units <= 3_700 + 163, `${uid}: ${units}`);
    const windows = await keptOf(db, 'denied', uid);
    assert.ok(windows.every(({ toMs }) => toMs <= realMs));
  }
});

test('a window that one engine has kept meanwhile is not kept in part by another, which goes on from what there is', async () => {
  await using db = await startDatabase();
  let answer = (): void => {};
  let isSlow = true;
  const slow = sourceOf(() =>
    isSlow ? new Promise<Measurement>((resolve) => (answer = () => resolve(good()))) : good(),
  );
  const time = new VirtualTime();
  const [behind, present] = [
    evidenceOn(db, { denied: slow.source }, time),
    evidenceOn(db, { denied: sourceOf(good).source }),
  ];
  const looking = look(behind, judgedRelease([DENIED]), 73_000);
  while (slow.asked.length === 0) await new Promise(setImmediate);
  const earlier = [{ stage: 0, seenMs: SEEN_MS, untilMs: SEEN_MS + 11_000 }];
  const next = judgedRelease([DENIED], 1, SEEN_MS + 12_000, earlier);
  for (const seconds of [53, 83, 113]) await look(present, next, seconds * 1_000);
  isSlow = false;
  answer();
  await looking;
  assert.deepEqual(new Map(await look(behind, next, 113_000)), new Map(await look(present, next, 113_000)));
  assert.deepEqual(
    (await keptOf(db)).map(({ fromMs, toMs }) => [(fromMs - SEEN_MS) / 1_000, (toMs - SEEN_MS) / 1_000]),
    [
      [20, 50],
      [50, 80],
      [80, 110],
    ],
  );
});

test('the text of a source about itself is kept, whatever is in it', async () => {
  await using db = await startDatabase();
  const source = sourceOf(() => Promise.reject(new Error(`a\0b${'😀'.repeat(200)}`)));
  await look(evidenceOn(db, { denied: source.source }), judgedRelease([DENIED]), 43_000);
  const [kept] = await keptOf(db);
  assert.match(kept?.reading.at === 'down' ? kept.reading.because : '', /^a\u{fffd}b.*\u{fffd}$/u);
});

test('I9: the history of the day before is asked once, kept with the first window that counts, and judged by ever after', async () => {
  await using db = await startDatabase();
  const byInstance = (units: number): Measurement => ({
    ...(good() as Extract<Measurement, { at: 'measured' }>),
    candidate: { units, bad: 1 },
    sources: { a: { units, bad: 1 } },
  });
  const readings: Measurement[] = [{ at: 'down', because: 'away' }, byInstance(NaN), byInstance(100), byInstance(100)];
  const asked: HistoryRequest[] = [];
  const { source } = sourceOf(() => readings.shift() ?? assert.fail());
  const withHistory = {
    ...source,
    history: async (what: HistoryRequest) => {
      asked.push(what);
      return { psi: 7, rho: 0.5, windows: 1_440 };
    },
  };
  const earlier = [{ stage: 0, seenMs: SEEN_MS, untilMs: SEEN_MS + 1_000 }];
  const release = judgedRelease([DENIED], 0, SEEN_MS + 1_500, earlier);
  const before = evidenceOn(db, { denied: withHistory });
  for (const seconds of [43, 73, 103, 133]) await look(before, release, seconds * 1_000);
  assert.deepEqual(asked, [{ release: 'cap-1', guardrail: DENIED, beforeMs: SEEN_MS, windowMs: 30_000 }]);
  const kept = await keptOf(db);
  assert.deepEqual(
    kept.map(({ reading }) => (reading.at === 'measured' ? reading.history?.psi : reading.at)),
    ['down', undefined, 7, undefined],
  );
  const time = (await look(evidenceOn(db, { denied: source }), release, 133_000)).get('denied')?.figures;
  assert.equal(time?.of === 'riskRatio' ? time.dispersion.time : undefined, 22);
});

test('without an answer, without instances or without a comparison there is no history', async () => {
  await using db = await startDatabase();
  const plain = good() as Extract<Measurement, { at: 'measured' }>;
  const byInstance = { ...plain, sources: { a: { units: 100, bad: 1 } } };
  let asked = 0;
  const of = (measurement: Measurement): MeasureSource => ({
    ...sourceOf(() => measurement).source,
    history: async () => {
      asked += 1;
      throw new Error('away');
    },
  });
  const LIMIT: GuardrailSpec = { name: 'limit', decisions: 'denied', threshold: { above: 0.1, unitsMin: 100 } };
  const sources = { denied: of(byInstance), sold: of(plain), limit: of(byInstance) };
  const verdicts = await look(evidenceOn(db, sources), judgedRelease([DENIED, SOLD, LIMIT]), 43_000);
  assert.deepEqual([verdicts.size, asked], [3, 1]);
  for (const name of Object.keys(sources)) {
    const [kept] = await keptOf(db, name);
    assert.ok(kept?.reading.at === 'measured' && kept.reading.history === undefined, name);
  }
});

test('a source that throws or hangs is down, and holds up no other', async () => {
  await using db = await startDatabase();
  const time = new VirtualTime();
  const hanging = sourceOf(() => new Promise(() => {}));
  let answered = 0;
  const database: Queryable = {
    query: async (statement) => {
      const rows = await db.database.query(statement);
      answered += 1;
      return rows as never;
    },
  };
  const evidence = evidenceOn({ database }, { denied: sourceOf(good).source, sold: hanging.source }, time);
  const release = judgedRelease([DENIED, SOLD]);
  const first = look(evidence, release, 43_000);
  // The stored windows of both are read, and the first of the other: patience with this one is all that is left.
  while (answered < 3) await new Promise(setImmediate);
  time.advance(2_000);
  assert.deepEqual([...(await first).keys()], ['denied']);
  const second = look(evidence, release, 44_000);
  await new Promise(setImmediate);
  time.advance(8_000);
  await second;
  while ((await keptOf(db, 'sold')).length === 0) await new Promise(setImmediate);
  const verdict = (await look(evidence, release, 45_000)).get('sold');
  assert.equal(verdict?.because, 'purchases cannot be read: it did not answer in 10 s.');
  assert.equal(hanging.asked.length, 1, 'one measuring at a time');
  const throwing = sourceOf(() => Promise.reject(new Error('broken pipe')));
  const others = evidenceOn(db, { denied: sourceOf(good).source, sold: throwing.source });
  const { because } = (await look(others, release, 90_000)).get('sold') ?? {};
  assert.equal(because, 'purchases cannot be read: broken pipe.');
});

test('a source that has nothing new makes verdicts stale, and never known to have had anything, it is down', async () => {
  await using db = await startDatabase();
  let behindMs = 3_000;
  const { source, asked } = sourceOf(good);
  const slow = { ...source, completeUntil: (nowMs: number) => Promise.resolve(nowMs - behindMs) };
  const evidence = evidenceOn(db, { denied: slow });
  const release = judgedRelease([DENIED]);
  await look(evidence, release, 43_000);
  behindMs = 3_600_000;
  assert.equal((await look(evidence, release, 103_000)).get('denied')?.outcome, 'undecided');
  assert.equal((await look(evidence, release, 103_001)).get('denied')?.outcome, 'stale');
  behindMs = 3_000;
  assert.equal((await look(evidence, release, 150_000)).get('denied')?.outcome, 'undecided');
  assert.deepEqual(
    asked.map(({ fromMs, toMs }) => (toMs - fromMs) / 1_000),
    [30, 100],
    'what had to wait is measured all the same',
  );
  behindMs = 3_600_000;
  const other = { ...judgedRelease([DENIED]), uid: 'uid-2' };
  assert.equal((await look(evidence, other, 60_000)).size, 0);
  const verdict = (await look(evidence, other, 80_000)).get('denied');
  assert.equal(verdict?.because, 'Denials cannot be read: it is complete until 2026-05-01T11:01:20Z only.');
});

test('numbers that the test of a guardrail cannot take are reported as a source that is down', async () => {
  await using db = await startDatabase();
  const totals = (): Measurement => ({
    at: 'measured',
    measured: { ...MEASURED, called: 'Time listened', of: 'totals' },
    candidate: { units: 1, bad: 0, total: 5 },
    stable: { units: 1, bad: 0, total: 5 },
  });
  const verdicts = await look(evidenceOn(db, { sold: sourceOf(totals).source }), judgedRelease([SOLD]), 43_000);
  assert.match(verdicts.get('sold')?.because ?? '', /Time listened needs a threshold/);
});

test('windows are kept for 90 days after the last of their release', async () => {
  await using db = await startDatabase();
  const now = Temporal.Instant.from('2026-12-01T00:00:00Z');
  const row = (uid: string, daysAgo: number) =>
    db.database.query({
      text: `insert into backline.release_intervals
        (uid, guardrail, from_ms, to_ms, stage, share, reading, judge_version, at)
        values ($1, 'g', $2::bigint, $2::bigint + 1, 0, 0.1, '{}', 1, $3::timestamptz)`,
      values: [uid, daysAgo, now.subtract({ hours: 24 * daysAgo }).toString()],
    });
  for (const [uid, daysAgo] of [
    ['old', 91],
    ['old', 120],
    ['long', 91],
    ['long', 89],
  ] as const)
    await row(uid, daysAgo);
  await db.database.query(`insert into backline.release_clustering (uid, guardrail, scope, release_cells)
    values ('old', 'g', 0, ''), ('long', 'g', 0, '')`);
  await tidyWindows(db.database, now);
  const left = await db.database.query(
    'select uid, count(*)::int as rows from backline.release_intervals group by uid',
  );
  assert.deepEqual(left, [{ uid: 'long', rows: 2 }]);
  assert.deepEqual(await db.database.query('select uid from backline.release_clustering'), [{ uid: 'long' }]);
});

import assert from 'node:assert/strict';
import { setImmediate as tick } from 'node:timers/promises';
import { seedRandom } from '#kernel/base/chance.ts';
import { openLog } from '#kernel/base/log.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import type { Database, Queryable } from '#kernel/postgres/database.ts';
import { losingDatabase, type LostPart } from '#kernel/postgres/testing/losing-database.ts';
import type { Evidence, GuardrailVerdict, JudgedRelease } from '#kernel/releases/evidence.ts';
import { judgements } from '#kernel/releases/evidence/judge-again.ts';
import { readCellState } from '#kernel/releases/evidence/stored-cells.ts';
import { readWindows } from '#kernel/releases/evidence/stored-windows.ts';
import type { MeasuredCells, Measurement, MeasureSource, Window } from '#kernel/releases/evidence/measure-source.ts';
import { ReleaseEvidence } from '#kernel/releases/evidence/release-evidence.ts';
import type { StoredWindow } from '#kernel/releases/evidence/tally.ts';
import { advance, isFinished, startRollback } from '#kernel/releases/engine/advance.ts';
import type { Intent } from '#kernel/releases/engine/progress.ts';
import { splitIn } from '#kernel/releases/kinds/splits.ts';
import { LISTENERS } from '#kernel/releases/testing/listeners.ts';
import { withFailures } from '#kernel/releases/engine/effective-verdicts.ts';
import { writeStep } from '#kernel/releases/engine/release-writes.ts';
import { actingOf, metricsOf, type GuardrailSpec } from '#kernel/releases/kinds/guardrail-spec.ts';
import type { PolicySpec } from '#kernel/releases/kinds/policy-spec.ts';
import { Release } from '#kernel/releases/kinds/release.ts';
import { guardrailStatus, type ReleaseEngineState } from '#kernel/releases/kinds/release-status.ts';
import type { ReleaseSpec } from '#kernel/releases/kinds/release-spec.ts';
import { isBake, stagesOf } from '#kernel/releases/kinds/release-stages.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry } from '#kernel/store/contract.ts';
import { hasOwnWindow, lateness, oracle, windowFaults } from './judge-oracle.ts';

const BEGIN_MS = Date.parse('2026-05-01T12:00:00Z');
const GRAIN_MS = 10_000;
const LAG_MS = 3_000;
const CELLS_USED = 500;
/** Answers of each cell in each grain, of both tracks. */
const UNITS = 20;
const RATE = 0.03;
const HARM = 12;
const GRAINS_MAX = 1_000;
const PASSES_MS = [1_000, 7_000, 20_000, 31_000, 31_000, 60_000, 61_000, 150_000];
const LEAPS_MS = [-3_600_000, -45_000, 45_000, 600_000, 3_600_000];
const WEATHERS = ['good', 'down', 'throws', 'empty', 'idle', 'notANumber', 'noBad', 'slow', 'late', 'part'] as const;

type Weather = (typeof WEATHERS)[number];
type Cells = 'none' | 'window' | 'stage';

const SHADOW = 'tried';
const GUARDRAILS: readonly (GuardrailSpec & { readonly name: string })[] = [
  { name: 'denied', decisions: 'denied', noWorse: { margin: 8 } },
  { name: 'sold', metric: 'purchases', noWorse: { margin: 8 } },
  { name: 'limit', decisions: 'failed', threshold: { above: 0.2, unitsMin: 100 } },
];
const TRIED: GuardrailSpec = { name: SHADOW, metric: 'skips', noWorse: { margin: 8 }, shadow: true };
const CELLS_OF: Readonly<Record<string, Cells>> = { denied: 'stage', sold: 'window', [SHADOW]: 'window' };

interface Engine {
  readonly evidence: Evidence;
  readonly time: VirtualTime;
  /** Statements that are under way. */
  busy: number;
  /** The part of the next stored window of a guardrail that gets lost. */
  loses: { readonly guardrail: string; readonly lost: LostPart } | undefined;
  /** Guardrails of which something hangs. */
  readonly hanging: Set<string>;
}

export interface ModelRun {
  readonly counts: ReadonlyMap<string, number>;
  /** The result of each look, without the verdict of the shadow. */
  readonly history: readonly string[];
}

/**
 * Releases one after the other, judged by two engines over one database, of which either dies or loses what it writes,
 * while sources and clocks do what they like. All follows from the seed; every look is held against the oracle.
 */
export async function playJudge(
  database: Database,
  options: { readonly seed: number; readonly steps: number; readonly shadow: boolean; readonly raced: boolean },
): Promise<ModelRun> {
  const { seed, steps, shadow, raced } = options;
  const chance = seedRandom(seed);
  const below = (count: number): number => Math.floor(chance() * count);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] ?? assert.fail();
  const counts = new Map<string, number>();
  const note = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const history: string[] = [];
  const guardrails = shadow ? [...GUARDRAILS, TRIED] : GUARDRAILS;
  const weather = new Map<string, Weather>();
  /** Time ranges in which the candidate does harm. Real time, whatever the clock shows. */
  const harm: { readonly fromMs: number; untilMs: number }[] = [];
  let shown: { readonly atMs: number; readonly stage: number; readonly percent: number }[] = [];
  let [realMs, aheadMs, number, releaseBeganMs] = [BEGIN_MS, 0, 0, BEGIN_MS];
  let intent: Intent = { at: 'nobody' };
  let object = begin();
  const engines = [start(0), start(1)];
  const dead: Engine[] = [];

  for (let step = 0; step < steps; step += 1) {
    disturb();
    await pass(pick(PASSES_MS));
    await reconcile(below(2));
    if (!isFinished(standingOf().state)) continue;
    note(standingOf().state.at);
    number += 1;
    object = begin();
  }
  return { counts, history };

  function nowMs(): number {
    return realMs + aheadMs;
  }

  function uid(): string {
    return `${seed}-${shadow ? 'shadow' : raced ? 'raced' : 'plain'}-${number}`;
  }

  function standingOf(): ReleaseEngineState {
    return Release.status(object)?.standing ?? assert.fail();
  }

  function policyOf(): PolicySpec {
    const stage = { soak: 'PT1M', promote: 'auto', maxUnknown: 0 } as const;
    return {
      selector: {},
      priority: 0,
      stages: [
        { ...stage, name: 's0', listeners: { unit: 'group', percent: 10 } },
        { ...stage, name: 's1', listeners: { unit: 'group', percent: 50 }, soak: 'PT0S' },
        { ...stage, name: 's2', listeners: { unit: 'group', percent: 50, regions: ['se'] } },
      ],
      bake: 'PT5M',
      guardrails: [...guardrails],
      judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
      onFailure: number % 2 === 0 ? 'rollBack' : 'halt',
      onUndecided: 'halt',
      queue: 'supersede',
    };
  }

  /** A release that nobody has yet. */
  function begin(): ResourceObject {
    const spec: ReleaseSpec = {
      number,
      authors: ['ann'],
      changeSet: '1',
      policy: { name: 'p', spec: policyOf() },
      objects: [],
      planHash: 'h',
      open: true,
    };
    intent = { at: 'nobody' };
    shown = [];
    releaseBeganMs = realMs;
    const standing: ReleaseEngineState = { state: { at: 'waiting', for: 'turn' }, approvals: [] };
    const status = { phase: 'Queued', message: '', standing, history: [], conditions: [] };
    return { apiVersion: 'v', kind: 'Release', metadata: { name: `cap-${number}` }, spec, status };
  }

  function start(index: number): Engine {
    const time = new VirtualTime();
    const engine: Engine = {
      evidence: { verdicts: () => assert.fail('not begun') },
      time,
      busy: 0,
      loses: undefined,
      hanging: new Set(),
    };
    const query: Queryable['query'] = async (statement) => {
      const values = typeof statement === 'string' ? [] : (statement.values ?? []);
      const isKeeping = typeof statement !== 'string' && statement.name === 'keep-release-window';
      const loses = isKeeping && values[1] === engine.loses?.guardrail ? engine.loses : undefined;
      if (loses !== undefined) engine.loses = undefined;
      engine.busy += 1;
      try {
        return await (loses === undefined ? database : losingDatabase(database, loses.lost)).query(statement);
      } finally {
        engine.busy -= 1;
      }
    };
    const sourceOf = (guardrail: GuardrailSpec): MeasureSource => sourceFor(guardrail, index, engine);
    return Object.assign(engine, {
      evidence: new ReleaseEvidence({ database: { query }, sourceOf, time, log: openLog('silent') }),
    });
  }

  function sourceFor({ name }: GuardrailSpec, index: number, engine: Engine): MeasureSource {
    const current = (): Weather => weather.get(name) ?? 'good';
    return {
      grainMs: GRAIN_MS,
      lagMs: LAG_MS,
      completeUntil: async (at) => at - (current() === 'late' ? 3_600_000 : LAG_MS),
      measure: async (window, signal) => {
        if (current() !== 'slow') return answer(name, window, current(), index);
        engine.hanging.add(name);
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            engine.hanging.delete(name);
            reject(new Error('given up'));
          }),
        );
      },
    };
  }

  /** The engines differ by `index`: the first window that is kept counts for both. */
  function answer(name: string, window: Window, as: Weather, index: number): Measurement {
    const measured = { called: name, better: 'fewer', of: 'events', isSplit: true } as const;
    const cellsAs = CELLS_OF[name] ?? 'none';
    const counted = eventsBetween(window.fromMs, window.toMs);
    const of = (track: 'candidate' | 'stable') => ({
      units: sum(counted[track].map(({ units }) => units)) + index,
      bad: sum(counted[track].map(({ bad }) => bad)),
    });
    const cells: MeasuredCells | undefined =
      cellsAs === 'none'
        ? undefined
        : cellsAs === 'window'
          ? { since: 'window', ...counted }
          : { since: 'stage', ...eventsBetween(0, realMs, window.stage) };
    const whole: Measurement = {
      at: 'measured',
      measured,
      candidate: of('candidate'),
      stable: of('stable'),
      ...(cells === undefined ? {} : { cells }),
    };
    switch (as) {
      case 'down':
        return { at: 'down', because: 'it is away' };
      case 'throws':
        throw new Error(`${name} \u0000 broke ${'😀'.repeat(200)}`);
      case 'empty':
        return { at: 'empty' };
      case 'idle':
        return { at: 'empty', requests: 0 };
      case 'notANumber':
        return { ...whole, candidate: { units: NaN, bad: 1 } };
      case 'noBad':
        return {
          ...whole,
          candidate: { ...whole.candidate, bad: 0 },
          stable: { ...whole.stable, bad: 0 },
          isBadMissing: true,
        };
      case 'part':
        return { ...whole, stable: { ...whole.stable, units: whole.stable.units - 5 } };
      default:
        return whole;
    }
  }

  /** Events so far in a time range, or in a stage. */
  function eventsBetween(fromMs: number, toMs: number, stage?: number): Pick<MeasuredCells, 'candidate' | 'stable'> {
    const all = { candidate: new Map<number, [number, number]>(), stable: new Map<number, [number, number]>() };
    const first = Math.max(fromMs, releaseBeganMs, realMs - GRAINS_MAX * GRAIN_MS);
    for (let atMs = Math.ceil(first / GRAIN_MS) * GRAIN_MS; atMs < Math.min(toMs, realMs); atMs += GRAIN_MS) {
      const had = shown.findLast((one) => one.atMs <= atMs);
      if (had === undefined || (stage !== undefined && had.stage !== stage)) continue;
      const isHarm = harm.some((one) => one.fromMs <= atMs && atMs < one.untilMs);
      for (let cell = 0; cell < CELLS_USED; cell += 1) {
        const candidate = Math.round((UNITS * had.percent) / 100);
        for (const [track, units] of [
          ['candidate', candidate],
          ['stable', UNITS - candidate],
        ] as const) {
          if (units === 0) continue;
          const rate = RATE * (isHarm && track === 'candidate' ? HARM : 1);
          const bad = Math.floor(rate * units + spread(seed + atMs / GRAIN_MS, cell * 2 + units));
          const before = all[track].get(cell) ?? [0, 0];
          all[track].set(cell, [before[0] + units, before[1] + bad]);
        }
      }
    }
    const cellsOf = (track: ReadonlyMap<number, readonly [number, number]>) =>
      [...track].map(([cell, [units, bad]]) => ({ cell, units, bad }));
    return { candidate: cellsOf(all.candidate), stable: cellsOf(all.stable) };
  }

  /** One disturbance. It draws the same random numbers with a shadow and without. */
  function disturb(): void {
    const [what, which, guardrail, how] = [below(36), below(2), pick([...GUARDRAILS, TRIED]).name, chance()];
    const state = standingOf().state;
    if (aheadMs !== 0 && how < 0.3) aheadMs = 0;
    if (what > 26) weather.clear();
    else if (what < 6) {
      const next = what < 1 ? 'good' : (WEATHERS[Math.floor(how * WEATHERS.length)] ?? 'good');
      weather.set(guardrail, next);
      note(next);
    } else if (what < 8) {
      dead.push(engines[which] ?? assert.fail());
      engines[which] = start(which);
      note('died');
    } else if (what < 11) {
      (engines[which] ?? assert.fail()).loses = { guardrail, lost: what === 8 ? 'the write' : 'its answer' };
      note('lost');
    } else if (what === 11) {
      aheadMs = LEAPS_MS[Math.floor(how * LEAPS_MS.length)] ?? 0;
      note('leapt');
    } else if (what === 12 && state.at === 'exposing') {
      intent = { at: 'nobody' };
      note('lost its cohort');
    } else if (what === 13 && how < 0.5) {
      harm.push({ fromMs: realMs, untilMs: realMs + 120_000 });
      note('harm');
    } else if (what === 14 && state.at === 'exposing') {
      const { paused, ...rest } = standingOf();
      const next = paused === undefined ? { ...rest, paused: { by: 'ann', because: 'waits', atMs: nowMs() } } : rest;
      restand(next);
      note('paused or went on');
    } else if (what === 15 && state.at === 'exposing') {
      restand({ ...standingOf(), goOn: { stage: state.stage, by: 'ann', force: false } });
      note('promoted by hand');
    } else if (what === 16 && how < 0.2 && state.at === 'exposing') {
      restand(startRollback(standingOf(), 'aborted', 'no more', 'ann'));
    }
  }

  function restand(standing: ReleaseEngineState): void {
    object = { ...object, status: { ...(object.status as object), standing } };
  }

  async function pass(ms: number): Promise<void> {
    realMs += ms;
    for (const engine of [...dead, ...engines]) {
      engine.time.advance(ms);
      await quiet(engine);
    }
    // A dead engine without a statement under way never acts again.
    for (const engine of dead.splice(0)) if (engine.hanging.size > 0) dead.push(engine);
  }

  async function quiet(engine: Engine): Promise<void> {
    for (let still = 0; still < 5; still = engine.busy === 0 ? still + 1 : 0) await tick();
  }

  /** One look of an engine, which waits for what hangs as long as it does. */
  async function look(engine: Engine, judged: JudgedRelease): Promise<ReadonlyMap<string, GuardrailVerdict>> {
    let isDone = false;
    const looking = engine.evidence.verdicts(judged, nowMs()).finally(() => (isDone = true));
    for (let turns = 0; !isDone; turns += 1) {
      assert.ok(turns < 50, 'a look does not end');
      await quiet(engine);
      if (!isDone && engine.hanging.size > 0) engine.time.advance(1_000);
    }
    return looking;
  }

  async function windowsOf(guardrail: string): Promise<StoredWindow[]> {
    const all: StoredWindow[] = [];
    for await (const page of readWindows(database, uid(), guardrail)) all.push(...page);
    return all;
  }

  async function judgedBy(which: number, judged: JudgedRelease): Promise<ReadonlyMap<string, GuardrailVerdict>> {
    const both = which === 0 ? engines : engines.toReversed();
    if (raced) await Promise.all(both.map((engine) => look(engine, judged)));
    // The next look finds lost parts, and writes of the other engine.
    const answers: ReadonlyMap<string, GuardrailVerdict>[] = [];
    for (let round = 0; round < 3; round += 1) {
      answers.length = 0;
      for (const engine of both) answers.push(await look(engine, judged));
    }
    const hanging = new Set(both.flatMap((engine) => [...engine.hanging]));
    for (const { name } of guardrails) {
      if (hanging.has(name)) continue;
      assert.deepEqual(answers[1]?.get(name), answers[0]?.get(name), `${name}: both engines say the same`);
      await hold(name, judged, answers[0]?.get(name));
    }
    return answers[0] ?? assert.fail();
  }

  /** Compares the verdict of a guardrail with its stored windows. */
  async function hold(name: string, judged: JudgedRelease, verdict: GuardrailVerdict | undefined): Promise<void> {
    const guardrail = guardrails.find((one) => one.name === name) ?? assert.fail();
    const windows = await windowsOf(name);
    assert.deepEqual(windowFaults(windows, nowMs()), [], name);
    const policy = policyOf();
    const context = { ...policy.judging, metrics: metricsOf(guardrails) };
    const [bake, grain] = [policy.stages.length, { grainMs: GRAIN_MS, lagMs: LAG_MS }];
    const lastToMs = windows.at(-1)?.toMs ?? 0;
    const isThrowing = (weather.get(name) ?? 'good') === 'throws';
    const lateMs = lateness(judged, guardrail.noWorse !== undefined, bake, grain, lastToMs, nowMs());
    assert.ok(!isThrowing || lateMs < 30_000, `${name}: what throws is kept as down`);
    const wanted = oracle(guardrail, windows, lateMs, context);
    if (wanted === undefined) {
      assert.ok(verdict === undefined || verdict.outcome === 'providerDown', name);
      return;
    }
    assert.deepEqual(pair(verdict), pair(wanted), `${name}: from all windows`);
    note(`${name}: ${wanted.outcome}`);
    if (lateMs === 0) await again(guardrail, verdict ?? assert.fail(), windows.length);
    await holdCells(name);
  }

  /** A replay of the stored windows gives the same verdict. */
  async function again(guardrail: GuardrailSpec, verdict: GuardrailVerdict, count: number): Promise<void> {
    const entry = { uid: uid(), object: () => object } as unknown as Entry;
    const [answers] = judgements({ store: { get: () => entry, fresh: async () => {} }, database }).values();
    const call = { name: object.metadata.name } as never;
    const spec = { guardrail: guardrail.name, replay: true };
    const given = await answers?.({ ...object, kind: 'Judgement', spec }, call);
    const status = (given as unknown as { status: { verdicts: object[]; windows: { verdict: object }[] } }).status;
    const wanted = guardrailStatus(guardrail, verdict);
    assert.deepEqual(status.verdicts, [wanted], 'judged again');
    assert.equal(status.windows.length, count);
    assert.deepEqual(status.windows.at(-1)?.verdict, wanted, 'replayed');
  }

  /** A cell counts at most the events that happened in it. */
  async function holdCells(name: string): Promise<void> {
    const kept = await readCellState(database, uid(), name);
    if (kept === undefined) return;
    const all = eventsBetween(0, Infinity);
    for (const track of ['candidate', 'stable'] as const) {
      for (const { cell, units } of all[track]) {
        const counted: number = kept.state.release[track].units[cell] ?? 0;
        assert.ok(counted <= units, `${name}: ${counted} units of ${units} in cell ${cell} of ${track}`);
      }
    }
  }

  /** The release goes on as far as it does at this moment. */
  async function reconcile(which: number): Promise<void> {
    for (let rounds = 0; ; rounds += 1) {
      assert.ok(rounds < 20, 'the release does not come to rest');
      const spec = object.spec as ReleaseSpec;
      const standing = standingOf();
      const { state } = standing;
      const policy = policyOf();
      const judged: ReadonlyMap<string, GuardrailVerdict> =
        state.at === 'exposing' && state.seenMs !== undefined
          ? await judgedBy(which, {
              name: object.metadata.name,
              uid: uid(),
              spec,
              stage: state.stage,
              splits: stagesOf(policy).map((_, index) => splitIn(policy, index, [LISTENERS])),
              seenMs: state.seenMs,
              earlier: state.earlier ?? [],
            })
          : new Map();
      const before = Release.status(object);
      const verdicts = withFailures(judged, before?.guardrails);
      const seen = {
        nowMs: nowMs(),
        targets: [{ name: LISTENERS.name, intent, places: [] }],
        remains: [],
        problems: [],
        takenBackChanges: [],
        withoutRight: new Set<string>(),
        behind: [],
        verdicts,
        restored: true,
        awakeSinceMs: 0,
        asleepSinceMs: 0,
      };
      const step = advance(spec, standing, seen);
      const next = step.standing.state;
      const isNextStage = next.at === 'exposing' && state.at === 'exposing' && next.stage !== state.stage;
      if (state.at === 'exposing' && (isNextStage || next.at === 'promoting' || next.at === 'promoted')) {
        for (const { name } of isBake(policy, state.stage) ? [] : actingOf(guardrails)) {
          const windows = await windowsOf(name);
          assert.ok(hasOwnWindow(windows, state.stage, state.seenMs ?? Infinity), `${name}: no window of its own`);
          assert.equal(verdicts.get(name)?.outcome, 'pass');
        }
        note('went on');
      }
      if (state.at === 'exposing' && isBake(policy, state.stage) && next.at === 'exposing')
        assert.equal(next.stage, state.stage, 'a bake is the last stage');
      const failed = actingOf(guardrails).filter(({ name }) => verdicts.get(name)?.outcome === 'fail');
      if (state.at === 'exposing' && next.at === 'retracting')
        assert.ok(failed.length > 0 && policy.onFailure === 'rollBack', 'only a failure takes it back');
      if (failed.length > 0 && state.at === 'exposing')
        assert.ok(policy.onFailure === 'rollBack' ? next.at !== 'exposing' : !isNextStage, 'a failure goes on');
      const written = writeStep(object, step, { verdicts, nowMs: nowMs() }).find(
        (one) => 'part' in one && one.part === 'status',
      );
      if (written !== undefined && 'object' in written) {
        object = JSON.parse(JSON.stringify(written.object)) as ResourceObject;
        for (const { name, outcome, figures } of before?.guardrails ?? []) {
          const now = Release.status(object)?.guardrails?.find((one) => one.name === name);
          if (outcome === 'fail' && figures.of !== 'nothing') assert.equal(now?.outcome, 'fail', `${name}: it failed`);
        }
        const others = Release.status(object)?.guardrails?.filter(({ name }) => name !== SHADOW);
        const stands = JSON.stringify([uid().split('-').at(-1), Release.status(object)?.phase, standingOf(), others]);
        // A write that changes only the shadow is no step of the release.
        if (history.at(-1) !== stands) history.push(stands);
        // Its own write is a reason to look again.
        if (!isFinished(next)) continue;
      } else {
        for (const effect of step.effects) {
          if (effect.do === 'expose') {
            intent = { at: 'stage', stage: effect.stage };
            const percent = (splitIn(policy, effect.stage, [LISTENERS])?.share ?? 1) * 100;
            shown.push({ atMs: realMs, stage: effect.stage, percent });
          } else if (effect.do === 'promote') intent = { at: 'everybody' };
          else if (effect.do === 'retract') intent = { at: 'nobody' };
        }
        if (step.effects.length > 0) continue;
      }
      return;
    }
  }
}

function pair(verdict: Pick<GuardrailVerdict, 'outcome' | 'figures'> | undefined): unknown {
  return verdict === undefined ? undefined : { outcome: verdict.outcome, figures: verdict.figures };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

/** Numbers in [0, 1), evenly spread, always the same for the same two. */
function spread(one: number, other: number): number {
  return (one * 0.414_213_562_373 + other * 0.618_033_988_749) % 1;
}

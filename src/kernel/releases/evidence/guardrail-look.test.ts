import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JudgedRelease } from '../evidence.ts';
import { policySpec } from '../kinds/release-policy.ts';
import type { MeasureSource } from './measure-source.ts';
import { isStageAgain, judgeGuardrail, scheduleOf, type GuardrailLook } from './guardrail-look.ts';
import { addKept, NO_TALLY, type StoredWindow, type Tally } from './tally.ts';

const MINUTE = 60_000;
const SOURCE: MeasureSource = {
  grainMs: 1_000,
  lagMs: 10_000,
  completeUntil: async (nowMs) => nowMs,
  measure: async () => ({ at: 'empty' }),
};
const POLICY = policySpec({
  spec: {
    selector: {},
    stages: [{ name: 'few' }, { name: 'many' }],
    bake: 'PT10M',
    judging: { every: 'PT1M' },
    guardrails: [
      { name: 'denials', noWorse: { by: 1.1 } },
      { name: 'load', metric: 'load', atMost: { value: 9 } },
    ],
  },
});

function look(of: number, release: Partial<JudgedRelease>, nowMs = 0): GuardrailLook {
  const guardrail = POLICY.guardrails[of];
  assert.ok(guardrail !== undefined);
  const judged = {
    name: 'r',
    uid: 'u',
    stage: 0,
    splits: [],
    seenMs: 0,
    earlier: [],
    ...release,
  } as unknown as JudgedRelease;
  return { release: judged, policy: POLICY, guardrail, source: SOURCE, nowMs };
}

const AGAIN: readonly (readonly [
  title: string,
  earlier: readonly number[],
  now: number,
  stage: number,
  is: boolean,
])[] = [
  ['the first stage', [], 0, 0, false],
  ['one after the other', [0, 1], 2, 1, false],
  ['begun anew without another between', [0, 0], 0, 0, false],
  ['rolled back and shown again', [0, 1], 0, 0, true],
  ['rolled back, and the later stage', [0, 1, 0], 1, 1, true],
  ['another stage was rolled back', [0, 1, 0], 1, 2, false],
];

for (const [title, earlier, stage, asked, is] of AGAIN) {
  test(`a stage that was left and entered again is recognized: ${title}`, () => {
    const stretches = earlier.map((one) => ({ stage: one, seenMs: 0, untilMs: 1 }));
    assert.equal(isStageAgain({ stage, earlier: stretches }, asked), is);
  });
}

test('while it bakes, what compares is measured to the end of the stages before, and a threshold goes on', () => {
  const earlier = [
    { stage: 0, seenMs: 1, untilMs: 2 },
    { stage: 2, seenMs: 3, untilMs: 4 },
  ];
  const baking = { stage: 2, seenMs: 5, earlier };
  assert.deepEqual(scheduleOf(look(0, baking), NO_TALLY).stretches, [earlier[0]]);
  assert.deepEqual(scheduleOf(look(1, baking), NO_TALLY).stretches, [...earlier, { stage: 2, seenMs: 5 }]);
  const inStage = { stage: 1, seenMs: 5, earlier };
  assert.deepEqual(scheduleOf(look(0, inStage), NO_TALLY).stretches, [...earlier, { stage: 1, seenMs: 5 }]);
});

function tallyUntil(toMs: number): Tally {
  const kept: StoredWindow = {
    guardrail: 'denials',
    fromMs: toMs - MINUTE,
    toMs,
    stage: 0,
    share: 0.5,
    reading: {
      at: 'measured',
      measured: { called: 'Denials', better: 'fewer', of: 'events', isSplit: true },
      candidate: { units: 100, bad: 1 },
      stable: { units: 100, bad: 1 },
    },
    judgeVersion: 1,
    atMs: toMs,
  };
  return addKept(look(0, {}).guardrail, NO_TALLY, kept);
}

test('there is no verdict without measurements, until its source is late for longer than two windows', () => {
  assert.equal(judgeGuardrail(look(0, {}, 2 * MINUTE), NO_TALLY, 'it waits'), undefined);
  assert.equal(judgeGuardrail(look(0, {}, 5 * MINUTE), NO_TALLY, undefined), undefined);
  const late = judgeGuardrail(look(0, {}, 5 * MINUTE), NO_TALLY, 'it waits');
  assert.equal(late?.isOfStage, false);
  assert.match(late?.because ?? '', /it waits/);
});

test('a window measured since the stage was seen is of the stage, and one of the future is stale', () => {
  const tally = tallyUntil(3 * MINUTE);
  assert.equal(judgeGuardrail(look(0, { seenMs: MINUTE }, 3 * MINUTE), tally, undefined)?.isOfStage, true);
  assert.equal(judgeGuardrail(look(0, { seenMs: 3 * MINUTE }, 4 * MINUTE), tally, undefined)?.isOfStage, false);
  const ahead = judgeGuardrail(look(0, { seenMs: MINUTE }, 2 * MINUTE), tally, undefined);
  assert.deepEqual([ahead?.outcome, ahead?.isOfStage], ['stale', false]);
});

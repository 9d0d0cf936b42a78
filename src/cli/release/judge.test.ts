import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differencesIn, replayLines, type JudgeAnswer, type Window } from './judge.ts';
import type { Guardrail } from './release-object.ts';
import { release } from './testing/releases.ts';

function verdict(outcome: string, harm: number): Guardrail {
  const figures = {
    of: 'riskRatio' as const,
    candidate: { units: 100, bad: 9 },
    stable: { units: 900, bad: 9 },
    ratio: 9,
    bounds: { from: 1, to: null },
    harm: { value: harm, needed: 20 },
    safety: { value: 0.5, needed: 20 },
    dispersion: { harm: 1.234 },
  };
  return { name: 'denials', outcome, because: `It is ${outcome} at ${harm}.`, figures };
}

function window(minute: number, more: Partial<Window>): Window {
  const counts = { candidate: { units: 100, bad: 9 }, stable: { units: 900, bad: 9 } };
  const to = `2026-11-22T09:4${minute}:00Z`;
  return { guardrail: 'denials', to, stage: 1, reading: { at: 'measured', ...counts }, ...more };
}

const replay = (...verdicts: readonly Guardrail[]): JudgeAnswer => ({
  judgeVersion: 2,
  verdicts: [verdicts.at(-1) ?? { name: 'denials' }],
  windows: verdicts.map((one, index) => window(index, { verdict: one })),
  windowsLeftOut: 0,
});

const judgedAs = (guardrail: Guardrail | undefined) =>
  release({ status: { guardrails: guardrail === undefined ? [] : [guardrail] } });

test('a replay is a line a window, with what was counted and the evidence for and against', () => {
  const judged = {
    ...replay(verdict('undecided', 3)),
    windows: [
      window(0, { verdict: verdict('undecided', 3) }),
      window(1, {
        reading: { at: 'down' },
        verdict: { ...verdict('providerDown', 1), shadow: true, figures: { of: 'nothing' } },
      }),
    ],
    windowsLeftOut: 7,
  };
  assert.deepEqual(replayLines(judgedAs(undefined), judged, ['denials: another'], 'UTC'), [
    '7 earlier windows count too but are not shown.',
    'TIME                  GUARDRAIL   STAGE   CANDIDATE   STABLE   HARM      SAFETY      DISPERSION   VERDICT',
    '2026-11-22 09:40:00   denials     tenth   9/100       9/900    3 of 20   0.5 of 20   1.23         undecided',
    '2026-11-22 09:41:00   denials     tenth   down                                                    providerDown (shadow)',
    'denials: another',
  ]);
});

test('differences between the release and the replay are listed', () => {
  const [start, harm, after] = [verdict('undecided', 1), verdict('fail', 30), verdict('undecided', 12)];
  const differences = (answer: Guardrail | undefined, ...looks: readonly Guardrail[]) =>
    differencesIn(judgedAs(answer), replay(...looks)).length;
  assert.equal(differences(start, start), 0);
  assert.equal(differences(harm, start, harm, after), 0, 'a failure that was read stays');
  assert.equal(differences(start, start, harm), 1);
  assert.equal(differences(after, start, harm, after), 1);
  assert.equal(differences(start, after), 1, 'the same outcome by other numbers');
  assert.equal(differences(undefined, start), 1);
  assert.equal(differences(undefined), 0);
  assert.equal(differences({ ...start, outcome: 'stale' }, start), 0, 'a source that fell silent is in no window');
  assert.equal(differences({ ...start, outcome: 'stale' }, after), 1);
  assert.equal(differences({ ...start, outcome: 'stale' }, harm), 1);
  assert.equal(differences({ ...start, outcome: 'providerDown', figures: { of: 'nothing' } }), 0);
  assert.match(
    differencesIn(judgedAs(start), replay(harm))[0] ?? '',
    /^denials: the release has undecided \(It is undecided at 1\.\); the replay fail \(It is fail at 30\.\)$/,
  );
});

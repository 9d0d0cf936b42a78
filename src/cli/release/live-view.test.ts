import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { createColors } from 'picocolors';
import { frame } from './frame.ts';
import { liveView } from './live-view.ts';
import { releaseText } from './show.ts';
import type { Guardrail, ReleaseObject } from './release-object.ts';
import { stageTrack } from './stage-track.ts';
import { NOW_MS, ratioGuardrail, release, stage, viewOf } from './testing/releases.ts';
import { widthOf } from './terminal-text.ts';

const showView = (one: ReleaseObject, width: number): string => `\n${liveView(one, viewOf(width)).join('\n')}\n`;

test('a release in a stage is shown with its track, its cohort, what is left, and the evidence', () => {
  assert.equal(
    showView(release({ status: { guardrails: [ratioGuardrail()] } }), 80),
    `
premium-4211  Progressing
Plan/premium, Price/premium-de · by ann · policy prices

● first 1% ━━ ◉ tenth 10% markets de ── ○ half 50% ── ○ everybody
share     ███░░░░░░░░░░░░░░░░░░░░░░░░░░░  10% markets de · by household
soak      █████████████████▊░░░░░░░░░░░░  4:05 left of 10:00
deadline  ██▉░░░░░░░░░░░░░░░░░░░░░░░░░░░  54:05 left of 1:00:00
Soaks until 2026-11-22T10:04:05Z.

denials  undecided     2,310 more units  1.1× (0.71–1.62)  33/1,204 against 270…
  harm   ██▊░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  1.3 of 40
  safety ████████████████████░░░░░░░░░░░░░░░░░░░░  4.5 of 20
  denials: 1.1 times as often as stable: cannot tell yet; evidence of harm 1.3
  of 40, of safety 4.5 of 20.

09:40:00  Waiting           ann: Just created.
09:40:01  Progressing       first: Going live in this stage.
09:54:00  Progressing       tenth: Going live in this stage.
`,
  );
});

test('targets are shown where there are several, with the places that are not healthy', () => {
  const place = (name: string, state: string, more: object = {}) => ({
    name,
    state,
    wanted: 'c23eef86',
    observed: state === 'healthy' ? 'c23eef86' : 'be760ae9',
    ...more,
  });
  const targets = [
    {
      name: 'venues',
      stage: 'tenth',
      state: 'unknown',
      places: [
        place('hall', 'unknown', { message: 'it was not heard of', observedAt: '2026-11-22T09:50:00Z' }),
        place('arena', 'healthy', { healthySince: '2026-11-22T09:45:00Z' }),
      ],
    },
    { name: 'listeners', state: 'healthy', places: [place('decision plane', 'healthy')] },
  ];
  const remains = [{ undo: 'keep', says: 'The votes for chart top stay.' }];
  const one = release({ status: { targets, remains } });
  const lines = liveView(one, viewOf(100));
  assert.ok(
    lines.includes('venues     unknown      1/2  tenth  hall is unknown (it was not heard of)'),
    lines.join('\n'),
  );
  assert.ok(lines.includes('listeners  healthy      1/1  not started'), lines.join('\n'));
  const text = releaseText(one, { changes: [], isAll: false }, [], viewOf(100));
  assert.match(text, /be760ae9, desired c23eef86 +it was not heard of, seen at 2026-11-22 09:50/);
  assert.match(text, /arena +healthy +tenth +c23eef86 +since 2026-11-22 09:45/);
  assert.match(text, /A rollback would leave\n +The votes for chart top stay\./);
  const alone = release({ status: { targets: targets.slice(1) } });
  assert.doesNotMatch(liveView(alone, viewOf(100)).join('\n'), /decision plane|listeners  healthy/);
});

test('a release that bakes is shown as one that everybody has and that is still judged, with its shadows', () => {
  const spec = {
    unit: 'household',
    stages: [stage('first', 1)],
    bake: 'PT10M',
    guardrails: [{ name: 'denials' }, { name: 'trial', shadow: true }],
  };
  const baking = release({
    spec: { policy: { name: 'prices', spec } },
    status: { stage: 'bake', share: 100, message: 'Bakes until 2026-11-22T10:04:05Z.' },
  });
  const lines = liveView(baking, viewOf(80));
  assert.ok(lines.includes('● first 1% ━━ ◉ bake 100% ── ○ everybody'));
  assert.ok(lines.some((line) => /^share +█+ +100% · by household$/.test(line)));
  assert.ok(lines.some((line) => /^bake +█.* 4:05 left of 10:00$/.test(line)));
  assert.ok(lines.includes('trial    not judged yet (shadow: no effect)'));
});

test('on a wide screen the evidence for harm and for safety stand beside each other', () => {
  const lines = liveView(release({ status: { guardrails: [ratioGuardrail()] } }), viewOf(130));
  assert.equal(
    lines.find((line) => line.includes('harm ')),
    '  harm   ██▍░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  1.3 of 40           safety █████████████████▌░░░░░░░░░░░░░░░░░  4.5 of 20',
  );
});

test('a release that waits for somebody says for which user and how', () => {
  const waiting = release({
    spec: {
      policy: {
        name: 'prices',
        spec: { stages: [stage('first', 1)], guardrails: [], approvals: { required: 2 } },
      },
    },
    status: {
      phase: 'AwaitingApproval',
      message: 'Waits for 1 approval of plan 3fa812cc90aa.',
      nextAt: '2026-11-23T10:00:00Z',
      approvals: {
        needed: [{ policy: 'prices', required: 2, given: 1 }],
        given: [
          { user: 'bob', counts: true },
          { user: 'eve', counts: false, because: 'it is for another plan' },
        ],
      },
      standing: {
        state: { at: 'waiting' },
        approvals: [
          { user: 'bob', atMs: NOW_MS, planHash: '3fa812cc90aa17' },
          { user: 'eve', atMs: NOW_MS, planHash: 'another' },
        ],
      },
      history: [],
    },
  });
  const { stage: _stage, share: _share, ...status } = waiting.status ?? assert.fail();
  assert.equal(
    showView({ ...waiting, status }, 100),
    `
premium-4211  AwaitingApproval
Plan/premium, Price/premium-de · by ann · policy prices

○ first 1% ── ○ everybody
lapses    24:00:00 left
Waits for 1 approval of plan 3fa812cc90aa.
1 of 2 approvals · approver (not ann): backline release show premium-4211

`,
  );
});

test('a freeze is counted down, and holds the soak', () => {
  const frozen = release({
    status: {
      held: 'Freeze nights holds until 2026-11-22T12:00:00Z: Nobody is awake (platform)',
      message: 'Freeze nights holds until 2026-11-22T12:00:00Z: Nobody is awake (platform)',
      nextAt: '2026-11-22T12:00:00Z',
    },
  });
  const text = showView(frozen, 80);
  assert.match(text, /^freeze {4}2:00:00 left$/m);
  assert.doesNotMatch(text, /^soak/m);
  assert.equal(text.split('Freeze nights').length, 2, 'it appears once');
});

const ENDS: readonly [phase: string, at: string, share: RegExp, track: string][] = [
  ['Promoted', 'promoted', /^share {5}█+ {2}everybody$/m, '● first ━ ● tenth ━ ● half ━ ● everybody'],
  ['RolledBack', 'rolledBack', /^share {5}░+ {2}nobody$/m, '● first ━ ✗ tenth ─ ○ half ─ ○ everybody'],
  ['Aborted', 'aborted', /^share {5}░+ {2}nobody$/m, '● first ━ ✗ tenth ─ ○ half ─ ○ everybody'],
];

for (const [phase, at, share, track] of ENDS) {
  test(`a release that is ${phase} shows who has it and how far it came`, () => {
    const { stage: _stage, share: _share, nextAt: _nextAt, ...status } = release().status ?? assert.fail();
    const ended = { ...release(), status: { ...status, phase, standing: { state: { at }, approvals: [] } } };
    assert.match(showView(ended, 80), share);
    assert.equal(stageTrack(ended, viewOf(46)), track);
  });
}

test('a track that does not fit says where it is among how many', () => {
  const stages = Array.from({ length: 12 }, (_, index) => stage(`stage-number-${index}`, index + 1));
  const policy = { name: 'many', spec: { unit: 'listener', stages, guardrails: [] } };
  const one = release({
    spec: { policy },
    status: { standing: { state: { at: 'exposing', stage: 4 }, approvals: [] } },
  });
  assert.equal(stageTrack(one, viewOf(60)), '●━●━●━●━◉─○─○─○─○─○─○─○─○  stage-number-4 5%  5 of 13');
});

const JUDGED: readonly [figures: Guardrail['figures'], text: RegExp][] = [
  [{ of: 'nothing' }, /^denials {2}noData\n {2}it is so$/m],
  [
    {
      of: 'threshold',
      value: 0.034,
      units: 4_310,
      beyond: { value: 1, needed: 20 },
      within: { value: 20, needed: 20 },
    },
    /0\.034 {2}of 4,310\n {2}harm {3}░+ {2}1 of 20\n {2}safety █+ {2}20 of 20$/m,
  ],
  [
    {
      of: 'burnRate',
      rule: { factor: 14.4, longMs: 1, shortMs: 1 },
      candidate: { long: 3.25, short: 20 },
      stable: { long: 1, short: 1 },
      harm: { value: 1e15, needed: 20 },
    },
    /burns 3\.25× and 20× of 14\.4×, stable 1×\n {2}harm {3}█{40} {2}>100,000 of 20$/m,
  ],
];

for (const [figures, text] of JUDGED) {
  test(`a guardrail with figures of ${figures.of} is shown by what there is`, () => {
    const guardrail = { name: 'denials', outcome: 'noData', because: 'it is so', figures };
    assert.match(showView(release({ status: { guardrails: [guardrail] } }), 90), text);
  });
}

const anyText = fc.string({ unit: 'grapheme', maxLength: 200 });
const anyRelease = fc
  .record({ name: anyText, message: anyText, held: fc.option(anyText), because: anyText, moment: anyText })
  .map(({ name, message, held, because, moment }) =>
    release({
      name,
      status: {
        message,
        ...(held === null ? {} : { held }),
        guardrails: [ratioGuardrail({ because })],
        history: [{ at: '2026-11-22T09:40:00Z', phase: 'Waiting', by: name, message: moment }],
      },
    }),
  );

test('whatever is written in a release, no line is wider than the screen, and colours change nothing else', () => {
  fc.assert(
    fc.property(anyRelease, fc.integer({ min: 60, max: 200 }), (one, width) => {
      const lines = liveView(one, viewOf(width));
      for (const line of lines) assert.ok(widthOf(line) <= width, line);
      const coloured = liveView(one, viewOf(width, { colours: createColors(true) }));
      assert.deepEqual(
        coloured.map((line) => stripVTControlCharacters(line).trimEnd()),
        lines.map((line) => line.trimEnd()),
      );
    }),
  );
});

test('several releases are shown in brief, by number, with those that have ended below', () => {
  const ended = release({
    name: 'layout-4',
    spec: { number: 4, open: false },
    status: { phase: 'Promoted', message: 'Live for everyone.' },
  });
  const releases = new Map(
    [release({ name: 'b-7', spec: { number: 7 } }), release({ name: 'a-6', spec: { number: 6 } }), ended].map((one) => [
      one.metadata.name,
      one,
    ]),
  );
  const lines = frame({ releases }, undefined, viewOf(100));
  assert.deepEqual(
    lines.map((line) => line.split(/\s+/).slice(0, 2).join(' ')),
    ['a-6 Progressing', 'b-7 Progressing', '', 'ended', 'layout-4 Promoted'],
  );
  assert.match(lines[0] ?? '', /tenth 10% +soak 4:05 +Soaks until/);
  assert.match(frame({ releases: new Map() }, undefined, viewOf(80))[0] ?? '', /^No release is open/);
});

test('an unavailable server is shown above the last view', () => {
  const one = release();
  const lines = frame(
    { releases: new Map([[one.metadata.name, one]]), away: 'it left' },
    one.metadata.name,
    viewOf(80),
  );
  assert.equal(lines[0], 'Server unavailable: it left. Retrying.');
  assert.match(lines[2] ?? '', /^premium-4211/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseText } from './apply-release.ts';
import { changeLine } from './change-line.ts';
import { parseDuration, parseUntil } from './duration-option.ts';
import { failureOf, outcomeText } from './outcome.ts';
import type { ReleaseStatus } from './release-object.ts';
import { ratioGuardrail, release, stage, viewOf } from './testing/releases.ts';

const { colours } = viewOf(80);

const outcomeOfEnd = (phase: string, at: string, message: string, by: string) =>
  release({ status: { phase, message, standing: { state: { at, by }, approvals: [] } } });

const OUTCOMES: readonly [ReturnType<typeof release>, text: string, remedy: RegExp | undefined][] = [
  [outcomeOfEnd('Promoted', 'promoted', 'x', ''), 'Release premium-4211 is promoted: live for everyone.', undefined],
  [
    outcomeOfEnd('RolledBack', 'rolledBack', 'denials: twice as often.', 'system:releases'),
    'release premium-4211 was rolled back: denials: twice as often.',
    /backline release unpin premium-4211$/,
  ],
  [
    outcomeOfEnd('Aborted', 'aborted', 'wrong file', 'bob'),
    'release premium-4211 was aborted by bob: wrong file',
    /start over/,
  ],
  [
    outcomeOfEnd('Superseded', 'superseded', 'Release b supersedes it.', 'bob'),
    'release premium-4211 was superseded: Release b supersedes it.',
    /list --open/,
  ],
];

for (const [one, text, remedy] of OUTCOMES) {
  test(`the result has its reason and a remedy: ${text}`, () => {
    assert.equal(outcomeText(one), text);
    const failure = failureOf(one);
    if (remedy === undefined) assert.equal(failure, undefined);
    else assert.match(failure?.remedy ?? '', remedy);
  });
}

test('a release that has not come to its end is no failure', () => assert.equal(failureOf(release()), undefined));

const outcomeOfApply = (status: Partial<ReleaseStatus>) => releaseText(release({ status }), colours);

test('a release that apply began says where it stands, and the command for the user who has to act', () => {
  assert.equal(
    outcomeOfApply({}),
    `Release premium-4211 by policy prices: Progressing. Soaks until 2026-11-22T10:04:05Z.
→ to follow it: backline release watch premium-4211`,
  );
  const approvals = { required: 1 };
  const policy = { name: 'prices', spec: { stages: [stage('one', 1)], guardrails: [], approvals } };
  const waiting = release({
    spec: { policy },
    status: {
      phase: 'AwaitingApproval',
      message: 'Waits for 1 approval of plan 3fa812cc90aa.',
      approvals: { needed: [{ policy: 'prices', required: 1, given: 0 }], given: [] },
    },
  });
  assert.equal(
    releaseText(waiting, colours).split('\n')[1],
    '→ 0 of 1 approvals; approver (not ann): backline release approve premium-4211 --plan 3fa812cc90aa17',
  );
  assert.match(outcomeOfApply({ phase: 'Collecting' }), /backline release seal premium-4211$/m);
});

test('a change without a policy is one line', () => {
  const { policy: _policy, ...spec } = release().spec;
  const atOnce = { ...release({ status: { phase: 'Promoted' } }), spec: { ...spec, open: false } };
  assert.equal(releaseText(atOnce, colours), 'Live for everyone at once (release premium-4211).');
});

test('a line of a log tells the phase, the stage, what the guardrails say, and why', () => {
  assert.equal(
    changeLine(release({ status: { guardrails: [ratioGuardrail()], message: 'a\u001b[2Jb\nc' } })),
    'premium-4211  Progressing  tenth 10%  denials=undecided  ab c',
  );
});

const DURATIONS: readonly [text: string, ms: number | undefined][] = [
  ['0s', 0],
  ['90s', 90_000],
  ['1h30m', 5_400_000],
  ['2d', 172_800_000],
  ['PT10M', 600_000],
  ['10', undefined],
  ['10m later', undefined],
  ['', undefined],
];

for (const [text, ms] of DURATIONS) {
  test(`a length of time "${text}" is ${ms === undefined ? 'refused' : `${ms} ms`}`, () => {
    if (ms === undefined) assert.throws(() => parseDuration(text), /It must be a duration like 90s/);
    else assert.equal(parseDuration(text), ms);
  });
}

test('a pin ends at a moment, or so long from now', () => {
  assert.equal(parseUntil('2026-12-01T00:00:00Z'), '2026-12-01T00:00:00Z');
  const before = Date.now();
  const until = Date.parse(parseUntil('24h'));
  assert.ok(until >= before + 86_400_000 - 1_000 && until <= Date.now() + 86_400_000);
  assert.throws(() => parseUntil('tomorrow'), /It must be a time like/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { judgeVersion } from '#kernel/statistics/verdict.ts';
import type { GuardrailVerdict } from '../evidence.ts';
import { Release } from '../kinds/release.ts';
import type { ReleaseStep } from './advance.ts';
import { writeStep } from './release-writes.ts';

const NOW_MS = Date.parse('2026-11-22T10:00:00Z');

const object: ResourceObject = {
  apiVersion: Release.apiVersion,
  kind: Release.kind,
  metadata: { name: 'premium-7' },
  spec: {
    policy: { name: 'prices', spec: { stages: [], guardrails: [{ name: 'denials' }, { name: 'errors' }] } },
    open: true,
  },
};
const step: ReleaseStep = {
  standing: { state: { at: 'promoting' }, approvals: [] },
  effects: [],
  tell: [],
  phase: 'Promoting',
  message: 'Going live for everyone.',
};

test('the verdict of the judge is in the status, with the number of units still needed where evidence is missing', () => {
  const verdict = { judgeVersion, isOfStage: true, figures: { of: 'nothing' } } as const;
  const verdicts = new Map<string, GuardrailVerdict>([
    ['denials', { ...verdict, outcome: 'undecided', because: 'too few', unitsNeeded: { toPass: 1_200, toFail: null } }],
    ['errors', { ...verdict, outcome: 'noData', because: 'nothing' }],
  ]);
  const [written] = writeStep(object, step, { verdicts, nowMs: NOW_MS });
  assert.ok(written?.verb === 'update');
  assert.deepEqual(Release.status(written.object as ResourceObject)?.guardrails, [
    {
      name: 'denials',
      outcome: 'undecided',
      because: 'too few',
      figures: { of: 'nothing' },
      unitsNeeded: { toPass: 1_200, toFail: null },
    },
    { name: 'errors', outcome: 'noData', because: 'nothing', figures: { of: 'nothing' } },
  ]);
});

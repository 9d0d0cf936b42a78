import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policySpec } from '../kinds/release-policy.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseState } from '../kinds/release-status.ts';
import type { PlaceState } from '../kinds/target.ts';
import type { Effect, ReleaseStep } from './advance.ts';
import { lookAfterMs, lookAgainMs } from './look-again.ts';
import type { TargetObservation } from './progress.ts';

const NOW_MS = 100_000;
const WAITING: ReleaseState = { at: 'waiting', for: 'approval' };
const EXPOSING: ReleaseState = { at: 'exposing', stage: 0, sinceMs: 0, heldMs: 0 };
const PROMOTED: ReleaseState = { at: 'promoted', atMs: 0 };
const GUARDRAIL = { name: 'errors', metric: 'errors', noWorse: { by: 0.1 } };

function spec(isGuarded = false): ReleaseSpec {
  const policy = policySpec({
    spec: { judging: { every: 'PT30S' }, ...(isGuarded ? { guardrails: [GUARDRAIL] } : {}) },
  });
  const plain = { number: 1, authors: ['ann'], changeSet: '1', objects: [], planHash: 'p', open: true };
  return { ...plain, policy: { name: 'p', spec: policy } };
}

function step(state: ReleaseState, wakeAtMs?: number): ReleaseStep {
  const wake = wakeAtMs === undefined ? {} : { wakeAtMs };
  return { standing: { state, approvals: [] }, effects: [], tell: [], phase: 'Waiting', message: '', ...wake };
}

function targets(...states: PlaceState[]): TargetObservation[] {
  const places = states.map((state, index) => ({ name: `${index}`, wanted: 'w', state }));
  return [{ name: 't', intent: { at: 'nobody' }, places }];
}

interface Row {
  readonly title: string;
  readonly step: ReleaseStep;
  readonly seen?: TargetObservation[];
  readonly isFollowed?: boolean;
  readonly isGuarded?: boolean;
  readonly afterMs: number | undefined;
}

const TABLE: readonly Row[] = [
  { title: 'never, at its end', step: step(PROMOTED, NOW_MS + 5), seen: targets('unknown'), afterMs: undefined },
  { title: 'when something changes', step: step(WAITING), seen: targets('progressing'), afterMs: undefined },
  { title: 'when time alone may bring it on', step: step(WAITING, NOW_MS + 40_000), afterMs: 40_000 },
  { title: 'at once, when that time has passed', step: step(WAITING, NOW_MS - 1), afterMs: 1 },
  { title: 'when there is something new to judge', step: step(EXPOSING), isGuarded: true, afterMs: 30_000 },
  { title: 'not to judge while it waits', step: step(WAITING), isGuarded: true, afterMs: undefined },
  { title: 'not to judge without guardrails', step: step(EXPOSING), seen: targets('healthy'), afterMs: undefined },
  {
    title: 'soon, while a place goes on',
    step: step(EXPOSING),
    seen: targets('unknown', 'progressing'),
    afterMs: 1_000,
  },
  { title: 'while a place is unknown', step: step(EXPOSING), seen: targets('healthy', 'unknown'), afterMs: 5_000 },
  { title: 'while a place has failed', step: step(EXPOSING), seen: targets('failed'), afterMs: 5_000 },
  { title: 'while a target follows by and by', step: step(EXPOSING), isFollowed: true, afterMs: 5_000 },
  { title: 'at the first of them', step: step(EXPOSING, NOW_MS + 700), seen: targets('progressing'), afterMs: 700 },
];

for (const { title, step: taken, seen = [], isFollowed = false, isGuarded = false, afterMs } of TABLE) {
  test(`a release is looked at again ${title}`, () => {
    assert.equal(lookAgainMs(spec(isGuarded), taken, seen, { nowMs: NOW_MS, isFollowed }), afterMs);
  });
}

test('after an effect it is looked at at once, and later when nothing shows of it yet', () => {
  const expose: Effect = { do: 'expose', target: 't', stage: 0 };
  const restore: Effect = { do: 'restore', pin: true };
  const before = targets('healthy');
  const after = before.map((one) => ({ ...one, intent: { at: 'stage', stage: 0 } as const }));
  assert.equal(lookAfterMs([expose], before, after), 0);
  assert.equal(lookAfterMs([expose], before, targets('progressing')), 1_000);
  assert.equal(lookAfterMs([restore], before, before), 0);
});

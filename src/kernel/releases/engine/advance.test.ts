import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policySpec } from '../kinds/release-policy.ts';
import type { ReleaseSpec, Side } from '../kinds/release-spec.ts';
import type { ReleaseEngineState, ReleaseState } from '../kinds/release-status.ts';
import type { PlaceState } from '../kinds/target.ts';
import {
  advance,
  startRollback,
  supersedeStep,
  suspendStep,
  type ReleaseObservation,
  type ReleaseStep,
} from './advance.ts';
import type { EffectiveVerdicts } from './effective-verdicts.ts';
import type { Intent, TargetObservation } from './progress.ts';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
const NOW = Date.UTC(2026, 4, 1, 12);

const GUARDRAIL = { name: 'harm', decisions: 'failed', noWorse: {} };
const STAGES = [
  { name: 'few', listeners: { percent: 1 }, soak: 'PT10M', deadline: 'PT1H' },
  { name: 'half', listeners: { percent: 50 }, soak: 'PT10M' },
];
const APPROVED_BY_TWO = { approvals: { required: 2 } };

const side = (namespace: string): Side => ({ revision: 'r', generation: 1, namespace, labels: {}, refs: [] });

/** A release under a policy with these fields; without them, under none. */
function release(policy: object | 'none' = { stages: STAGES }, more: Partial<ReleaseSpec> = {}): ReleaseSpec {
  return {
    number: 7,
    authors: ['ann'],
    changeSet: '7',
    ...(policy === 'none' ? {} : { policy: { name: 'p', spec: policySpec({ spec: { selector: {}, ...policy } }) } }),
    objects: [{ kind: 'k', name: 'n', to: side('') }],
    planHash: 'plan',
    open: true,
    ...more,
  };
}

function target(intent: Intent, state: PlaceState = 'healthy', name = 'listeners'): TargetObservation {
  return { name, intent, places: [{ name: 'plane', wanted: 'w', observed: 'o', state }] };
}

const AT_FIRST = target({ at: 'stage', stage: 0 });
const AT_NOBODY = target({ at: 'nobody' });
const AT_EVERYBODY = target({ at: 'everybody' });

function observe(more: Partial<ReleaseObservation> = {}): ReleaseObservation {
  return {
    nowMs: NOW,
    targets: [AT_FIRST],
    remains: [],
    problems: [],
    takenBackChanges: [],
    withoutRight: new Set(),
    behind: [],
    verdicts: new Map(),
    restored: false,
    awakeSinceMs: NOW - DAY,
    asleepSinceMs: NOW - DAY,
    ...more,
  };
}

const FROZEN = { name: 'sale', because: 'No changes (ops)', sinceMs: NOW - 2 * MINUTE, untilMs: NOW + 30 * MINUTE };

type Exposing = Extract<ReleaseState, { at: 'exposing' }>;

const exposing = (more: Partial<Exposing> = {}): Exposing => ({
  at: 'exposing',
  stage: 0,
  sinceMs: NOW - 5 * MINUTE,
  seenMs: NOW - 5 * MINUTE,
  heldMs: 0,
  ...more,
});

const at = (state: ReleaseState, more: Partial<ReleaseEngineState> = {}): ReleaseEngineState => ({
  state,
  approvals: [],
  ...more,
});

const waiting = (more: Partial<ReleaseEngineState> = {}, waitsFor: 'turn' | 'decision' | 'approval' = 'turn') =>
  at({ at: 'waiting', for: waitsFor }, more);

const verdict = (outcome: 'pass' | 'fail' | 'undecided', isOfStage = true): EffectiveVerdicts =>
  new Map([['harm', { outcome, because: `It is ${outcome}.`, figures: { of: 'nothing' }, isOfStage }]]);

/** Phase, state, actions, events, minutes until it wakes, and the message. */
function summary({ phase, standing, effects, tell, wakeAtMs, message }: ReleaseStep): string {
  const { state } = standing;
  const where =
    state.at === 'exposing' ? `stage ${state.stage}` : state.at === 'waiting' ? `for ${state.for}` : state.at;
  const does = effects.map((one) =>
    [one.do, ...('target' in one ? [one.target] : []), ...('pin' in one ? [one.pin] : [])].join(' '),
  );
  const wakes = wakeAtMs === undefined ? [] : [`wakes in ${(wakeAtMs - NOW) / MINUTE}`];
  return [`${phase} (${where})`, ...does, ...tell.map((one) => `tells ${one}`), ...wakes, message].join(' | ');
}

type Row = readonly [
  what: string,
  spec: ReleaseSpec,
  standing: ReleaseEngineState,
  seen: ReleaseObservation,
  step: string,
];

function check(rows: readonly Row[]): void {
  for (const [what, spec, standing, observed, expected] of rows) {
    assert.equal(summary(advance(spec, standing, observed)), expected, what);
  }
}

test('a collecting release names its group and namespaces', () => {
  const collecting = at({ at: 'collecting' });
  const inNamespaces = (...names: string[]) =>
    release('none', { group: 'g', objects: names.map((name) => ({ kind: 'k', name, to: side(name) })) });
  const text = (where: string) =>
    `Collecting (collecting) | Collecting changes for group g${where} until it is sealed.`;
  check([
    ['of the cluster', inNamespaces(''), collecting, observe(), text('')],
    ['one', inNamespaces('a', ''), collecting, observe(), text(' in namespace a')],
    ['two', inNamespaces('a', 'b'), collecting, observe(), text(' in namespaces a, b')],
    ['three', inNamespaces('a', 'b', 'c'), collecting, observe(), text(' in namespaces a, b, c')],
    ['five', inNamespaces('a', 'b', 'c', 'd', 'e'), collecting, observe(), text(' in namespaces a, b, c and 2 more')],
  ]);
});

test('a waiting release waits for the first of its reasons, and then starts', () => {
  const takenBackChanges = ['It was rolled back.'];
  const doubt = 'It was rolled back. Resume it to release it anyway, or abort it and apply a new change.';
  const given = ['bob', 'cyd'].map((user) => ({ user, groups: [], atMs: NOW - MINUTE, planHash: 'plan' }));
  const asked = release({ stages: STAGES, ...APPROVED_BY_TWO });
  const nobody = release({ stages: STAGES, approvals: { required: 1, users: ['ann'] } });
  const problems = ['a is missing', 'b is missing'];
  const behind = ['first', 'second'];
  check([
    [
      'a decision first',
      asked,
      waiting(),
      observe({ takenBackChanges, problems }),
      `Paused (for decision) | tells paused | ${doubt}`,
    ],
    ['one report', asked, waiting({}, 'decision'), observe({ takenBackChanges }), `Paused (for decision) | ${doubt}`],
    [
      'the doubt stays',
      asked,
      waiting({ doubt: 'Doubt.' }),
      observe(),
      'Paused (for decision) | tells paused | Doubt.',
    ],
    [
      'a decision about this plan',
      release(),
      waiting({ doubt, decided: { by: 'bob', planHash: 'plan' } }),
      observe({ takenBackChanges, problems }),
      'Blocked (for world) | a is missing; b is missing',
    ],
    [
      'a decision about another plan',
      release(),
      waiting({ decided: { by: 'bob', planHash: 'other' } }),
      observe({ takenBackChanges }),
      `Paused (for decision) | tells paused | ${doubt}`,
    ],
    ['references', asked, waiting(), observe({ problems, behind }), 'Blocked (for world) | a is missing; b is missing'],
    [
      'approvers',
      nobody,
      waiting(),
      observe(),
      'Blocked (for world) | Policy p needs 1 approvals, and all users that it names are authors. Add users to the policy, or abort the release and let somebody else make the change.',
    ],
    [
      'approvals',
      asked,
      waiting(),
      observe({ behind }),
      'AwaitingApproval (for approval) | tells approvalNeeded | Waits for 2 approvals of plan plan.',
    ],
    [
      'one approval, which expires',
      asked,
      waiting({ approvals: given.slice(0, 1) }, 'approval'),
      observe({ withoutRight: new Set(['cyd']) }),
      `AwaitingApproval (for approval) | wakes in ${7 * 1_440 - 1} | Waits for 1 approval of plan plan.`,
    ],
    [
      'a lost right',
      asked,
      waiting({ approvals: given }, 'approval'),
      observe({ withoutRight: new Set(['cyd']) }),
      `AwaitingApproval (for approval) | wakes in ${7 * 1_440 - 1} | Waits for 1 approval of plan plan. The approval of cyd does not count: cyd no longer has the right to approve.`,
    ],
    [
      'approvals of two policies',
      release(
        { stages: STAGES, ...APPROVED_BY_TWO },
        { otherPolicies: [{ name: 'q', spec: policySpec({ spec: { selector: {}, approvals: { required: 1 } } }) }] },
      ),
      waiting({}, 'approval'),
      observe(),
      'AwaitingApproval (for approval) | Waits for 2 approvals by policy p and 1 approval by policy q of plan plan.',
    ],
    [
      'the approval of one of two policies',
      release(
        { stages: STAGES, ...APPROVED_BY_TWO },
        {
          otherPolicies: [
            { name: 'q', spec: policySpec({ spec: { selector: {}, approvals: { required: 1, users: ['dan'] } } }) },
          ],
        },
      ),
      waiting({ approvals: given }, 'approval'),
      observe(),
      `AwaitingApproval (for approval) | wakes in ${7 * 1_440 - 1} | Waits for 1 approval by policy q of plan plan.`,
    ],
    [
      'its turn',
      asked,
      waiting({ approvals: given }),
      observe({ behind }),
      'Queued (for turn) | Waits for first, second.',
    ],
    [
      'a freeze',
      release(),
      waiting(),
      observe({ frozen: FROZEN }),
      'Waiting (for release) | wakes in 30 | Freeze sale holds until 2026-05-01T12:30:00Z: No changes (ops)',
    ],
    [
      'a pause',
      release(),
      waiting({ paused: { by: 'bob', because: 'Lunch.', atMs: NOW } }),
      observe({ frozen: FROZEN }),
      'Paused (for release) | Paused by bob: Lunch.',
    ],
    [
      'the stop switch',
      release(),
      waiting({ paused: { by: 'bob', because: 'Lunch.', atMs: NOW } }),
      observe({ stopped: { because: 'Incident.' } }),
      'Paused (for release) | Every release is stopped: Incident.',
    ],
    [
      'nothing',
      release(),
      waiting(),
      observe({ targets: [AT_NOBODY] }),
      'Progressing (stage 0) | expose listeners | tells started | Going live in this stage.',
    ],
    [
      'nothing, and it has no stages',
      release({ stages: [] }),
      waiting(),
      observe({ targets: [AT_NOBODY] }),
      'Promoting (promoting) | promote | Going live for everyone.',
    ],
    [
      'nothing, and it has no policy',
      release('none'),
      waiting(),
      observe({ targets: [AT_NOBODY] }),
      'Promoting (promoting) | promote | Going live for everyone.',
    ],
  ]);
});

test('a waiting release shows its approvals, remainders and doubt while they are so', () => {
  const remains = [{ target: 't', kind: 'k', name: 'n', undo: 'keep', says: 'It stays.' }] as const;
  const asked = release({ stages: STAGES, ...APPROVED_BY_TWO });
  const step = advance(
    asked,
    waiting({ remains: [], doubt: 'Old.', decided: { by: 'bob', planHash: 'plan' } }),
    observe({ remains }),
  );
  assert.deepEqual(step.approvals, { needed: [{ policy: 'p', required: 2, given: 0 }], given: [] });
  assert.deepEqual([step.standing.remains, step.standing.doubt], [remains, undefined]);
  assert.equal(step.held, undefined);
  assert.equal('remains' in advance(asked, waiting({ remains }), observe()).standing, false);
  assert.equal('approvals' in advance(release(), waiting(), observe()), false);
  const approved = [{ user: 'bob', groups: [], atMs: NOW, planHash: 'plan' }];
  const shown = advance(release(), waiting({ approvals: approved }), observe()).approvals;
  assert.deepEqual([shown?.needed, shown?.given.length], [[], 1]);
  const held = advance(release(), waiting({ doubt: 'Doubt.' }), observe());
  assert.deepEqual([held.held, held.standing.doubt], ['Doubt.', 'Doubt.']);
  assert.equal(advance(release(), waiting(), observe({ frozen: FROZEN })).held?.startsWith('Freeze sale'), true);
  const started = advance(
    release(),
    waiting({ goOn: { stage: 0, by: 'bob', force: false } }),
    observe({ targets: [AT_NOBODY] }),
  );
  assert.deepEqual(started.standing, {
    approvals: [],
    begun: ['listeners'],
    state: { at: 'exposing', stage: 0, sinceMs: NOW, heldMs: 0, earlier: [] },
  });
  assert.deepEqual(started.targets, [AT_NOBODY], 'what was started shows its targets');
  assert.equal('targets' in advance(release(), waiting(), observe({ behind: ['other'] })), false);
});

test('a stage goes on with the soak, the evidence and the decision that it needs', () => {
  const guarded = release({ stages: STAGES, guardrails: [GUARDRAIL] });
  const soaked = exposing({ sinceMs: NOW - 10 * MINUTE, seenMs: NOW - 10 * MINUTE });
  const late = exposing({ sinceMs: NOW - 60 * MINUTE, seenMs: NOW - 60 * MINUTE });
  const manual = release({ stages: [{ ...STAGES[0], promote: 'manual' }, STAGES[1]] });
  const goOn = { stage: 0, by: 'bob', force: false };
  const second = { ...soaked, stage: 1 };
  const next = 'Progressing (stage 1) | expose listeners | tells stage | Going live in this stage.';
  const from = release({ stages: STAGES, guardrails: [{ ...GUARDRAIL, promotesFrom: 'half' }] });
  const shadow = release({ stages: STAGES, guardrails: [{ ...GUARDRAIL, shadow: true }] });
  check([
    [
      'soak',
      release(),
      at(exposing()),
      observe(),
      'Progressing (stage 0) | wakes in 5 | Soaks until 2026-05-01T12:05:00Z.',
    ],
    [
      'soak and evidence',
      guarded,
      at(exposing()),
      observe(),
      'Progressing (stage 0) | wakes in 5 | Soaks until 2026-05-01T12:05:00Z. harm: not judged yet.',
    ],
    [
      'a soak that is longer than the deadline of its evidence',
      release({ stages: [{ ...STAGES[0], soak: 'PT2H' }] }),
      at(exposing()),
      observe(),
      'Progressing (stage 0) | wakes in 115 | Soaks until 2026-05-01T13:55:00Z.',
    ],
    ['evidence', guarded, at(soaked), observe(), 'Progressing (stage 0) | wakes in 50 | harm: not judged yet.'],
    [
      'evidence that does not suffice',
      guarded,
      at(soaked),
      observe({ verdicts: verdict('undecided') }),
      'Progressing (stage 0) | wakes in 50 | harm: It is undecided.',
    ],
    [
      'evidence of the stage before',
      guarded,
      at(soaked),
      observe({ verdicts: verdict('pass', false) }),
      'Progressing (stage 0) | wakes in 50 | harm: passes so far; waits for a whole window of this stage.',
    ],
    ['enough of both', guarded, at(soaked), observe({ verdicts: verdict('pass') }), next],
    ['evidence that counts later', from, at(soaked), observe(), next],
    ['a shadow', shadow, at(soaked), observe({ verdicts: verdict('fail') }), next],
    ['a person', manual, at(soaked), observe(), 'Progressing (stage 0) | Waits for promotion (promote: manual).'],
    ['a person has decided', manual, at(exposing(), { goOn }), observe(), next],
    [
      'another stage was meant',
      manual,
      at(soaked, { goOn: { ...goOn, stage: 1 } }),
      observe(),
      'Progressing (stage 0) | Waits for promotion (promote: manual).',
    ],
    [
      'it has lapsed',
      manual,
      at(soaked, { goOn: { ...goOn, lapsed: true } }),
      observe(),
      'Progressing (stage 0) | Waits for promotion (promote: manual).',
    ],
    [
      'a person, without evidence',
      guarded,
      at(exposing(), { goOn }),
      observe(),
      'Progressing (stage 0) | wakes in 55 | harm: not judged yet.',
    ],
    ['by force', guarded, at(exposing(), { goOn: { ...goOn, force: true } }), observe(), next],
    [
      'undecided at the deadline',
      guarded,
      at(late),
      observe(),
      'Paused (stage 0) | tells paused | Undecided after PT1H: harm: not judged yet.',
    ],
    ['evidence at the deadline', guarded, at(late), observe({ verdicts: verdict('pass') }), next],
    [
      'the last stage',
      release(),
      at(second, { goOn: { ...goOn, stage: 1 } }),
      observe({ targets: [target({ at: 'stage', stage: 1 })] }),
      'Promoting (promoting) | promote | Going live for everyone.',
    ],
  ]);
  const entered = advance(guarded, at(soaked, { goOn: { ...goOn, force: true }, begun: ['listeners'] }), observe());
  assert.deepEqual(entered.standing, {
    approvals: [],
    begun: ['listeners'],
    state: {
      at: 'exposing',
      stage: 1,
      sinceMs: NOW,
      heldMs: 0,
      earlier: [{ stage: 0, seenMs: NOW - 10 * MINUTE, untilMs: NOW }],
    },
  });
  const last = advance(
    release(),
    at(second, { goOn: { ...goOn, stage: 1 } }),
    observe({ targets: [target({ at: 'stage', stage: 1 })] }),
  );
  assert.equal('goOn' in last.standing, false);
});

test('a bake waits for nothing, and a failure holds it', () => {
  const baked = release({ stages: [STAGES[1]], bake: 'PT30M', guardrails: [GUARDRAIL], onFailure: 'halt' });
  const baking = exposing({ stage: 1 });
  const targets = [target({ at: 'stage', stage: 1 })];
  check([
    [
      'it bakes',
      baked,
      at(baking),
      observe({ targets }),
      'Progressing (stage 1) | wakes in 25 | Bakes until 2026-05-01T12:25:00Z.',
    ],
    [
      'it has baked',
      baked,
      at({ ...baking, seenMs: NOW - 30 * MINUTE }),
      observe({ targets }),
      'Promoting (promoting) | promote | Going live for everyone.',
    ],
    [
      'overruled',
      baked,
      at({ ...baking, seenMs: NOW - 30 * MINUTE }, { overruled: { stage: 1, by: 'bob' } }),
      observe({ targets, verdicts: verdict('fail') }),
      'Progressing (stage 1) | harm: It is fail.',
    ],
  ]);
});

test('a failure rolls back, goes back one stage, or pauses, as the policy has it', () => {
  const by = (onFailure: string) => release({ stages: STAGES, guardrails: [GUARDRAIL], onFailure });
  const verdicts = verdict('fail');
  const second = exposing({ stage: 1 });
  const targets = [target({ at: 'stage', stage: 1 })];
  const paused = { by: 'bob', because: 'Look.', atMs: NOW };
  const back = 'RollingBack (retracting) | retract listeners | harm: It is fail.';
  const halted = 'Paused (stage 0) | tells paused | harm: It is fail.';
  check([
    ['rollBack', by('rollBack'), at(exposing()), observe({ verdicts }), back],
    ['rollBack of a later stage', by('rollBack'), at(second), observe({ verdicts, targets }), back],
    ['rollBack, although paused', by('rollBack'), at(exposing(), { paused }), observe({ verdicts }), back],
    ['rollBackStage of the first', by('rollBackStage'), at(exposing()), observe({ verdicts }), back],
    ['rollBackStage', by('rollBackStage'), at(second), observe({ verdicts, targets }), halted],
    ['halt', by('halt'), at(exposing()), observe({ verdicts }), halted],
    [
      'halt, when paused already',
      by('halt'),
      at(exposing(), { paused }),
      observe({ verdicts }),
      'Paused (stage 0) | Paused by bob: Look.',
    ],
    [
      'halt, overruled in another stage',
      by('halt'),
      at(exposing(), { overruled: { stage: 1, by: 'bob' } }),
      observe({ verdicts }),
      halted,
    ],
    [
      'a failed place',
      by('halt'),
      at(exposing()),
      observe({ targets: [target({ at: 'stage', stage: 0 }, 'failed')] }),
      'Paused (stage 0) | tells paused | listeners: plane failed.',
    ],
  ]);
  const backed = advance(
    by('rollBackStage'),
    at(second, { goOn: { stage: 1, by: 'bob', force: false } }),
    observe({ verdicts, targets }),
  );
  assert.deepEqual(backed.standing, {
    approvals: [],
    paused: { by: 'system:releases', because: 'harm: It is fail.', atMs: NOW },
    state: {
      at: 'exposing',
      stage: 0,
      sinceMs: NOW,
      heldMs: 0,
      heldSinceMs: NOW,
      earlier: [{ stage: 1, seenMs: NOW - 5 * MINUTE, untilMs: NOW }],
    },
  });
  assert.equal(backed.held, 'harm: It is fail.');
  const { seenMs: _, ...entering } = second;
  const lost = [target({ at: 'stage', stage: 1 }, 'failed')];
  const { state } = advance(by('rollBackStage'), at(entering), observe({ targets: lost })).standing;
  assert.deepEqual(state.at === 'exposing' && state.earlier, [], 'nobody was seen to have it');
  const named = new Map([
    ['harm', { outcome: 'fail', because: 'Harm is 3 times as high.', figures: { of: 'nothing' }, isOfStage: true }],
  ] as const);
  assert.equal(advance(by('halt'), at(exposing()), observe({ verdicts: named })).message, 'Harm is 3 times as high.');
});

test('a stage that its places have not reached waits for them, until its deadline', () => {
  const unseen = { ...exposing(), seenMs: undefined };
  const { seenMs: _, ...entering } = unseen;
  const progressing = target({ at: 'stage', stage: 0 }, 'progressing');
  const waits = 'Waits for listeners: plane is progressing.';
  check([
    [
      'its Heads',
      release(),
      at(entering),
      observe({ targets: [AT_NOBODY] }),
      'Progressing (stage 0) | expose listeners | wakes in 55 | Going live in this stage.',
    ],
    [
      'its places',
      release(),
      at(entering),
      observe({ targets: [progressing] }),
      `Progressing (stage 0) | wakes in 55 | ${waits}`,
    ],
    [
      'a step that fails',
      release(),
      at(entering, { failing: { because: 'x', sinceMs: 1 } }),
      observe({ targets: [AT_NOBODY], failure: 'No disk.' }),
      'Progressing (stage 0) | expose listeners | wakes in 55 | No disk.',
    ],
    [
      'at the deadline',
      release(),
      at({ ...entering, sinceMs: NOW - 60 * MINUTE }),
      observe({ targets: [progressing] }),
      `Paused (stage 0) | tells paused | Undecided after PT1H: ${waits}`,
    ],
    [
      'at the deadline, with nothing to wait for',
      release(),
      at({ ...entering, sinceMs: NOW - 60 * MINUTE }),
      observe({ targets: [AT_NOBODY] }),
      'Paused (stage 0) | tells paused | Undecided after PT1H: Going live in this stage.',
    ],
    [
      'in a freeze',
      release(),
      at(entering),
      observe({ targets: [AT_NOBODY], frozen: FROZEN }),
      'Progressing (stage 0) | Freeze sale holds until 2026-05-01T12:30:00Z: No changes (ops)',
    ],
    [
      'back, in a freeze',
      release(),
      at(entering),
      observe({ targets: [target({ at: 'stage', stage: 1 })], frozen: FROZEN }),
      'Progressing (stage 0) | expose listeners | Freeze sale holds until 2026-05-01T12:30:00Z: No changes (ops)',
    ],
    [
      'back',
      release(),
      at(entering),
      observe({ targets: [target({ at: 'stage', stage: 1 })] }),
      'Progressing (stage 0) | expose listeners | Going live in this stage.',
    ],
    [
      'reached',
      release(),
      at(entering),
      observe(),
      'Progressing (stage 0) | wakes in 10 | Soaks until 2026-05-01T12:10:00Z.',
    ],
  ]);
  const lost = advance(release(), at(exposing({ heldMs: MINUTE })), observe({ targets: [progressing] })).standing.state;
  assert.deepEqual(lost, { at: 'exposing', stage: 0, sinceMs: NOW, heldMs: 0 }, 'the soak restarts');
  const kept = advance(release(), at({ ...entering, heldMs: MINUTE }), observe({ targets: [progressing] })).standing
    .state;
  assert.deepEqual(kept, { ...entering, heldMs: MINUTE });
  const reached = advance(release(), at({ ...entering, heldMs: MINUTE, heldSinceMs: NOW - MINUTE }), observe()).standing
    .state;
  assert.deepEqual(reached, { ...entering, seenMs: NOW, heldMs: 0 }, 'what was held before is no soak');
  const heldState = advance(release(), at(entering), observe({ frozen: FROZEN })).standing.state;
  assert.deepEqual(heldState, { ...entering, seenMs: NOW, heldMs: 0, heldSinceMs: NOW });
});

test('a target starts where a stage has a part for it, and is noted once', () => {
  const stages = [
    { name: 'ring', clusters: { percent: 50 }, soak: 'PT10M' },
    { name: 'few', listeners: { percent: 1 }, soak: 'PT10M' },
  ];
  const { seenMs: _, ...entering } = exposing();
  const both = (clusters: Intent, listeners: Intent) => [target(clusters, 'healthy', 'clusters'), target(listeners)];
  const nobody = { at: 'nobody' } as const;
  const first = advance(release({ stages }), at(entering), observe({ targets: both(nobody, nobody) }));
  assert.deepEqual(
    [first.effects, first.standing.begun],
    [[{ do: 'expose', target: 'clusters', stage: 0 }], ['clusters']],
  );
  const there = advance(
    release({ stages }),
    at(entering),
    observe({ targets: both({ at: 'stage', stage: 0 }, nobody) }),
  );
  assert.equal(there.standing.state.at === 'exposing' && there.standing.state.seenMs, NOW);
  const again = advance(
    release({ stages }),
    at(entering, { begun: ['clusters'] }),
    observe({ targets: both(nobody, nobody) }),
  );
  assert.deepEqual(again.standing.begun, ['clusters']);
  const next = advance(
    release({ stages }),
    at({ ...entering, stage: 1 }, { begun: ['clusters'] }),
    observe({ targets: both({ at: 'stage', stage: 1 }, nobody) }),
  );
  assert.deepEqual(next.standing.begun, ['clusters', 'listeners']);
  const unknown = (maxUnknown: number) =>
    advance(
      release({ stages: [{ ...STAGES[0], maxUnknown }] }),
      at(entering),
      observe({ targets: [target({ at: 'stage', stage: 0 }, 'unknown')] }),
    ).message;
  assert.equal(unknown(0), 'Waits for listeners: plane is unknown.');
  assert.match(unknown(1), /^Soaks/);
});

test('a hold counts no soak, from its start, and lets open requests lapse', () => {
  const goOn = { stage: 0, by: 'bob', force: false };
  const held = advance(release(), at(exposing(), { goOn }), observe({ frozen: FROZEN }));
  const text = 'Freeze sale holds until 2026-05-01T12:30:00Z: No changes (ops)';
  assert.equal(
    summary(held),
    `Progressing (stage 0) | wakes in 30 | ${text} bob requested its promotion before the hold; the request has lapsed: promote it again afterwards.`,
  );
  assert.deepEqual([held.held, held.standing.goOn], [text, { ...goOn, lapsed: true }]);
  assert.deepEqual(held.standing.state, exposing({ heldSinceMs: NOW - 2 * MINUTE }));
  const again = advance(release(), held.standing, observe({ frozen: FROZEN, nowMs: NOW + MINUTE }));
  assert.match(
    again.message,
    /bob requested its promotion before the hold; the request has lapsed: promote it again afterwards\.$/,
  );
  assert.deepEqual(again.standing, held.standing);
  const free = advance(release(), held.standing, observe({ nowMs: NOW + MINUTE }));
  assert.deepEqual(free.standing.state, exposing({ heldMs: 3 * MINUTE }));
  assert.equal(free.wakeAtMs, NOW + 8 * MINUTE, 'held time is no soak');
  const paused = { by: 'bob', because: 'Look.', atMs: NOW };
  const byPerson = advance(release(), at(exposing(), { paused }), observe());
  assert.deepEqual(
    [summary(byPerson), byPerson.held],
    ['Paused (stage 0) | Paused by bob: Look.', 'Paused by bob: Look.'],
  );
  assert.deepEqual(byPerson.standing.state, exposing({ heldSinceMs: NOW }));
  assert.equal('goOn' in byPerson.standing, false);
  const { message } = advance(release(), at(exposing({ seenMs: NOW - 5 * MINUTE + 1 })), observe());
  assert.equal(message, 'Soaks until 2026-05-01T12:05:01Z.', 'whole seconds, and not too early');
  const since = (state: Exposing, sinceMs: number) => {
    const next = advance(release(), at(state), observe({ frozen: { ...FROZEN, sinceMs } })).standing.state;
    return next.at === 'exposing' ? next.heldSinceMs : undefined;
  };
  assert.equal(since(exposing(), NOW - DAY), NOW - 5 * MINUTE, 'not before it was seen');
  assert.equal(
    since(exposing({ awakeMs: NOW - MINUTE }), NOW - DAY),
    NOW - MINUTE,
    'not before downtime that was counted',
  );
  assert.equal(since(exposing(), NOW + MINUTE), NOW, 'not after now');
  assert.equal(
    summary(
      advance(
        release('none', { rollbackOf: 'r' }),
        at({ at: 'promoting' }),
        observe({ targets: [AT_NOBODY], stopped: { because: 'x' } }),
      ),
    ),
    'Promoting (promoting) | promote | Going live for everyone.',
  );
});

test('a clock that was set back restarts the stage, and downtime is no soak', () => {
  const stateAfter = (state: Exposing, more: Partial<ReleaseObservation> = {}) =>
    advance(release(), at(state), observe(more)).standing.state;
  const intervals = [
    { stage: 0, seenMs: 1, untilMs: NOW },
    { stage: 0, seenMs: 2, untilMs: NOW + 1 },
    { stage: 0, seenMs: 3 },
  ];
  assert.deepEqual(
    stateAfter(exposing({ seenMs: NOW + 1, heldMs: 3, earlier: intervals })),
    exposing({ seenMs: NOW, earlier: [intervals[0] ?? assert.fail(), intervals[2] ?? assert.fail()] }),
  );
  assert.deepEqual(stateAfter(exposing({ seenMs: NOW + 1 })), exposing({ seenMs: NOW, earlier: [] }));
  assert.deepEqual(stateAfter(exposing({ seenMs: NOW })), exposing({ seenMs: NOW }));
  assert.deepEqual(stateAfter(exposing({ seenMs: NOW, heldMs: 1 })), exposing({ seenMs: NOW, earlier: [] }));
  const soon = exposing({ seenMs: NOW - 10 });
  assert.deepEqual(stateAfter({ ...soon, heldMs: 10 }), { ...soon, heldMs: 10 });
  const passed = [{ stage: 0, seenMs: NOW - 10, untilMs: NOW }];
  assert.deepEqual(stateAfter({ ...soon, heldMs: 11 }), exposing({ seenMs: NOW, earlier: passed }));
  assert.deepEqual(
    stateAfter({ ...soon, heldMs: 11, heldSinceMs: NOW - 5 }, { frozen: FROZEN }),
    exposing({ seenMs: NOW, earlier: passed, heldSinceMs: NOW }),
  );
  const many = Array.from({ length: 50 }, (_, index) => ({ stage: 0, seenMs: index, untilMs: index }));
  assert.deepEqual(
    stateAfter({ ...soon, heldMs: 11, earlier: many }),
    exposing({ seenMs: NOW, earlier: [...many.slice(1), ...passed] }),
  );

  const down = { awakeSinceMs: NOW - MINUTE, asleepSinceMs: NOW - 3 * MINUTE };
  const heldFor = (state: Exposing, more: Partial<ReleaseObservation>) => {
    const next = stateAfter(state, more);
    return next.at === 'exposing' ? [next.heldMs / MINUTE, next.awakeMs] : [];
  };
  assert.deepEqual(heldFor(exposing(), down), [2, NOW - MINUTE]);
  assert.deepEqual(heldFor(exposing({ heldMs: MINUTE, awakeMs: NOW - MINUTE }), down), [1, NOW - MINUTE], 'once');
  assert.deepEqual(heldFor(exposing(), { ...down, asleepSinceMs: 0 }), [4, NOW - MINUTE], 'not before it was seen');
  assert.deepEqual(heldFor(exposing({ awakeMs: NOW - 2 * MINUTE }), { ...down, asleepSinceMs: 0 }), [1, NOW - MINUTE]);
  assert.deepEqual(heldFor(exposing(), { ...down, asleepSinceMs: NOW }), [0, NOW - MINUTE]);
  assert.deepEqual(heldFor(exposing({ seenMs: NOW - MINUTE }), { ...down, asleepSinceMs: 0 }), [0, undefined]);
  const inHold = stateAfter(exposing({ heldSinceMs: NOW - 4 * MINUTE }), { ...down, frozen: FROZEN });
  assert.deepEqual(inHold, exposing({ heldSinceMs: NOW - 4 * MINUTE, awakeMs: NOW - MINUTE }), 'a hold covers it');
  const { seenMs: _, ...entering } = exposing();
  assert.deepEqual(stateAfter(entering, { ...down, targets: [target({ at: 'stage', stage: 0 }, 'progressing')] }), {
    ...entering,
    heldMs: 2 * MINUTE,
    awakeMs: NOW - MINUTE,
  });
});

test('a failing step is reported once, until it works again or the release is finished', () => {
  const promoting = at({ at: 'promoting' });
  const first = advance(release(), promoting, observe({ failure: 'No disk.' }));
  assert.deepEqual([first.tell, first.standing.failing], [['failed'], { because: 'No disk.', sinceMs: NOW }]);
  const second = advance(release(), first.standing, observe({ failure: 'No disk.', nowMs: NOW + 1 }));
  assert.deepEqual([second.tell, second.standing.failing], [[], { because: 'No disk.', sinceMs: NOW }]);
  assert.equal('failing' in advance(release(), second.standing, observe()).standing, false);
  const ended = advance(release(), second.standing, observe({ failure: 'No disk.', targets: [AT_EVERYBODY] }));
  assert.deepEqual([ended.tell, 'failing' in ended.standing], [['promoted'], false]);
  for (const end of ['rolledBack', 'aborted', 'superseded'] as const) {
    const state = { at: end, because: 'Why.', by: 'bob', atMs: 1 };
    const step = advance(release(), at(state), observe({ failure: 'No disk.' }));
    assert.equal(summary(step), `${end[0]?.toUpperCase()}${end.slice(1)} (${end}) | Why.`);
    assert.deepEqual([step.standing, 'targets' in step], [at(state), false]);
  }
  assert.equal(
    summary(advance(release(), at({ at: 'promoted', atMs: 1 }), observe())),
    'Promoted (promoted) | Live for everyone.',
  );
});

test('a promotion takes one target after the other, and then everyone at once', () => {
  const promoting = at({ at: 'promoting' }, { begun: ['clusters', 'listeners'] });
  const stages = [{ ...STAGES[0], clusters: { percent: 50 } }];
  const both = (clusters: Intent, listeners: Intent, state: PlaceState = 'healthy') => [
    target(clusters, state, 'clusters'),
    target(listeners),
  ];
  const [inStage, whole, everybody] = [
    { at: 'stage', stage: 0 },
    { at: 'stage', stage: 1 },
    { at: 'everybody' },
  ] as const;
  const paused = { by: 'bob', because: 'Look.', atMs: NOW };
  const failed = both(whole, inStage, 'failed');
  const by = (onFailure: string) => release({ stages, onFailure });
  const halted = 'Promoting (promoting)';
  check([
    [
      'whole in the first',
      by('halt'),
      promoting,
      observe({ targets: both(inStage, inStage) }),
      `${halted} | expose clusters | Going live in this stage.`,
    ],
    [
      'whole in the second',
      by('halt'),
      promoting,
      observe({ targets: both(whole, inStage) }),
      `${halted} | expose listeners | Going live in this stage.`,
    ],
    [
      'places of the first',
      by('halt'),
      promoting,
      observe({ targets: both(whole, inStage, 'progressing') }),
      `${halted} | Waits for clusters: plane is progressing.`,
    ],
    [
      'a place that fails as before',
      by('halt'),
      promoting,
      observe({
        targets: [
          { name: 'clusters', intent: whole, places: [{ name: 'plane', wanted: 'w', observed: 'w', state: 'failed' }] },
          target(inStage),
        ],
      }),
      'Paused (promoting) | tells paused | clusters: plane failed.',
    ],
    [
      'places that may be unknown, as in the last stage',
      release({ stages: [{ ...STAGES[0], maxUnknown: 1 }] }),
      promoting,
      observe({ targets: [target(everybody, 'unknown')] }),
      'Promoted (promoted) | tells promoted | Live for everyone.',
    ],
    [
      'everyone',
      by('halt'),
      promoting,
      observe({ targets: both(whole, whole) }),
      `${halted} | promote | Going live for everyone.`,
    ],
    [
      'some are there',
      by('halt'),
      promoting,
      observe({ targets: both(everybody, whole) }),
      `${halted} | promote | Going live for everyone.`,
    ],
    [
      'places of everyone',
      by('halt'),
      promoting,
      observe({ targets: both(everybody, everybody, 'progressing') }),
      `${halted} | Waits for clusters: plane is progressing.`,
    ],
    [
      'done',
      by('halt'),
      promoting,
      observe({ targets: both(everybody, everybody) }),
      'Promoted (promoted) | tells promoted | Live for everyone.',
    ],
    [
      'a failed place',
      by('rollBack'),
      promoting,
      observe({ targets: failed }),
      'RollingBack (retracting) | retract listeners | clusters: plane failed.',
    ],
    [
      'a failed place holds',
      by('halt'),
      promoting,
      observe({ targets: failed }),
      'Paused (promoting) | tells paused | clusters: plane failed.',
    ],
    [
      'a failed place, seen by somebody',
      by('halt'),
      { ...promoting, paused },
      observe({ targets: failed }),
      'Paused (promoting) | Paused by bob: Look.',
    ],
    [
      'a failed place, overruled',
      by('halt'),
      { ...promoting, overruled: { stage: 1, by: 'bob' } },
      observe({ targets: failed }),
      `${halted} | clusters: plane failed.`,
    ],
    [
      'a failed place, overruled in a stage',
      by('halt'),
      { ...promoting, overruled: { stage: 0, by: 'bob' } },
      observe({ targets: failed }),
      'Paused (promoting) | tells paused | clusters: plane failed.',
    ],
    [
      'a freeze',
      by('halt'),
      promoting,
      observe({ targets: both(whole, whole), frozen: FROZEN }),
      `${halted} | wakes in 30 | Freeze sale holds until 2026-05-01T12:30:00Z: No changes (ops)`,
    ],
    [
      'a freeze that comes too late',
      by('halt'),
      promoting,
      observe({ targets: both(everybody, everybody, 'progressing'), frozen: FROZEN }),
      `${halted} | Waits for clusters: plane is progressing.`,
    ],
    [
      'problems',
      by('halt'),
      promoting,
      observe({ targets: both(whole, whole), problems: ['a', 'b'] }),
      `${halted} | a; b`,
    ],
    [
      'a failure',
      by('halt'),
      promoting,
      observe({ targets: both(whole, whole), failure: 'No disk.' }),
      `${halted} | promote | tells failed | No disk.`,
    ],
    [
      'a failed place of a release without a policy',
      release('none'),
      promoting,
      observe({ targets: [target(everybody, 'failed')] }),
      `${halted} | listeners: plane failed.`,
    ],
    [
      'a rollback past a place that fails as before',
      release({ stages: [], onFailure: 'rollBack' }, { rollbackOf: 'r' }),
      promoting,
      observe({
        targets: [
          { ...target(everybody, 'failed'), places: [{ name: 'plane', wanted: 'w', observed: 'w', state: 'failed' }] },
        ],
      }),
      'Promoted (promoted) | tells promoted | Live for everyone.',
    ],
    [
      'a rollback that fails goes on',
      release({ stages: [], onFailure: 'rollBack' }, { rollbackOf: 'r' }),
      promoting,
      observe({ targets: [target(everybody, 'failed')] }),
      `${halted} | listeners: plane failed.`,
    ],
  ]);
  const withoutPolicy = advance(
    release('none'),
    promoting,
    observe({ targets: both({ at: 'nobody' }, { at: 'nobody' }) }),
  );
  assert.deepEqual(withoutPolicy.effects, [{ do: 'expose', target: 'clusters', stage: 0 }]);
  const problems = advance(by('halt'), promoting, observe({ targets: both(whole, whole), problems: ['a', 'b'] }));
  assert.equal(problems.held, 'a; b');
  const frozen = advance(by('halt'), promoting, observe({ targets: both(whole, whole), frozen: FROZEN }));
  assert.match(frozen.held ?? '', /^Freeze sale/);
  const done = advance(by('halt'), promoting, observe({ targets: both(everybody, everybody) }));
  assert.deepEqual([done.standing.state, done.targets], [{ at: 'promoted', atMs: NOW }, both(everybody, everybody)]);
});

test('a rollback goes back target by target, restores what was declared, and ends as it was decided', () => {
  const retracting = (end: 'rolledBack' | 'aborted' | 'superseded', shown: boolean) =>
    at({ at: 'retracting', end, because: 'Why.', by: 'bob', shown }, { begun: ['listeners'] });
  const behind = target({ at: 'nobody' }, 'progressing');
  check([
    [
      'Heads',
      release(),
      retracting('rolledBack', true),
      observe(),
      'RollingBack (retracting) | retract listeners | Why.',
    ],
    [
      'places',
      release(),
      retracting('rolledBack', true),
      observe({ targets: [behind] }),
      'RollingBack (retracting) | Why. Waits for listeners: plane is progressing.',
    ],
    [
      'a step that fails',
      release(),
      retracting('rolledBack', true),
      observe({ targets: [behind], failure: 'No disk.' }),
      'RollingBack (retracting) | tells failed | Why. The rollback cannot complete yet: No disk.',
    ],
    [
      'a target that was never started',
      release(),
      { ...retracting('rolledBack', true), begun: [] },
      observe({ targets: [behind], restored: true }),
      'RolledBack (rolledBack) | tells rolledBack | Why.',
    ],
    [
      'what was declared',
      release(),
      retracting('rolledBack', true),
      observe({ targets: [AT_NOBODY] }),
      'RollingBack (retracting) | restore true | Why.',
    ],
    [
      'without a pin',
      release(),
      retracting('aborted', true),
      observe({ targets: [AT_NOBODY] }),
      'RollingBack (retracting) | restore false | Why.',
    ],
    [
      'nothing of a superseded one',
      release(),
      retracting('superseded', true),
      observe({ targets: [AT_NOBODY] }),
      'Superseded (superseded) | tells superseded | Why.',
    ],
    [
      'never shown',
      release(),
      retracting('aborted', false),
      observe({ restored: true }),
      'Aborted (aborted) | tells aborted | Why.',
    ],
  ]);
  const { begun: _, ...old } = retracting('rolledBack', true);
  assert.deepEqual(
    advance(release(), old, observe()).effects,
    [{ do: 'retract', target: 'listeners' }],
    'of before it was noted',
  );
  assert.equal('targets' in advance(release(), retracting('rolledBack', true), observe({ targets: [behind] })), true);
  const ended = advance(release(), retracting('aborted', false), observe({ restored: true }));
  assert.deepEqual(ended.standing.state, { at: 'aborted', because: 'Why.', by: 'bob', atMs: NOW });
  const paused = { by: 'bob', because: 'Look.', atMs: NOW };
  const remains = [{ target: 't', kind: 'k', name: 'n', undo: 'keep', says: 'It stays.' }] as const;
  const goOn = { stage: 0, by: 'bob', force: false };
  assert.deepEqual(
    startRollback(at(exposing(), { paused, goOn, begun: ['listeners'], remains }), 'aborted', 'Why.', 'cyd'),
    {
      approvals: [],
      begun: ['listeners'],
      remains,
      state: { at: 'retracting', end: 'aborted', because: 'Why.', by: 'cyd', shown: true },
    },
  );
  assert.deepEqual(startRollback(waiting({ paused }), 'aborted', 'Why.', 'cyd'), {
    approvals: [],
    state: { at: 'retracting', end: 'aborted', because: 'Why.', by: 'cyd', shown: false },
  });
  assert.equal(summary(supersedeStep(waiting(), 'Newer.', 'bob')), 'RollingBack (retracting) | Newer.');
  const step = advance(release(), retracting('superseded', false), observe());
  assert.equal('targets' in step, false, 'nobody saw it');
});

test('a suspended release stays where it is, and the time counts as held', () => {
  const times = { nowMs: NOW, awakeSinceMs: NOW - MINUTE, asleepSinceMs: NOW - 3 * MINUTE };
  const inStage = suspendStep(at(exposing()), 'No kind.', times);
  assert.equal(summary(inStage), 'Blocked (stage 0) | tells failed | No kind.');
  assert.deepEqual([inStage.held, inStage.isOfUnknownKind], ['No kind.', true]);
  const failing = { because: 'No kind.', sinceMs: NOW };
  assert.deepEqual(suspendStep(waiting(), 'No kind.', times).standing, waiting({ failing }));
  assert.deepEqual(inStage.standing.state, exposing({ heldMs: 2 * MINUTE, awakeMs: NOW - MINUTE, heldSinceMs: NOW }));
  const again = suspendStep(inStage.standing, 'No kind.', { ...times, nowMs: NOW + MINUTE });
  assert.deepEqual([again.standing, again.tell], [inStage.standing, []]);
  assert.equal(summary(suspendStep(waiting(), 'No kind.', times)), 'Blocked (for turn) | tells failed | No kind.');
  const back = startRollback(waiting(), 'aborted', 'Why.', 'bob');
  assert.equal(
    summary(suspendStep(back, 'No kind.', times)),
    'RollingBack (retracting) | tells failed | Why. The rollback cannot complete yet: No kind.',
  );
});

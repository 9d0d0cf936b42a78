import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '#kernel/access/kinds/secret.ts';
import { VirtualTime } from '#kernel/controllers/testing/virtual-time.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { durationMs } from '#kernel/kinds/schema/duration.ts';
import { fieldsWithoutEffect } from '#kernel/kinds/testing/field-effects.ts';
import type { Outgoing } from '#kernel/outbound/send-request.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { decisionsSource } from '../evidence/decisions-source.ts';
import { dueWindow } from '../evidence/due-window.ts';
import type { MetricTraits } from '../evidence/measure-source.ts';
import { prometheusSource } from '../evidence/prometheus/prometheus-source.ts';
import { addKept, NO_TALLY, verdictOf } from '../evidence/tally.ts';
import { metricsOf } from '../kinds/guardrail-spec.ts';
import { Notification } from '../kinds/notification.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import { policySpec, releasePolicyKind } from '../kinds/release-policy.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { ReleaseEngineState } from '../kinds/release-status.ts';
import { partsUpTo, stagesOf } from '../kinds/release-stages.ts';
import { partsOf } from '../kinds/targets.ts';
import { sendNotification } from '../notify/send-notification.ts';
import { selectPolicies, selects } from '../rules/choose-policy.ts';
import { couplingProblem } from '../rules/coupling.ts';
import { policyRefs } from '../rules/policy-refs.ts';
import { FakeClusters } from '../testing/fake-clusters.ts';
import { LISTENERS } from '../testing/listeners.ts';
import { Node, Workload } from '../testing/node.ts';
import { advance, type ReleaseObservation, type ReleaseStep } from './advance.ts';
import { countApprovals, shortOfPeople } from './approvals.ts';
import { releaseItemOf, formRelease, type PendingChange, type OpenRelease } from './form.ts';
import type { EffectiveVerdicts } from './effective-verdicts.ts';
import type { Intent, TargetObservation } from './progress.ts';
import { createRelease } from './release-writes.ts';
import { pinOperations } from './restore.ts';

const NOW_MS = Date.UTC(2026, 4, 1, 12);
const MINUTE = 60_000;
const clock = () => Temporal.Instant.fromEpochMilliseconds(NOW_MS);
const CLUSTERS = new FakeClusters({ kind: Workload, time: new VirtualTime(), chance: () => 0 });
for (const [name, ring] of [
  ['c0', 'early'],
  ['c1', 'rest'],
] as const) {
  CLUSTERS.join(name, ring);
}
const TARGETS = [CLUSTERS.target, LISTENERS];
const ReleasePolicy = releasePolicyKind(TARGETS);
const KINDS = kindRegistry([Node, Workload, ReleasePolicy]);
const NOTHING_STORED = { get: () => undefined, find: () => [], list: () => [] };
const OPENED = new Map(
  TARGETS.map((target) => [target.name, target.open({ store: NOTHING_STORED, kinds: KINDS, clock })] as const),
);

/** An object of a kind that becomes another one. */
function changeOf(kind: Kind, name: string): PendingChange {
  const side = (revision: string, generation: number) => {
    const spec = { needs: [], value: generation, neighbourMax: 9 };
    return { object: { kind: kind.id, namespace: '', name, labels: { team: 'x' }, spec, revision }, generation };
  };
  return { kind, name, live: side('before', 1), wanted: side('after', 2) };
}

const CHANGED = [changeOf(Node, 'n'), changeOf(Workload, 'w')];

function releaseBy(spec: PolicySpec): ReleaseSpec {
  return {
    number: 7,
    authors: ['ann'],
    changeSet: '7',
    policy: { name: 'p', spec },
    objects: CHANGED.map(releaseItemOf),
    planHash: 'plan',
    open: true,
  };
}

/** The selected changes, and the policy that releases them. */
function choosing(spec: PolicySpec): unknown {
  const objects = [Node, Workload].flatMap((kind) =>
    ['default', 'other'].flatMap((namespace) =>
      [{ team: 'x' }, { team: 'y' }].map((labels) => ({ kind, namespace, labels })),
    ),
  );
  const others = policySpec({ spec: { selector: {}, priority: 5 } });
  const policies = [
    { name: 'others', spec: others },
    { name: 'p', spec },
  ];
  return [
    objects.map((one) => selects(spec.selector, one)),
    selectPolicies(policies, objects).map(({ name }) => name),
    policyRefs(spec, TARGETS).map(({ kind, name, isShadow, decides }) => [kind, name, isShadow, decides]),
  ];
}

const PEOPLE = [
  { user: 'bob', groups: [], agoMs: 2 * 24 * 60 * MINUTE },
  { user: 'cyd', groups: ['leads'], agoMs: MINUTE },
  { user: 'dan', groups: [], agoMs: MINUTE },
].map(({ user, groups, agoMs }) => ({ user, groups, atMs: NOW_MS - agoMs, planHash: 'plan' }));

/** Whose approvals count. */
function approving(spec: PolicySpec): unknown {
  const release = releaseBy(spec);
  const counted = countApprovals(release, PEOPLE, { nowMs: NOW_MS, withoutRight: new Set() });
  return [counted, shortOfPeople(release)];
}

/** The effect of a later change during this release. */
function forming(spec: PolicySpec): unknown {
  const state = { at: 'exposing', stage: 0, sinceMs: NOW_MS, heldMs: 0 } as const;
  const open: OpenRelease = { name: 'r', spec: releaseBy(spec), standing: { state, approvals: [] } };
  const world = {
    kinds: KINDS,
    targets: TARGETS,
    policies: [],
    look: ({ name }: { readonly name: string }) => CHANGED.find((one) => one.name === name) ?? assert.fail(),
    trail: () => ({ steps: [], isWhole: true }),
  };
  const formed = formRelease({ write: 9, user: 'bob', version: 9 }, CHANGED, [open], world);
  return formed.displaced.map(({ name }) => name);
}

/** Its steps, while guardrails say something and a cluster is heard of or not. */
function walking(spec: PolicySpec, verdicts: EffectiveVerdicts, isUnknown: boolean): unknown {
  const release = releaseBy(spec);
  const order = partsOf(release, KINDS, TARGETS).map(({ target }) => target);
  const intents = new Map<string, Intent>(order.map(({ name }) => [name, { at: 'nobody' }]));
  let standing: ReleaseEngineState = { state: { at: 'waiting', for: 'turn' }, approvals: PEOPLE };
  const collected: unknown[] = [couplingProblem({ name: 'p', spec }, order)];
  let nowMs = NOW_MS;
  for (let count = 0; count < 40; count += 1) {
    const targets = order.map(({ name }): TargetObservation => {
      const place = { name, wanted: 'a', observed: 'a', observedAtMs: nowMs };
      const state = isUnknown && name === 'clusters' ? 'unknown' : 'healthy';
      return { name, intent: intents.get(name) ?? { at: 'nobody' }, places: [{ ...place, state }] };
    });
    const seen: ReleaseObservation = {
      nowMs,
      targets,
      remains: [],
      problems: [],
      takenBackChanges: [],
      withoutRight: new Set(),
      behind: [],
      verdicts,
      restored: true,
      awakeSinceMs: 0,
      asleepSinceMs: 0,
    };
    const step: ReleaseStep = advance(release, standing, seen);
    collected.push([step.phase, step.message, step.effects, step.tell]);
    standing = step.standing;
    for (const effect of step.effects) {
      if (effect.do === 'expose') intents.set(effect.target, { at: 'stage', stage: effect.stage });
      if (effect.do === 'retract') intents.set(effect.target, { at: 'nobody' });
      if (effect.do === 'promote') for (const { name } of order) intents.set(name, { at: 'everybody' });
    }
    if (step.effects.length === 0) nowMs += MINUTE;
  }
  const aims = stagesOf(spec).map((_, stage) =>
    order.map((target) => {
      const wheres = partsUpTo(spec, stage, target).map(({ where }) => where);
      return wheres.length === 0 ? undefined : OPENED.get(target.name)?.aim('r', wheres, undefined);
    }),
  );
  return [collected, aims];
}

const EVENTS: MetricTraits = { called: 'Errors', better: 'fewer', of: 'events', isSplit: true };
/** Counts of tracks in windows, a few of them worse than the next. */
const COUNTED = [
  { candidate: [1_000, 20], stable: [1_000, 20] },
  { candidate: [1_000, 33], stable: [1_000, 20] },
  { candidate: [1_000, 38], stable: [1_000, 20] },
  { candidate: [25, 2], stable: [25, 0] },
] as const;

/** Requests to the sources of its guardrails, and the verdicts on some counts. */
async function judging(spec: PolicySpec): Promise<unknown> {
  const asked: unknown[] = [];
  const { alpha, beta, every } = spec.judging;
  const context = { alpha, beta, metrics: metricsOf(spec.guardrails) };
  const schedule = { grainMs: 1_000, everyMs: durationMs(every), stretches: [{ stage: 0, seenMs: 0 }], lastToMs: 0 };
  const rows = [{ track: 'candidate', node: 'a/1', answers: 9, denied: 1, failed: 2 }];
  const decisions = decisionsSource({
    query: ({ name }: { name?: string }) => Promise.resolve(name === 'read-release-counts' ? rows : []),
  } as never);
  const prometheus = prometheusSource({
    store: {
      get: (_kind, _namespace, name) =>
        name === 'main'
          ? ({ object: () => ({ spec: { url: 'https://prometheus.example' } }) } as unknown as Entry)
          : undefined,
    },
    database: { query: () => Promise.resolve([]) } as never,
    outbound: {
      ask: async (_cause, { body }: Outgoing) => {
        asked.push(body);
        return { status: 503, headers: {}, text: '', isCut: false };
      },
    },
  });
  const collected = await Promise.all(
    spec.guardrails.map(async (guardrail) => {
      const window = { release: 'r', guardrail, stage: 0, fromMs: 0, toMs: MINUTE };
      const source = guardrail.prometheus === undefined ? decisions : prometheus;
      const measured = guardrail.metric === undefined ? await source.measure(window, AbortSignal.any([])) : [];
      const verdicts = COUNTED.map(({ candidate, stable }) => {
        const [of, by] = [candidate, stable].map(([units, bad]) => ({ units, bad }));
        let tally = NO_TALLY;
        for (let index = 0; index < 40; index += 1) {
          // Moments are not all alike.
          const more = index % 8 < 4 ? 1 : 3;
          const times = ({ units = 0, bad = 0 }: { units?: number; bad?: number } = {}) => ({ units, bad: bad * more });
          tally = addKept(guardrail, tally, {
            guardrail: guardrail.name,
            fromMs: index * MINUTE,
            toMs: (index + 1) * MINUTE,
            stage: 0,
            share: 0.5,
            reading: { at: 'measured', measured: EVENTS, candidate: times(of), stable: times(by) },
            judgeVersion: 1,
            atMs: 0,
          });
        }
        return verdictOf(guardrail, tally, 0, context);
      });
      return [measured, verdicts];
    }),
  );
  return [collected, asked, dueWindow(schedule, 40_000)];
}

/** The pins and messages after every possible event. */
async function telling(spec: PolicySpec): Promise<unknown> {
  const release = releaseBy(spec);
  const taken = { release: 'r', by: 'bob', because: 'It harms.' };
  const pins = pinOperations(release, taken, NOTHING_STORED, { kinds: KINDS, nowMs: NOW_MS }).map((one) =>
    'object' in one ? one.object : one,
  );
  const tell = ['started', 'stage', 'paused', 'promoted', 'rolledBack'] as const;
  const step: ReleaseStep = {
    standing: { state: { at: 'waiting', for: 'turn' }, approvals: [] },
    effects: [],
    tell,
    phase: 'Waiting',
    message: 'It waits.',
  };
  const sent: unknown[] = [];
  const store = {
    get: (kind: Kind, namespace: string, name: string) =>
      kind === Secret && namespace === 'a' && name === 'hook'
        ? { object: () => ({ data: { key: Buffer.from('c2VjcmV0').toString('base64') } }) }
        : undefined,
  } as unknown as Store<Operation>;
  for (const one of createRelease({ name: 'r', spec: release }, step, { nowMs: NOW_MS, by: 'ann' })) {
    if (one.kind !== Notification.id || !('object' in one)) continue;
    const message = Notification.spec(one.object as ResourceObject);
    const outbound = {
      ask: async (_cause: unknown, outgoing: Outgoing) => {
        sent.push(outgoing);
        return { status: 200, headers: {}, text: '', isCut: false };
      },
    };
    sent.push(await sendNotification({ store, outbound, clock }, 'x', message, NOW_MS));
  }
  return [pins, sent];
}

/** The effect of a policy on changes, without its hash, which covers every field. */
async function observe(declared: unknown): Promise<unknown> {
  const spec = ReleasePolicy.spec({ spec: declared });
  const verdict = (outcome: 'pass' | 'fail') => ({
    outcome,
    because: `It is ${outcome}.`,
    judgeVersion: 1,
    figures: { of: 'nothing' as const },
    isOfStage: true,
  });
  const all = (outcome: 'pass' | 'fail'): EffectiveVerdicts =>
    new Map(['harm', 'lag'].map((name) => [name, verdict(outcome)] as const));
  return [
    ReleasePolicy.validate?.(declared, { now: clock(), find: () => [], name: 'p', kinds: KINDS.all }),
    choosing(spec),
    approving(spec),
    forming(spec),
    [new Map(), all('pass'), all('fail')].map((verdicts) => walking(spec, verdicts, false)),
    walking(spec, all('pass'), true),
    await judging(spec),
    await telling(spec),
  ];
}

const few = { name: 'few', listeners: { percent: 10 }, soak: 'PT2M' };
const half = { name: 'half', listeners: { percent: 50 }, soak: 'PT2M' };
const harm = { name: 'harm', decisions: 'failed', noWorse: { margin: 1.5 } };
const staged = { selector: {}, stages: [few, half] };
const secret = { namespace: 'a', name: 'hook', key: 'key' };

test('no field of a ReleasePolicy without an effect', async () => {
  const without = await fieldsWithoutEffect({
    kind: ReleasePolicy,
    bases: [
      { selector: { kinds: ['Node'], namespaces: ['default'], matchLabels: { team: 'x' } }, priority: 5 },
      { selector: {}, approvals: { required: 2, users: ['bob', 'cyd', 'dan'], expireAfter: 'P7D' } },
      { selector: {}, approvals: { required: 2, groups: ['leads'] } },
      {
        ...staged,
        stages: [{ ...few, listeners: { percent: 10, audience: 'testers', regions: ['eu'] }, deadline: 'PT5M' }, half],
        guardrails: [harm],
        bake: 'PT5M',
      },
      {
        selector: {},
        stages: [
          { name: 'early', clusters: { rings: ['early'], percent: 50 } },
          { name: 'clusters', clusters: { percent: 100 } },
          half,
        ],
        before: { clusters: ['listeners'] },
      },
      {
        selector: {},
        stages: [half, { name: 'all', listeners: { percent: 100 } }, { name: 'clusters', clusters: { percent: 50 } }],
        before: { listeners: ['clusters'] },
      },
      {
        ...staged,
        guardrails: [
          { ...harm, independentEvery: 'PT4M' },
          { name: 'lag', metric: 'lags', noWorse: {} },
        ],
      },
      { ...staged, guardrails: [{ ...harm, promotesFrom: 'few' }] },
      {
        ...staged,
        guardrails: [
          { name: 'lag', prometheus: { source: 'main', bad: 'bad', total: 'total' }, burnRate: { objective: 0.98 } },
          { name: 'harm', decisions: 'denied', threshold: { above: 0.05, unitsMin: 1_000 }, shadow: true },
        ],
      },
      {
        ...staged,
        guardrails: [
          { name: 'lag', prometheus: { source: 'main', value: 'lag' }, threshold: { above: 5, unitsMin: 1 } },
          { name: 'harm', decisions: 'denied', threshold: { below: 0.03, unitsMin: 1 } },
        ],
      },
      {
        ...staged,
        pinFor: 'PT20M',
        notify: [
          { type: 'webhook', url: 'https://hooks.example/a', secret, on: ['started'] },
          { type: 'slack', url: 'https://hooks.example/b', on: ['stage'] },
        ],
      },
    ],
    informational: [],
    values: {
      'selector.kinds[]': ['Workload', 'Other'],
      'approvals.expireAfter': ['P1D'],
      'stages[].soak': ['PT10M'],
      'stages[].deadline': ['PT20M'],
      'stages[].listeners.unit': ['member'],
      'judging.every': ['PT10S', 'PT1M'],
      'judging.alpha': [0.01, 0.2],
      'judging.beta': [0.01, 0.2],
      'guardrails[].burnRate.objective': [0.999],
      'guardrails[].independentEvery': ['PT1H'],
      'guardrails[].promotesFrom': ['half'],
      'guardrails[].noWorse.margin': [3],
      'guardrails[].threshold.above': [0.9, 0.01],
      'guardrails[].threshold.below': [0.001, 0.9],
      'guardrails[].threshold.unitsMin': [1_000_000],
      bake: ['PT30M'],
      pinFor: ['PT40M'],
      'notify[].on[]': ['promoted'],
      'notify[].url': ['https://other.example/c'],
    },
    observe,
  });
  assert.deepEqual(without, []);
});

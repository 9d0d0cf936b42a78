import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shapeProblems } from '#kernel/store/rules/write.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { structureOf } from '#kernel/kinds/structure.ts';
import { releaseKinds } from '../kinds.ts';
import { LISTENERS } from '../testing/listeners.ts';
import { Freeze } from './freeze.ts';
import { Release } from './release.ts';
import { releasePolicyKind } from './release-policy.ts';
import { STOP_NAME, Stop } from './stop.ts';

const ReleasePolicy = releasePolicyKind([LISTENERS]);

function objectOf(kind: Kind, name: string, spec: unknown): ResourceObject {
  const object = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: kind.namespaced ? { name, namespace: 'default' } : { name },
    spec,
  };
  return structureOf(kind).applyDefaults(object) as ResourceObject;
}

/** Kinds for selectors: two that are released, and one that is not. */
const KINDS = [
  { id: 'products.backline.dev/Plan', kind: 'Plan', released: true },
  { id: 'products.backline.dev/Price', kind: 'Price', released: true },
  { id: 'ads.backline.dev/Campaign', kind: 'Campaign', released: false },
  { id: 'Secret', kind: 'Secret', released: false, confidential: true },
].map((kind) => ({
  ...kind,
  apiVersion: kind.id.includes('/') ? kind.id.replace(/\/.*/, '/v1') : 'v1',
  namespaced: true,
  verbs: ['create', 'update'] as const,
}));

/** All that is wrong, as `path: sentence`. */
function problemsOf(kind: Kind, spec: unknown, name = 'x'): string[] {
  const object = objectOf(kind, name, spec);
  const shape = shapeProblems(kind, object);
  const context = { now: Temporal.Instant.fromEpochMilliseconds(0), find: () => [], kinds: KINDS, name };
  const found = shape.length > 0 ? shape : (kind.validate?.(object.spec, context) ?? []);
  return found.map(({ path, detail }) => `${path.join('.')}: ${detail}`);
}

test('every example is right as it stands', () => {
  for (const kind of releaseKinds([LISTENERS])) {
    const { example } = kind;
    if (example === undefined) continue;
    const [problems] = [problemsOf(kind, example.spec, example.name)];
    assert.deepEqual(problems, [], kind.kind);
  }
});

const stage = (
  { name = 's', ...part }: { readonly name?: string; readonly [field: string]: unknown } = {},
  more: object = {},
) => ({
  name,
  listeners: { percent: 10, ...part },
  ...more,
});

test('a policy that makes no sense is refused, with the place and what would be right', () => {
  const guardrail = { name: 'g', decisions: 'failed', noWorse: {} };
  const cases: [object, RegExp][] = [
    [{ stages: [stage({ percent: 0 })] }, /stages\.0\.listeners\.percent/],
    [{ stages: [stage({ percent: -5 })] }, /stages\.0\.listeners\.percent/],
    [{ stages: [stage({ percent: 101 })] }, /stages\.0\.listeners\.percent/],
    [{ stages: [stage({ percent: '10' })] }, /stages\.0\.listeners\.percent/],
    [{ stages: [stage({}, { soak: 'ten minutes' })] }, /stages\.0\.soak/],
    [{ stages: [stage({}, { soak: 'P31D' })] }, /stages\.0\.soak: .*from PT0S to P30D/],
    [{ stages: [stage({}, { soak: 'PT1H', deadline: 'PT10M' })] }, /stages\.0\.deadline: .*before the end of the soak/],
    [{ stages: [stage(), stage({ percent: 20 })] }, /stages\.1\.name: Two stages are called "s"/],
    [
      { stages: [stage(), stage({ name: 't', percent: 10 })] },
      /stages\.1\.listeners\.percent: Stage "t" reaches no new users beyond "s" \(10 %\)/,
    ],
    [{ stages: [stage({ percent: 50 }), stage({ name: 't', percent: 10 })] }, /stages\.1\.listeners\.percent/],
    [{ stages: [{ name: 's', percent: 10 }] }, /stages\.0\.percent: unknown field/],
    [{ stages: [{ name: 's' }] }, /stages\.0: Stage "s" has no target: add listeners\./],
    [
      { stages: [stage(), stage({ name: 't', percent: 20, unit: 'member' })] },
      /stages\.1\.listeners\.unit: An earlier stage splits by group, this one by member/,
    ],
    [{ stages: [stage({}, { maxUnknown: -1 })] }, /stages\.0\.maxUnknown/],
    [{ guardrails: [guardrail] }, /stages: .*before there is anything to judge/],
    [{ bake: 'PT10M' }, /bake: A bake follows stages/],
    [{ stages: [stage()], bake: 'PT1S' }, /bake: .*from PT1M to P30D/],
    [
      { stages: [stage({ name: 'bake' })], bake: 'PT10M' },
      /stages\.0\.name: "bake" is reserved for the stage of the bake/,
    ],
    [{ stages: [stage()], guardrails: [guardrail, guardrail] }, /guardrails\.1: Duplicate value: \{"name"/],
    [
      { stages: [stage()], guardrails: [{ name: 'g', noWorse: {} }] },
      /one of metric, decisions, requests and prometheus; this one has 0/,
    ],
    [{ stages: [stage()], guardrails: [{ ...guardrail, metric: 'm' }] }, /this one has 2/],
    [{ stages: [stage()], guardrails: [{ name: 'g', metric: 'm' }] }, /one of noWorse, threshold and burnRate/],
    [{ stages: [stage()], guardrails: [{ name: 'g', metric: 'm', threshold: {} }] }, /either above or below/],
    [{ stages: [stage()], guardrails: [{ ...guardrail, noWorse: { margin: 1 } }] }, /margin/],
    [
      { stages: [stage()], guardrails: [{ ...guardrail, promotesFrom: 'later' }] },
      /There is no stage "later"; there are s/,
    ],
    [
      { stages: [stage()], guardrails: [{ ...guardrail, independentEvery: 'PT20S' }] },
      /independentEvery: .*from PT30S to P1D/,
    ],
    [
      { stages: [stage()], guardrails: [{ ...guardrail, independentEvery: 'P2D' }] },
      /independentEvery: .*from PT30S to P1D/,
    ],
    [
      {
        stages: [stage()],
        guardrails: [{ name: 'g', decisions: 'failed', burnRate: { objective: 0.9 }, independentEvery: 'PT1H' }],
      },
      /independentEvery: It applies to noWorse only/,
    ],
    [{ judging: { alpha: 0 } }, /judging\.alpha/],
    [{ judging: { every: 'PT0S' } }, /judging\.every/],
    [{ approvals: { required: 0 } }, /approvals\.required/],
    [{ queue: 'jump' }, /queue/],
    [{ notify: [{ type: 'webhook' }] }, /notify\.0\.url: A webhook needs a url/],
    [{ notify: [{ type: 'pagerduty' }] }, /routing key/],
    [{ notify: [{ type: 'webhook', url: 'file:///etc/passwd' }] }, /notify\.0\.url/],
    ...['http://', 'http://a b/', 'https://hooks.example:99999/'].map((url): [object, RegExp] => [
      { notify: [{ type: 'webhook', url }] },
      /notify\.0\.url: Invalid address/,
    ]),
    [
      { notify: [{ type: 'webhook', url: 'https://ada:secret@hooks.example/' }] },
      /notify\.0\.url: .* name a Secret in secret, which signs what is sent/,
    ],
    [{ sector: {} }, /unknown field/],
  ];
  for (const [more, expected] of cases) {
    const problems = problemsOf(ReleasePolicy, { selector: { kinds: ['Plan'] }, ...more });
    assert.ok(
      problems.some((text) => expected.test(text)),
      `${JSON.stringify(more)}: ${problems.join('; ')}`,
    );
  }
});

test('a policy that can never work is refused, whatever is declared later', () => {
  const rate = (name: string, threshold: object) => ({ name, decisions: 'failed', threshold });
  const compared = { name: 'g', decisions: 'failed', noWorse: {} };
  const cases: [object, RegExp][] = [
    [{ selector: { kinds: ['Plann'] } }, /selector\.kinds\.0: There is no kind "Plann" \(did you mean "Plan"/],
    [{ selector: { kinds: ['Plan', 'Secret'] } }, /selector\.kinds\.1: Secret is written at once and never released/],
    [
      { approvals: { required: 2, users: ['bob'] } },
      /approvals\.users: 2 approvals are required, and only 1 may approve/,
    ],
    [{ approvals: { required: 2, users: ['bob', 'bob'] } }, /approvals\.users/],
    [{ approvals: { required: 1, expireAfter: 'PT0S' } }, /approvals\.expireAfter/],
    [{ pinFor: 'PT0S' }, /pinFor/],
    [
      { stages: [stage({ percent: 50 }), stage({ name: 't', percent: 20, regions: ['se'] })] },
      /stages\.1\.listeners\.percent: Stage "t" reaches no new users beyond "s" \(50 %\)/,
    ],
    [
      {
        stages: [
          stage({ percent: 50, regions: ['se', 'de'] }),
          stage({ name: 't', percent: 20, regions: ['de', 'se'] }),
        ],
      },
      /stages\.1\.listeners\.percent/,
    ],
    [
      { stages: [stage({ percent: 100 }), stage({ name: 't', percent: 50, audience: 'staff' })] },
      /stages\.1\.listeners\.percent/,
    ],
    [
      {
        stages: [
          stage({ percent: 20, regions: ['se'] }),
          stage({ name: 't', percent: 30, regions: ['de'] }),
          stage({ name: 'u', percent: 20, regions: ['se', 'de'] }),
        ],
      },
      /stages\.2\.listeners\.percent: .*"s" \(20 %\), "t" \(30 %\)/,
    ],
    [{ stages: [stage({ percent: 100 })], guardrails: [compared] }, /guardrails\.0\.noWorse: .*leaves no control/],
    [
      {
        stages: [stage(), stage({ name: 'all', percent: 100 })],
        guardrails: [{ ...compared, promotesFrom: 'all' }],
      },
      /guardrails\.0\.promotesFrom/,
    ],
    [
      { stages: [stage()], guardrails: [rate('high', { above: 0.1 }), rate('low', { below: 0.2 })] },
      /guardrails\.1\.threshold\.below: "high" fails above 0.1.*every number fails/,
    ],
    ...[
      [{ above: 5 }, /threshold\.above: 5 is not a rate: rates are 0 to 1; 5 % is 0\.05\./],
      [{ above: 1 }, /threshold\.above: No rate is above 1/],
      [{ above: -0.1 }, /threshold\.above: -0\.1 is not a rate: rates are 0 to 1\.$/],
      [{ below: -1 }, /threshold\.below: -1 is not a rate/],
      [{ below: 0 }, /threshold\.below: No rate is below 0/],
      [{ below: 99.9 }, /threshold\.below: 99\.9 is not a rate: .*99\.9 % is 0\.999\./],
    ].flatMap(([threshold, expected]): [object, RegExp][] => {
      const counts = { source: 's', bad: 'a', total: 'b' };
      return [
        [{ stages: [stage()], guardrails: [rate('g', threshold as object)] }, expected as RegExp],
        [{ stages: [stage()], guardrails: [{ name: 'g', prometheus: counts, threshold }] }, expected as RegExp],
      ];
    }),
  ];
  for (const [more, expected] of cases) {
    const problems = problemsOf(ReleasePolicy, { selector: { kinds: ['Plan'] }, ...more });
    assert.ok(
      problems.some((text) => expected.test(text)),
      `${JSON.stringify(more)}: ${problems.join('; ')}`,
    );
  }
  const freeze = { timeZone: 'UTC', start: '2026-01-01T00:00', end: '2026-01-02T00:00', reason: 'r', owner: 'o' };
  assert.match(problemsOf(Freeze, { ...freeze, selector: { kinds: ['Pric'] } }).join(), /"Price"/);
});

test('a policy that can work is not refused', () => {
  const rate = (name: string, threshold: object) => ({ name, decisions: 'failed', threshold });
  for (const more of [
    { selector: { kinds: ['products.backline.dev/Plan'] } },
    { approvals: { required: 2, users: ['bob'], groups: ['pricing'] } },
    {
      stages: [stage({ percent: 50, regions: ['se'] }), stage({ name: 't', percent: 20 })],
      guardrails: [rate('high', { above: 0.2 }), rate('low', { below: 0.1 })],
    },
    { stages: [stage({ percent: 100, audience: 'staff' }), stage({ name: 't', percent: 50 })] },
    {
      stages: [stage({ percent: 100, audience: 'staff' }), stage({ name: 'few', percent: 5 })],
      guardrails: [{ name: 'g', decisions: 'failed', noWorse: {}, promotesFrom: 'few' }],
    },
    {
      stages: [stage({ percent: 50 })],
      guardrails: [{ name: 'g', decisions: 'failed', noWorse: {}, independentEvery: 'PT30M' }],
    },
    {
      stages: [stage({ percent: 100 })],
      guardrails: [
        { name: 'g', decisions: 'failed', noWorse: {}, shadow: true },
        { name: 'lag', prometheus: { source: 's', value: 'x' }, threshold: { above: 250 } },
        rate('edge', { below: 1 }),
      ],
    },
  ]) {
    assert.deepEqual(problemsOf(ReleasePolicy, { selector: { kinds: ['Plan'] }, ...more }), [], JSON.stringify(more));
  }
});

test('stages of other audiences and regions may be as wide or wider in any order', () => {
  const stages = [
    stage({ audience: 'staff', percent: 100 }),
    stage({ name: 't', regions: ['se'], percent: 50 }),
    stage({ name: 'u', percent: 1 }),
  ];
  assert.deepEqual(problemsOf(ReleasePolicy, { selector: {}, stages }), []);
});

test('a freeze has an end or comes again, and there is one switch', () => {
  const freeze = { timeZone: 'UTC', start: '2026-01-01T00:00', reason: 'r', owner: 'o' };
  assert.match(problemsOf(Freeze, freeze).join(), /either an end or an rrule/);
  assert.match(problemsOf(Freeze, { ...freeze, rrule: 'FREQ=DAILY' }).join(), /need each other/);
  assert.match(
    problemsOf(Freeze, { ...freeze, end: '2026-01-02T00:00', rrule: 'FREQ=DAILY', duration: 'PT1H' }).join(),
    /either/,
  );
  assert.match(problemsOf(Freeze, { ...freeze, rrule: 'FREQ=DAILY', duration: 'P61D' }).join(), /P60D/);
  assert.match(problemsOf(Stop, { reason: 'r' }, 'some').join(), /one switch: it is called "all"/);
  assert.deepEqual(problemsOf(Stop, { reason: 'r' }, STOP_NAME), []);
});

test('the share of a release has its audience, where a stage selects some', () => {
  const stages = [
    { name: 'de', listeners: { percent: 100, regions: ['de'] } },
    { name: 'more', listeners: { percent: 50, audience: 'staff', regions: ['at', 'ch', 'de', 'us'] } },
    { name: 'all', listeners: { percent: 5 } },
  ];
  const share = (status: object): unknown =>
    Release.columns
      ?.find(({ name }) => name === 'Share')
      ?.value(
        { ...objectOf(Release, 'x', {}), spec: { policy: { name: 'p', spec: { stages } }, objects: [] }, status },
        Temporal.Instant.fromEpochMilliseconds(0),
      );
  assert.equal(share({ phase: 'Progressing', stage: 'de', share: 100 }), '100% regions de');
  assert.equal(share({ phase: 'Progressing', stage: 'more', share: 50 }), '50% audience staff regions at+ch+de+us');
  assert.equal(share({ phase: 'Progressing', stage: 'all', share: 5 }), '5%');
  assert.equal(share({ phase: 'Promoted' }), '100%');
  assert.equal(share({ phase: 'Promoted', rolledBackBy: 'back-x-1' }), undefined);
});

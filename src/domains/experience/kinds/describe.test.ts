import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeExperiment } from './describe-experiment.ts';
import { describeFlag } from './describe-flag.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { Holdout } from './holdout.ts';
import type { ExperimentSpec } from './experiment-spec.ts';
import type { FlagRule, FlagSpec } from './flag-spec.ts';
import type { Split } from './parts.ts';

const NOW = Temporal.Instant.from('2026-11-29T12:00:00Z');
const halves: Split = [
  { variant: 'a', weight: 1 },
  { variant: 'b', weight: 1 },
];

function experiment(spec: Partial<ExperimentSpec> = {}): ExperimentSpec {
  return { flag: 'f', state: 'running', iteration: 1, split: halves, ...spec };
}

const plan = (value: string) => ({ anyOf: [{ allOf: [{ attribute: 'plan', in: [value] }] }] });

const EXPERIMENTS: readonly [
  what: string,
  before: Partial<ExperimentSpec>,
  after: Partial<ExperimentSpec>,
  says: RegExp,
][] = [
  [
    'its audience',
    { when: plan('free') },
    { when: plan('paid') },
    /^Experiment e is for .*paid.* instead of .*free.*; listeners who no longer match leave it and get the default of flag f\.$/,
  ],
  [
    'its audience, where variants are recorded',
    { audience: 'free', sticky: { intake: 'open', days: 90, ignoreTargeting: true } },
    { audience: 'paid', sticky: { intake: 'open', days: 90, ignoreTargeting: true } },
    /^Experiment e is for audience paid instead of audience free; units with a variant keep it\.$/,
  ],
  [
    'how many of them',
    { traffic: { percent: 50 } },
    { traffic: { percent: 10 } },
    /^Experiment e: 50 % → 10 % of its audience take part; units that drop out get the default of flag f, and no unit changes variant\.$/,
  ],
  [
    'which of them, and not how many',
    { traffic: { percent: 50 } },
    { traffic: { ranges: [{ from: 0.5, until: 1 }] } },
    /^Experiment e: another 50 % of its audience take part; units that drop out get the default of flag f/,
  ],
  [
    'its parts of the line',
    { split: [{ variant: 'a', ranges: [{ from: 0, until: 0.05 }] }] },
    { split: [{ variant: 'a', ranges: [{ from: 0, until: 0.25 }] }] },
    /^Experiment e: a 5 % → a 25 %; no unit changes variant\.$/,
  ],
];

for (const [what, before, after, says] of EXPERIMENTS) {
  test(`a plan says of a running experiment that it changes ${what}`, () => {
    const sentences = describeExperiment('e', { before: experiment(before), after: experiment(after) });
    assert.equal(sentences.length, 1);
    assert.match(sentences[0] ?? '', says);
  });
}

const sticky = { intake: 'open', days: 90 } as const;

test('a start is described with its audience', () => {
  const describeStart = (spec: Partial<ExperimentSpec>) =>
    describeExperiment('e', { before: undefined, after: experiment(spec) }).join();
  assert.equal(describeStart({}), 'Experiment e starts on flag f: 100 % of all units, a 50 %, b 50 %.');
  assert.match(describeStart({ audience: 'payers' }), /100 % of all units, for audience payers, a 50 %/);
  const say = (spec: object) =>
    Holdout.describe?.(
      'h',
      { before: undefined, after: spec },
      { world: new LiveObjects(kindRegistry([])), now: NOW },
    ).join();
  assert.equal(say({ percent: 5 }), 'New holdout: 5 % of all units are held out.');
  assert.equal(
    say({ percent: 5, audience: 'payers', required: true }),
    'New holdout: 5 % of all units are held out, for audience payers; every experiment that starts must name it.',
  );
});

test('a plan says what else changes of who is in an experiment', () => {
  const says = (before: Partial<ExperimentSpec>, after: Partial<ExperimentSpec>) =>
    describeExperiment('e', { before: experiment(before), after: experiment(after) });
  assert.deepEqual(says({}, { sticky }), ['Experiment e keeps the variant of each unit for 90 days.']);
  assert.deepEqual(says({ sticky }, { sticky: { ...sticky, intake: 'paused' } }), ['Experiment e takes nobody new.']);
  assert.deepEqual(says({ sticky: { ...sticky, ignoreTargeting: true } }, { sticky }), [
    'Experiment e: listeners who no longer match its audience leave it.',
  ]);
  assert.deepEqual(says({ sticky }, {}), [
    'Experiment e no longer records variants: units that only their record kept in leave it.',
  ]);
  const tags = (exclusiveTo: string[]) => ({ allocation: { percent: 20, exclusiveTo } });
  assert.deepEqual(says(tags([]), tags(['home'])), ['Experiment e: it is exclusive to: none → home.']);
});

test('a plan says what is evaluated before the rules of a flag, their order, and that an experiment runs on it', () => {
  const flag = (spec: Partial<FlagSpec>): FlagSpec => ({
    type: 'string',
    enabled: true,
    variants: [{ name: 'a', value: 'A' }],
    default: 'a',
    ...spec,
  });
  const world = (state: string): World => ({
    get: () => undefined,
    list: () => [],
    find: () => [
      {
        kind: 'Experiment',
        namespace: 'n',
        name: 'e',
        labels: {},
        revision: '1',
        spec: experiment({ state } as object),
      },
    ],
  });
  const says = (before: Partial<FlagSpec>, after: Partial<FlagSpec>, state = 'draft') =>
    describeFlag('f', { before: flag(before), after: flag(after) }, { world: world(state) });
  const [first, second] = ['x', 'y'].map((name) => ({ name, serve: 'a' })) as [FlagRule, FlagRule];
  assert.deepEqual(says({}, { requires: [{ flag: 'g', variants: ['on'] }] }), [
    'f: a for everybody unless flag g is on.',
  ]);
  assert.deepEqual(says({ rules: [first, second] }, { rules: [second, first] }), [
    'f: the order of the rules changes: y, x.',
  ]);
  assert.match(says({}, { unit: ['household'] }).join(), /uses the unit household/);
  const runs = /An experiment runs on f: listeners that its changed rules, switch or requirements now match leave it/;
  assert.match(says({}, { rules: [first] }, 'running').join(), runs);
  assert.match(says({}, { enabled: false }, 'running').join(), runs);
  assert.doesNotMatch(says({}, { title: 'F' }, 'running').join(), runs);
  assert.doesNotMatch(says({}, { rules: [first] }).join(), runs);
});

const FLAGS: readonly [what: string, before: FlagRule, after: FlagRule, says: RegExp | undefined][] = [
  [
    'a rule with a split that gets another name',
    { name: 'old', split: halves },
    { name: 'new', split: halves },
    /rule new, renamed from old, draws its listeners again/,
  ],
  [
    'a split in another order',
    { name: 'r', split: halves },
    { name: 'r', split: halves.toReversed() },
    /some listeners of rule r get another variant than before/,
  ],
  [
    'traffic by another unit',
    { name: 'r', serve: 'b', traffic: { percent: 30 } },
    { name: 'r', serve: 'b', traffic: { percent: 30, unit: ['household'] } },
    /rule r draws its participants again/,
  ],
  [
    'a ramp, which moves nobody back',
    { name: 'r', serve: 'b', traffic: { percent: 30 } },
    { name: 'r', serve: 'b', traffic: { percent: 60 } },
    undefined,
  ],
];

for (const [what, before, after, says] of FLAGS) {
  test(`a plan says who moves: ${what}`, () => {
    const flag = (rule: FlagRule): FlagSpec => ({
      type: 'string',
      enabled: true,
      variants: [
        { name: 'a', value: 'A' },
        { name: 'b', value: 'B' },
      ],
      rules: [rule],
    });
    const moves = describeFlag('f', { before: flag(before), after: flag(after) }).filter((one) =>
      /draws its|another variant/.test(one),
    );
    if (says === undefined) assert.deepEqual(moves, []);
    else assert.match(moves.join(), says);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeExperiment } from './describe-experiment.ts';
import { describeFlag } from './describe-flag.ts';
import type { ExperimentSpec } from './experiment-spec.ts';
import type { FlagRule, FlagSpec } from './flag-spec.ts';
import type { Split } from './parts.ts';

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
    'whom it is for',
    { when: plan('free') },
    { when: plan('paid') },
    /^Experiment e is for .*paid.* instead of .*free.*; whoever no longer matches leaves it and gets the default of flag f\.$/,
  ],
  [
    'whom it is for, where variants are kept',
    { audience: 'free', sticky: { intake: 'open', days: 90, ignoreTargeting: true } },
    { audience: 'paid', sticky: { intake: 'open', days: 90, ignoreTargeting: true } },
    /^Experiment e is for audience paid instead of audience free; who has a variant keeps it\.$/,
  ],
  [
    'how many of them',
    { traffic: { percent: 50 } },
    { traffic: { percent: 10 } },
    /^Experiment e: 50 % → 10 % of its audience take part; whoever no longer does gets the default of flag f, and nobody changes variant\.$/,
  ],
  [
    'its parts of the line',
    { split: [{ variant: 'a', ranges: [{ from: 0, until: 0.05 }] }] },
    { split: [{ variant: 'a', ranges: [{ from: 0, until: 0.25 }] }] },
    /^Experiment e: a 5 % → a 25 %; nobody changes variant\.$/,
  ],
];

for (const [what, before, after, says] of EXPERIMENTS) {
  test(`a plan says of a running experiment that it changes ${what}`, () => {
    const sentences = describeExperiment('e', experiment(before), experiment(after));
    assert.equal(sentences.length, 1);
    assert.match(sentences[0] ?? '', says);
  });
}

const FLAGS: readonly [what: string, before: FlagRule, after: FlagRule, says: RegExp | undefined][] = [
  [
    'a rule with a split that gets another name',
    { name: 'old', split: halves },
    { name: 'new', split: halves },
    /who is in which part of rule new is drawn anew, as it was called old/,
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
    /who takes part in rule r is drawn anew/,
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
    const moves = describeFlag('f', flag(before), flag(after)).filter((one) => /anew|another variant/.test(one));
    if (says === undefined) assert.deepEqual(moves, []);
    else assert.match(moves.join(), says);
  });
}

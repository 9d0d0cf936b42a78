import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExperimentSpec } from './experiment-spec.ts';
import type { FlagSpec } from './flag-spec.ts';
import type { Split } from './parts.ts';
import { movedProblems, type AssignmentInputs } from './assignment.ts';

interface Parts {
  readonly experiment?: Partial<ExperimentSpec>;
  readonly flag?: Partial<FlagSpec>;
  readonly held?: number;
  readonly heldPlan?: string;
}

function inputsWith({ experiment, flag, held = 5, heldPlan = 'free' }: Parts = {}): AssignmentInputs {
  return {
    experiment: {
      flag: 'f',
      state: 'running',
      iteration: 1,
      split: [
        { variant: 'a', weight: 1 },
        { variant: 'b', weight: 1 },
      ],
      holdouts: ['autumn'],
      ...experiment,
    },
    flag: {
      type: 'string',
      enabled: true,
      variants: [
        { name: 'a', value: 'A' },
        { name: 'b', value: 'B' },
        { name: 'c', value: 'C' },
      ],
      ...flag,
    },
    holdouts: new Map([['autumn', { percent: held, audiences: new Map([['some', planIs(heldPlan)]]) }]]),
  };
}

const planIs = (plan: string) => ({ anyOf: [{ allOf: [{ attribute: 'plan', in: [plan] }] }] });
const ranges = (...parts: readonly (readonly [string, number, number])[]): Split =>
  parts.map(([variant, from, until]) => ({ variant, ranges: [{ from, until }] }));
const buckets = { algorithm: 'growthbook-v2', salt: 's' } as const;

const KEPT: readonly [what: string, before: Parts, after: Parts, says: RegExp][] = [
  ['its flag', {}, { experiment: { flag: 'g' } }, /^flag cannot change/],
  ['its unit', {}, { experiment: { unit: ['household'] } }, /^unit cannot change/],
  ['the unit of its flag', {}, { flag: { unit: ['household'] } }, /^unit cannot change/],
  ['its weights', {}, { experiment: { split: [{ variant: 'a', weight: 1 }] } }, /^split cannot change/],
  ['its buckets', {}, { experiment: { bucketing: buckets } }, /^bucketing cannot change/],
  [
    'which part of the line is whose',
    { experiment: { split: ranges(['a', 0, 0.5], ['b', 0.5, 1]) } },
    { experiment: { split: ranges(['a', 0, 0.6], ['b', 0.6, 1]) } },
    /^split cannot change/,
  ],
  [
    'the salt of its traffic',
    { experiment: { traffic: { percent: 50, bucketing: buckets } } },
    { experiment: { traffic: { percent: 50, bucketing: { ...buckets, salt: 't' } } } },
    /^bucketing cannot change/,
  ],
  [
    'the unit of a part of its traffic',
    { experiment: { traffic: { percent: 50, also: [{ percent: 10 }] } } },
    { experiment: { traffic: { percent: 50, also: [{ percent: 10, unit: ['household'] }] } } },
    /^unit cannot change/,
  ],
  [
    'the values of what is compared',
    {},
    {
      flag: {
        variants: [
          { name: 'a', value: 'B' },
          { name: 'b', value: 'A' },
        ],
      },
    },
    /^variant "a" cannot change from "A" to "B"/,
  ],
  ['a larger holdout', {}, { held: 50 }, /^holdout "autumn" cannot change from 5 % to 50 %/],
  ['a smaller holdout', {}, { held: 1 }, /^holdout "autumn" cannot change from 5 % to 1 %/],
  [
    'the audience of its holdout',
    {},
    { heldPlan: 'paid' },
    /^holdout "autumn" is for audience "some", which cannot change/,
  ],
  [
    'those who take part when a record is kept from now on',
    {},
    { experiment: { sticky: { intake: 'paused', days: 90 } } },
    /^no variant is on record yet/,
  ],
  ['a holdout that goes', {}, { experiment: { holdouts: [] } }, /^holdout "autumn" cannot be added or removed/],
  ['an iteration that goes back', { experiment: { iteration: 2 } }, {}, /^iteration 2 has started/],
  ['running that is no draft again', {}, { experiment: { state: 'draft' } }, /^it is running; end it/],
  ['an end', { experiment: { state: 'ended' } }, {}, /^it has ended/],
];

for (const [what, before, after, says] of KEPT) {
  test(`an experiment that runs keeps ${what}, until a new iteration`, () => {
    const [problem] = movedProblems(inputsWith(before), inputsWith(after));
    assert.match(problem?.detail ?? 'nothing', says);
    const anew = { ...after, experiment: { ...after.experiment, iteration: 3 } };
    assert.deepEqual(movedProblems(inputsWith(before), inputsWith(anew)), []);
    assert.deepEqual(movedProblems(inputsWith({ experiment: { state: 'draft' } }), inputsWith(after)), []);
  });
}

const sticky = { intake: 'open', days: 90 } as const;

const FREE: readonly [what: string, before: Parts, after: Parts][] = [
  ['who it is for', {}, { experiment: { audience: 'payers' } }],
  ['how many take part', { experiment: { traffic: { percent: 50 } } }, { experiment: { traffic: { percent: 10 } } }],
  ['whether all take part', {}, { experiment: { traffic: { percent: 10, bucketing: buckets } } }],
  [
    'how much of the line each has, as a ramp of GrowthBook does',
    { experiment: { split: ranges(['a', 0, 0.05], ['b', 0.5, 0.55]) } },
    { experiment: { split: ranges(['a', 0, 0.25], ['b', 0.5, 0.75]) } },
  ],
  ['a unit that is spelled out', {}, { experiment: { unit: ['targetingKey'] } }],
  ['that variants are kept on record', {}, { experiment: { sticky } }],
  [
    'whether it takes new units',
    { experiment: { sticky } },
    { experiment: { sticky: { ...sticky, intake: 'paused' } } },
  ],
  ['its end, whatever else', {}, { experiment: { state: 'ended', unit: ['household'] } }],
  [
    'variants that it does not compare',
    {},
    {
      flag: {
        variants: [
          { name: 'a', value: 'A' },
          { name: 'b', value: 'B' },
          { name: 'd', value: 'D' },
        ],
      },
    },
  ],
  [
    'rules and default of the flag',
    {},
    { flag: { default: 'c', rules: [{ name: 'staff', serve: 'c' }], enabled: false } },
  ],
];

for (const [what, before, after] of FREE) {
  test(`an experiment that runs may change ${what}`, () => {
    assert.deepEqual(movedProblems(inputsWith(before), inputsWith(after)), []);
  });
}

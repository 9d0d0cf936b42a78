import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocate, blocksText } from '#kernel/audiences/allocation.ts';
import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { fieldsWithoutEffect, type FieldEffects } from '#kernel/kinds/testing/field-effects.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { compile } from '../decisions/compile.ts';
import { wrongValues } from '../decisions/wrong-values.ts';
import { experienceKinds } from '../module.ts';
import { Experiment } from './experiment.ts';
import { Flag } from './flag.ts';
import { Holdout } from './holdout.ts';

const kinds = kindRegistry([...audienceKinds, ...experienceKinds]);
const NOW_MS = Date.UTC(2026, 10, 23, 12);

const live = (kind: Kind, name: string, spec: unknown): LiveObject => ({
  kind: kind.id,
  namespace: 'default',
  name,
  labels: {},
  spec,
  revision: contentHash(spec),
});

const variants = ['a', 'b', 'c'].map((name) => ({ name, value: name }));
const OTHERS: readonly LiveObject[] = [
  live(Attribute, 'plan', { type: 'string' }),
  live(Attribute, 'age', { type: 'number' }),
  live(Attribute, 'home', { type: 'ip' }),
  live(Attribute, 'version', { type: 'semver' }),
  live(Attribute, 'tags', { type: 'string', multiValued: true }),
  live(Audience, 'payers', { anyOf: [{ allOf: [{ attribute: 'plan', in: ['premium'] }] }] }),
  live(Flag, 'one', { type: 'string', enabled: true, variants, default: 'a' }),
  live(Flag, 'asks', {
    type: 'string',
    enabled: true,
    variants,
    default: 'a',
    rules: [
      { name: 'in', audience: 'who', serve: 'b' },
      { name: 'seen', when: { anyOf: [{ allOf: [{ attribute: 'mood', in: ['good'] }] }] }, serve: 'c' },
    ],
  }),
  live(Holdout, 'rest', { percent: 30 }),
  live(Experiment, 'exp', {
    flag: 'one',
    state: 'running',
    iteration: 1,
    split: [{ variant: 'a' }, { variant: 'b' }],
    holdouts: ['rest'],
  }),
];

const crowd = allocate({ percent: 90, seed: 'seed', taken: [] });
const BESIDE: LiveObject = {
  ...live(Experiment, 'beside', {
    flag: 'asks',
    state: 'running',
    iteration: 1,
    split: [{ variant: 'a' }, { variant: 'b' }],
    allocation: { percent: 90, exclusivityTags: ['u'], exclusiveTo: ['t'] },
  }),
  allotment: 'blocks' in crowd ? { blocks: blocksText(crowd.blocks) } : undefined,
};

const KEPT = new Map([['exp/1', 'a']]);
const NOTHING_KEPT = new Map<string, string>();

const CONTEXTS = Array.from({ length: 120 }, (_, index) => ({
  ...(index % 11 === 0 ? {} : { targetingKey: `u${index}` }),
  timeZone: index % 2 === 0 ? 'Asia/Tokyo' : 'Europe/Berlin',
  plan: ['free', 'premium', 'Premium plus'][index % 3] ?? '',
  age: 10 + (index % 40),
  home: `10.0.${index % 4}.1`,
  version: `1.${index % 5}.0`,
  tags: index % 2 === 0 ? ['x'] : ['x', 'y'],
  mood: [['good'], 'good', 7, 'bad'][index % 4],
}));

/** Outcomes of every flag for many contexts and moments, and problems at write time and before going live. */
function observer(kind: Kind, name: string): FieldEffects['observe'] {
  return (spec) => {
    const objects = [
      ...OTHERS.filter((object) => object.kind !== kind.id || object.name !== name),
      live(kind, name, spec),
    ];
    const world = new LiveObjects(kinds, objects);
    const find = (of: string, index: string, value: string) =>
      world
        .find(of, index, value)
        .map((object) => ({ apiVersion: '', kind: '', metadata: { name: object.name }, spec: object.spec }) as const);
    const table = compile(world);
    const context = { now: Temporal.Instant.fromEpochMilliseconds(NOW_MS), find, name };
    const beside = new LiveObjects(kinds, [...objects, BESIDE]);
    const allotted = kind.allot?.(live(kind, name, spec), beside, undefined);
    return [
      kind.validate?.(spec, context),
      kind.check?.(spec, world, name),
      kind.refs?.(spec, 'default').filter((ref) => world.get(ref.kind, ref.name) === undefined),
      kind.actsEverywhere !== undefined && kind.actsEverywhere !== true ? kind.actsEverywhere(spec) : undefined,
      allotted,
      // Other experiments that would start now.
      Experiment.check?.({ ...(OTHERS.at(-1)?.spec as object), holdouts: [] }, world, 'exp'),
      [...table.flags.keys()],
      table.inOrder().map((flag) => [
        flag.key,
        CONTEXTS.flatMap((each, index) =>
          [NOW_MS, NOW_MS + 8 * 3_600_000, NOW_MS + 40 * 3_600_000].map((nowMs) => {
            const { evaluation: wrong } = wrongValues(each, table);
            const evaluation = {
              ...wrong,
              context: each as never,
              nowMs,
              random: () => 0.4,
              kept: index % 2 === 0 ? KEPT : NOTHING_KEPT,
            };
            const { json, variant, rule, experiment, holdout, error } = flag.decide(evaluation, table.flags);
            const { assignmentId: _ofRevision, ...part } = experiment ?? { assignmentId: '' };
            return [JSON.parse(json).value, variant, rule, part, holdout, error?.message];
          }),
        ),
      ]),
    ];
  };
}

const payers = { anyOf: [{ allOf: [{ attribute: 'plan', in: ['premium'] }] }] };
const halves = [
  { variant: 'a', weight: 1 },
  { variant: 'b', weight: 2 },
];
const ranges = [
  { variant: 'a', ranges: [{ from: 0.1, until: 0.4 }] },
  { variant: 'b', ranges: [{ from: 0.4, until: 0.9 }] },
];
const bucketing = { algorithm: 'unleash', salt: 's', seed: 7 };
const traffic = [
  { percent: 50, unit: ['plan'], bucketing: { algorithm: 'backline', salt: 's' } },
  { percent: 50, bucketing },
  { ranges: [{ from: 0.2, until: 0.6 }] },
  { percent: 90, also: [{ percent: 50, unit: ['age'], bucketing: { algorithm: 'unleash', salt: 's', seed: 1 } }] },
  { percent: 90, also: [{ ranges: [{ from: 0.2, until: 0.6 }] }] },
];
const VALUES = {
  'bucketing.algorithm': ['backline', 'unleash', 'eppo'],
  'bucketing.seed': [99],
  'ranges[].from': [0.3, 0.5],
  'ranges[].until': [0.35, 0.7],
};
const valuesBelow = (prefix: string) =>
  Object.fromEntries(Object.entries(VALUES).map(([name, values]) => [prefix + name, values]));

const EFFECTS: readonly (Omit<FieldEffects, 'observe'> & { readonly name: string })[] = [
  {
    kind: Flag,
    name: 'one',
    bases: [
      {
        key: 'the-one',
        type: 'string',
        variants,
        default: 'a',
        enabled: true,
        unit: ['age'],
        requires: [{ flag: 'asks', variants: ['a'] }],
        rules: [
          {
            name: 'r',
            audience: 'payers',
            requires: [{ flag: 'asks', variants: ['a', 'c'] }],
            serve: 'b',
          },
          { name: 'w', when: payers, serve: 'c' },
        ],
      },
      { type: 'string', variants, default: 'a', enabled: true, rules: [{ name: 'r', split: ranges }] },
      { type: 'string', variants, enabled: true, unit: ['age'], rules: [{ name: 'r', split: halves }] },
      { type: 'string', variants, enabled: true, rules: [{ name: 'r', split: halves, unit: ['plan'], bucketing }] },
      ...traffic.map((part) => ({
        type: 'string',
        variants,
        default: 'a',
        enabled: true,
        rules: [{ name: 'r', serve: 'b', traffic: part }],
      })),
    ],
    informational: ['title', 'owner'],
    shared: ['rules[].when'],
    values: {
      'rules[].when': [{ anyOf: [{ allOf: [{ attribute: 'plan', in: ['free'] }] }] }],
      type: ['number'],
      'rules[].unit[]': ['age'],
      'rules[].traffic.unit[]': ['age'],
      'rules[].traffic.also[].unit[]': ['plan'],
      'unit[]': ['plan'],
      ...valuesBelow('rules[].traffic.'),
      ...valuesBelow('rules[].traffic.also[].'),
      'rules[].split[].ranges[].from': [0.2],
      'rules[].split[].ranges[].until': [0.3],
      'rules[].bucketing.algorithm': VALUES['bucketing.algorithm'],
      'rules[].bucketing.seed': VALUES['bucketing.seed'],
    },
  },
  {
    kind: Experiment,
    name: 'exp',
    bases: [
      {
        flag: 'one',
        state: 'running',
        iteration: 1,
        audience: 'payers',
        when: payers,
        split: halves,
        holdouts: ['rest'],
      },
      { flag: 'one', state: 'running', iteration: 1, split: ranges, unit: ['age'], holdouts: ['rest'] },
      { flag: 'one', state: 'running', iteration: 1, split: halves, bucketing },
      ...traffic.map((part) => ({ flag: 'one', state: 'running', iteration: 1, split: halves, traffic: part })),
      {
        flag: 'one',
        state: 'running',
        iteration: 1,
        split: halves,
        allocation: { percent: 20, exclusivityTags: ['t'] },
      },
      {
        flag: 'one',
        state: 'running',
        iteration: 1,
        split: halves,
        allocation: { percent: 20, exclusiveTo: ['u'] },
      },
      {
        flag: 'one',
        state: 'running',
        iteration: 1,
        split: halves,
        when: payers,
        sticky: { intake: 'open', ignoreTargeting: false, days: 90 },
      },
    ],
    informational: ['title', 'owner', 'hypothesis'],
    shared: ['when'],
    values: {
      when: [{ anyOf: [{ allOf: [{ attribute: 'plan', in: ['free'] }] }] }],
      'unit[]': ['plan'],
      'split[].ranges[].from': [0.2],
      'split[].ranges[].until': [0.3],
      'traffic.unit[]': ['age'],
      'traffic.also[].unit[]': ['plan'],
      ...valuesBelow('traffic.'),
      ...valuesBelow('traffic.also[].'),
      'bucketing.algorithm': VALUES['bucketing.algorithm'],
      'bucketing.seed': VALUES['bucketing.seed'],
    },
  },
  {
    kind: Holdout,
    name: 'rest',
    bases: [{ percent: 40, audience: 'payers', when: payers, unit: ['age'], required: false }],
    informational: ['title', 'owner'],
    shared: ['when'],
    values: { when: [{ anyOf: [{ allOf: [{ attribute: 'plan', in: ['free'] }] }] }], 'unit[]': ['plan'] },
  },
  {
    kind: Attribute,
    name: 'mood',
    bases: [{ name: 'mood', type: 'string', multiValued: false, loose: false, sensitive: false, values: ['good'] }],
    informational: ['title', 'owner'],
    values: { name: ['Mood', 'sky'], loose: [true], 'values[]': ['sad', 5] },
  },
  {
    kind: Audience,
    name: 'who',
    bases: [
      ...[
        { attribute: 'plan', in: ['premium'], ignoreCase: false },
        { attribute: 'plan', notIn: ['premium'] },
        { attribute: 'plan', exists: true },
        { attribute: 'age', atLeast: 20 },
        { attribute: 'age', above: 20 },
        { attribute: 'age', atMost: 20 },
        { attribute: 'age', below: 20 },
        { attribute: 'plan', startsWith: ['prem'] },
        { attribute: 'plan', endsWith: ['plus'] },
        { attribute: 'plan', contains: ['mium p'] },
        { attribute: 'plan', matches: '^p' },
        { attribute: 'version', semver: '>=1.2.0' },
        { attribute: 'home', cidr: ['10.0.1.0/24'] },
        { attribute: 'plan', as: 'semver', semver: '>1.0.0', absent: 'match' },
        { attribute: 'mood', as: 'number', atLeast: 5, absent: 'match' },
        { audience: 'payers', not: false },
        { time: { zone: 'UTC', days: ['mon'], from: '09:00', until: '18:00' } },
        { time: { after: '2026-11-22T00:00:00Z', before: '2026-11-24T00:00:00Z' } },
      ].map((condition) => ({ anyOf: [{ allOf: [condition] }] })),
      { members: { include: ['u3'], exclude: ['u4'] }, anyOf: payers.anyOf },
    ],
    informational: ['title'],
    values: {
      'anyOf[].allOf[].attribute': ['age', 'tags'],
      'anyOf[].allOf[].matches': ['^f'],
      'anyOf[].allOf[].semver': ['<1.2.0'],
      'anyOf[].allOf[].cidr[]': ['10.0.2.0/24'],
      'anyOf[].allOf[].ignoreCase': [true],
      'anyOf[].allOf[].time.zone': ['Asia/Tokyo', 'listener'],
      'anyOf[].allOf[].time.from': ['13:00'],
      'anyOf[].allOf[].time.until': ['11:00'],
      'anyOf[].allOf[].time.after': ['2026-11-23T13:00:00Z'],
      'anyOf[].allOf[].time.before': ['2026-11-23T11:00:00Z'],
      'members.include[]': ['u6'],
      'members.exclude[]': ['u7'],
    },
  },
];

for (const { name, ...effects } of EFFECTS) {
  test(`no field of a ${effects.kind.kind} without an effect`, async () => {
    assert.deepEqual(await fieldsWithoutEffect({ ...effects, observe: observer(effects.kind, name) }), []);
  });
}

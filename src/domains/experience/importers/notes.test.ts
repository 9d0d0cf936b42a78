import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonPointer, Refusal } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { decideFlag, declaredTable } from '../testing/imported-table.ts';
import { importFlagd } from './flagd/flagd.ts';
import { importGrowthbook } from './growthbook/growthbook.ts';
import type { ImportResult, ImportOptions } from './import-result.ts';
import { importUnleash } from './unleash/unleash.ts';

type Import = (document: unknown, options?: ImportOptions) => ImportResult;

const strategy = (...constraints: object[]) => ({ name: 'default', parameters: {}, constraints });
const toggle = (name: string, more: object) => ({ name, enabled: true, strategies: [strategy()], ...more });
const unleash = (...features: object[]) => ({ version: 2, features });
const growthbook = (...rules: object[]) => ({ features: { f: { defaultValue: false, rules } } });
const flagd = (targeting: unknown, more: object = {}) => ({
  flags: { f: { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off', targeting, ...more } },
});
const regex = (value: string) =>
  unleash(toggle('f', { strategies: [strategy({ contextName: 'x', operator: 'REGEX', value })] }));
const ip = (range: string) =>
  unleash(toggle('f', { strategies: [strategy({ contextName: 'ip', operator: 'IN_CIDR', values: [range] })] }));

/** Omitted parts, their position and reason. */
const LEFT_OUT: readonly [from: Import, document: unknown, note: RegExp][] = [
  [
    importUnleash,
    unleash(toggle('f', { strategies: [{ name: 'moon' }] })),
    /^\/features\/0\/strategies\/0\/name: the strategy "moon" is a custom strategy/,
  ],
  [
    importUnleash,
    regex('(?:a|b){500}'),
    /^\/features\/0\/strategies\/0\/constraints\/0\/value: the expression .* is too large: .* instructions/,
  ],
  [
    importGrowthbook,
    growthbook({ condition: { country: { $regex: 'a(?=b)' } }, force: true }),
    /the expression a\(\?=b\) has no translation: RE2 has no look-around/,
  ],
  [importUnleash, ip('::ffff:10.0.0.0/104'), /holds IPv4 addresses in IPv6/],
  [
    importUnleash,
    unleash(
      toggle('f', {
        variants: [
          { name: 'a', weight: 0.5 },
          { name: 'b', weight: 1 },
        ],
      }),
    ),
    /^\/features\/0\/variants\/0\/weight: a weight of 0\.5 is not a whole number/,
  ],
  [
    importUnleash,
    unleash(toggle('f', { strategies: [strategy({ contextName: 'my field', operator: 'IN', values: ['1'] })] })),
    /"my field" is not a valid attribute name/,
  ],
  [
    importUnleash,
    unleash(
      toggle('a', { strategies: [strategy({ contextName: 'userName', operator: 'IN', values: ['1'] })] }),
      toggle('b', { strategies: [strategy({ contextName: 'user_name', operator: 'IN', values: ['1'] })] }),
    ),
    /^\/features\/1\/.*"user_name" and "userName" would be declared by one object, user-name/,
  ],
  [
    importUnleash,
    unleash(
      toggle('f', { strategies: [strategy({ contextName: 'x', operator: 'DATE_AFTER', value: '2026-01-01T10:00' })] }),
    ),
    /depends on the zone of the machine/,
  ],
  [importGrowthbook, growthbook({ force: null }), /^\/features\/f\/rules\/0\/force: null is the default in the code/],
  [
    importGrowthbook,
    growthbook({ force: 'text' }),
    /^\/features\/f: its values are of several types \(boolean, string\)/,
  ],
  [
    importGrowthbook,
    growthbook({ condition: { x: { $size: 1 } }, force: true }),
    /\/condition\/x\/\$size: .*is not supported/,
  ],
  [importGrowthbook, growthbook({ condition: { x: { $gt: 'b' } }, force: true }), /comparing a string with "b"/],
  [
    importGrowthbook,
    growthbook({ condition: { x: 1 }, force: true }, { condition: { x: 'a' }, force: true }),
    /"x" is used as a string at \/features\/f\/rules\/1\/condition\/x and a number at .*declare it, like --attribute x=string/,
  ],
  [importGrowthbook, growthbook({ variations: [false, true], contextualBanditRef: 'b' }), /contextual bandit/],
  [importGrowthbook, growthbook({ force: true, tracks: [] }), /evaluated for one listener/],
  [
    importGrowthbook,
    growthbook({
      variations: [false, true],
      ranges: [
        [0, 0.6],
        [0.5, 1],
      ],
    }),
    /ranges overlap/,
  ],
  [
    importGrowthbook,
    growthbook(
      { force: true, coverage: 0.5 },
      { parentConditions: [{ id: 'f2', gate: true, condition: { value: 1 } }], force: true },
    ),
    /a gate after other rules is not supported/,
  ],
  [
    importGrowthbook,
    {
      features: {
        a: { defaultValue: 1, rules: [{ parentConditions: [{ id: 'b' }], force: 2 }] },
        b: { defaultValue: 1, rules: [{ parentConditions: [{ id: 'a' }], force: 2 }] },
      },
    },
    /^\/features\/a: its prerequisites form a loop/,
  ],
  [importGrowthbook, { features: {}, experiments: [{}] }, /^\/experiments: 1 visual and redirect/],
  [importFlagd, flagd({ missing: ['a'] }), /^\/flags\/f\/targeting\/missing: the operator "missing" is not supported/],
  [importFlagd, flagd({ var: 'tier' }), /itself as the variant|only of|is not supported/],
  [importFlagd, flagd('beta'), /may give "beta", which flagd reports as an error; the variants are on, off/],
  [importFlagd, flagd({ if: [{ '==': [{ var: 'a' }, { var: 'b' }] }, 'on'] }), /two attributes with each other/],
  [
    importFlagd,
    flagd({ fractional: [{ cat: [{ var: 'a' }, { var: 'b' }] }, ['on', 1], ['off', 1]] }),
    /constants followed by one attribute/,
  ],
  [importFlagd, flagd({ if: [{ fractional: [['on', 1]] }, 'on', 'off'] }), /in a bucket cannot be a condition/],
  [importFlagd, flagd({}, { variants: { on: true, off: 0 } }), /of the types boolean, number; a flag has one/],
];

for (const [from, document, note] of LEFT_OUT) {
  test(`parts without an exact translation are left out and reported: ${note.source}`, () => {
    const { objects, notes } = from(document);
    const omitted = notes.filter(({ leftOut }) => leftOut).map(({ path, says }) => `${jsonPointer(path)}: ${says}`);
    assert.match(omitted.join('\n'), note);
    // The rest is sound, and no note concerns an absent object.
    declaredTable(objects);
    assert.equal(
      objects.some(({ kind, metadata }) => kind === 'Flag' && metadata.name === 'f'),
      false,
    );
  });
}

const WRONG: readonly [from: Import, document: unknown, message: RegExp][] = [
  [importUnleash, null, /^This is not a state of Unleash: the document must be object\.$/],
  [
    importUnleash,
    { features: [{ name: 'x', enabled: 'yes', strategies: [] }] },
    /\/features\/0\/enabled must be boolean/,
  ],
  [importUnleash, { featureStrategies: [], features: [] }, /an export of the admin API/],
  [
    importUnleash,
    { events: [{ type: 'feature-updated', feature: {} }] },
    /at \/events\/0, an event feature-updated: \/feature must have/,
  ],
  [importGrowthbook, [], /^This is not a payload of GrowthBook/],
  [importGrowthbook, { encryptedFeatures: 'x.y' }, /its features are encrypted/],
  [
    importGrowthbook,
    { features: { f: { rules: [{ coverage: '1' }] } } },
    /\/features\/f\/rules\/0\/coverage must be number/,
  ],
  [importFlagd, { flags: { f: { state: 'ON', variants: {} } } }, /\/flags\/f\/state must/],
  [importFlagd, flagd({}, { defaultVariant: 'x' }), /\/flags\/f\/defaultVariant is "x", and there are on, off/],
];

for (const [from, document, message] of WRONG) {
  test(`a document of another kind is refused with its place and what would be right: ${message.source}`, () => {
    assert.throws(
      () => from(document),
      (error) => error instanceof Refusal && message.test(error.message) && (error.remedy ?? '').includes('{"'),
    );
  });
}

function specsOf(objects: readonly ResourceObject[], kind: string): Record<string, unknown> {
  return Object.fromEntries(
    objects.filter((object) => object.kind === kind).map(({ metadata, spec }) => [metadata.name, spec]),
  );
}

test('a flag that depends on one that is left out is left out as well, and so are its attributes', () => {
  const { objects, notes } = importUnleash(
    unleash(
      toggle('parent', { strategies: [{ name: 'moon' }] }),
      toggle('child', {
        dependencies: [{ feature: 'parent' }],
        strategies: [strategy({ contextName: 'x', operator: 'IN', values: ['1'] })],
      }),
      toggle('other', {}),
    ),
  );
  assert.deepEqual(
    objects.map(({ metadata }) => metadata.name),
    ['other'],
  );
  assert.match(notes.map(({ says }) => says).join('\n'), /Flag child .*depends on Flag parent, which is left out/);
});

test('a feature that is switched off in Unleash keeps its strategies behind a rule', () => {
  const document = unleash(
    toggle('f', { enabled: false, strategies: [{ name: 'userWithId', parameters: { userIds: '1' } }] }),
  );
  const { objects } = importUnleash(document);
  assert.equal(decideFlag(declaredTable(objects), 'f', { userId: '1' })?.value, false);
  const { rules } = specsOf(objects, 'Flag')['f'] as { rules: { name: string }[] };
  assert.deepEqual(
    rules.map(({ name }) => name),
    ['off', 'strategy-1'],
  );
});

test('an attribute that contexts say as targetingKey is that, in conditions and units', () => {
  const document = unleash(
    toggle('f', {
      strategies: [
        {
          ...strategy({ contextName: 'userId', operator: 'NOT_IN', values: ['9'] }),
          name: 'gradualRolloutUserId',
          parameters: { percentage: '50', groupId: 'g' },
        },
      ],
    }),
  );
  const plain = declaredTable(importUnleash(document).objects);
  const { objects } = importUnleash(document, { targetingKey: 'userId' });
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ['Flag'],
  );
  const keyed = declaredTable(objects);
  for (let number = 0; number < 50; number += 1) {
    const expected = decideFlag(plain, 'f', { userId: `${number}` })?.value;
    assert.equal(decideFlag(keyed, 'f', { targetingKey: `${number}` })?.value, expected);
  }
});

test('values that only the SDK of Unleash knew are named, as contexts must give them', () => {
  const { notes } = importUnleash(
    unleash(toggle('f', { strategies: [{ name: 'applicationHostname', parameters: { hostNames: 'a, B' } }] })),
  );
  assert.deepEqual(
    notes.map(({ says, leftOut }) => [says, leftOut]),
    [['"hostname" was set by the Unleash SDK; the context must provide it from now on', undefined]],
  );
});

test('the last experiment of a feature is an Experiment with the hash, salt and unit that it has', () => {
  const rule = {
    key: 'exp',
    name: 'My experiment',
    variations: [false, true],
    weights: [0.5, 0.5],
    hashVersion: 2,
    hashAttribute: 'deviceId',
    fallbackAttribute: 'id',
    namespace: ['ns', 0, 0.5],
  };
  const document = growthbook({ condition: { id: 'x' }, force: true }, rule, { force: true });
  const { objects, notes } = importGrowthbook(document);
  assert.deepEqual(specsOf(objects, 'Experiment'), {
    exp: {
      title: 'My experiment',
      flag: 'f',
      state: 'running',
      iteration: 1,
      when: { anyOf: [{ allOf: [{ attribute: 'deviceId', notIn: [''] }] }] },
      split: [
        { variant: 'off', weight: 0.5 },
        { variant: 'on', weight: 0.5 },
      ],
      unit: ['deviceId'],
      bucketing: { algorithm: 'growthbook-v2', salt: 'exp' },
      traffic: {
        ranges: [{ from: 0, until: 0.5 }],
        unit: ['deviceId'],
        bucketing: { algorithm: 'growthbook-v1', salt: '__ns' },
      },
    },
  });
  // The following rule matched everybody and became the default.
  assert.equal((specsOf(objects, 'Flag')['f'] as { default: string }).default, 'on');
  assert.match(notes.map(({ says }) => says).join('\n'), /SDKs without a sticky bucket service do not use it/);
  const sticky = specsOf(importGrowthbook(document, { stickyBucketing: true }).objects, 'Experiment')['exp'];
  assert.deepEqual((sticky as { unit: string[]; sticky: object }).unit, ['deviceId', 'id']);
  assert.deepEqual((sticky as { sticky: object }).sticky, { intake: 'open', days: 365 });
});

test('an experiment behind a gate is a split of a rule, as what is for everybody else must follow it', () => {
  const document = {
    features: {
      parent: { defaultValue: false, rules: [{ condition: { id: 'x' }, force: true }] },
      f: {
        defaultValue: 'a',
        rules: [
          { parentConditions: [{ id: 'parent', condition: { value: true }, gate: true }] },
          { variations: ['a', 'b'], coverage: 0.5 },
        ],
      },
    },
  };
  const { objects, notes } = importGrowthbook(document);
  assert.deepEqual(specsOf(objects, 'Experiment'), {});
  const {
    rules,
    requires,
    default: fallback,
  } = specsOf(objects, 'Flag')['f'] as { rules: { name: string }[]; requires: object[]; default?: string };
  assert.deepEqual(
    [rules.map(({ name }) => name), requires, fallback],
    [['rule-2', 'otherwise'], [{ flag: 'parent', variants: ['on'] }], undefined],
  );
  assert.match(notes.map(({ says }) => says).join('\n'), /"f" becomes the split of a rule/);
  const table = declaredTable(objects);
  assert.equal(decideFlag(table, 'f', { id: 'y' })?.value, undefined);
  assert.ok(['a', 'b'].includes(String(decideFlag(table, 'f', { id: 'x' })?.value)));
});

test('buckets of an older flagd are kept on request', () => {
  const { objects } = importFlagd(
    flagd({
      fractional: [
        ['on', 1],
        ['off', 1],
      ],
    }),
    { bucketing: 'flagd-v1' },
  );
  const { rules } = specsOf(objects, 'Flag')['f'] as { rules: { bucketing?: object }[] };
  assert.deepEqual(rules[0]?.bucketing, { algorithm: 'flagd-v1', salt: 'f' });
});

test('a flag of flagd that is switched off is, and its metadata is kept with it', () => {
  const { objects } = importFlagd({
    ...flagd({}, { state: 'DISABLED', metadata: { owner: 'x' } }),
    metadata: { set: 1 },
  });
  assert.equal(decideFlag(declaredTable(objects), 'f', {})?.reason, 'DISABLED');
  assert.deepEqual(objects[0]?.metadata.annotations, {
    'experience.backline.dev/flagd-metadata': '{"owner":"x","set":1}',
  });
});

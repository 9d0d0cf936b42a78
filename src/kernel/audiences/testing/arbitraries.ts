import fc, { type Arbitrary } from 'fast-check';
import type { AttributeDeclaration, AttributeType } from '../language/attributes.ts';
import type { AudienceSpec } from '../kinds/audience.ts';
import type { AudienceRule, Condition, Context } from '../language/language.ts';

const single = (name: string, type: AttributeType): AttributeDeclaration => ({ name, type, multiValued: false });
const several = (name: string, type: AttributeType): AttributeDeclaration => ({ name, type, multiValued: true });

/** Attributes of every type, one and several values, some with error-prone names. */
export const ATTRIBUTES: readonly AttributeDeclaration[] = [
  single('country', 'string'),
  single('device.os', 'string'),
  single('constructor', 'string'),
  single('age', 'number'),
  single('premium', 'boolean'),
  single('appVersion', 'semver'),
  single('joined', 'timestamp'),
  single('address', 'ip'),
  several('genres', 'string'),
  several('scores', 'number'),
  several('addresses', 'ip'),
  { ...single('note', 'string'), loose: true },
  { ...several('tags', 'string'), loose: true },
];
const BUILT_IN = [single('targetingKey', 'string'), single('timeZone', 'string')];

const ZONES = ['UTC', 'Europe/Stockholm', 'America/St_Johns', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia'];

/** Few values of each type, so that conditions and contexts overlap. */
const POOL: Record<AttributeType, readonly (string | number | boolean)[]> = {
  string: [
    '',
    'SE',
    'se',
    'NO',
    'Straße',
    'STRASSE',
    'İ',
    'å',
    'å',
    '🎧',
    '\ud83c',
    'constructor',
    'u1',
    'u2',
    'x'.repeat(501),
  ],
  number: [0, -0, 1, -1, 18, 18.5, 1e300, -1e300, Number.MAX_SAFE_INTEGER, 5e-324],
  boolean: [true, false],
  semver: ['8.9.0', '9.0.0-beta.1', '9.0.0', 'v9.0.0', '9.0.0+build.7', '10.2.3'],
  timestamp: ['2026-03-29T01:00:00Z', '2026-03-29T03:00:00+02:00', '2026-03-29T01:00:00.500Z', 1_774_746_000_000, 0],
  ip: [
    '10.0.0.1',
    '10.255.255.255',
    '11.0.0.0',
    '::ffff:10.0.0.1',
    '2001:db8::1',
    '2001:DB8:0:0:0:0:0:1',
    '::',
    '255.255.255.255',
  ],
};

const WRONG: readonly unknown[] = [
  'nonsense',
  7,
  true,
  {},
  [],
  ['SE'],
  [1, 'a'],
  [null],
  Number.NaN,
  Infinity,
  '2026-02-30T00:00:00Z',
  '1.2',
  '010.0.0.1',
  '::1%eth0',
];

function member(type: AttributeType): Arbitrary<string | number | boolean> {
  return fc.constantFrom(...POOL[type]);
}

/** A condition that passes the write-time checks, except for longer texts. */
function condition(audiences: readonly string[]): Arbitrary<Condition> {
  const about = fc.constantFrom(...ATTRIBUTES, ...BUILT_IN).chain((attribute) => {
    const plain = attributeTest(attribute.type);
    const test = attribute.type === 'string' && !attribute.multiValued ? fc.oneof(plain, plain, readingTest) : plain;
    return test.map((one) => ({ attribute: attribute.name, ...one }));
  });
  const others: Arbitrary<Condition>[] =
    audiences.length === 0 ? [] : [fc.constantFrom(...audiences).map((audience) => ({ audience }))];
  return fc
    .tuple(fc.oneof({ arbitrary: about, weight: 6 }, { arbitrary: timeCondition, weight: 1 }, ...others), fc.boolean())
    .map(([one, not]) => (not ? { ...one, not } : one));
}

function attributeTest(type: AttributeType): Arbitrary<Condition> {
  const members = fc.array(member(type), { minLength: 1, maxLength: 12 });
  const absent = fc.constantFrom({}, {}, { absent: 'match' as const }, { absent: 'noMatch' as const });
  const general: Arbitrary<Condition>[] = [
    members.map((values) => ({ in: values })),
    members.map((values) => ({ notIn: values })),
  ];
  const tested = fc.tuple(fc.oneof(...general, ...testsOf(type)), absent).map(([test, rest]) => ({ ...test, ...rest }));
  return fc.oneof(
    { arbitrary: tested, weight: 8 },
    { arbitrary: fc.boolean().map((exists) => ({ exists })), weight: 1 },
  );
}

/** Texts that read as another type, or nearly. */
const READABLE = [
  '12',
  ' 1e3 ',
  '-0x10',
  'Infinity',
  '1',
  '1.2',
  'v1.2.3',
  'V10',
  '1.2.3-rc.1',
  '1.2.3-rc-2+b',
  '123456.0.0',
  '10.0.0.9',
  '::ffff:10.0.0.1',
  '2026-03-29T01:00:00Z',
  'latest',
];

const readingTest: Arbitrary<Condition> = fc
  .tuple(
    fc.oneof(
      readingAs('number', 'number'),
      readingAs('timestamp', 'timestamp'),
      readingAs('semver', 'semver'),
      readingAs('partial-semver', 'semver'),
      readingAs('ip', 'ip'),
      fc
        .tuple(fc.constantFrom('in', 'notIn', 'atLeast', 'above', 'atMost', 'below'), fc.constantFrom(...READABLE))
        .map(([test, bound]): Condition => ({
          as: 'growthbook-version',
          [test]: test === 'in' || test === 'notIn' ? [bound] : bound,
        })),
    ),
    fc.constantFrom({}, { absent: 'match' as const }, { absent: 'noMatch' as const }),
  )
  .map(([test, absent]) => ({ ...test, ...absent }));

function readingAs(as: NonNullable<Condition['as']>, type: AttributeType): Arbitrary<Condition> {
  const members = fc.array(member(type), { minLength: 1, maxLength: 4 });
  return fc
    .oneof(
      members.map((values): Condition => ({ in: values })),
      members.map((values): Condition => ({ notIn: values })),
      ...testsOf(type),
    )
    .map((test) => ({ ...test, as }));
}

function testsOf(type: AttributeType): Arbitrary<Condition>[] {
  switch (type) {
    case 'number':
    case 'timestamp':
      return [
        fc
          .tuple(
            fc.constantFrom('atLeast', 'above'),
            member(type),
            fc.constantFrom('atMost', 'below'),
            member(type),
            fc.nat(2),
          )
          .map(([low, from, high, until, which]) => ({
            ...(which === 0 ? {} : { [low]: from }),
            ...(which === 1 ? {} : { [high]: until }),
          })),
      ];
    case 'semver':
      return [
        fc.constantFrom('>=8.9.0', '>=8.9.0 <9', '^9.0.0', '8.x || >=10', '9.0.0').map((range) => ({ semver: range })),
      ];
    case 'ip':
      return [
        fc
          .array(
            fc.constantFrom('10.0.0.0/8', '10.0.0.1', '0.0.0.0/0', '2001:db8::/32', '::/0', '11.0.0.0/32', '::/127'),
            {
              minLength: 1,
              maxLength: 4,
            },
          )
          .map((cidr) => ({ cidr })),
      ];
    case 'string': {
      const pieces = fc.array(fc.constantFrom('', 'S', 's', 'se', 'E', 'ß', 'ss', '🎧', 'u'), {
        minLength: 1,
        maxLength: 3,
      });
      const folded = fc.boolean().map((ignoreCase) => (ignoreCase ? { ignoreCase } : {}));
      const test = fc.oneof(
        pieces.map((startsWith): Condition => ({ startsWith })),
        pieces.map((endsWith): Condition => ({ endsWith })),
        pieces.map((contains): Condition => ({ contains })),
        fc.constantFrom('^S', 'e$', '^.$', '[a-s]+', 'u\\d').map((matches): Condition => ({ matches })),
        fc.array(member('string'), { minLength: 1, maxLength: 5 }).map((values): Condition => ({ in: values })),
        fc.array(member('string'), { minLength: 1, maxLength: 5 }).map((values): Condition => ({ notIn: values })),
      );
      return [fc.tuple(test, folded).map(([one, rest]) => ({ ...one, ...rest }))];
    }
    case 'boolean':
      return [];
    default:
      return type satisfies never;
  }
}

const clock = fc
  .tuple(fc.nat(23), fc.constantFrom('00', '30', '59'))
  .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${minute}`);

const timeCondition: Arbitrary<Condition> = fc
  .record(
    {
      zone: fc.constantFrom('listener', ...ZONES),
      days: fc.uniqueArray(fc.constantFrom('mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'), { minLength: 1 }),
      from: clock,
      until: fc.oneof(clock, fc.constant('24:00')),
      after: fc.constantFrom('2026-03-29T01:00:00Z', '2000-01-01T00:00:00+09:00'),
      before: fc.constantFrom('2026-10-25T01:00:00Z', '2030-01-01T00:00:00Z'),
    },
    { requiredKeys: [] },
  )
  .filter(({ from = '00:00', until = '24:00' }) => from !== until)
  .map((time) => ({ time }));

export function rule(audiences: readonly string[] = []): Arbitrary<AudienceRule> {
  const group = fc.array(condition(audiences), { minLength: 1, maxLength: 4 }).map((allOf) => ({ allOf }));
  return fc.array(group, { minLength: 1, maxLength: 4 }).map((anyOf) => ({ anyOf }));
}

/** Audiences that refer to earlier ones, and to a missing one. */
export const audiences: Arbitrary<ReadonlyMap<string, AudienceSpec>> = fc
  .tuple(spec(['nobody']), spec(['nobody', 'a0']), spec(['a0', 'a1']))
  .map((specs) => new Map(specs.map((one, index) => [`a${index}`, one])));

function spec(others: readonly string[]): Arbitrary<AudienceSpec> {
  const keys = fc.array(fc.constantFrom('u1', 'u2', 'SE', 'constructor'), { maxLength: 3 });
  const members = fc.record({ include: keys, exclude: keys }, { requiredKeys: [] });
  return fc.oneof(
    rule(others),
    fc.tuple(rule(others), members).map(([{ anyOf }, lists]) => ({ anyOf, members: lists })),
    members.map((lists) => ({ members: lists })),
  );
}

/** Contexts in which attributes are present, missing, null, or of the wrong type. */
export const context: Arbitrary<Context> = fc
  .tuple(
    ...[...ATTRIBUTES, ...BUILT_IN].map((attribute) => fc.tuple(fc.constant(attribute.name), contextValue(attribute))),
  )
  .map((entries) => {
    const given: Record<string, unknown> = {};
    for (const [name, value] of entries) {
      if (value === undefined) continue;
      if (name === 'device.os' && typeof value === 'string' && value !== 'SE') given['device'] = { os: value };
      else given[name] = value;
    }
    return given;
  });

function contextValue({ name, type, multiValued }: AttributeDeclaration): Arbitrary<unknown> {
  const right: Arbitrary<unknown> =
    name === 'timeZone' ? fc.constantFrom(...ZONES, 'Nowhere/City', '+01:00') : member(type);
  const set = fc.array(member(type), { maxLength: 4 });
  const readable =
    type === 'string' && name !== 'timeZone' ? [fc.constantFrom<unknown>(...READABLE, 12, 1.2, true)] : [];
  return fc.oneof(
    { arbitrary: multiValued ? fc.oneof(set, set, right) : right, weight: 6 },
    ...readable.map((arbitrary) => ({ arbitrary, weight: 3 })),
    { arbitrary: fc.constantFrom(undefined, undefined, null), weight: 2 },
    { arbitrary: fc.constantFrom(...WRONG), weight: 1 },
  );
}

/** Moments, many of them near a change of summer time or a change of zone. */
export const nowMs: Arbitrary<number> = fc.oneof(
  fc.integer({ min: Date.UTC(1990), max: Date.UTC(2040) }),
  fc
    .tuple(
      fc.constantFrom(
        '2026-03-29T01:00:00Z',
        '2026-10-25T01:00:00Z',
        '2026-04-04T15:00:00Z',
        '2011-12-30T10:00:00Z',
        '2026-11-01T04:30:00Z',
      ),
      fc.integer({ min: -180, max: 180 }),
    )
    .map(([text, minutes]) => Date.parse(text) + minutes * 60_000),
);

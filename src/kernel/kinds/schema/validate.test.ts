import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Type } from 'typebox';
import { fieldPath } from '#kernel/base/failures.ts';
import { problemsMax } from './findings.ts';
import { SchemaError } from './schema-node.ts';
import { compileSchema } from '../structure.ts';

function messages(schema: unknown, value: unknown): string[] {
  return compileSchema(schema)
    .validate(value)
    .map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
}

/** The same schema below `spec.x`, where messages can be compared with those of kube-apiserver. */
function at(schema: unknown): unknown {
  return { type: 'object', properties: { spec: { type: 'object', properties: { x: schema } } } };
}

const MESSAGES: readonly [name: string, schema: object, value: unknown, expected: readonly string[]][] = [
  [
    'a string for an integer',
    { type: 'integer' },
    'a',
    ['Invalid value: "string": spec.x in body must be of type integer: "string"'],
  ],
  [
    'a fraction for an integer',
    { type: 'integer' },
    1.5,
    ['Invalid value: "number": spec.x in body must be of type integer: "number"'],
  ],
  [
    'an integer for a string',
    { type: 'string' },
    1,
    ['Invalid value: "integer": spec.x in body must be of type string: "integer"'],
  ],
  [
    'null for an object',
    { type: 'object' },
    null,
    ['Invalid value: "null": spec.x in body must be of type object: "null"'],
  ],
  [
    'a list for an object',
    { type: 'object' },
    [],
    ['Invalid value: "array": spec.x in body must be of type object: "array"'],
  ],
  ['null where it may be', { type: 'string', nullable: true }, null, []],
  ['null in a union with null', Type.Union([Type.String(), Type.Null()]), null, []],
  [
    'a value outside an enum',
    { type: 'string', enum: ['a', 'b'] },
    'x',
    ['Unsupported value: "x": supported values: "a", "b"'],
  ],
  [
    'a value outside literals',
    Type.Union([Type.Literal('a'), Type.Literal('b')]),
    'x',
    ['Unsupported value: "x": supported values: "a", "b"'],
  ],
  ['a value outside numbers', { enum: [1, 2] }, 3, ['Unsupported value: 3: supported values: "1", "2"']],
  ['an object in an enum', { enum: [{ a: 1 }] }, { a: 1 }, []],
  [
    'too short',
    { type: 'string', minLength: 2 },
    'é',
    ['Invalid value: "é": spec.x in body should be at least 2 chars long'],
  ],
  ['two characters of four units', { type: 'string', minLength: 2, maxLength: 2 }, '😀😀', []],
  [
    'one character of two units',
    { type: 'string', minLength: 2 },
    '😀',
    ['Invalid value: "😀": spec.x in body should be at least 2 chars long'],
  ],
  ['too long', { type: 'string', maxLength: 2 }, 'abc', ['Too long: may not be longer than 2']],
  [
    'a wrong pattern',
    { type: 'string', pattern: '^a+$' },
    'b',
    ['Invalid value: "b": spec.x in body should match \'^a+$\''],
  ],
  [
    'no date',
    { type: 'string', format: 'date' },
    '2025-02-29',
    ['Invalid value: "2025-02-29": spec.x in body must be of type date: "2025-02-29"'],
  ],
  ['a format nobody knows', { type: 'string', format: 'colour' }, 'x', []],
  [
    'below',
    { type: 'integer', minimum: 1 },
    0,
    ['Invalid value: 0: spec.x in body should be greater than or equal to 1'],
  ],
  [
    'above',
    { type: 'number', maximum: 1 },
    1.5,
    ['Invalid value: 1.5: spec.x in body should be less than or equal to 1'],
  ],
  [
    'at an exclusive bound',
    { type: 'number', exclusiveMinimum: 0 },
    0,
    ['Invalid value: 0: spec.x in body should be greater than 0'],
  ],
  [
    'at an exclusive bound of OpenAPI 3.0',
    { type: 'number', maximum: 5, exclusiveMaximum: true },
    5,
    ['Invalid value: 5: spec.x in body should be less than 5'],
  ],
  [
    'no multiple',
    { type: 'integer', multipleOf: 5 },
    7,
    ['Invalid value: 7: spec.x in body should be a multiple of 5'],
  ],
  ['a multiple in binary fractions', { type: 'number', multipleOf: 0.1 }, 0.3, []],
  [
    'more than an int32',
    { type: 'integer', format: 'int32' },
    3e9,
    ['Invalid value: 3000000000: spec.x in body should be less than or equal to 2147483647'],
  ],
  [
    'more than can be exact',
    { type: 'integer' },
    2 ** 53,
    ['Invalid value: 9007199254740992: spec.x in body should be less than or equal to 9007199254740991'],
  ],
  [
    'too few items',
    { type: 'array', minItems: 1 },
    [],
    ['Invalid value: 0: spec.x in body should have at least 1 item'],
  ],
  ['too many items', { type: 'array', maxItems: 1 }, [1, 2], ['Too many: 2: must have at most 1 item']],
  ['too many properties', { type: 'object', maxProperties: 0 }, { a: 1 }, ['Too many: 1: must have at most 0 items']],
  [
    'too few properties',
    { type: 'object', minProperties: 2 },
    { a: 1 },
    ['Invalid value: 1: spec.x in body should have at least 2 properties'],
  ],
  ['int or string', { 'x-kubernetes-int-or-string': true }, '10%', []],
  [
    'neither int nor string',
    { 'x-kubernetes-int-or-string': true },
    true,
    ['Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'],
  ],
  [
    'not',
    { type: 'string', not: { enum: ['a'] } },
    'a',
    ['Invalid value: "": "spec.x" must not validate the schema (not)'],
  ],
  [
    'no branch of anyOf',
    { type: 'integer', anyOf: [{ minimum: 10 }, { maximum: 0 }] },
    5,
    [
      'Invalid value: "": "spec.x" must validate at least one schema (anyOf)',
      'Invalid value: 5: spec.x in body should be greater than or equal to 10',
    ],
  ],
  [
    'two branches of oneOf',
    { type: 'integer', oneOf: [{ minimum: 0 }, { minimum: 1 }] },
    5,
    ['Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
  ],
  [
    'the wrong type for every branch',
    Type.Union([Type.String(), Type.Integer()]),
    true,
    ['Invalid value: "boolean": spec.x in body must be of type string,integer: "boolean"'],
  ],
  [
    'all of allOf',
    { allOf: [{ minimum: 1 }, { maximum: 3 }] },
    4,
    ['Invalid value: 4: spec.x in body should be less than or equal to 3'],
  ],
  ['anything', {}, { any: ['thing', null] }, []],
];

for (const [name, schema, value, expected] of MESSAGES) {
  test(`schema messages are those of Kubernetes: ${name}`, () => {
    assert.deepEqual(
      messages(at(schema), { spec: { x: value } }),
      expected.map((message) => `spec.x: ${message}`),
    );
  });
}

test('every problem of an object is reported at its place', () => {
  const schema = Type.Object({
    name: Type.String(),
    prices: Type.Array(Type.Object({ amount: Type.Integer(), from: Type.String({ format: 'date' }) })),
    byMarket: Type.Record(Type.String({ pattern: '^[A-Z]{2}$' }), Type.Integer()),
  });
  assert.deepEqual(
    messages(schema, { prices: [{ amount: '1', from: '2026-01-01' }, { amount: 2 }], byMarket: { SE: 1, x: 'y' } }),
    [
      'name: Required value',
      'prices[0].amount: Invalid value: "string": prices[0].amount in body must be of type integer: "string"',
      'prices[1].from: Required value',
      'byMarket.x: Invalid value: "x": the key should match \'^[A-Z]{2}$\'',
      'byMarket.x: Invalid value: "string": byMarket.x in body must be of type integer: "string"',
    ],
  );
});

test('a union of tagged objects reports the problems of the alternative that the tag names', () => {
  const schema = Type.Union([
    Type.Object({ type: Type.Literal('fixed'), amount: Type.Integer() }),
    Type.Object({ type: Type.Literal('percent'), percent: Type.Integer({ maximum: 100 }) }),
  ]);
  assert.deepEqual(messages(schema, { type: 'percent', percent: 120 }), [
    'percent: Invalid value: 120: percent in body should be less than or equal to 100',
  ]);
  assert.deepEqual(messages(schema, { type: 'free' }), [
    'type: Unsupported value: "free": supported values: "fixed", "percent"',
  ]);
  assert.deepEqual(messages(schema, { amount: 1 }), ['type: Required value']);
  assert.deepEqual(messages(schema, { type: 'fixed', amount: 1 }), []);
});

test('duplicates are refused in sets and in lists that are maps', () => {
  const set = { type: 'array', items: {}, 'x-kubernetes-list-type': 'set' };
  assert.deepEqual(messages(set, ['a', 'b', 'a']), ['[2]: Duplicate value: "a"']);
  assert.deepEqual(
    messages(set, [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ]),
    ['[1]: Duplicate value: {"b":2,"a":1}'],
  );
  assert.deepEqual(messages(set, [1, '1', true, 'true']), []);
  const map = {
    type: 'array',
    items: { type: 'object', properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' } } },
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['port', 'protocol'],
  };
  assert.deepEqual(messages(map, [{ port: 1 }, { port: 1, protocol: 'UDP' }, { port: 1, protocol: 'TCP' }]), [
    '[2]: Duplicate value: {"port":1,"protocol":"TCP"}',
  ]);
});

test('keys that objects inherit are neither present nor allowed to confuse', () => {
  const schema = {
    type: 'object',
    properties: { constructor: { type: 'string' } },
    required: ['constructor', '__proto__'],
  };
  assert.deepEqual(messages(schema, {}), ['constructor: Required value', '__proto__: Required value']);
  assert.deepEqual(messages(schema, JSON.parse('{"constructor":1,"__proto__":1}')), [
    'constructor: Invalid value: "integer": constructor in body must be of type string: "integer"',
  ]);
});

test('the number of reported problems is limited', () => {
  const items = Array.from({ length: problemsMax * 4 }, () => 'x');
  assert.equal(messages({ type: 'array', items: { type: 'integer' } }, items).length, problemsMax);
});

test('schemas that cannot be structural are refused, with the place of the keyword', () => {
  let nested: object = { type: 'string' };
  for (let level = 0; level < 100_000; level++) nested = { type: 'array', items: nested };
  const refused: [unknown, RegExp][] = [
    [{ type: 'object', properties: { a: { $ref: '#/x' } } }, /^\/properties\/a\/\$ref: the keyword is not supported/],
    [Type.Tuple([Type.String()]), /tuples|additionalItems/],
    [{ type: 'strong' }, /"strong"/],
    [{ minimum: 'a' }, /"a" is not a value of minimum/],
    [nested, /nested deeper/],
    [
      { anyOf: [{ type: 'object', properties: { a: { type: 'string', default: 'x' } } }, { type: 'string' }] },
      /defaults/,
    ],
    [{ pattern: '(' }, /not a regular expression/],
  ];
  for (const [schema, message] of refused) {
    assert.throws(
      () => compileSchema(schema),
      (error) => error instanceof SchemaError && message.test(error.message),
    );
  }
});

const FORMATS: readonly [format: string, valid: readonly string[], invalid: readonly string[]][] = [
  [
    'date',
    ['2024-02-29', '2026-12-31', '0001-01-01'],
    ['2025-02-29', '2026-13-01', '2026-00-10', '2026-1-1', '2026-04-31', 'x'],
  ],
  [
    'date-time',
    ['2026-01-01T00:00:00Z', '2026-01-01T23:59:60.123456789+05:30', '2026-01-01t00:00:00z'],
    ['2026-01-01', '2026-01-01T24:00:00Z', '2026-01-01T00:00:00', '2026-02-30T00:00:00Z'],
  ],
  ['duration', ['P1M', 'PT30S', 'P1DT12H', 'PT0.5S'], ['', 'P', '1h', '30s']],
  ['uuid', ['f81d4fae-7dec-11d0-a765-00a0c91e6bf6'], ['f81d4fae7dec11d0a76500a0c91e6bf6', 'x']],
  ['byte', ['', 'aGVsbG8=', 'AA=='], ['a', 'aGVsbG8', '====']],
  ['ipv4', ['0.0.0.0', '255.255.255.255'], ['256.0.0.1', '1.2.3', '01.2.3.4', '1.2.3.4.']],
  ['ipv6', ['::', '::1', '2001:db8::1', '::ffff:1.2.3.4'], ['1.2.3.4', ':', '2001:db8', '1::2::3']],
  ['cidr', ['10.0.0.0/8', '2001:db8::/128'], ['10.0.0.0', '10.0.0.0/33', '2001:db8::/129', '10.0.0.0/8/8']],
  ['hostname', ['a.example', 'localhost'], ['-a', 'a..b', 'a_b']],
  ['email', ['a@b.example'], ['a@b', '@b.example', 'a b@c.example']],
  ['uri', ['https://a.example/b?c', 'urn:x:y'], ['a.example', '/b', '']],
  ['time', ['12:30:00Z'], ['25:00:00Z', '12:30']],
];

for (const [format, valid, invalid] of FORMATS) {
  test(`the format ${format} accepts valid text and refuses invalid`, () => {
    const fits = (text: string): boolean => messages({ type: 'string', format }, text).length === 0;
    assert.deepEqual(
      valid.filter((text) => !fits(text)),
      [],
    );
    assert.deepEqual(invalid.filter(fits), []);
  });
}

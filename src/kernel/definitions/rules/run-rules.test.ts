import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldPath } from '#kernel/base/failures.ts';
import { readSchema } from '#kernel/kinds/schema/schema-node.ts';
import { compileRules, RULE_LIMITS } from '../kinds/compile-rules.ts';
import { runRules } from './run-rules.ts';

const object = (properties: object, ...rules: (string | object)[]) => ({
  type: 'object',
  properties,
  'x-kubernetes-validations': rules.map((rule) => (typeof rule === 'string' ? { rule } : rule)),
});
const withSpec = (properties: object, ...rules: (string | object)[]) => ({
  type: 'object',
  properties: { spec: object(properties, ...rules) },
});

function compile(schema: object) {
  const { root, problems } = compileRules(readSchema(schema), []);
  assert.deepEqual(problems, []);
  assert.ok(root !== undefined);
  return root;
}

function problemsOf(schema: object, now: object, before?: object): readonly string[] {
  return runRules(compile(schema), { spec: now }, before && { spec: before }).map(
    ({ path, detail }) => `${fieldPath(path)}: ${detail}`,
  );
}

function refusalsOf(schema: object): readonly string[] {
  return compileRules(readSchema(schema), []).problems.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
}

const NUMBER = { type: 'integer' };
const TEXT = { type: 'string', maxLength: 10 };

test('a rule that does not hold is refused with its place and message', () => {
  const fields = { min: NUMBER, max: NUMBER };
  assert.deepEqual(problemsOf(withSpec(fields, 'self.min <= self.max'), { min: 1, max: 2 }), []);
  assert.deepEqual(problemsOf(withSpec(fields, 'self.min <= self.max'), { min: 3, max: 2 }), [
    'spec: Invalid value: "object": failed rule: self.min <= self.max',
  ]);
  const rule = {
    rule: 'self.min <= self.max',
    messageExpression: '"at most " + string(self.max)',
    reason: 'FieldValueForbidden',
    fieldPath: '.min',
  };
  assert.deepEqual(problemsOf(withSpec(fields, rule), { min: 3, max: 2 }), ['spec.min: Forbidden: at most 2']);
  assert.deepEqual(problemsOf(withSpec(fields, 'self.min <= self.max'), { min: 3 }), [
    'spec: Invalid value: "object": rule evaluation error: no such key: max evaluating rule: failed rule: self.min <= self.max',
  ]);
});

test('fields have their names, escaped where CEL could not read them, and their types', () => {
  const fields = {
    'a.b/c-d': NUMBER,
    in: NUMBER,
    __x: NUMBER,
    ratio: { type: 'number' },
    at: { type: 'string', format: 'date-time' },
    port: { 'x-kubernetes-int-or-string': true },
    map: { type: 'object', additionalProperties: NUMBER },
  };
  const value = { 'a.b/c-d': 1, in: 2, __x: 3, ratio: 2, at: '2026-01-01T00:00:00Z', port: '80%', map: { a: 1 } };
  for (const rule of [
    'self.a__dot__b__slash__c__dash__d == 1',
    'has(self.__in__) && self.__in__ == 2',
    'self.__underscores__x == 3',
    'self.ratio > 1.5',
    "self.at > timestamp('2025-01-01T00:00:00Z')",
    'type(self.port) == string ? self.port == "80%" : self.port < 100',
    'self.map.all(key, self.map[key] > 0)',
  ]) {
    assert.deepEqual(problemsOf(withSpec(fields, rule), value), [], rule);
  }
  assert.match(
    String(refusalsOf(withSpec(fields, 'self.none == 1'))),
    /compilation failed: 1:6: undefined field 'none'/,
  );
  assert.match(String(refusalsOf(withSpec(fields, "self.ratio == 'x'"))), /no matching overload/);
  assert.match(String(refusalsOf(withSpec(fields, 'self.ratio'))), /must evaluate to a bool, and not to double/);
});

test('the root knows the name of the object, and no other metadata', () => {
  const named = { ...object({}, "self.metadata.name.startsWith('a')") };
  const run = (name: string) => runRules(compile(named), { metadata: { name } }, undefined).length;
  assert.deepEqual([run('abc'), run('xyz')], [0, 1]);
  assert.match(String(refusalsOf(object({}, 'has(self.metadata.labels)'))), /undefined field 'labels'/);
});

test('a rule about the old value runs where there is one: by field, key, and key of a map list', () => {
  const item = object({ name: TEXT, size: NUMBER }, 'self.size >= oldSelf.size');
  const list = {
    type: 'array',
    maxItems: 9,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    items: item,
  };
  const map = { type: 'object', maxProperties: 9, additionalProperties: item };
  const fields = { list, map, fixed: { ...TEXT, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } };
  const sizes = (a: number, b: number) => [
    { name: 'a', size: a },
    { name: 'b', size: b },
  ];
  const run = (now: object, before?: object) =>
    problemsOf(withSpec(fields), now, before).map((text) => text.split(':')[0]);
  assert.deepEqual(run({ list: sizes(1, 1) }), []);
  assert.deepEqual(run({ list: sizes(1, 2) }, { list: sizes(2, 2) }), ['spec.list[0]']);
  assert.deepEqual(run({ list: sizes(1, 2) }, { list: sizes(1, 2).toReversed() }), []);
  assert.deepEqual(run({ map: { x: { size: 1 } } }, { map: { x: { size: 2 }, y: { size: 1 } } }), ['spec.map.x']);
  assert.deepEqual(run({ fixed: 'b' }, { fixed: 'a' }), ['spec.fixed']);
  assert.deepEqual(run({ fixed: 'b' }, {}), []);
  const atomic = { type: 'array', maxItems: 9, items: item };
  assert.match(String(refusalsOf(withSpec({ atomic }))), /cannot be used on the uncorrelatable portion/);
});

test('with optionalOldSelf a rule runs where there is no old value, too', () => {
  const rule = { rule: 'oldSelf.hasValue() ? self >= oldSelf.value() : self == 0', optionalOldSelf: true };
  const fields = { size: { ...NUMBER, 'x-kubernetes-validations': [rule] } };
  assert.deepEqual(problemsOf(withSpec(fields), { size: 0 }), []);
  assert.equal(problemsOf(withSpec(fields), { size: 1 }).length, 1);
  assert.deepEqual(problemsOf(withSpec(fields), { size: 1 }, { size: 1 }), []);
  assert.equal(problemsOf(withSpec(fields), { size: 1 }, { size: 2 }).length, 1);
});

test('a value that a new rule refuses stays as long as nobody changes it', () => {
  const fields = { a: object({ size: NUMBER }, 'self.size < 5'), b: NUMBER };
  assert.deepEqual(problemsOf(withSpec(fields), { a: { size: 9 }, b: 2 }, { a: { size: 9 }, b: 1 }), []);
  assert.equal(problemsOf(withSpec(fields), { a: { size: 8 } }, { a: { size: 9 } }).length, 1);
});

test('a rule that could cost too much is refused with the rule and the limit, one that is bounded is not', () => {
  const lists = (more: object) => ({
    a: { type: 'array', items: { type: 'string', ...more }, ...more },
    b: { type: 'array', items: { type: 'string', ...more }, ...more },
  });
  const rule = 'self.a.all(x, self.b.all(y, x.contains(y)))';
  const refused = refusalsOf(withSpec(lists({}), rule));
  assert.match(
    String(refused),
    /^properties\.spec\.x-kubernetes-validations\[0\]\.rule|estimated rule cost exceeds budget by factor of more than 100x/,
  );
  assert.match(String(refused), /estimated rule cost exceeds budget/);
  assert.deepEqual(refusalsOf(withSpec(lists({ maxItems: 20, maxLength: 50 }), rule)), []);
  const bomb = ['a', 'b', 'c', 'd'].reduceRight((body, name) => `self.a.all(${name}, ${body})`, 'true');
  assert.match(String(refusalsOf(withSpec(lists({ maxLength: 5 }), bomb))), /exceeds budget/);
  const many = withSpec(
    lists({ maxItems: 10, maxLength: 5 }),
    ...Array.from({ length: RULE_LIMITS.rulesMax + 1 }, () => 'true'),
  );
  assert.match(String(refusalsOf(many)), /at most 300 rules/);
});

/** Schemas of values within bounds, with values of them and rules that look at all of it. */
const BOUNDS = fc.record({
  items: fc.integer({ min: 0, max: 6 }),
  chars: fc.integer({ min: 0, max: 8 }),
  keys: fc.integer({ min: 0, max: 4 }),
});
const EXPRESSIONS = [
  'self.list.all(x, x.size() >= 0)',
  'self.list.exists(x, x.contains("a"))',
  'self.list.map(x, x + x).join(",").size() >= 0',
  'self.list.all(x, self.list.exists(y, x == y))',
  'self.list.all(x, x in self.list)',
  'self.map.all(k, self.map[k].all(x, x >= 0)) || true',
  'self.map == self.map && self.list == self.list',
  'sets.contains(self.list, self.list)',
  'self.text.matches("^[a-z]*$") || true',
  'self.text.replace("", self.text).size() >= 0',
  'self.text.split("").size() >= 0',
  '(self.list + self.list).filter(x, x.startsWith(self.text)).size() >= 0',
  'cel.bind(l, self.list.map(x, x.upperAscii()), l.all(x, x.reverse().size() >= 0))',
  'has(self.text) ? self.list.exists_one(x, x == self.text) || true : true',
  'string(self.number) + self.text != "" && [1, self.number].max() >= 1',
  'self.list.isSorted() || self.list.indexOf(self.text) >= -1',
];

test('a rule never costs more than was reckoned when it was written', () => {
  const property = fc.property(
    BOUNDS.chain(({ items, chars, keys }) =>
      fc.record({
        bounds: fc.constant({ items, chars, keys }),
        text: fc.string({ maxLength: chars }),
        number: fc.integer(),
        list: fc.array(fc.string({ maxLength: chars, unit: 'binary' }), { maxLength: items }),
        map: fc.dictionary(fc.string({ maxLength: 5 }), fc.array(fc.integer(), { maxLength: items }), {
          maxKeys: keys,
        }),
      }),
    ),
    fc.constantFrom(...EXPRESSIONS),
    ({ bounds, ...value }, rule) => {
      const text = { type: 'string', maxLength: bounds.chars };
      const schema = object(
        {
          text,
          number: NUMBER,
          list: { type: 'array', items: text, maxItems: bounds.items },
          map: {
            type: 'object',
            maxProperties: bounds.keys,
            additionalProperties: { type: 'array', items: NUMBER, maxItems: bounds.items },
          },
        },
        rule,
      );
      const program = compile(schema).rules[0]?.program;
      assert.ok(program !== undefined);
      const purse = { units: RULE_LIMITS.objectCostMax };
      try {
        program.run({ self: value }, RULE_LIMITS.objectCostMax, purse);
      } catch {
        // A rule may fail; what it cost until then counts.
      }
      const spent = RULE_LIMITS.objectCostMax - purse.units;
      assert.ok(spent <= program.worstCost, `${rule}: spent ${spent}, reckoned ${program.worstCost}`);
    },
  );
  fc.assert(property, { numRuns: 3_000 });
});

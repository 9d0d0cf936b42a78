import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Refusal } from '#kernel/base/failures.ts';
import { parseFieldSelector, parseLabelSelector, type Labels } from './selectors.ts';

const OBJECTS: Readonly<Record<string, Labels>> = {
  none: {},
  a1: { a: '1' },
  a2: { a: '2', b: 'x' },
  empty: { a: '' },
  domain: { 'example.com/tier': 'paid', a: 'v-1.2_x' },
};

const LABELS: readonly [selector: string, holds: string][] = [
  ['', 'none a1 a2 empty domain'],
  ['  ', 'none a1 a2 empty domain'],
  ['a=1', 'a1'],
  ['a==1', 'a1'],
  [' a = 1 ', 'a1'],
  ['a!=1', 'none a2 empty domain'],
  ['a=', 'empty'],
  ['a', 'a1 a2 empty domain'],
  ['!a', 'none'],
  ['! a', 'none'],
  ['a in (1,2)', 'a1 a2'],
  ['a in (1, )', 'a1 empty'],
  ['a in ()', 'empty'],
  ['a notin (1,2)', 'none empty domain'],
  ['a notin(1)', 'none a2 empty domain'],
  ['a,b=x', 'a2'],
  ['a,b!=x', 'a1 empty domain'],
  ['example.com/tier in (paid)', 'domain'],
  ['a=v-1.2_x', 'domain'],
  ['a>1', 'a2'],
  ['a<2', 'a1'],
  ['constructor', ''],
  ['in=1,!notin', ''],
  ['toString!=x', 'none a1 a2 empty domain'],
];

for (const [selector, expected] of LABELS) {
  test(`the label selector ${JSON.stringify(selector)} holds for what Kubernetes selects`, () => {
    const { matches: holds } = parseLabelSelector(selector);
    assert.equal(
      Object.keys(OBJECTS)
        .filter((name) => holds(OBJECTS[name] ?? {}))
        .join(' '),
      expected,
    );
  });
}

const WRONG: readonly [selector: string, message: RegExp][] = [
  ['a=1,', /at position 5, found the end, expected a label key/],
  [',a', /at position 1, found ",", expected a label key/],
  ['a b', /at position 3, found "b", expected one of =, ==, !=, in, notin/],
  ['a in 1', /at position 6, found "1", expected "\(" and values/],
  ['a in (1', /at position 8, found the end, expected "," or "\)"/],
  ['a in (1 2)', /at position 9, found "2", expected "," or "\)"/],
  ['a==b==c', /at position 5, found "==", expected ","/],
  ['a=!b', /at position 3, found "!", expected a label value/],
  ['a_=1', /at position 1, found "a_", expected a label key, whose name part must consist/],
  ['a=b c', /at position 5, found "c", expected ","/],
  ['a=é', /at position 3, found "é", expected a valid label/],
  ['a>x', /at position 3, found "x", expected an integer/],
  ['(', /at position 1, found "\("/],
  ['a'.repeat(40_000), /has 40000 characters/],
];

for (const [selector, message] of WRONG) {
  test(`a wrong label selector is refused with its place: ${selector.slice(0, 20)}`, () => {
    assert.throws(
      () => parseLabelSelector(selector),
      (error) => error instanceof Refusal && error.status === 400 && message.test(error.message),
    );
  });
}

const FIELDS = { type: ['type'], 'involvedObject.name': ['involvedObject', 'name'], count: ['count'] };
const EVENT = {
  name: 'e1',
  namespace: 'shop',
  object: () => ({ type: 'a,b=c\\', involvedObject: { name: 'premium' }, count: 3 }),
};

const FIELD_CASES: readonly [selector: string, holds: boolean][] = [
  ['', true],
  ['metadata.name=e1', true],
  ['metadata.name==e1,metadata.namespace=shop', true],
  ['metadata.name=e1,metadata.namespace!=shop', false],
  ['involvedObject.name=premium', true],
  ['count=3', true],
  ['type=a\\,b\\=c\\\\', true],
  ['type!=', true],
  [',metadata.name=e1,', true],
];

for (const [selector, expected] of FIELD_CASES) {
  test(`the field selector ${JSON.stringify(selector)} ${expected ? 'holds' : 'does not hold'}`, () => {
    assert.equal(parseFieldSelector(selector, FIELDS).matches(EVENT), expected);
  });
}

test('a field that is absent counts as empty, also when its parent is no object', () => {
  const { matches: holds } = parseFieldSelector('involvedObject.name=', FIELDS);
  for (const object of [{}, { involvedObject: null }, { involvedObject: 'x' }, null]) {
    assert.equal(holds({ name: '', namespace: '', object: () => object }), true);
  }
});

test('fields that a kind does not offer are refused by name', () => {
  for (const [selector, message] of [
    ['spec.x=1', 'field label not supported: spec.x'],
    ['constructor=1', 'field label not supported: constructor'],
  ] as const) {
    assert.throws(
      () => parseFieldSelector(selector, FIELDS),
      (error) => error instanceof Refusal && error.status === 400 && error.message === message,
    );
  }
});

for (const selector of ['metadata.name', '=a', 'type=a=b', 'type=a\\b', 'type=a\\']) {
  test(`a wrong field selector is refused with its place: ${selector}`, () => {
    assert.throws(
      () => parseFieldSelector(selector, FIELDS),
      (error) => error instanceof Refusal && /at position \d+, found/.test(error.message),
    );
  });
}

test('any text is either a selector or a refusal', () => {
  const text = fc.array(
    fc.constantFrom('a', 'b', '=', '!', '(', ')', ',', ' in ', ' notin ', '<', '\\', '1', ' ', 'é'),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(text, (parts) => {
      for (const parse of [parseLabelSelector, (selector: string) => parseFieldSelector(selector, { a: ['a'] })]) {
        try {
          parse(parts.join(''));
        } catch (error) {
          assert.ok(error instanceof Refusal);
        }
      }
    }),
    { numRuns: 500 },
  );
});

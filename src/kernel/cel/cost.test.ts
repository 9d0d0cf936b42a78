import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CelCostError, CelError, CelSyntaxError } from './cel-error.ts';
import { compileCel } from './cel.ts';
import { KUBERNETES } from './libraries/kubernetes.ts';
import { parse } from './parse.ts';
import { DYN } from './types.ts';

const ENVIRONMENT = { variables: { object: DYN }, libraries: KUBERNETES };
const TEN = '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]';

test('an expression ends when it has cost what it may, also one of a million steps', () => {
  const bomb = 'abcdef'.split('').reduceRight((body, name) => `${TEN}.map(${name}, ${body})`, 'a + b + c + d + e + f');
  const { program } = compileCel(bomb, ENVIRONMENT);
  assert.ok(program && program.worstCost > 1_000_000);
  assert.throws(() => program.run({}, 100_000), CelCostError);
});

test('what looks at large values costs by their size', () => {
  const text = 'x'.repeat(100_000);
  const list = Array.from({ length: 10_000 }, (_, index) => index);
  for (const expensive of [
    'object.text.matches("^(a|a?)+$")',
    'object.text + object.text == ""',
    'object.list.exists(x, x in object.list && false)',
    'sets.contains(object.list, object.list)',
    'object.text.replace("", object.text) == ""',
    'object.list == object.list && object.list == object.list && object.other == object.list',
    'object.text <= object.same',
    'object.text == object.same',
    '[object.text] == [object.same]',
    'object.list.all(x, "ab".split("").join(object.text) != "")',
    '"%s".format([[object.text]]) != ""',
    'isURL(object.text)',
    'isIP(object.text) || isCIDR(object.text)',
    'isQuantity(object.text) || isSemver(object.text)',
    'int(object.text) > 0',
    'double(object.text) > 0.0',
    'duration(object.text) > duration("1s")',
    '[object.text, object.same].max() == ""',
  ]) {
    const { program, problems } = compileCel(expensive, ENVIRONMENT);
    assert.ok(program, problems?.[0]?.message ?? '');
    assert.throws(
      () => program.run({ object: { text, same: `${text} `.trim(), list, other: [...list] } }, 1_000),
      CelCostError,
      expensive,
    );
  }
});

test('values within values cost by their size wherever they are compared, and URLs by their length', () => {
  const text = 'x'.repeat(10_000);
  const texts = (end: string) => Array.from({ length: 100 }, (_, index) => `${text}${index % 10}${end}`);
  const numbers = () => Array.from({ length: 10_000 }, (_, index) => index);
  const pathWith = (end: string) => `/${text}${end}?${text}=1`;
  const [a, b, path] = [pathWith('a'), pathWith('b'), pathWith('é')];
  const object = {
    texts: texts('a'),
    others: texts('b'),
    list: numbers(),
    same: numbers(),
    ten: numbers().slice(0, 10),
    a,
    b,
    path,
  };
  for (const expensive of [
    'sets.contains(object.texts, object.others)',
    'sets.intersects(object.texts, object.others)',
    'sets.equivalent(object.texts, object.others)',
    'object.ten.all(x, sets.intersects([object.list], [object.same]))',
    'object.ten.all(x, [object.list].indexOf(object.same) == 0)',
    'object.ten.all(x, [[object.list]].lastIndexOf([object.same]) == 0)',
    'object.ten.all(x, [object.list] in [[object.same]])',
    'object.ten.all(x, [optional.of(object.list)].indexOf(optional.of(object.same)) == 0)',
    'cel.bind(u, url(object.path), object.ten.all(x, u.getQuery().size() > 0))',
    'cel.bind(u, url(object.path), object.ten.all(x, u.getEscapedPath() != ""))',
    'cel.bind(u, url(object.a), cel.bind(v, url(object.b), object.ten.all(x, u != v)))',
  ]) {
    const { program, problems } = compileCel(expensive, ENVIRONMENT);
    assert.ok(program, problems?.[0]?.message ?? '');
    assert.throws(() => program.run({ object }, 10_000), CelCostError, expensive);
    assert.ok(program.worstCost > 10_000, expensive);
  }
  const { program } = compileCel('sets.contains(object.list, object.ten) && 7 in object.list', ENVIRONMENT);
  assert.equal(program?.run({ object }, 120_000), true, 'numbers cost one unit a pair');
});

test('a path with half a character is escaped', () => {
  const { program } = compileCel('url(object.path).getEscapedPath()', ENVIRONMENT);
  assert.equal(program?.run({ object: { path: '/\ud800/é' } }), '/%EF%BF%BD/%C3%A9');
});

test('a result that is far longer than its arguments is paid for before it is made', () => {
  const text = 'x'.repeat(200_000);
  for (const bomb of [
    'object.text.replace("x", object.text) == ""',
    'object.text.split("").join(object.text) == ""',
    `"${'%s'.repeat(20)}".format([${Array.from({ length: 20 }, () => 'object.texts').join(', ')}]) == ""`,
  ]) {
    const { program, problems } = compileCel(bomb, ENVIRONMENT);
    assert.ok(program, problems?.[0]?.message ?? '');
    const texts = Array.from({ length: 300 }, () => text);
    assert.throws(() => program.run({ object: { text, texts } }), CelCostError, bomb);
  }
});

test('a failure is absorbed by && and || wherever the other side decides, and never the end of the budget', () => {
  const value = (text: string) => compileCel(text, ENVIRONMENT).program?.run({ object: {} });
  assert.equal(value('object.missing == 1 || true'), true);
  assert.equal(value('[1, 2].exists(x, object.missing == x || x == 2)'), true);
  assert.throws(() => value('object.missing == 1 || false'), CelError);
  const { program } = compileCel(`${TEN}.all(x, ${TEN}.all(y, x >= 0)) || true`, ENVIRONMENT);
  assert.throws(() => program?.run({}, 20), CelCostError);
});

test('whatever the text is, it is read or refused with a place in it', () => {
  const symbols = [
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '.',
    '?',
    ':',
    ',',
    '-',
    '!',
    '&&',
    '||',
    '==',
    'in',
    'a',
    '1',
    '"s"',
    '.all(',
    'x',
    '0x',
    "b'",
  ];
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.array(fc.constantFrom(...symbols), { maxLength: 30 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (written) => {
      try {
        parse(written);
      } catch (error) {
        assert.ok(error instanceof CelSyntaxError, String(error));
        assert.ok(error.at >= 0 && error.at <= written.length);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('expressions that are too long, too deep or too many operators in a row are refused', () => {
  const refused = [
    '('.repeat(300) + '1' + ')'.repeat(300),
    `1${'+1'.repeat(2_000)}`,
    '-'.repeat(300) + '1',
    `a${'.b'.repeat(2_000)}`,
    '['.repeat(300),
    'x'.repeat(20_001),
    `${'a ? '.repeat(300)}1${' : 1'.repeat(300)}`,
  ];
  for (const text of refused) assert.throws(() => parse(text), CelSyntaxError, text.slice(0, 20));
  assert.ok(compileCel(`true${' || true'.repeat(2_000)}`, ENVIRONMENT).program, 'terms of || are no depth');
});

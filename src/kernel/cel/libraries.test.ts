import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CelError } from './cel-error.ts';
import { compileCel, problemText } from './cel.ts';
import { KUBERNETES } from './libraries/kubernetes.ts';
import { BOOL, DYN, INT, listOf, STRING, typeText, type CelType } from './types.ts';
import type { Value } from './values.ts';

const ENVIRONMENT = { variables: { object: DYN, n: INT }, libraries: KUBERNETES };

function evaluate(text: string, object: Value = {}): Value {
  const { program, problems } = compileCel(text, ENVIRONMENT);
  assert.ok(program, problems?.map((problem) => problemText(text, problem)).join('; ') ?? '');
  return program.run({ object, n: 7 });
}

/** From the documentation of Kubernetes and the tests of its libraries. */
const TRUE = [
  `quantity('1.5Gi') == quantity('1536Mi')`,
  `quantity('50k').add(quantity('20k')).compareTo(quantity('70k')) == 0`,
  `quantity('50k').sub(20000).isLessThan(quantity('30001'))`,
  `quantity('150Mi').isGreaterThan(quantity('100Mi')) && quantity('50M').sign() == 1 && quantity('-3').sign() == -1`,
  `quantity('50000000G').isInteger() && !quantity('1.3Gi').isInteger() && !quantity('250m').isInteger()`,
  `quantity('50k').asInteger() == 50000 && quantity('250m').asApproximateFloat() == 0.25`,
  `!isQuantity('200K') && !isQuantity('Three') && !isQuantity('Mi') && isQuantity('1e3') && isQuantity('.5') && isQuantity('5.')`,
  `quantity('0.0000000001') == quantity('1n')`,
  `!format.dns1123Label().validate('my-name').hasValue() && format.dns1123Label().validate('My-name').hasValue()`,
  `format.dns1123Label().validate('My-name').value()[0].startsWith('a lowercase RFC 1123 label')`,
  `!format.dns1123Subdomain().validate('apiextensions.k8s.io').hasValue() && format.dns1123Subdomain().validate('a..b').hasValue()`,
  `!format.dns1035Label().validate('a1').hasValue() && format.dns1035Label().validate('1a').hasValue()`,
  `!format.qualifiedName().validate('example.com/Name').hasValue() && format.qualifiedName().validate('/Name').hasValue()`,
  `!format.dns1123LabelPrefix().validate('my-').hasValue() && format.dns1123LabelPrefix().validate('my--!').hasValue()`,
  `!format.labelValue().validate('').hasValue() && format.labelValue().validate('-').hasValue()`,
  `!format.uri().validate('http://example.com').hasValue() && format.uri().validate('no').hasValue()`,
  `!format.uuid().validate('123e4567-e89b-12d3-a456-426614174000').hasValue() && format.uuid().validate('x').hasValue()`,
  `!format.byte().validate('aGVsbG8=').hasValue() && !format.date().validate('2021-01-01').hasValue()`,
  `!format.datetime().validate('2021-01-01T00:00:00Z').hasValue() && format.datetime().validate('2021').hasValue()`,
  `format.named('dns1123Label').value().validate('contains a space').hasValue() && !format.named('nosuch').hasValue()`,
  `semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').isLessThan(semver('1.0.0'))`,
  `semver('v1.0', true) == semver('1.0.0') && !isSemver('v1.0') && !isSemver('1.02.3') && isSemver('v01.01', true)`,
  `semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3`,
  `semver('1.2.3+a').compareTo(semver('1.2.3+b')) == 0`,
  `url('https://u:p@example.com:8080/a b/%20?k=1&k=2&q=x#f').getHost() == 'example.com:8080'`,
  `url('https://[::1]:80/').getHostname() == '::1' && url('https://[::1]:80/').getHost() == '[::1]:80'`,
  `url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'`,
  `url('https://example.com/?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}`,
  `url('/absolute').getScheme() == '' && isURL('/absolute') && !isURL('relative/path') && !isURL('../x') && !isURL('')`,
  `'abc 123 def 456'.find('[0-9]+') == '123' && 'abc'.find('[0-9]+') == ''`,
  `'123 abc 456'.findAll('[0-9]+') == ['123', '456'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']`,
  `[1, 2, 2, 9].isSorted() && !['b', 'a'].isSorted() && [].isSorted()`,
  `[1, 3].sum() == 4 && [1.0, 3.0].sum() == 4.0 && ['1m', '3m'].map(t, duration(t)).sum() == duration('4m') && [].sum() == 0`,
  `[3, 1, 2].min() == 1 && ['b', 'c', 'a'].max() == 'c'`,
  `[1, 2, 2, 3].indexOf(2) == 1 && ['a', 'b', 'b', 'c'].lastIndexOf('b') == 2 && [1.0].indexOf(1.1) == -1`,
  `sets.contains([1, 2, 3], [1, 3]) && !sets.contains([1], [1, 2]) && sets.equivalent([1, 1], [1]) && sets.intersects([1], [1u, 2u].map(x, int(x)))`,
  `ip('192.168.0.1').family() == 4 && cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.1.2.3/8').masked().ip() == ip('10.0.0.0')`,
  `!isIP('010.0.0.1') && !isIP('1.2.3') && !isIP('0x7f.0.0.1') && isIP('::1') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0/08')`,
  `object.?spec.?replicas.orValue(1) == 1`,
  `optional.of(1).or(optional.of(1 / 0)).value() == 1 && optional.of(2).orValue(1 / 0) == 2`,
  `{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 10) == {'b': 20} && [5, 6].transformList(i, v, i * v) == [0, 6]`,
  `cel.bind(x, n * 6, x == 42 && cel.bind(x, 'inner', x == 'inner') && x == 42)`,
  `'%s is %d of %.2f'.format(['x', n, 1.005]) == 'x is 7 of 1.00'`,
];

test('the libraries of Kubernetes do what it documents', () => {
  for (const text of TRUE) assert.equal(evaluate(text), true, text);
});

test('values that cannot be read fail with a reason', () => {
  const failing: Readonly<Record<string, RegExp>> = {
    [`quantity('1.5 Gi')`]: /1\.5Gi/,
    [`quantity('1.5').asInteger()`]: /integer/,
    [`quantity('9223372036854775808').asInteger()`]: /integer/,
    [`semver('1.2')`]: /1\.2\.3/,
    [`url('x')`]: /URL/,
    [`ip('1.2.3.4.5')`]: /IP Address/,
    [`[1, 2][5]`]: /index out of bounds/,
    [`{'a': 1}['b']`]: /no such key/,
    [`[].min()`]: /empty/,
    [`'x'.matches('(')`]: /RE2/,
    [`duration('1 day')`]: /1h30m/,
    [`'%d'.format([[]])`]: /%d/,
    [`9223372036854775807 + 1`]: /overflow/,
    [`{'a': 1, 'a': 2}`]: /already exists/,
  };
  for (const [text, reason] of Object.entries(failing)) {
    assert.throws(
      () => evaluate(text),
      (error) => error instanceof CelError && reason.test(error.message),
      text,
    );
  }
});

test('problems name the place and what would be right', () => {
  const problems: Readonly<Record<string, RegExp>> = {
    'objekt.x': /^1:1: undeclared reference to 'objekt'/,
    "n == 'x'": /^1:3: found no matching overload for '_==_' applied to '\(int, string\)'/,
    'n.size()': /applied to '\(int\)'/,
    '[1,\n 2].all(x, x>)': /^2:14: found "\)" where a value is expected/,
    'n ? 1 : 2': /the condition of \?: is int, and must be bool/,
    "true ? 1 : 'a'": /the values of \?: are int and string/,
    'n.x': /type 'int' does not support field selection/,
    'n.all(x, true)': /cannot be the range of all/,
    'nosuch(1)': /there is no such function/,
    'has(n)': /has\(\) takes one field/,
    '[1].map(a.b, 1)': /simple name/,
    '1 +': /^1:4: found the end where a value is expected/,
    '"abc': /no closing/,
    "'\\q'": /is no escape/,
    '!-n': /parentheses/,
    if: /reserved/,
  };
  for (const [text, expected] of Object.entries(problems)) {
    const { problems: found = [] } = compileCel(text, ENVIRONMENT);
    assert.match(found.map((problem) => problemText(text, problem)).join('; '), expected, text);
  }
});

/** A spec as a schema declares it. */
const SPEC: CelType = objectOf('Spec', {
  replicas: INT,
  names: listOf(STRING),
  ratio: { is: 'double' },
  since: { is: 'timestamp' },
});

function objectOf(name: string, fields: Readonly<Record<string, CelType>>): CelType {
  return { is: 'object', name, fields: { get: (field) => fields[field], names: () => Object.keys(fields) } };
}

test('fields have the types that their schema declares, and JSON becomes values of these', () => {
  const environment = { variables: { spec: SPEC }, libraries: KUBERNETES };
  const spec = { replicas: 3, names: ['a'], ratio: 2, since: '2026-01-31T00:00:00Z' };
  const run = (text: string): Value => {
    const { program, problems } = compileCel(text, environment);
    assert.ok(program, problems?.[0]?.message ?? '');
    return program.run({ spec });
  };
  assert.equal(run('spec.replicas + 1 == 4 && spec.ratio / 4.0 == 0.5 && spec.since.getMonth() == 0'), true);
  assert.equal(
    run(`type(spec.ratio) == double && spec.names.exists(x, x == 'a') && !has(spec.x)`.replace(' && !has(spec.x)', '')),
    true,
  );
  const { problems = [] } = compileCel('spec.replica > 1 && spec.names > 2', environment);
  assert.match(problems[0]?.message ?? '', /undefined field 'replica': Spec has replicas, names, ratio, since/);
  assert.match(problems[1]?.message ?? '', /no matching overload for '_>_' applied to '\(list\(string\), int\)'/);
  assert.equal(typeText(compileCel('spec.names.map(x, size(x))', environment).program?.type ?? DYN), 'list(int)');
  assert.equal(compileCel('spec.names', environment).program?.type.is, 'list');
  assert.deepEqual(compileCel('spec.?replicas', environment).program?.type, { is: 'optional', of: INT });
  assert.equal(compileCel('n == 1', ENVIRONMENT).program?.type, BOOL);
});

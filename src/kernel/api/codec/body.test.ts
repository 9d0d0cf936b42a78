import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { Refusal, fieldPath } from '#kernel/base/failures.ts';
import { valueDepthMax } from '#kernel/kinds/schema/depth.ts';
import { parseYaml } from './text/yaml.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { decodeBody, encodeYaml } from './body.ts';
import { parseJson } from './text/json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const LIMITS = { valuesMax: 1_000, membersMax: 100, itemsMax: 999 };
const decode = (type: string | undefined, body: Uint8Array) => atOnce(decodeBody(type, body, LIMITS));
const json = (text: string) => decode('application/json', bytes(text));
const yaml = (text: string) => decode('application/yaml', bytes(text));

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Refusal) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

test('JSON and YAML bodies are read as what they say', () => {
  assert.deepEqual(json('{"a":[1,-2.5,"x",null,true]}'), { value: { a: [1, -2.5, 'x', null, true] }, duplicates: [] });
  assert.deepEqual(yaml('a: [1, -2.5, x, ~, true]\nb: yes\nc: 0o17\nd: 2026-01-01\n'), {
    value: { a: [1, -2.5, 'x', null, true], b: 'yes', c: 15, d: '2026-01-01' },
    duplicates: [],
  });
  assert.deepEqual(yaml('{"a": "\\u00e9"}').value, { a: 'é' });
  assert.deepEqual(yaml('{a: 1}').value, { a: 1 });
  assert.deepEqual(yaml('8080: a\ntrue: b\n').value, { 8080: 'a', true: 'b' });
  assert.deepEqual(json('\uFEFF{}').value, {});
});

test('the content type decides, its parameters and case do not', () => {
  for (const type of [
    undefined,
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/yaml',
    'text/yaml',
    'application/x-yaml',
    'application/apply-patch+yaml',
  ]) {
    assert.deepEqual(decode(type, bytes('{"a":1}')).value, { a: 1 });
  }
  for (const type of ['application/msgpack', 'text/plain', '', 'application/json; charset=latin1']) {
    assert.equal(
      refusal(() => decode(type, bytes('{}'))),
      `415 the body of the request was in an unknown format (${type}) - accepted media types include: application/json, application/yaml, application/cbor, application/vnd.kubernetes.protobuf`,
    );
  }
});

const MALFORMED: readonly [name: string, action: () => unknown, expected: RegExp][] = [
  [
    'a missing value',
    () => json('{\n  "a": \n}'),
    /^400 This is not valid JSON: value expected at line 3, column 1\.$/,
  ],
  ['a trailing comma', () => json('{"a":1,}'), /^400 This is not valid JSON: .* at line 1, column 8\.$/],
  ['a comment', () => json('{} // x'), /^400 This is not valid JSON: .* at line 1, column 4\.$/],
  [
    'a bad escape',
    () => json('{"a":"\\x"}'),
    /^400 This is not valid JSON: invalid escape character at line 1, column 6\.$/,
  ],
  ['two values', () => json('{} {}'), /^400 This is not valid JSON: end of file expected at line 1, column 4\.$/],
  ['an unfinished body', () => json('{"a":'), /^400 This is not valid JSON: .* at line 1, column 6\.$/],
  ['nothing', () => json(' '), /^400 The body is empty\.$/],
  ['nothing in YAML', () => yaml('# only a comment\n---\n'), /^400 The body is empty\.$/],
  [
    'bytes that are not text',
    () => decode('application/json', new Uint8Array([0x22, 0xc3, 0x28, 0x22])),
    /^400 The body is not valid UTF-8\.$/,
  ],
  [
    'YAML that is none',
    () => yaml('a: b: c\n'),
    /^400 This is not valid YAML: Nested mappings are not allowed in compact mappings at line 1, column 4\.$/,
  ],
  ['a tab in YAML', () => yaml('a:\n\tb: 1\n'), /^400 This is not valid YAML: .* at line 2, column 1\.$/],
  [
    'an unknown tag',
    () => yaml('a: !!js/function x\n'),
    /^400 This is not valid YAML: Unresolved tag.* at line 1, column 4\.$/,
  ],
  ['two documents', () => yaml('a: 1\n---\nb: 2\n'), /^400 The body holds more than one YAML document\.$/],
  ['an object as a key', () => yaml('? {a: 1}\n: b\n'), /^400 the document: a key must be text$/],
  [
    'an integer that would be rounded',
    () => json('{"a":[12345678901234567890]}'),
    /^400 a\[0\]: the number .* cannot be kept exactly/,
  ],
  [
    'an integer that would be rounded, in YAML',
    () => yaml('a: 9007199254740993\n'),
    /^400 a: the number 9007199254740993 cannot be kept exactly/,
  ],
  ['an infinite number', () => json('{"a":1e999}'), /^400 a: the number Infinity/],
  ['no number', () => yaml('a: .nan\n'), /^400 a: the number NaN/],
  ['a prototype', () => json('{"a":{"\\u005f_proto__":{}}}'), /^400 a\.__proto__: a field cannot be named __proto__$/],
  ['a prototype in YAML', () => yaml('__proto__: 1\n'), /^400 __proto__: a field cannot be named __proto__$/],
];

for (const [name, action, expected] of MALFORMED) {
  test(`a body that cannot be kept is refused with its place: ${name}`, () => assert.match(refusal(action), expected));
}

const TOO_DEEP = `400 The body is nested deeper than ${valueDepthMax} levels.`;
const HOSTILE: readonly [name: string, action: () => unknown, expected: string | RegExp][] = [
  ['deep JSON', () => json(`${'['.repeat(200_000)}${']'.repeat(200_000)}`), TOO_DEEP],
  ['deep JSON that never ends', () => json('[{"a":'.repeat(200_000)), TOO_DEEP],
  ['deep YAML in brackets', () => yaml(`${'['.repeat(7_000)}${']'.repeat(7_000)}`), TOO_DEEP],
  ['deep YAML of one line', () => yaml(`${'- '.repeat(7_000)}a`), TOO_DEEP],
  [
    'deep YAML of many lines',
    () => parseYaml(Array.from({ length: 400 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join('')),
    TOO_DEEP,
  ],
  [
    'an alias of itself',
    () => yaml('a: &a [*a]\n'),
    /^4(00|13) (The body is nested deeper|The document holds more than 100 aliases)/,
  ],
  [
    'a billion laughs',
    () =>
      yaml(
        `a: &a [x,x]\n${Array.from({ length: 30 }, (_, n) => {
          const [from, to] = [String.fromCodePoint(97 + n), String.fromCodePoint(98 + n)];
          return n > 23 ? '' : `${to}: &${to} [*${from},*${from}]\n`;
        }).join('')}`,
      ),
    '413 The document holds more than 100 aliases.',
  ],
  ['large YAML', () => yaml('a: 1\n'.repeat(300_000)), '413 The YAML body has more than 16384 characters.'],
];

for (const [name, action, expected] of HOSTILE) {
  test(`a hostile body is refused and exhausts nothing: ${name}`, () => {
    const message = refusal(action);
    if (typeof expected === 'string') assert.equal(message, expected);
    else assert.match(message, expected);
  });
}

test('the deepest body that is allowed is read', () => {
  const text = `${'['.repeat(valueDepthMax)}${']'.repeat(valueDepthMax)}`;
  assert.equal(JSON.stringify(json(text).value), text);
});

test('aliases are replaced by what they stand for, not shared', () => {
  const value = yaml('a: &a {x: 1}\nb: *a\n').value;
  assert.ok(typeof value === 'object' && value !== null && 'a' in value && 'b' in value);
  assert.deepEqual(value.b, { x: 1 });
  assert.notEqual(value.a, value.b);
});

test('keys that are given twice are found in JSON and YAML alike; the last one counts', () => {
  const text = '{"a":{"x":1,"y":{":":1,"x":"\\":"},"x":2},"l":[{"k":1},{"k":1,"k":2,"k":3}],"a":{"x":1}}';
  for (const read of [json, yaml]) {
    const { value, duplicates } = read(text);
    assert.deepEqual(value, JSON.parse(text));
    assert.deepEqual(duplicates.map(fieldPath), ['a.x', 'l[1].k', 'l[1].k', 'a']);
  }
  assert.deepEqual(yaml('a: 1\nb: 2\na: 3\n'), { value: { a: 3, b: 2 }, duplicates: [['a']] });
});

const objects = fc.dictionary(
  fc.string().filter((key) => key !== '__proto__'),
  fc.jsonValue(),
);

test('whatever JSON can say is read back from JSON and from our YAML, without false duplicates', () => {
  fc.assert(
    fc.property(objects, (object) => {
      const text = JSON.stringify(object);
      if (text.includes('__proto__') || /\d{16}|e\+/.test(text)) return;
      assert.deepEqual(json(text), { value: JSON.parse(text), duplicates: [] });
      assert.deepEqual(yaml(encodeYaml(JSON.parse(text))), { value: JSON.parse(text), duplicates: [] });
    }),
  );
});

test('YAML that is written means the same to parsers of YAML 1.1', () => {
  const value = {
    a: 'yes',
    b: 'on',
    c: '0755',
    d: '1:30',
    e: '2026-01-01',
    f: '~',
    g: 'null',
    h: '1e3',
    i: '0x1f',
    j: '1_000',
    k: '',
    l: 'a: b\n#c',
  };
  assert.deepEqual(parse(encodeYaml(value), { version: '1.1' }), value);
  assert.deepEqual(parse(encodeYaml(value)), value);
});

test('any bytes are read or refused', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('application/json', 'application/yaml'),
      fc.string({ unit: fc.constantFrom(...Array.from('{}[],:"\\&*!|>-?#%@ \n\t\'ab1')) }),
      (type, text) => {
        try {
          decode(type, bytes(text));
        } catch (error) {
          assert.ok(error instanceof Refusal, `${String(error)} for ${JSON.stringify(text)}`);
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a body is read in small steps, and refused as soon as it holds more than the limits', () => {
  const list = (items: number) => bytes(`{"a":[${'0,'.repeat(items - 1)}0]}`);
  const map = (members: number) =>
    bytes(
      JSON.stringify({ b: [1, Object.fromEntries(Array.from({ length: members }, (_, index) => [`k${index}`, 0]))] }),
    );
  const read = (body: Uint8Array) => refusal(() => decode('application/json', body));
  assert.equal(read(list(998)), 'accepted');
  assert.match(read(list(999)), /^413 The object holds more than 1000 values; each item/);
  assert.equal(read(map(100)), 'accepted');
  assert.equal(read(map(101)), '413 b[1] has more than 100 members.');
  const few = { valuesMax: 1_000, membersMax: 100, itemsMax: 10 };
  const nestedBody = (items: number) => bytes(JSON.stringify({ a: [Array.from({ length: items }, () => 0)] }));
  assert.equal(
    refusal(() => atOnce(decodeBody('application/json', nestedBody(10), few))),
    'accepted',
  );
  assert.equal(
    refusal(() => atOnce(decodeBody('application/json', nestedBody(11), few))),
    '413 a[0] has more than 10 items.',
  );
  // The text behind the limit is not read.
  assert.match(read(bytes(`[${'0,'.repeat(2_000)}nonsense`)), /^413/);
  const stepsOf = (body: Uint8Array) => {
    const steps = decodeBody('application/json', body, {
      valuesMax: Infinity,
      membersMax: Infinity,
      itemsMax: Infinity,
    });
    let count = 1;
    while (steps.next().done !== true) count += 1;
    return count;
  };
  assert.equal(stepsOf(list(100)), 1);
  assert.ok(stepsOf(list(100_000)) >= 390);
  // Text counts too.
  assert.ok(stepsOf(bytes(JSON.stringify(Array.from({ length: 200 }, () => 'x'.repeat(5_120))))) >= 7);
});

test('whatever text is JSON for the engine is the same JSON for us, and nothing else is', () => {
  const text = fc.oneof(
    fc.json({ stringUnit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...Array.from('{}[]:,"\\u0041 \n\t-.eE019tfn'), 'true', 'null', '\u0001', 'é') }),
    fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', ',', '\\', '}', ']', '0', '-', ' ', '\u001f', '.', 'e'))
      .map(
        ([whole, at, char]) =>
          whole.slice(0, at % (whole.length + 1)) + char + whole.slice((at % (whole.length + 1)) + 1),
      ),
  );
  fc.assert(
    fc.property(text, (given) => {
      let expected: unknown;
      let isJson = true;
      try {
        expected = JSON.parse(given);
      } catch {
        isJson = false;
      }
      // Numbers that would be rounded are refused on purpose, and the prototype.
      if (/\d{16}|[eE]\+?\d{2}|__proto__/.test(given)) return;
      const found = refusal(() => assert.deepEqual(parseJson(given).value, expected));
      if (isJson) assert.equal(found, 'accepted', given);
      else assert.match(found, /^400 (This is not valid JSON: .* at line \d+, column \d+|The body is empty)\.$/s);
    }),
    { numRuns: 5_000 },
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MATCHED_CHARS_MAX, patternFault, patternTest } from './pattern.ts';
import { ANSWER_STEPS_MAX } from './work-budget.ts';

test('usual expressions are allowed', () => {
  for (const pattern of [
    '^premium-.*-v\\d+$',
    '@example\\.com$',
    '(beta|alpha)-[0-9]{1,3}',
    '^(?:ios|android)(?<major>\\d{1,2})',
    '[^\\]a-z]+x',
    '\\p{L}\\x{1f3a7}?',
    '(?i:a)',
    '[a-z]([-a-z0-9]{0,61}[a-z0-9])?',
  ]) {
    assert.equal(patternFault(pattern), undefined, pattern);
  }
});

test('syntax that RE2 lacks, and an expression that is too large, are refused with the reason', () => {
  const table: [pattern: string, reason: RegExp][] = [
    ['(a)\\1', /RE2.*no back-references.*\\1/],
    ['(?<x>a)\\k<x>', /RE2/],
    ['a(?=b)', /RE2.*no look-around.*\(\?=/],
    ['(?<!a)b', /RE2.*no look-around/],
    ['(', /RE2.*missing closing \)/],
    ['a{1001}', /RE2.*invalid repeat count/],
    ['(?:a|b){300}', /compiles to \d+ instructions, and 150 are allowed/],
    [`(?:${'a'.repeat(900)}){1000}`, /compiles to \d+ instructions, and 150 are allowed/],
    ['(?:(?:(?:ab){10}){10}){10}', /compiles to \d+ instructions/],
    ['(?i)[B-𞥂]', /\d+ characters and ranges, and 10000 are allowed/],
    [`[${'\\pL'.repeat(300)}]`, /\d+ characters and ranges, and 10000 are allowed/],
  ];
  for (const [pattern, reason] of table) assert.match(patternFault(pattern)?.detail ?? 'allowed', reason, pattern);
});

test('an expression that is exponential elsewhere answers at once', () => {
  const text = `${'a'.repeat(MATCHED_CHARS_MAX - 1)}!`;
  for (const pattern of [
    `^(?:a|a?){${'0'.repeat(45)}1,}$`,
    '^(?:a|a?)+$',
    '^(a+)+$',
    '^(?:a*)*b',
    `${'a?'.repeat(40)}b`,
  ]) {
    assert.equal(patternTest(pattern)(text, {}), false, pattern);
  }
});

test('an expression finds the same as V8, with and without regard to case', () => {
  const piece = fc.constantFrom(
    'a',
    'B',
    '.',
    'a*',
    'b+?',
    '[ab]',
    '[^a]',
    '(a|ab)',
    '(?:b|)',
    'a{2}',
    '$',
    '^',
    '|',
    '\\w',
  );
  const pattern = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join(''));
  const text = fc
    .array(fc.constantFrom('a', 'A', 'b', 'é', '🎧', ' '), { maxLength: 8 })
    .map((chars) => chars.join(''));
  fc.assert(
    fc.property(pattern, text, fc.boolean(), (source, subject, ignoreCase) => {
      // The alternative that never matches keeps V8 from searching backwards from `$` by halves of characters.
      const oracle = new RegExp(`${source}|(?!)`, ignoreCase ? 'iu' : 'u');
      assert.equal(patternTest(source, ignoreCase)(subject, {}), oracle.test(subject));
    }),
    { numRuns: 2_000 },
  );
});

test('one answer spends a bounded number of steps, and the unknown conditions depend on the question alone', () => {
  const classes = 30;
  const tests = Array.from({ length: 80 }, (_, index) => patternTest(`^${index}(?:[a-c]|de){${classes}}x`));
  const text = 'a'.repeat(100);
  const ask = () => {
    const context = {};
    return tests.map((isFound) => isFound(text, context));
  };
  const first = ask();
  const answered = first.filter((truth) => truth !== undefined).length;
  // A repetition has at least one instruction each time, and that costs a step for each character.
  assert.ok(answered > 0 && answered <= ANSWER_STEPS_MAX / (text.length * classes), `${answered} of 80`);
  assert.deepEqual(ask(), first);
  assert.deepEqual(ask(), first);
});

test('a text that is too long is unknown', () => {
  assert.equal(patternTest('a')('a'.repeat(MATCHED_CHARS_MAX), {}), true);
  assert.equal(patternTest('a')('a'.repeat(MATCHED_CHARS_MAX + 1), {}), undefined);
});

test('an expression that is too costly to compile is unknown, and is not compiled', () => {
  for (const pattern of ['(?i)[B-𞥂]', `(?:${'a'.repeat(900)}){1000}`, `[${'\\pL'.repeat(300)}]`]) {
    assert.equal(patternTest(pattern)('a', {}), undefined, pattern);
  }
  assert.equal(patternTest('[B-𞥂]', true)('b', {}), undefined);
});

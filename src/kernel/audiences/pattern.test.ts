import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MATCHED_CHARS_MAX } from './compile-condition.ts';
import { patternFault } from './pattern.ts';

test('usual patterns are allowed', () => {
  for (const pattern of [
    '^premium-.*-v\\d+$',
    '@example\\.com$',
    '(beta|alpha)-[0-9]{1,3}',
    '^(?:ios|android)(?<major>\\d{1,2})',
    '[^\\]a-z]+x',
    '\\p{Letter}\\u{1f3a7}?',
    '^.*foo.*$',
    'a{2,}',
    '(ab){3}',
    '.*?x',
  ]) {
    assert.equal(patternFault(pattern), undefined, pattern);
  }
});

test('patterns that could run for ever, and what conditions cannot do, are refused with the reason', () => {
  const table: [pattern: string, reason: RegExp][] = [
    ['(a+)+$', /leaves a choice/],
    ['^(a|a)*$', /leaves a choice/],
    ['((a?){2}){3,9}', /leaves a choice/],
    ['a?'.repeat(60) + 'a'.repeat(60), /too long/],
    ['.*.*=', /too long/],
    ['(a|b)'.repeat(30), /too long/],
    ['(?:a|b){300}', /too long/],
    ['(a)\\1', /refers back/],
    ['(?<x>a)\\k<x>', /refers back/],
    ['a(?=b)', /looks ahead or behind/],
    ['(?<!a)b', /looks ahead or behind/],
    ['(?i:a)', /sets flags/],
    ['(', /no regular expression/],
    ['a{', /no regular expression/],
    ['(?:'.repeat(30) + 'a' + ')'.repeat(30), /groups more than/],
  ];
  for (const [pattern, reason] of table) assert.match(patternFault(pattern) ?? 'allowed', reason, pattern);
});

test('no pattern that is allowed takes long, whatever the text', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    '.',
    'a*',
    'a+',
    '.*',
    'a?',
    '[ab]',
    '[ab]*',
    '(a|b)',
    '(a|ab)',
    '(?:a|a)',
    '(ab)*',
    'a{0,9}',
    'b{2,}',
    '$',
    '^',
    '|',
    '\\w*',
  );
  const pattern = fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join(''));
  let longestMs = 0;
  fc.assert(
    fc.property(pattern, fc.constantFrom('a', 'ab', 'aab', 'b'), fc.constantFrom('', 'c', '!'), (text, unit, end) => {
      fc.pre(patternFault(text) === undefined);
      const subject = unit.repeat(MATCHED_CHARS_MAX).slice(0, MATCHED_CHARS_MAX - end.length) + end;
      const began = performance.now();
      new RegExp(text, 'u').test(subject);
      longestMs = Math.max(longestMs, performance.now() - began);
    }),
    { numRuns: 2_000 },
  );
  // A million steps take some 10 ms; exponential ones would not end at all.
  assert.ok(longestMs < 1_000, `${longestMs} ms`);
});

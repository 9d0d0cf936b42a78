import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { patternSize } from './pattern-size.ts';

test('an expression compiles to at most twice its size', () => {
  const piece = fc.constantFrom(
    'a',
    'é',
    '🎧',
    '.',
    '^',
    '$',
    '|',
    '(',
    ')',
    '(?:',
    '(?<n>',
    '(?i)',
    '(?s:',
    '[a-c]',
    '[^\\]a]',
    '[]x]',
    '[[:alpha:]_]',
    '*',
    '+',
    '?',
    '*?',
    '{3}',
    '{2,5}',
    '{2,}',
    '{0,4}',
    '{',
    '\\d',
    '\\pL',
    '\\x{e9}',
    '\\b',
    '\\Qa(b\\E',
    '\\(',
    '[a-',
  );
  const pattern = fc.array(piece, { minLength: 1, maxLength: 14 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(pattern, fc.boolean(), (source, ignoreCase) => {
      let compiled;
      try {
        compiled = RE2JS.compile(ignoreCase ? `(?i)${source}` : source).programSize();
      } catch {
        return;
      }
      const { instructions } = patternSize(source, ignoreCase);
      assert.ok(compiled <= 2 * instructions + 10, `${source}: ${instructions}, and it compiles to ${compiled}`);
    }),
    { numRuns: 5_000 },
  );
});

test('folded and combined characters count, in whatever notation', () => {
  const wide = 0x1e942 - 0x42;
  for (const written of ['[B-𞥂]', '[B-\\x{1e942}]', '[x^B-𞥂]', '[^B-𞥂]', '[]B-𞥂]', '[[:alpha:]B-𞥂]', '[\\QB-𞥂\\E]']) {
    assert.ok(patternSize(written, true).characters >= wide, written);
    assert.ok(patternSize(`(?i:${written})`, false).characters >= wide, written);
    assert.ok(patternSize(written, false).characters < 10, written);
  }
  assert.ok(patternSize('[--𞥂]', true).characters >= wide);
  // A range around everything is not iterated.
  assert.ok(patternSize('[^\\x00-\\x{10ffff}]', true).characters < 10);
  assert.ok(patternSize('\\pL'.repeat(100), false).characters >= 60_000);
  assert.ok(patternSize('[\\PL\\p{Greek}]', true).characters >= 4_400);
  assert.ok(patternSize('[a-z0-9а-я]+', true).characters < 100);
});

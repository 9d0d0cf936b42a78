import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bar, countdown, cut, line, pad, plain, widthOf, wrapText } from './terminal-text.ts';

const WIDTHS: readonly [text: string, width: number][] = [
  ['', 0],
  ['plain', 5],
  ['日本語', 6],
  ['한국', 4],
  ['ｗｉｄｅ', 8],
  ['e\u0301', 1],
  ['🎧', 2],
  ['👩‍🎤', 2],
  ['🇸🇪', 2],
  ['❤️', 2],
  ['━●◉○✗█▌░×∞→', 11],
];

for (const [text, width] of WIDTHS) {
  test(`a terminal shows ${JSON.stringify(text)} in ${width} columns`, () => assert.equal(widthOf(text), width));
}

const CUTS: readonly [text: string, width: number, shown: string][] = [
  ['premium', 7, 'premium'],
  ['premium', 6, 'premi…'],
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日…'],
  ['👩‍🎤👩‍🎤', 3, '👩‍🎤…'],
  ['premium', 1, '…'],
  ['premium', 0, ''],
];

for (const [text, width, shown] of CUTS) {
  test(`${text} in ${width} columns is ${JSON.stringify(shown)}`, () => assert.equal(cut(text, width), shown));
}

const anyText = fc.string({ unit: 'grapheme', maxLength: 80 });
const anyWidth = fc.integer({ min: 1, max: 120 });

test('nothing is ever wider than it may be, and no character is broken', () => {
  fc.assert(
    fc.property(fc.array(anyText, { maxLength: 6 }), anyWidth, (texts, width) => {
      assert.ok(widthOf(line(texts, width)) <= width);
      const whole = plain(texts.join(''));
      if (widthOf(whole) <= width) assert.equal(line([whole], width), whole.trimEnd());
      for (const one of wrapText(whole, width, 3)) assert.ok(widthOf(one) <= width, one);
      assert.equal(widthOf(pad(plain(texts[0] ?? ''), width)), width);
    }),
  );
});

test('wrapped text is all there where it fits, in at most so many lines', () => {
  const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '日'), minLength: 1, maxLength: 9 }));
  fc.assert(
    fc.property(words, fc.integer({ min: 20, max: 60 }), fc.integer({ min: 1, max: 40 }), (some, width, most) => {
      const lines = wrapText(some.join(' '), width, most);
      assert.ok(lines.length <= most);
      const isCut = lines.at(-1)?.endsWith('…') === true;
      if (!isCut) assert.equal(lines.join(' '), some.join(' '));
      if (most > some.length) assert.equal(isCut, false);
    }),
  );
});

test('text from people cannot steer a terminal', () => {
  assert.equal(plain('a\u001b[2Jb\u001b]0;title\u0007c\r\nd\u0000'), 'abc d ');
  assert.equal(line(['x\u001b[31m'], 10), 'x');
});

test('a bar has the given width, shows the least there is, and is full only at the end', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 80 }), (share, width) => {
      const { full, rest } = bar(share, width);
      assert.equal(full.length + rest.length, width);
      assert.equal(full === '', share === 0);
      if (share < 1) assert.notEqual(full, '█'.repeat(width));
      assert.ok(Math.abs(full.length - share * width) <= 1);
    }),
  );
  assert.deepEqual(bar(Number.NaN, 3), { full: '', rest: '░░░' });
  assert.deepEqual(bar(7, 3), { full: '███', rest: '' });
});

const COUNTDOWNS: readonly [ms: number, text: string][] = [
  [-5, '0:00'],
  [1, '0:01'],
  [59_000, '0:59'],
  [245_000, '4:05'],
  [3_845_000, '1:04:05'],
  [48 * 3_600_000, '2d 0h'],
];

for (const [ms, text] of COUNTDOWNS) {
  test(`${ms} ms are left: ${text}`, () => assert.equal(countdown(ms), text));
}

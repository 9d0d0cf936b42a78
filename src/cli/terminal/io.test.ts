import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { coloursFor, ioOf, oneLine, readable, type Output } from './io.ts';
import { textTable } from './text-table.ts';

const NOTHING = { env: {}, directory: '/', stdin: (async function* () {})() };
/** Everything that steers a terminal or turns text round, but for ends of lines and tabs. */
// oxlint-disable-next-line no-control-regex -- these are what must not be there.
const STEERING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Bidi_Control}|[\u2028\u2029]/u;

function terminal(): { readonly output: Output; readonly written: () => string } {
  let text = '';
  return { output: { isTTY: true, write: (more) => (text += more) }, written: () => text };
}

test('nothing in a text can steer the terminal or turn what is read, and nothing else changes', () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\u001b', '[31m', ']0;x\u0007', '\u202e', '\u009b', '\r', '\b'),
      fc.string({ unit: 'binary', maxLength: 2 }),
    ),
  });
  fc.assert(
    fc.property(hostile, (text) => {
      assert.doesNotMatch(readable(text), STEERING);
      if (!STEERING.test(text)) assert.equal(readable(text), text);
    }),
    { numRuns: 2_000 },
  );
  assert.equal(readable('a\u001b[2J\u202eb\tc\n'), 'a\\u001b[2J\\u202eb\tc\n');
});

test('our own colours reach a terminal, those in a text do not, also inside of ours', () => {
  const { output, written } = terminal();
  const io = ioOf({ stdout: output, stderr: output, ...NOTHING });
  const { red, bold } = coloursFor(io.stdout, {});
  io.stdout.write(`${bold(`x ${red('y')}`)} ${red('\u001b[8mhidden')} \u001b[31mz`);
  assert.equal(
    written(),
    '\u001b[1mx \u001b[31my\u001b[39m\u001b[22m \u001b[31m\\u001b[8mhidden\u001b[39m \\u001b[31mz',
  );
});

test('text for programs is written as it is, and spelled out where people read it', () => {
  for (const [isTTY, shown] of [
    [false, '{"a":"\u202e\u007f"}'],
    [true, '{"a":"\\u202e\\u007f"}'],
  ] as const) {
    const { output, written } = terminal();
    const stdout = { ...output, isTTY };
    ioOf({ stdout, stderr: stdout, ...NOTHING }).exact.write('{"a":"\u202e\u007f"}');
    assert.equal(written(), shown);
  }
});

test('a cell of a table cannot make lines of its own', () => {
  assert.equal(textTable([['a\nb', 'c']]), 'a\\nb   c');
  assert.equal(oneLine('a\tb\r\n'), 'a b\r\\n');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openScreen } from './screen.ts';

function terminal(columns: number, rows: number) {
  const written: string[] = [];
  return { isTTY: true, columns, rows, written, write: (text: string) => written.push(text) };
}

test('a screen is drawn from its corner in one piece, only where it has changed, and given back once', () => {
  const output = terminal(80, 3);
  const screen = openScreen(output);
  assert.equal(output.written.length, 1);
  screen.draw(['a', 'b', 'c', 'd']);
  screen.draw(['a', 'b', 'c', 'd']);
  assert.equal(output.written.length, 2, 'the same is not drawn again');
  assert.equal(output.written[1], '\u001b[?2026h\u001b[Ha\u001b[K\r\nb\u001b[K\r\nc\u001b[K\u001b[J\u001b[?2026l');
  output.rows = 2;
  screen.draw(['a', 'b', 'c', 'd']);
  assert.equal(output.written.length, 3, 'a screen of another size is drawn anew');
  screen.close();
  screen.close();
  screen.draw(['late']);
  assert.equal(output.written.length, 4);
  const [entered = '', left = ''] = [output.written[0], output.written.at(-1)];
  for (const mode of ['?1049', '?25', '?7']) {
    assert.equal(entered.includes(`\u001b[${mode}h`) !== left.includes(`\u001b[${mode}h`), true, mode);
    assert.equal(entered.includes(`\u001b[${mode}l`) !== left.includes(`\u001b[${mode}l`), true, mode);
  }
});

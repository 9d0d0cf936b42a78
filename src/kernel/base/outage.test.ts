import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from './log.ts';
import { Outage } from './outage.ts';

function recordLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const note =
    (level: string) =>
    (fields: object, text: string): void =>
      void lines.push(`${level} ${text} ${JSON.stringify(fields)}`);
  return { log: { warn: note('warn'), info: note('info') } as unknown as Log, lines };
}

test('an outage of an hour is a few lines, retried less and less often, and a line at its end', () => {
  const { log, lines } = recordLog();
  let nowMs = 0;
  const outage = new Outage(log, 'sea: cannot see', { nowMs: () => nowMs, random: () => 1 });
  const waits: number[] = [];
  while (nowMs < 3_600_000) {
    const waitMs = outage.noteFailure(new Error('fog'));
    waits.push(waitMs);
    nowMs += waitMs;
  }
  assert.deepEqual(waits.slice(0, 6), [200, 400, 800, 1_600, 3_000, 3_000]);
  assert.ok(lines.length < 15, `${lines.length} lines`);
  assert.match(lines[0] ?? '', /^warn sea: cannot see; retrying .*"error":"fog","failures":1/);
  outage.noteRecovery();
  outage.noteRecovery();
  assert.match(lines.at(-1) ?? '', /^info sea: cannot see: recovered .*"forSeconds":360/);
  assert.equal(lines.filter((line) => line.startsWith('info')).length, 1);
});

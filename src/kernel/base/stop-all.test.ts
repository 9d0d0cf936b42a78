import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from './log.ts';
import { stopAll } from './stop-all.ts';

test('a part that does not end, or fails, keeps no other from ending; one that is waited for is', async () => {
  const ended: string[] = [];
  const lines: string[] = [];
  const log = { warn: (fields: { part: string }, text: string) => lines.push(`${fields.part}: ${text}`) };
  await stopAll(
    [
      { name: 'stuck', stop: () => new Promise(() => {}) },
      {
        name: 'broken',
        stop: () => {
          throw new Error('no');
        },
      },
      {
        name: 'flushing',
        stop: async () => {
          await new Promise((resolve) => setTimeout(resolve, 150));
          ended.push('flushing');
        },
        isWaitedFor: true,
      },
      { name: 'last', stop: () => void ended.push('last') },
    ],
    log as unknown as Log,
    20,
  );
  assert.deepEqual(ended, ['flushing', 'last']);
  assert.deepEqual(lines, ['stuck: a part of this process did not end in time', 'broken: a part did not end well']);
});

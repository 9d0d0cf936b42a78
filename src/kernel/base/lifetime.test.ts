import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lifetime } from './lifetime.ts';
import type { Log } from './log.ts';

function logInto(lines: string[]): Log {
  const log = { warn: (fields: { part: string }, text: string) => lines.push(`${fields.part}: ${text}`) };
  return log as unknown as Log;
}

test('parts stop in reverse order; a stuck or failing part keeps no other from stopping', async () => {
  const stopped: string[] = [];
  const lines: string[] = [];
  const lifetime = new Lifetime(logInto(lines));
  const noting = (name: string) => () => void stopped.push(name);
  assert.equal(await lifetime.open('first', () => 'opened', noting('first')), 'opened');
  lifetime.keep(
    'flushing',
    async () => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      stopped.push('flushing');
    },
    { isWaitedFor: true },
  );
  lifetime.keep('broken', () => {
    throw new Error('no');
  });
  lifetime.keep('stuck', () => new Promise(() => {}));
  await lifetime.open('last', () => {}, noting('last'));
  await lifetime.close(20);
  await lifetime.close(20);
  assert.deepEqual(stopped, ['last', 'flushing', 'first']);
  assert.deepEqual(lines, ['stuck: shutdown: a part did not stop in time', 'broken: shutdown: a part failed to stop']);
});

test('a step that fails leaves the parts before it to be stopped', async () => {
  const stopped: string[] = [];
  const steps: string[] = [];
  const lifetime = new Lifetime(logInto([]), (name) => {
    steps.push(name);
    if (name === 'third') throw new Error('no third');
  });
  await lifetime.open(
    'first',
    () => {},
    () => void stopped.push('first'),
  );
  await lifetime.step('second', () => {});
  await assert.rejects(
    lifetime.open(
      'third',
      () => {},
      () => void stopped.push('third'),
    ),
    /no third/,
  );
  await lifetime.close();
  assert.deepEqual([steps, stopped], [['first', 'second', 'third'], ['first']]);
});

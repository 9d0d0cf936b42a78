import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextSend } from './next-send.ts';

const ADDRESS = { url: 'https://writer', ca: '', secret: '' };

test('a write goes to the writer, and is looked up once no process can carry it out any more', () => {
  const cases = [
    // Never sent.
    [undefined, { epoch: 3, address: ADDRESS }, true, 'writeHere'],
    [undefined, { epoch: 3, address: ADDRESS }, false, 'deliver'],
    [undefined, { epoch: 3, address: undefined }, false, 'wait'],
    // Sent in the epoch that goes on: the same id is carried out once.
    [3, { epoch: 3, address: ADDRESS }, false, 'deliver'],
    [3, { epoch: 3, address: undefined }, false, 'wait'],
    [3, { epoch: 3, address: ADDRESS }, true, 'wait'],
    // Sent in an epoch that is over.
    [2, { epoch: 3, address: ADDRESS }, false, 'lookUp'],
    [2, { epoch: 3, address: undefined }, false, 'lookUp'],
    [2, { epoch: 3, address: ADDRESS }, true, 'lookUp'],
    // The row that was read is older than what was sent.
    [4, { epoch: 3, address: ADDRESS }, true, 'wait'],
  ] as const;
  for (const [unansweredIn, writer, isWriter, want] of cases) {
    assert.equal(nextSend(unansweredIn, writer, isWriter), want, JSON.stringify([unansweredIn, writer, isWriter]));
  }
});

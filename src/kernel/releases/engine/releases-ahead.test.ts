import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releasesAhead } from './releases-ahead.ts';

const CONFLICTS = ['Node "a": it would break'];

for (const { title, behind, beside, isMixed = false, conflicts = [], ahead } of [
  { title: 'nobody', behind: [], beside: [], ahead: [] },
  { title: 'those before it', behind: ['a'], beside: ['b'], ahead: ['a'] },
  {
    title: 'those beside it that the world does not take with it',
    behind: ['b'],
    beside: ['a'],
    conflicts: CONFLICTS,
    ahead: ['a', 'b'],
  },
  { title: 'those beside it where one goes target by target', behind: [], beside: ['a'], isMixed: true, ahead: ['a'] },
  { title: 'nobody where it goes target by target alone', behind: [], beside: [], isMixed: true, ahead: [] },
  { title: 'each once', behind: ['a'], beside: ['a'], isMixed: true, ahead: ['a'] },
]) {
  test(`a release waits for ${title}`, () => {
    assert.deepEqual(releasesAhead({ behind, beside }, { isMixed, conflicts }), ahead);
  });
}

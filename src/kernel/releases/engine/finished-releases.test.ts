import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atOnce } from '#kernel/base/turns.ts';
import type { Change, Entry } from '#kernel/store/contract.ts';
import { Release } from '../kinds/release.ts';
import { FinishedReleases } from './finished-releases.ts';

function release(number: number, characters: number, open = false): Entry {
  const object = { spec: { number, open } };
  return { kind: Release, name: `r-${number}`, text: 'x'.repeat(characters), object: () => object } as unknown as Entry;
}

function changeOf(type: Change['type'], entry: Entry): Change {
  return { type, entry } as Change;
}

test('of releases that have ended the oldest go, where they are too many or too large', () => {
  const finished = new FinishedReleases({ finishedMax: 3, charactersMax: 100, droppedMax: 2 });
  atOnce(finished.begin([release(12, 10), release(2, 10), release(7, 10), release(99, 500, true)]));
  assert.deepEqual(finished.findOutdated(), [], 'one that is under way does not count');
  finished.follow(changeOf('ADDED', release(20, 10)));
  assert.deepEqual(finished.findOutdated(), ['r-2'], 'by number, as numbers go');
  finished.follow(changeOf('DELETED', release(2, 10)));
  assert.deepEqual(finished.findOutdated(), []);
  finished.follow(changeOf('MODIFIED', release(20, 95)));
  assert.deepEqual(finished.findOutdated(), ['r-7', 'r-12'], 'large ones leave less room');
  finished.follow(changeOf('MODIFIED', release(99, 500)));
  assert.deepEqual(finished.findOutdated(), ['r-7', 'r-12'], 'a few at a time');
});

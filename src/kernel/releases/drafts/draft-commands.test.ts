import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import { systemClock } from '#kernel/base/clock.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { Draft } from '../kinds/draft.ts';
import { draftCommands } from './draft-commands.ts';
import type { ReviewParts } from './review-draft.ts';

const { apiVersion, kind } = Draft;
const DRAFT: ResourceObject = {
  apiVersion,
  kind,
  metadata: { name: 'large', namespace: 'default', uid: 'u', generation: 1 },
  spec: { objects: [] },
};

/** Validations of a draft whose reviews go on until they are made to fail. */
function heldReviews() {
  const { promise, reject } = Promise.withResolvers<readonly []>();
  let running = 0;
  const forecast = () => {
    running += 1;
    return promise;
  };
  const store = { get: () => textEntry(Draft, DRAFT, 1), forecast };
  const parts = { store, kinds: kindRegistry([Draft]), advisors: [], examiners: [], clock: systemClock, live: [] };
  const validate = draftCommands(parts as unknown as ReviewParts).get(`${Draft.id}/validate`);
  assert.ok(validate);
  const call = (user: string) => {
    const context = { author: { user, requestId: 'r' }, namespace: 'default', name: 'large', dryRun: false };
    return validate(DRAFT, context as unknown as Parameters<VirtualKind>[1]);
  };
  return { call, failAll: () => reject(new Error('the test is over')), running: () => running };
}

test('no user takes the room of all reviews', async () => {
  const { call, failAll, running } = heldReviews();
  const taken = Array.from({ length: 21 }, () => call('alice'));
  await assert.rejects(call('alice'), {
    code: 'http/overloaded',
    message: '1 reviews of drafts of user "alice" run and 20 wait; no more are taken now.',
  });
  const bobs = call('bob');
  while (running() < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(running(), 2, 'one of each user');
  failAll();
  const ends = await Promise.allSettled([...taken, bobs]);
  assert.deepEqual(new Set(ends.map(({ status }) => status)), new Set(['rejected']));
  assert.equal(running(), 22, 'those that waited had their turn');
});

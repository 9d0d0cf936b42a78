import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { Audience } from '#kernel/audiences/kinds/audience.ts';
import { headOperation } from '#kernel/releases/engine/go-live.ts';
import { declaredIn } from '#kernel/releases/live.ts';
import { Head, headName } from '#kernel/kinds/builtin/head.ts';
import { SYSTEM_NAMESPACE } from '#kernel/store/rules/deletion.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { stampEntry, type StoredEntry } from '#kernel/store/entry.ts';
import { put } from './schedule.ts';
import { startStory } from './story.ts';

const PATTERN = '^(?=.*test).*$';

const audience = (matches: string) =>
  put(Audience, 'testers', { anyOf: [{ allOf: [{ attribute: 'device', matches }] }] });
const attribute = (description: string) => put(Attribute, 'device', { type: 'string', title: description });

/** The same in a namespace. */
function inSystem(operation: Operation): Operation {
  if (operation.verb !== 'apply') return operation;
  const object = operation.object as ResourceObject;
  const metadata = { ...object.metadata, namespace: SYSTEM_NAMESPACE };
  return { ...operation, namespace: SYSTEM_NAMESPACE, object: { ...object, metadata } };
}

/** An audience that an earlier program accepted, with a pattern that only JavaScript knows, live and served. */
async function withOldAudience() {
  const story = startStory();
  story.declare([inSystem(attribute('What they hold.'))]);
  await story.run(1_000);
  story.declare([inSystem(audience('test'))]);
  await story.run(1_000);
  story.world.kill();
  const { store } = story.world;
  const before = store.memory.get(Audience, SYSTEM_NAMESPACE, 'testers') ?? assert.fail();
  const declared = rewriteEntry(Audience, before, (text) => text.replace('"matches":"test"', `"matches":"${PATTERN}"`));
  store.publish([{ version: declared.version, type: 'MODIFIED', entry: declared, before }]);
  const { object: wanted } = declaredIn(declared);
  const made = headOperation(Audience, 'testers', wanted, declared) as Extract<Operation, { verb: 'apply' }>;
  const head = store.memory.get(Head, '', headName(Audience, 'testers')) ?? assert.fail();
  const { spec } = made.object as ResourceObject;
  const shown = rewriteEntry(Head, head, (text) => JSON.stringify({ ...(JSON.parse(text) as ResourceObject), spec }));
  store.publish([{ version: shown.version, type: 'MODIFIED', entry: shown, before: head }]);
  story.world.start();
  await story.run(1_000);
  const standing = () =>
    (store.memory.get(Audience, SYSTEM_NAMESPACE, 'testers')?.object().status as { conditions?: object[] } | undefined)
      ?.conditions;
  return { ...story, standing };

  function rewriteEntry(kind: Kind, entry: StoredEntry, by: (text: string) => string): StoredEntry {
    return stampEntry(kind, JSON.parse(by(entry.text)) as ResourceObject, store.memory.version + 1);
  }
}

test('a live object that is no longer accepted is served on, and the log and its status say so until it is changed', async () => {
  const story = await withOldAudience();
  assert.match(JSON.stringify(story.standing()), /"status":"True","reason":"NoLongerAccepted".*matches.*RE2/);
  const [logged] = story.world.logged;
  assert.deepEqual([logged?.msg, logged?.name], ['releases: a live object is no longer valid; change it', 'testers']);
  assert.equal(story.world.logged.length, 1);
  story.declare([inSystem(audience('^test'))]);
  await story.run(1_000);
  assert.match(JSON.stringify(story.standing()), /"status":"True","reason":"Released"/);
});

test('an object that is no longer accepted holds up no change of its references', async () => {
  const story = await withOldAudience();
  story.declare([inSystem(attribute('What they listen with.'))]);
  await story.run(1_000);
  const head = story.world.store.memory.get(Head, '', headName(Attribute, 'device'));
  assert.match(head?.text ?? '', /What they listen with/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileEvents, updateEvents, type EventTable } from './event-table.ts';
import { ownTypes } from './built-in-types.ts';
import { eventTypeSpec } from './kinds/event-type-spec.ts';
import { EventType } from './kinds/event-type.ts';
import { EVENT_TYPE, RELEASE_EXPOSURE } from './kinds/identity.ts';
import { eventTypes } from './testing/table.ts';
import { worldOf } from './testing/world.ts';

/** The comparable part of a table. */
function describeTable({ types, bySegment }: EventTable) {
  return {
    types: [...types].map(([name, { faults, ...rest }]) => [name, rest, faults({ nothing: 1 })]).sort(),
    bySegment: [...bySegment].sort(),
  };
}

test('an updated table equals the table compiled from the new world', () => {
  const specs = [eventTypes.play, eventTypes.exposure, { ...eventTypes.identify, segment: { event: 'x' } }];
  const types = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom(...specs));
  fc.assert(
    fc.property(types, types, (before, after) => {
      const changed = ['a', 'b', 'c', 'd']
        .filter((name) => before[name] !== after[name])
        .map((name) => ({ kind: EVENT_TYPE, name }));
      const [old, now] = [worldOf({ eventTypes: before }), worldOf({ eventTypes: after })];
      const updated = updateEvents(compileEvents(old), now, changed);
      assert.deepEqual(describeTable(updated), describeTable(compileEvents(now)));
    }),
  );
});

test('release exposures have a built-in type that cannot be declared', () => {
  const table = compileEvents(worldOf({ eventTypes: {} }));
  assert.deepEqual([...table.types.keys()], [RELEASE_EXPOSURE]);
  const track = (name: string) =>
    table.types.get(RELEASE_EXPOSURE)?.faults({ release: 'r', releaseRevision: 'a', track: name });
  assert.deepEqual(track('candidate'), []);
  assert.equal(track('other')?.length, 1);
  const context = { now: Temporal.Instant.fromEpochMilliseconds(0), find: () => [] };
  for (const type of ownTypes()) {
    const problems = (name: string) => EventType.validate?.(eventTypeSpec(type), { ...context, name }) ?? [];
    assert.match(
      problems(type.name)
        .map(({ detail }) => detail)
        .join(),
      /^The table "release_exposure" of SQL belongs to the system/,
    );
    assert.deepEqual(problems('another'), [], 'nothing else is wrong with it');
  }
});

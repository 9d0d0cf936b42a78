import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eventsModule, type EventTable } from './event-table.ts';
import { EVENT_TYPE } from './kinds/identity.ts';
import { eventTypes } from './testing/table.ts';
import { worldOf } from './testing/world.ts';

/** What of a table can be compared. */
function shown({ types, bySegment }: EventTable) {
  return {
    types: [...types].map(([name, { faults, ...rest }]) => [name, rest, faults({ nothing: 1 })]).sort(),
    bySegment: [...bySegment].sort(),
  };
}

test('a table that is brought up to date is the table of the new world', () => {
  const specs = [eventTypes.play, eventTypes.exposure, { ...eventTypes.identify, segment: { event: 'x' } }];
  const types = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom(...specs));
  fc.assert(
    fc.property(types, types, (before, after) => {
      const changed = ['a', 'b', 'c', 'd']
        .filter((name) => before[name] !== after[name])
        .map((name) => ({ kind: EVENT_TYPE, name }));
      const [old, now] = [worldOf({ eventTypes: before }), worldOf({ eventTypes: after })];
      const updated = eventsModule.update(eventsModule.compile(old), now, changed);
      assert.deepEqual(shown(updated), shown(eventsModule.compile(now)));
    }),
  );
});

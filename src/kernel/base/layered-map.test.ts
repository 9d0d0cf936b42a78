import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { LayeredMap } from './layered-map.ts';

test('a map that is made of another one is what a copy with the same changes is, and leaves the other as it was', () => {
  const key = fc.integer({ min: 0, max: 400 }).map(String);
  const change = fc.tuple(key, fc.option(fc.integer(), { nil: undefined }));
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 60 }), { maxLength: 20 }), (rounds) => {
      let layered = new LayeredMap<number>();
      const copy = new Map<string, number>();
      for (const changes of rounds) {
        const before = new Map(layered);
        const next = layered.with(new Map(changes));
        assert.deepEqual(new Map(layered), before);
        for (const [name, value] of new Map(changes)) {
          if (value === undefined) copy.delete(name);
          else copy.set(name, value);
        }
        layered = next;
        assert.equal(layered.size, copy.size);
        assert.deepEqual([...layered].sort(), [...copy].sort());
        for (const name of ['0', '1', '400']) assert.equal(layered.get(name), copy.get(name));
      }
    }),
    { numRuns: 50 },
  );
});

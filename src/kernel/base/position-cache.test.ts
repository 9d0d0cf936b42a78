import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PositionCache } from './position-cache.ts';

test('of many values those stay that are looked at', () => {
  const cache = new PositionCache<string>(10, 2);
  cache.set(4, 'a');
  cache.set(7, 'b');
  assert.equal(cache.get(4), 'a');
  cache.set(9, 'c');
  assert.deepEqual([cache.get(4), cache.get(7), cache.get(9)], ['a', undefined, 'c']);
});

test('a cache gives the value of a position or none, and never more than it may have', () => {
  const positions = fc.array(fc.nat(19), { maxLength: 200 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 25 }), positions, (max, asked) => {
      const cache = new PositionCache<number>(20, max);
      for (const position of asked) {
        const found = cache.get(position);
        if (found === undefined) cache.set(position, position);
        else assert.equal(found, position);
        assert.equal(cache.get(position), position);
        const there = Array.from({ length: 20 }, (_, at) => cache.get(at)).filter((one) => one !== undefined);
        assert.equal(there.length, cache.size);
        assert.ok(cache.size <= max);
      }
      assert.equal(cache.size, Math.min(max, new Set(asked).size));
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  allocate,
  blocksFrom,
  blocksText,
  BLOCK_BUCKETS,
  conflicts,
  has,
  type Allotment,
  type Blocks,
} from './allocation.ts';
import { BUCKETS } from './bucketing/buckets.ts';

const BLOCKS = BUCKETS / BLOCK_BUCKETS;
const seed = fc.string({ maxLength: 20 });
/** Percent in steps of a hundredth. */
const percent = fc.integer({ min: 0, max: BLOCKS }).map((blocks) => blocks / 100);

function members(blocks: Blocks): Set<number> {
  return new Set(Array.from({ length: BLOCKS }, (_, block) => block).filter((block) => has(blocks, block)));
}

function allot(wish: Parameters<typeof allocate>[0]): Allotment {
  const allocation = allocate(wish);
  if (!('blocks' in allocation)) throw new Error(`refused: ${JSON.stringify(allocation)}`);
  return allocation;
}

function blocksOf(wish: Parameters<typeof allocate>[0]): Blocks {
  return allot(wish).blocks;
}

test('exclusive experiments share no block, each has exactly its share, and a wish beyond the free blocks is refused', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(seed, percent), { maxLength: 6 }), (wishes) => {
      const taken: Blocks[] = [];
      let free = BLOCKS;
      for (const [one, share] of wishes) {
        const wanted = Math.round(share * 100);
        const allocation = allocate({ percent: share, seed: one, taken });
        assert.equal('blocks' in allocation, wanted <= free);
        if ('blocks' in allocation) {
          const mine = members(allocation.blocks);
          assert.equal(mine.size, wanted);
          for (const others of taken) assert.ok(mine.isDisjointFrom(members(others)));
          taken.push(allocation.blocks);
          free -= wanted;
        } else assert.deepEqual(allocation, { wanted, free });
      }
    }),
    { numRuns: 40 },
  );
});

test('a ramp only adds, a cut only removes, and the same share means the same blocks', () => {
  fc.assert(
    fc.property(seed, fc.array(percent, { minLength: 2, maxLength: 5 }), seed, percent, (one, shares, other, part) => {
      const taken = [blocksOf({ percent: part / 4, seed: other, taken: [] })];
      let previous: Allotment | undefined;
      for (const share of shares.map((each) => each / 2)) {
        const next = allot({ percent: share, seed: one, taken, ...(previous === undefined ? {} : { previous }) });
        const { blocks } = next;
        const [was, is] = [members(previous?.blocks ?? new Uint8Array()), members(blocks)];
        assert.ok(was.size <= is.size ? was.isSubsetOf(is) : is.isSubsetOf(was));
        assert.ok(is.isDisjointFrom(members(taken[0] ?? new Uint8Array())));
        assert.deepEqual(blocks, blocksOf({ percent: share, seed: one, taken }));
        previous = next;
      }
    }),
    { numRuns: 20 },
  );
});

test('the first units stay longest, whatever others have freed meanwhile', () => {
  fc.assert(
    fc.property(seed, fc.array(fc.tuple(percent, percent), { minLength: 2, maxLength: 6 }), (one, steps) => {
      let previous: Allotment | undefined;
      /** Members with the step at which each joined. */
      let came = new Map<number, number>();
      for (const [step, [share, neighbours]] of steps.entries()) {
        const free = Array.from({ length: BLOCKS }, (_, block) => block).filter((block) => !came.has(block));
        const others = new Uint8Array(BLOCKS / 8);
        // Neighbours take some of the free blocks.
        for (const block of free.slice(0, Math.floor((free.length * neighbours) / 200))) {
          others[block >>> 3] = (others[block >>> 3] ?? 0) | (1 << (block & 7));
        }
        const next = allot({
          percent: share / 2,
          seed: one,
          taken: [others],
          ...(previous === undefined ? {} : { previous }),
        });
        const is = members(next.blocks);
        const left = [...came].filter(([block]) => !is.has(block)).map(([, at]) => at);
        const kept = [...came].filter(([block]) => is.has(block)).map(([, at]) => at);
        // Nobody leaves before a unit that joined later.
        assert.ok(Math.max(-1, ...kept) <= Math.min(Infinity, ...left));
        came = new Map([...is].map((block) => [block, came.get(block) ?? step]));
        previous = { blocks: blocksFrom(blocksText(next.blocks)), later: next.later };
      }
    }),
    { numRuns: 30 },
  );
});

test('freed blocks are available to others', () => {
  const half = allot({ percent: 50, seed: 'a', taken: [] });
  const smaller = blocksOf({ percent: 20, seed: 'a', taken: [], previous: half });
  assert.deepEqual(allocate({ percent: 80.01, seed: 'b', taken: [smaller] }), { wanted: 8_001, free: 8_000 });
  assert.equal(members(blocksOf({ percent: 80, seed: 'b', taken: [smaller] })).size, 8_000);
});

test('experiments that already share blocks cannot be made exclusive', () => {
  const a = blocksOf({ percent: 50, seed: 'a', taken: [] });
  const b = allot({ percent: 60, seed: 'b', taken: [] });
  const overlap = members(a).intersection(members(b.blocks)).size;
  assert.deepEqual(allocate({ percent: 60, seed: 'b', taken: [a], previous: b }), { overlap });
});

test('another seed samples other blocks', () => {
  const a = members(blocksOf({ percent: 50, seed: 'a', taken: [] }));
  const b = members(blocksOf({ percent: 50, seed: 'b', taken: [] }));
  const shared = a.intersection(b).size;
  // Hypergeometric: 2,500 expected, standard deviation 25.
  assert.ok(Math.abs(shared - 2_500) < 150, `${shared} shared`);
});

test('a set of blocks as text is short and reads back equal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: BLOCKS / 8, maxLength: BLOCKS / 8 }), (blocks) => {
      const text = blocksText(blocks);
      assert.match(text, /^[A-Za-z0-9_-]{1,1700}$/);
      assert.deepEqual(blocksFrom(text), blocks);
    }),
  );
  assert.throws(() => blocksFrom('AAAA'), /1250 bytes/);
});

test('two experiments conflict when the tags of one are among the exclusiveTo tags of the other, either way', () => {
  const player = { exclusivityTags: ['player'] };
  const alone = { exclusiveTo: ['player', 'home'] };
  assert.equal(conflicts(player, alone), true);
  assert.equal(conflicts(alone, player), true);
  assert.equal(conflicts(player, player), false);
  assert.equal(conflicts(alone, alone), false);
  assert.equal(conflicts({}, alone), false);
  assert.equal(conflicts({ exclusivityTags: ['search'] }, alone), false);
});

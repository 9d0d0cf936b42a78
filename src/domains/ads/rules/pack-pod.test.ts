import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packPod, vcgPayments, type PodCandidate, type PodRoom } from './pack-pod.ts';

const ad = (price: number, seconds: number, more: Partial<PodCandidate> = {}): PodCandidate => ({
  price,
  seconds,
  position: 'any',
  separations: [],
  ...more,
});

/** Every set of candidates, one after the other. */
function bruteForce(candidates: readonly PodCandidate[], room: PodRoom): number {
  let best = 0;
  for (let set = 0; set < 2 ** candidates.length; set += 1) {
    const chosen = candidates.filter((_, index) => (set >> index) % 2 === 1);
    if (isAllowed(chosen, room)) best = Math.max(best, sumOf(chosen));
  }
  return best;
}

function isAllowed(chosen: readonly PodCandidate[], { seconds, slots }: PodRoom): boolean {
  const names = chosen.flatMap(({ separations }) => [...new Set(separations)]);
  const at = (position: string) => chosen.filter((one) => one.position === position).length;
  return (
    chosen.length <= slots &&
    chosen.reduce((sum, one) => sum + one.seconds, 0) <= seconds &&
    new Set(names).size === names.length &&
    at('first') <= 1 &&
    at('last') <= 1 &&
    at('first') + at('last') + at('edge') <= 2
  );
}

const sumOf = (chosen: readonly PodCandidate[]) => chosen.reduce((sum, { price }) => sum + price, 0);

const anyAd = fc.record({
  price: fc.integer({ min: 1, max: 60 }),
  seconds: fc.constantFrom(5, 10, 15, 20, 30, 45),
  position: fc.constantFrom('any', 'any', 'any', 'first', 'last', 'edge'),
  separations: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 2 }),
});
const anyRoom = fc.record({ seconds: fc.constantFrom(15, 30, 60, 90, 180), slots: fc.integer({ min: 1, max: 6 }) });

/** Every set of at most two candidates. */
function bestPair(candidates: readonly PodCandidate[], room: PodRoom): number {
  let best = 0;
  for (const [at, one] of candidates.entries()) {
    for (const pair of [[one], ...candidates.slice(at + 1).map((other) => [one, other])]) {
      if (isAllowed(pair, room)) best = Math.max(best, sumOf(pair));
    }
  }
  return best;
}

test('of as many candidates as a break has at most, the best two are packed', () => {
  const many = fc.array(anyAd, { minLength: 30, maxLength: 64 });
  const separations = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 2 });
  fc.assert(
    fc.property(many, fc.array(separations, { minLength: 64, maxLength: 64 }), anyRoom, (some, names, anywhere) => {
      const candidates = some.map((one, at) => ({ ...one, separations: names[at] ?? [] }));
      const room = { ...anywhere, slots: 2 };
      const { chosen, value } = packPod(candidates, room);
      const ads = chosen.map((index) => candidates[index] as PodCandidate);
      assert.ok(isAllowed(ads, room), 'the set is not allowed');
      assert.equal(value, bestPair(candidates, room));
    }),
    { numRuns: 200 },
  );
});

test('the packing of a break is the best of all sets, and keeps every rule', () => {
  fc.assert(
    fc.property(fc.array(anyAd, { maxLength: 11 }), anyRoom, (candidates, room) => {
      const { chosen, value, gap } = packPod(candidates, room);
      const ads = chosen.map((index) => candidates[index] as PodCandidate);
      assert.ok(isAllowed(ads, room), 'the set is not allowed');
      assert.equal(sumOf(ads), value);
      assert.equal(value, bruteForce(candidates, room));
      assert.equal(gap, 0);
      assert.ok(ads.every(({ position }, at) => position !== 'first' || at === 0));
      assert.ok(ads.every(({ position }, at) => position !== 'last' || at === ads.length - 1));
      assert.ok(ads.every(({ position }, at) => position !== 'edge' || at === 0 || at === ads.length - 1));
    }),
    { numRuns: 500 },
  );
});

test('a search without nodes states the gap, and the best set is within it', () => {
  fc.assert(
    fc.property(
      fc.array(anyAd, { maxLength: 11 }),
      anyRoom,
      fc.integer({ min: 0, max: 12 }),
      (candidates, room, nodes) => {
        const { value, gap } = packPod(candidates, room, nodes);
        const best = bruteForce(candidates, room);
        assert.ok(value <= best);
        assert.ok(best * (1 - gap) <= value + 1e-6, `${best} is more than the gap of ${gap} allows beside ${value}`);
      },
    ),
    { numRuns: 500 },
  );
});

test('the dearest ad leaves room for two that earn more together', () => {
  const { chosen, value } = packPod([ad(10, 30), ad(8, 15), ad(7, 15)], { seconds: 30, slots: 2 });
  assert.deepEqual([chosen, value], [[1, 2], 15]);
});

test('VCG: each pays what the others lose by it, between its floor and its price', () => {
  // One slot: the second price.
  const [first, second] = [ad(10, 30), ad(6, 30)];
  const one: PodRoom = { seconds: 30, slots: 1 };
  assert.deepEqual(vcgPayments([first, second], one, packPod([first, second], one), { floorOf: () => 2 }), [6]);
  // Nobody is kept out: the floor.
  const two: PodRoom = { seconds: 60, slots: 2 };
  assert.deepEqual(vcgPayments([first, second], two, packPod([first, second], two), { floorOf: () => 2 }), [2, 2]);
  // The long ad keeps two short ones out.
  const ads = [ad(20, 30), ad(8, 15), ad(7, 15)];
  assert.deepEqual(vcgPayments(ads, one, packPod(ads, one), { floorOf: () => 1 }), [8]);
  assert.deepEqual(
    vcgPayments(ads, { seconds: 30, slots: 2 }, packPod(ads, { seconds: 30, slots: 2 }), { floorOf: () => 1 }),
    [15],
  );
});

test('VCG: nobody gains by another bid than the value of the slot', () => {
  fc.assert(
    fc.property(
      fc.array(anyAd, { minLength: 1, maxLength: 7 }),
      anyRoom,
      fc.nat(6),
      fc.integer({ min: 1, max: 80 }),
      (candidates, room, who, otherBid) => {
        const at = who % candidates.length;
        const worth = (candidates[at] as PodCandidate).price;
        const gain = (bid: number): number => {
          const bids = candidates.map((one, index) => (index === at ? { ...one, price: bid } : one));
          const packing = packPod(bids, room);
          const place = packing.chosen.indexOf(at);
          if (place === -1) return 0;
          return worth - (vcgPayments(bids, room, packing, { floorOf: () => 0 })[place] as number);
        };
        assert.ok(gain(worth) >= gain(otherBid), `a bid of ${otherBid} gains more than ${worth}`);
      },
    ),
    { numRuns: 300 },
  );
});

test('of more than 64 candidates the dearest count, and positions beyond the word of 32 bits are kept apart', () => {
  const many = Array.from({ length: 80 }, (_, index) => ad(index + 1, 10, { separations: [`a${index % 40}`] }));
  const { chosen } = packPod(many, { seconds: 60, slots: 6 });
  assert.deepEqual(
    chosen.map((index) => many[index]?.price),
    [80, 79, 78, 77, 76, 75],
  );
});

test('VCG: the payments of a break have as many nodes as one packing', () => {
  const some = Array.from({ length: 64 }, (_, index) =>
    ad(1_000_000 + ((index * 7_919) % 64) * 17_389, 5 + ((index * 31) % 56), {
      separations: [`a${index % 50}`, `c${index % 37}`],
    }),
  );
  const room: PodRoom = { seconds: 593, slots: 20 };
  const measure = (act: () => unknown): number => {
    const begin = process.cpuUsage();
    act();
    return process.cpuUsage(begin).user;
  };
  const packing = packPod(some, room);
  assert.ok(packing.gap > 0 && packing.chosen.length > 10, 'the search runs out of nodes');
  const once = Math.min(...[1, 2, 3].map(() => measure(() => packPod(some, room))));
  const paid = Math.min(...[1, 2, 3].map(() => measure(() => vcgPayments(some, room, packing, { floorOf: () => 1 }))));
  assert.ok(paid < 4 * once, `payments take ${paid} µs, the packing ${once} µs`);
});

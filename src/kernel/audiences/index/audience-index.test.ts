import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { atOnce } from '#kernel/base/turns.ts';
import { BUILT_IN_ATTRIBUTES } from '../language/attributes.ts';
import { AudienceIndexBuilder, buildAudienceIndex, type Candidate } from './audience-index.ts';
import { compileAudiences } from '../compile-audience.ts';
import type { AudienceRule, Condition, Context } from '../language/language.ts';
import { ATTRIBUTES, audiences, context, nowMs, rule } from '../testing/arbitraries.ts';
import { naiveTruth, type NaiveWorld } from '../testing/naive.ts';
import { worldOf } from '../testing/world.ts';

const attributes = new Map([...BUILT_IN_ATTRIBUTES, ...ATTRIBUTES].map((attribute) => [attribute.name, attribute]));

/** Few bounds, so that some are equal. */
const bound = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom(-Infinity, Infinity, 1e9));
const candidate = fc.record({
  rule: fc.option(rule(['a0', 'a2', 'nobody']), { nil: undefined, freq: 20 }),
  upperBound: bound,
});

/** Positions by descending bound. */
function inOrder(candidates: readonly Candidate[]): number[] {
  const boundOf = (index: number) => candidates[index]?.upperBound ?? 0;
  return candidates
    .map((_, index) => index)
    .sort((a, b) => (boundOf(a) === boundOf(b) ? a - b : boundOf(a) < boundOf(b) ? 1 : -1));
}

test('the index finds exactly the candidates whose rule is true, each once, in the order of bounds', () => {
  fc.assert(
    fc.property(
      audiences,
      fc.array(candidate, { maxLength: 150 }),
      fc.array(context, { minLength: 1, maxLength: 6 }),
      nowMs,
      (specs, candidates, contexts, now) => {
        const world: NaiveWorld = { attributes, audiences: specs };
        const index = buildAudienceIndex(candidates, compileAudiences(worldOf(ATTRIBUTES, specs)));
        for (const each of contexts) {
          const expected = inOrder(candidates).filter((at) => isTrue(candidates[at]?.rule, each, now, world));
          assert.deepEqual(index.matches(each, now), expected);
        }
      },
    ),
    { numRuns: 300 },
  );
});

function isTrue(one: AudienceRule | undefined, given: Context, now: number, world: NaiveWorld): boolean {
  return one === undefined || naiveTruth(one, given, now, world) === true;
}

/** Scores that are at or below the bound, or none, the same each time. */
function scoreOf(candidates: readonly Candidate[], salt: number): (at: number) => number | undefined {
  return (at) => {
    const chance = (Math.imul(at + 1, 2_654_435_761) + salt) >>> 0;
    const { upperBound = 0 } = candidates[at] ?? {};
    return chance % 5 === 0 ? undefined : upperBound - (chance % 3);
  };
}

/** The best by scoring every candidate. */
function naiveBest(matching: readonly number[], k: number, score: (at: number) => number | undefined): number[] {
  return matching
    .map((at, place) => ({ at, place, score: score(at) }))
    .filter((one): one is typeof one & { score: number } => one.score !== undefined)
    .sort((a, b) => (a.score === b.score ? a.place - b.place : a.score < b.score ? 1 : -1))
    .slice(0, k)
    .map(({ at }) => at);
}

/** Many candidates with plain rules, so that there are several blocks, bitmaps and lists. */
function manyCandidates(count: number, seed: number): Candidate[] {
  let state = seed;
  const chance = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
  const value = (of: number) => `v${chance(of)}`;
  const tests: (() => Condition)[] = [
    () => ({ attribute: 'country', in: [value(4), value(4)] }),
    () => ({ attribute: 'country', notIn: [value(2_000)] }),
    () => ({ attribute: 'device.os', in: [value(800), value(800)] }),
    () => ({ attribute: 'genres', in: [value(50), value(3)] }),
    () => ({ attribute: 'genres', notIn: [value(3), value(50)] }),
    () => ({ attribute: 'age', atLeast: chance(40), below: 40 + chance(40) }),
    () => ({ attribute: 'premium', in: [chance(2) === 0], not: chance(2) === 0 }),
    () => ({ attribute: 'appVersion', semver: chance(2) === 0 ? '>=9' : '<9' }),
  ];
  const groupOf = () => ({
    allOf: Array.from({ length: 1 + chance(3) }, () => (tests[chance(tests.length)] ?? (() => ({})))()),
  });
  return Array.from({ length: count }, () => ({
    rule: chance(50) === 0 ? undefined : { anyOf: Array.from({ length: 1 + chance(2) }, groupOf) },
    upperBound: chance(300),
  }));
}

const listener = fc.record({
  country: fc.oneof(fc.nat(3), fc.nat(2_000)).map((at) => `v${at}`),
  'device.os': fc.nat(900).map((at) => `v${at}`),
  genres: fc.array(
    fc.oneof(fc.nat(2), fc.nat(60)).map((at) => `v${at}`),
    { maxLength: 5 },
  ),
  age: fc.integer({ min: -1, max: 90 }),
  premium: fc.boolean(),
  appVersion: fc.constantFrom('8.1.0', '9.0.0', '9.9.9'),
});

test('the best equal those of scoring every candidate, and only possible winners are scored', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(listener, { minLength: 3, maxLength: 3 }),
      fc.integer({ min: 0, max: 60 }),
      fc.nat(),
      (seed, contexts, k, salt) => {
        const candidates = manyCandidates(5_000, seed);
        const index = buildAudienceIndex(candidates, compileAudiences(worldOf(ATTRIBUTES)));
        const world: NaiveWorld = { attributes, audiences: new Map() };
        const score = scoreOf(candidates, salt);
        for (const each of contexts) {
          const matching = inOrder(candidates).filter((at) => isTrue(candidates[at]?.rule, each, 0, world));
          assert.deepEqual(index.matches(each, 0), matching);
          const asked: number[] = [];
          const best = index.best(each, 0, k, (at) => {
            asked.push(at);
            return score(at);
          });
          assert.deepEqual(best, naiveBest(matching, k, score));
          assert.deepEqual(asked, matching.slice(0, asked.length));
          const before = naiveBest(asked.slice(0, -1), k, score);
          const kth = score(before[k - 1] ?? -1) ?? -Infinity;
          if (before.length === k && asked.length > 0)
            assert.ok((candidates[asked.at(-1) ?? -1]?.upperBound ?? 0) > kth);
        }
      },
    ),
    { numRuns: 10 },
  );
});

test('an index with the audiences of another world finds what one built from them finds', () => {
  fc.assert(
    fc.property(
      audiences,
      audiences,
      fc.array(candidate, { maxLength: 60 }),
      fc.array(context, { minLength: 1, maxLength: 6 }),
      nowMs,
      (before, after, candidates, contexts, now) => {
        const first = buildAudienceIndex(candidates, compileAudiences(worldOf(ATTRIBUTES, before)));
        const next = compileAudiences(worldOf(ATTRIBUTES, after));
        const changed = atOnce(first.withAudiences(next));
        const anew = buildAudienceIndex(candidates, next);
        const old = buildAudienceIndex(candidates, compileAudiences(worldOf(ATTRIBUTES, before)));
        for (const each of contexts) {
          assert.deepEqual(changed.matches(each, now), anew.matches(each, now));
          assert.deepEqual(first.matches(each, now), old.matches(each, now));
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('ranges with more bounds than a dimension has are found like all others', () => {
  for (const bounds of [100, 128, 129, 400]) {
    const candidates = Array.from({ length: bounds }, (_, at) => ({
      rule: { anyOf: [{ allOf: [{ attribute: 'age', above: at, not: at % 2 === 0 }] }] },
      upperBound: -at,
    }));
    const index = buildAudienceIndex(candidates, compileAudiences(worldOf(ATTRIBUTES)));
    for (const age of [0, 1, 64, 127, 128, 129, 500]) {
      const expected = candidates.flatMap((_, at) => (age > at !== (at % 2 === 0) ? [at] : []));
      assert.deepEqual(index.matches({ age }, 0), expected);
    }
  }
});

test('an index is built in many steps: one for each value of an attribute at least', () => {
  const builder = new AudienceIndexBuilder(compileAudiences(worldOf(ATTRIBUTES)));
  for (let at = 0; at < 2_000; at += 1) {
    const allOf = [
      { attribute: 'country', in: [`v${at % 500}`] },
      { attribute: 'age', atLeast: at % 100 },
    ];
    builder.add(at, { rule: { anyOf: [{ allOf }] }, upperBound: -at });
  }
  const work = builder.build();
  let steps = 1;
  while (work.next().done !== true) steps += 1;
  assert.ok(steps > 500 + 2 * 100, `${steps} steps`);
});

test('the highest bit of a word, the last word and the edge of a block are found like all others', () => {
  for (const count of [1, 2, 31, 32, 33, 63, 64, 1_023, 1_024, 1_025, 2_048, 4_097]) {
    const candidates = Array.from({ length: count }, (_, at) => ({
      rule: { anyOf: [{ allOf: [{ attribute: 'age', in: [at] }] }] },
      upperBound: -at,
    }));
    const index = buildAudienceIndex(candidates, compileAudiences(worldOf(ATTRIBUTES)));
    for (const at of [0, 1, 30, 31, 32, 63, 1_023, 1_024, count - 1]) {
      assert.deepEqual(index.matches({ age: at }, 0), at < count ? [at] : []);
    }
  }
});

test('an index without candidates finds none, and a request for zero candidates computes no score', () => {
  const table = compileAudiences(worldOf(ATTRIBUTES));
  assert.deepEqual(buildAudienceIndex([], table).matches({ age: 1 }, 0), []);
  const index = buildAudienceIndex([{ rule: undefined, upperBound: 1 }], table);
  assert.deepEqual(
    index.best({}, 0, 0, () => assert.fail()),
    [],
  );
  assert.deepEqual(
    index.best({}, 0, 9, () => 1),
    [0],
  );
});

test('a score function that searches the same index gets an error', () => {
  const index = buildAudienceIndex([{ rule: undefined, upperBound: 1 }], compileAudiences(worldOf([])));
  assert.throws(() => index.best({}, 0, 1, () => index.matches({}, 0).length), /searched the same audience index/);
  assert.deepEqual(index.matches({}, 0), [0]);
});

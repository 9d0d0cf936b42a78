import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import murmurHash3 from 'murmurhash3js-revisited';
import { compileMembership, type CohortSubject, type Track } from './cohort-membership.ts';
import { SHARE_TOTAL, type Cohort, type CohortSlice } from './cohort.ts';

const NOW_MS = 0;
const UNITS = 20_000;

/** Audiences of which the context itself says who is in them: true, false, or nothing, which is unknown. */
const audiences = {
  matcher: (name: string) => (name === 'missing' ? undefined : (context: object) => Reflect.get(context, name)),
};

const slice = fc.record(
  {
    audience: fc.constantFrom('early', 'paying', 'missing'),
    facts: fc.record({ region: fc.subarray(['de', 'se', 'us'], { minLength: 1 }) }, { requiredKeys: [] }),
    share: fc.oneof(fc.constantFrom(0, 1, SHARE_TOTAL - 1, SHARE_TOTAL), fc.integer({ min: 0, max: SHARE_TOTAL })),
  },
  { requiredKeys: ['share'] },
);
const cohort: fc.Arbitrary<Cohort> = fc.record({
  unit: fc.constantFrom('listener', 'household'),
  salt: fc.string({ maxLength: 8 }),
  slices: fc.array(slice, { minLength: 1, maxLength: 4 }),
});
const truth = fc.constantFrom(true, false, undefined);
const subject: fc.Arbitrary<CohortSubject> = fc.record({
  units: fc.record({
    listener: fc.option(fc.uuid(), { nil: undefined }),
    household: fc.option(fc.uuid(), { nil: undefined }),
  }),
  facts: fc.record({ region: fc.constantFrom('de', 'se', 'us', undefined) }),
  context: fc.record({ early: truth, paying: truth }),
});

function listener(id: string): CohortSubject {
  return { units: { listener: id }, facts: {}, context: {} };
}

function trackOf(asked: Cohort, who: CohortSubject): Track | undefined {
  return compileMembership(asked, audiences)(who, NOW_MS);
}

function isIn(track: Track | undefined): boolean {
  return track === 'candidate' || track === 'exposed';
}

/** The definition of cohorts, word for word. */
function naive({ unit, salt, slices }: Cohort, who: CohortSubject): Track | undefined {
  const id = who.units[unit];
  const hex = murmurHash3.x64.hash128(new TextEncoder().encode(`${salt}|${id}`));
  const bucket = Number((BigInt(`0x${hex.slice(0, 16)}`) >> 4n) % 1_000_000n);
  const isAbout = ({ audience, facts = {} }: CohortSlice): boolean =>
    (audience === undefined || Reflect.get(who.context, audience) === true) &&
    Object.entries(facts).every(([name, values]) => values.some((value) => value === who.facts[name]));
  const takes = (one: CohortSlice): boolean =>
    isAbout(one) && (id === undefined ? one.share === SHARE_TOTAL : bucket < one.share);
  const member = slices.some(takes);
  const last = slices[slices.length - 1];
  const hadAnotherChance = slices.slice(0, -1).some((one) => isAbout(one) && one.share > (last?.share ?? 0));
  if (last === undefined || id === undefined || !isAbout(last) || hadAnotherChance) {
    return member ? 'exposed' : undefined;
  }
  return bucket < last.share ? 'candidate' : 'stable';
}

/** How often each track occurs among many listeners. */
function tally(asked: Cohort, who: Partial<CohortSubject> = {}): Record<Track | 'none', number> {
  const counts = { candidate: 0, stable: 0, exposed: 0, none: 0 };
  const membership = compileMembership(asked, audiences);
  for (let unit = 0; unit < UNITS; unit += 1) {
    counts[membership({ ...listener(`listener-${unit}`), ...who }, NOW_MS) ?? 'none'] += 1;
  }
  return counts;
}

/** Within five standard deviations of a binomial: wrong once in a million tries. */
function assertShare(count: number, of: number, share: number): void {
  const expected = of * share;
  const deviation = Math.sqrt(of * share * (1 - share));
  assert.ok(Math.abs(count - expected) <= 5 * deviation + 1, `${count} of ${of}, not ${expected}`);
}

test('cohort and track of a listener are those of the naive evaluator', () => {
  fc.assert(
    fc.property(cohort, subject, (asked, who) => {
      assert.equal(trackOf(asked, who), naive(asked, who));
    }),
    { numRuns: 5_000 },
  );
});

test('a further stage takes nobody out of a cohort', () => {
  fc.assert(
    fc.property(cohort, slice, subject, (asked, further, who) => {
      const later = { ...asked, slices: [...asked.slices, further] };
      if (isIn(trackOf(asked, who))) assert.ok(isIn(trackOf(later, who)));
    }),
    { numRuns: 3_000 },
  );
});

test('from 1 % over 10 % to all, the track that is compared is exactly the share of the stage', () => {
  const slices: CohortSlice[] = [];
  for (const share of [10_000, 100_000, SHARE_TOTAL]) {
    slices.push({ share });
    const { candidate, stable, exposed, none } = tally({ unit: 'listener', salt: 'ramp', slices });
    assertShare(candidate, UNITS, share / SHARE_TOTAL);
    assert.deepEqual([candidate + stable, exposed, none], [UNITS, 0, 0]);
  }
});

test('a listener who was in by a larger share of an earlier stage is not compared by a smaller one', () => {
  const slices = [{ audience: 'early', share: 500_000 }, { share: 100_000 }];
  const early = tally({ unit: 'listener', salt: 's', slices }, { context: { early: true } });
  assert.deepEqual([early.candidate, early.stable], [0, 0]);
  assertShare(early.exposed, UNITS, 0.5);
  const others = tally({ unit: 'listener', salt: 's', slices }, { context: { early: false } });
  assert.equal(others.candidate + others.stable, UNITS);
  assertShare(others.candidate, UNITS, 0.1);
});

test('in every region and every audience the candidates are the same share of those who are compared', () => {
  const slices = [{ audience: 'early', share: 20_000 }, { share: 250_000 }];
  for (const early of [true, false, undefined]) {
    for (const region of ['de', 'se']) {
      const counts = tally({ unit: 'listener', salt: 'strata', slices }, { facts: { region }, context: { early } });
      assertShare(counts.candidate, counts.candidate + counts.stable, 0.25);
    }
  }
});

test('two releases with different salts share nobody more often than by chance', () => {
  const one = compileMembership({ unit: 'listener', salt: 'one', slices: [{ share: 300_000 }] }, audiences);
  const other = compileMembership({ unit: 'listener', salt: 'other', slices: [{ share: 200_000 }] }, audiences);
  let both = 0;
  for (let unit = 0; unit < UNITS; unit += 1) {
    const who = listener(`listener-${unit}`);
    if (isIn(one(who, NOW_MS)) && isIn(other(who, NOW_MS))) both += 1;
  }
  assertShare(both, UNITS, 0.06);
});

test('a unit is in or out as a whole', () => {
  const asked: Cohort = { unit: 'household', salt: 's', slices: [{ share: 500_000 }] };
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), fc.uuid(), (household, one, other) => {
      const member = (name: string) => ({ units: { household, listener: name }, facts: {}, context: {} });
      assert.equal(trackOf(asked, member(other)), trackOf(asked, member(one)));
    }),
  );
});

test('somebody without an id gets what a release carries only where all of them do, and is compared with nobody', () => {
  const anonymous = { units: {}, facts: { region: 'de' }, context: {} };
  const cohortOf = (share: number): Cohort => ({
    unit: 'listener',
    salt: 's',
    slices: [{ facts: { region: ['de'] }, share }],
  });
  assert.equal(trackOf(cohortOf(SHARE_TOTAL - 1), anonymous), undefined);
  assert.equal(trackOf(cohortOf(SHARE_TOTAL), anonymous), 'exposed');
  assert.equal(
    trackOf(cohortOf(SHARE_TOTAL), { units: {}, facts: {}, context: {} }),
    undefined,
    'in no region, as far as is known',
  );
});

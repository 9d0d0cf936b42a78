import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { balanceOf, isInForce, spanOf, type Bucket } from '#kernel/quotas/rules/bucket.ts';
import { deduct } from '#kernel/quotas/rules/deduct.ts';
import { anna, grant } from '../testing/on-record.ts';
import { bucketsOf, planBucket, type CountedFeature, type PlanTerms } from './buckets.ts';
import type { GrantTerms, SubjectFacts } from './subject-facts.ts';
import { unitsOf } from './units-or-share.ts';
import { periodWindow, roughWindowDays, windowInWords } from './windows.ts';

const NOW = Date.parse('2026-06-15T12:00:00Z');
const HOUR = 3_600_000;

const PLAN: PlanTerms = {
  id: planBucket('audiobooks', 'premium', 'carry'),
  limit: 10,
  window: { type: 'calendar', per: 'P1D', zone: 'Europe/Berlin' },
  priority: 100,
  enforcement: 'hard',
  replaces: [],
};
const ADD_ONS: Readonly<Record<string, GrantTerms>> = {
  plus: { title: 'Plus', per: 'P1M', priority: 200, whileLapsed: 'suspended' },
  'ten-hours': { title: '10 hours', priority: 300, whileLapsed: 'suspended' },
  kept: { title: 'Kept', priority: 300, whileLapsed: 'kept' },
};

function countedFeature(plan: PlanTerms | undefined): CountedFeature {
  return {
    feature: 'audiobooks',
    title: 'Audiobooks',
    unit: 'minutes',
    isConcurrent: false,
    plan,
    sinceMs: NOW - 100 * 24 * HOUR,
    addOnOf: (name) => ADD_ONS[name],
    zone: 'Europe/Berlin',
  };
}

/** `plan/audiobooks 10`, in order; brackets mark buckets that cannot be used now. */
function listBuckets(plan: PlanTerms | undefined, facts: SubjectFacts): string {
  return bucketsOf(countedFeature(plan), facts, NOW)
    .buckets.map((bucket) => {
      const text = `${bucket.id} ${bucket.limit}${bucket.overage === true ? ' soft' : ''}`;
      return isInForce(bucket, NOW) ? text : `(${text})`;
    })
    .join(', ');
}

const recurring = grant('m', {
  addOn: 'plus',
  amount: 5,
  anchor: { wallTime: '2026-01-31T15:00', zone: 'Europe/Berlin' },
});
const topUp = (id: string, validUntilMs: number) => grant(id, { amount: 3, validUntilMs });
const override = (id: string, limit: number | 'unlimited', untilMs = NOW + HOUR) => ({
  id,
  feature: 'audiobooks',
  limit,
  value: undefined,
  reason: 'outage',
  untilMs,
});

test('the buckets of a listener, and their order, follow from the plan, purchases and overrides', () => {
  const lapsed = anna({ status: 'lapsed' }).subscription;
  const vectors: [string, PlanTerms | undefined, Partial<SubjectFacts>, string][] = [
    ['the plan alone', PLAN, {}, 'plan/audiobooks 10'],
    ['nothing', undefined, {}, ''],
    [
      'plan, then add-on, then top-ups, of which the one that ends first',
      PLAN,
      { grants: [topUp('late', NOW + 9 * HOUR), topUp('soon', NOW + HOUR), recurring] },
      'plan/audiobooks 10, grant/m 5, grant/soon 3, grant/late 3',
    ],
    ['what has ended is not in force', PLAN, { grants: [topUp('old', NOW)] }, 'plan/audiobooks 10'],
    [
      'without a subscription what was bought waits, but for what is kept',
      PLAN,
      { subscription: lapsed, grants: [recurring, topUp('t', NOW + HOUR), grant('k', { addOn: 'kept', amount: 7 })] },
      'plan/audiobooks 10, (grant/m 5), (grant/t 3), grant/k 7',
    ],
    [
      'nothing on record is no subscription',
      undefined,
      { subscription: undefined, grants: [recurring] },
      '(grant/m 5)',
    ],
    ['a limit by hand takes the place of the plan’s', PLAN, { overrides: [override('o', 50)] }, 'plan/audiobooks 50'],
    ['it may be less', PLAN, { overrides: [override('o', 2)] }, 'plan/audiobooks 2'],
    ['it ends', PLAN, { overrides: [override('o', 50, NOW)] }, 'plan/audiobooks 10'],
    [
      'of several the most generous counts',
      PLAN,
      { overrides: [override('a', 20), override('b', 50), override('c', 30)] },
      'plan/audiobooks 50',
    ],
    ['by hand it may be given without a plan', undefined, { overrides: [override('o', 4)] }, 'override/o 4'],
    ['other features are others', PLAN, { grants: [grant('x', { feature: 'skips' })] }, 'plan/audiobooks 10'],
    [
      'a soft limit goes on after all that was bought',
      { ...PLAN, enforcement: 'soft' },
      { grants: [topUp('t', NOW + HOUR)] },
      'plan/audiobooks 10 soft, grant/t 3',
    ],
    [
      'a grace comes last',
      { ...PLAN, enforcement: 'soft', grace: '25%' },
      { grants: [topUp('t', NOW + HOUR)] },
      'plan/audiobooks 10, grant/t 3, plan/audiobooks/grace 2',
    ],
    [
      'a top-up of an add-on that is gone counts last',
      PLAN,
      { grants: [grant('x', { addOn: 'gone' }), topUp('t', NOW + HOUR)] },
      'plan/audiobooks 10, grant/t 3, grant/x 600',
    ],
    [
      'a window that began under another limit keeps it',
      { ...PLAN, limitBefore: { limit: 20, untilMs: NOW } },
      {},
      'plan/audiobooks 20',
    ],
    [
      'a window that began later does not',
      { ...PLAN, limitBefore: { limit: 20, untilMs: NOW - 24 * HOUR } },
      {},
      'plan/audiobooks 10',
    ],
  ];
  for (const [name, plan, facts, expected] of vectors) assert.equal(listBuckets(plan, anna({}, facts)), expected, name);
});

test('exceptions are stated in sentences', () => {
  const { subscription } = anna({ status: 'lapsed' });
  const notes = (plan: PlanTerms | undefined, facts: Partial<SubjectFacts>) =>
    bucketsOf(countedFeature(plan), anna({}, facts), NOW).notes.join('\n');
  assert.equal(
    notes(PLAN, { subscription, grants: [topUp('t', Date.parse('2026-12-01T10:00+01:00'))] }),
    'Audiobooks: 10 hours is suspended without a subscription; it expires on 1 December 2026, 10:00 (Europe/Berlin).',
  );
  assert.equal(
    notes(PLAN, { overrides: [override('o', 50, Date.parse('2026-07-01T00:00+02:00'))] }),
    'Audiobooks: 50 minutes, override until 1 July 2026: outage',
  );
  assert.equal(
    notes({ ...PLAN, limitBefore: { limit: 20, untilMs: NOW } }, {}),
    'Audiobooks: the previous limit, 20 minutes, counts until 16 June 2026; then it is 10.',
  );
  assert.match(notes(PLAN, { grants: [{ ...recurring, addOn: 'gone' }] }), /"gone" is no longer declared/);
});

test('nothing is counted where the limit in force is none, and is again where one is given by hand', () => {
  const isUnlimited = (limit: PlanTerms['limit'], overrides: SubjectFacts['overrides'] = []) =>
    bucketsOf(countedFeature({ ...PLAN, limit }), anna({}, { overrides }), NOW).isUnlimited;
  assert.deepEqual(
    [isUnlimited(10), isUnlimited('unlimited'), isUnlimited(10, [override('o', 'unlimited')])],
    [false, true, true],
  );
  assert.equal(isUnlimited('unlimited', [override('o', 5)]), false);
});

const anyGrant = fc.record({
  addOn: fc.constantFrom('plus', 'ten-hours', 'kept', 'gone'),
  feature: fc.constantFrom('audiobooks', 'audiobooks', 'skips'),
  amount: fc.integer({ min: 1, max: 6 }),
  createdMs: fc.integer({ min: NOW - 5, max: NOW }),
  validFromMs: fc.integer({ min: NOW - 2, max: NOW + 1 }),
  validUntilMs: fc.option(fc.integer({ min: NOW, max: NOW + 3 }), { nil: undefined }),
});
const situation = fc.record({
  plan: fc.option(
    fc.record({
      limit: fc.integer({ min: 1, max: 12 }),
      enforcement: fc.constantFrom('hard', 'soft', 'degrade'),
      grace: fc.option(fc.constantFrom(2, '50%'), { nil: undefined }),
    }),
    { nil: undefined },
  ),
  status: fc.constantFrom('active', 'lapsed'),
  grants: fc.array(anyGrant, { maxLength: 5 }),
  overrides: fc.array(
    fc.record({ limit: fc.integer({ min: 1, max: 12 }), untilMs: fc.integer({ min: NOW - 1, max: NOW + 2 }) }),
    { maxLength: 3 },
  ),
  amount: fc.nat({ max: 40 }),
});

test('units come from where one gets them who asks each source in turn, one unit at a time', () => {
  fc.assert(
    fc.property(situation, ({ plan: drawn, status, grants: drawnGrants, overrides: drawnOverrides, amount }) => {
      const plan =
        drawn === undefined
          ? undefined
          : {
              ...PLAN,
              limit: drawn.limit,
              enforcement: drawn.enforcement,
              ...(drawn.grace === undefined || drawn.enforcement !== 'soft' ? {} : { grace: drawn.grace }),
            };
      const grants = drawnGrants.map((more, index) => grant(`g${index}`, more));
      const overrides = drawnOverrides.map(({ limit, untilMs }, index) => override(`o${index}`, limit, untilMs));
      const facts = anna({ status }, { grants, overrides });

      // The oracle: a purse per source, filled and sorted by the rules of the README.
      const purses: { id: string; left: number; place: number; until: number; created: number }[] = [];
      const byHand = Math.max(-1, ...drawnOverrides.filter(({ untilMs }) => untilMs > NOW).map(({ limit }) => limit));
      const limit = byHand > 0 ? byHand : (plan?.limit ?? 0);
      const untils = overrides.filter((one) => one.untilMs > NOW && one.limit === byHand).map(({ untilMs }) => untilMs);
      if (plan !== undefined) purses.push({ id: PLAN.id, left: limit, place: 100, until: Infinity, created: 0 });
      else if (byHand > 0) {
        const until = Math.max(...untils);
        const id = overrides.find((one) => one.limit === byHand && one.untilMs === until)?.id ?? '';
        purses.push({ id: `override/${id}`, left: byHand, place: 100, until, created: 0 });
      }
      for (const one of grants) {
        if (one.feature !== 'audiobooks' || one.validFromMs > NOW || (one.validUntilMs ?? Infinity) <= NOW) continue;
        if (status === 'lapsed' && one.addOn !== 'kept') continue;
        const place = one.addOn === 'plus' ? 200 : 300;
        const until = one.validUntilMs ?? Infinity;
        purses.push({ id: `grant/${one.id}`, left: one.amount, place, until, created: one.createdMs });
      }
      const grace = plan?.grace === undefined ? 0 : plan.grace === 2 ? 2 : Math.floor(limit / 2);
      if (grace > 0) purses.push({ id: `${PLAN.id}/grace`, left: grace, place: 9_999, until: Infinity, created: 0 });
      purses.sort(
        (a, b) =>
          a.place - b.place ||
          (a.until === b.until ? 0 : a.until - b.until) ||
          a.created - b.created ||
          (a.id < b.id ? -1 : 1),
      );
      const expected = new Map<string, number>();
      let denied = false;
      for (let unit = 0; unit < amount; unit += 1) {
        const purse = purses.find(({ left }) => left > 0);
        const isSoft = plan?.enforcement === 'soft' && plan.grace === undefined;
        const from = purse?.id ?? (isSoft ? PLAN.id : undefined);
        if (from === undefined) denied = true;
        else expected.set(from, (expected.get(from) ?? 0) + 1);
        if (purse !== undefined) purse.left -= 1;
      }

      const { buckets } = bucketsOf(countedFeature(plan), facts, NOW);
      const standings = buckets
        .filter((bucket) => isInForce(bucket, NOW))
        .map((bucket) => ({ bucket, span: spanOf(bucket, NOW), used: 0 }));
      const taken = deduct(standings, amount, 'whole');
      assert.equal(taken === undefined, denied);
      if (taken !== undefined) {
        assert.deepEqual(new Map(taken.map(({ use: { bucket }, amount: units }) => [bucket.id, units])), expected);
      }
    }),
    { numRuns: 500 },
  );
});

test('a limit lowered below use leaves nothing, takes nothing back, and says that more is used', () => {
  const [bucket] = bucketsOf(countedFeature({ ...PLAN, limit: 4 }), anna(), NOW).buckets;
  assert.ok(bucket !== undefined);
  const { used, remaining, overLimit } = balanceOf({ bucket, span: spanOf(bucket, NOW), used: 7 });
  assert.deepEqual({ used, remaining, overLimit }, { used: 7, remaining: 0, overLimit: true });
});

test('a grace is units, or a share that is rounded down', () => {
  assert.deepEqual(
    [unitsOf(5, 900), unitsOf('10%', 900), unitsOf('10%', 15), unitsOf('10%', 'unlimited'), unitsOf('x', 9)],
    [5, 90, 1, 0, 0],
  );
});

test('every period that a plan may name has a window, and what no calendar has is counted from the first of a month', () => {
  const showPeriod = (per: string | undefined) => {
    const { window, anchor } = periodWindow(per, 'Asia/Tokyo');
    const bucket: Bucket = {
      id: '',
      limit: 1,
      window,
      ...(anchor === undefined ? {} : { anchor }),
      priority: 0,
      createdMs: 0,
    };
    const { fromMs, untilMs } = spanOf(bucket, NOW);
    return `${window.type} ${untilMs === undefined ? 'for ever' : (untilMs - fromMs) / HOUR}`;
  };
  assert.deepEqual([undefined, 'P1D', 'P1M', 'PT1H', 'P3D', 'PT6H', 'PT90M', 'P3M'].map(showPeriod), [
    'lifetime for ever',
    'calendar 24',
    'calendar 720',
    'calendar 1',
    'anchored 72',
    'anchored 6',
    'rolling 1.5',
    'anchored 2184',
  ]);
});

test('windows read like the end of a sentence, and can be compared', () => {
  assert.deepEqual(
    [
      { type: 'calendar', per: 'P1D' } as const,
      { type: 'anchored', per: 'P3M' } as const,
      { type: 'rolling', per: 'PT90M' } as const,
      { type: 'lifetime' } as const,
      { type: 'concurrent' } as const,
    ].map((window) => `${windowInWords(window)}: ${roughWindowDays(window)}`),
    [
      'a day: 1',
      'every 3 months counted from the start of the subscription: 91.19999999999999',
      'within any 90 minutes: 0.0625',
      'in all: 36500',
      'at once: 1',
    ],
  );
});

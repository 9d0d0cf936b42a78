import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Refusal } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { usageCatalogue } from '../testing/catalogue.ts';
import { anna, Counters, grant, requireMetered, nobody } from '../testing/on-record.ts';
import { resource, worldOf } from '../testing/world.ts';
import { bucketsFor, usesOf } from './buckets-for.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import { addOnsFor, decideUse } from './decide-use.ts';
import { describeUsage, standingOfSlots } from './describe-usage.ts';
import { entitlements, entitlementsOnRecord } from './entitlements.ts';
import { explain } from './explain.ts';
import { checkOnRecord } from './on-record.ts';
import { movesAtChange } from './plan-change.ts';
import type { ProductsTable } from './table.ts';

const NOW = Temporal.Instant.from('2026-06-15T12:00:00Z');
const NOW_MS = NOW.epochMilliseconds;
const DAY = 86_400_000;
const base = usageCatalogue();
const table = compile(worldOf(base));
const free = { plan: 'free', market: 'de' };

const tableWith = (...objects: readonly ResourceObject[]): ProductsTable => {
  const replaced = new Set(objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
  return compile(
    worldOf([...base.filter(({ kind, metadata }) => !replaced.has(`${kind}/${metadata.name}`)), ...objects]),
  );
};
const capOf = (name: string, spec: object) => resource('Cap', name, spec);
const audiobooks = (more: object) =>
  capOf('audiobooks', {
    feature: 'audiobooks',
    plans: ['premium', 'family'],
    roles: ['manager'],
    window: { type: 'anchored', per: 'P1M' },
    ...more,
  });

const useOf = (facts: SubjectFacts, feature: string, of = table, more: object = {}, nowMs = NOW_MS) =>
  requireMetered(bucketsFor(of, { ...free, ...more, feature }, facts, nowMs));

/** Decides with the answer of the counters: `deny limit-reached: …`. */
function describeDecision(
  facts: SubjectFacts,
  feature: string,
  counters: Counters,
  amount: number,
  of = table,
): string {
  const use = useOf(facts, feature, of);
  const answer = decideUse(
    of,
    { base: checkOnRecord(of, { ...free, feature }, facts, NOW), use },
    counters.at(NOW_MS).check(use, amount),
    { amount },
  );
  return `${answer.outcome} ${answer.reason.code}: ${answer.reason.message}`;
}

test('use that is not counted says why', () => {
  const code = (feature: string, facts: SubjectFacts | undefined) => {
    const use = bucketsFor(table, { ...free, feature }, facts, NOW_MS);
    return use.metered ? 'counted' : `${use.reason.code}: ${use.reason.message}`;
  };
  assert.equal(code('ad-free', anna()), 'not-counted: Music without ads is a boolean feature, which is not counted.');
  assert.equal(
    code('audiobooks', undefined),
    'nobody: Use of Audiobooks is counted per listener, and the request names none.',
  );
  assert.equal(code('daily', anna()), 'unlimited: Any track is unlimited.');
  assert.equal(
    code('audiobooks', nobody('bo')),
    'not-given: This listener has no Audiobooks: no plan, grant or override gives it.',
  );
  assert.equal(code('audiobooks', anna()), 'counted');
});

test('a question that cannot be asked is refused with a remedy', () => {
  const refusalOf = (ask: () => unknown) => {
    try {
      ask();
    } catch (error) {
      return error instanceof Refusal ? `${error.code}: ${error.message}` : String(error);
    }
    return 'answered';
  };
  const byDevice = tableWith(capOf('streams', { feature: 'streams', window: { type: 'concurrent' }, scope: 'device' }));
  assert.equal(
    refusalOf(() => bucketsFor(byDevice, { feature: 'streams' }, anna(), NOW_MS)),
    'products/device-needed: The feature is counted per device, and the request names none.',
  );
  assert.equal(
    refusalOf(() => bucketsFor(table, { feature: 'streams' }, nobody('bo'), NOW_MS)),
    'products/plan-needed: "bo" has no subscription, and the request names no plan.',
  );
  assert.equal(
    refusalOf(() => bucketsFor(table, { feature: 'streams' }, anna({ status: 'lapsed' }), NOW_MS)),
    'products/plan-needed: "anna" has a lapsed subscription, and the request names no plan.',
  );
  assert.match(
    refusalOf(() => bucketsFor(table, { feature: 'streems' }, anna(), NOW_MS)),
    /unknown-feature.*"streams"/,
  );
});

test('use is counted together as the scope says', () => {
  const subject = (scope: string, facts: SubjectFacts) => {
    const of = tableWith(audiobooks({ scope, plans: ['premium', 'free'] }));
    return useOf(facts, 'audiobooks', of, { device: 'phone' }).scope.subject;
  };
  const bought = { ...nobody('bo'), grants: [grant('g')] };
  assert.deepEqual(
    ['listener', 'household', 'role', 'device'].map((scope) => [subject(scope, anna()), subject(scope, bought)]),
    [
      ['listener/anna', 'listener/bo'],
      ['household/h1', 'listener/bo'],
      ['household/h1/manager', 'listener/bo/manager'],
      ['device/anna/phone', 'device/bo/phone'],
    ],
  );
});

test('a plan’s limit without a cap is hard, for each listener, by the calendar of the market', () => {
  const { buckets, enforcement, scope, plan } = useOf(nobody('bo'), 'skips');
  assert.deepEqual(
    [buckets.length, buckets[0]?.id, buckets[0]?.limit, enforcement, scope.kind],
    [1, 'plan/skips', 6, 'hard', 'listener'],
  );
  assert.deepEqual(plan?.window, { type: 'calendar', per: 'PT1H', zone: 'Europe/Berlin' });
});

test('the most exact cap counts: one that names the plan, then the market, then the role', () => {
  const limits = (...names: readonly string[]) => {
    const all: Readonly<Record<string, object>> = {
      none: {},
      role: { roles: ['manager'] },
      market: { markets: ['de'] },
      plan: { plans: ['free'] },
    };
    const window = { type: 'rolling', per: 'PT1H' };
    const of = tableWith(
      ...names.map((name, index) => capOf(name, { feature: 'skips', limit: index + 1, window, ...all[name] })),
    );
    return useOf(nobody('bo'), 'skips', of).cap?.name;
  };
  assert.deepEqual(
    [limits('none'), limits('role', 'none'), limits('role', 'market', 'none'), limits('plan', 'market', 'role')],
    ['none', 'role', 'market', 'plan'],
  );
});

test('hours of the plan, then of the add-on, then of the top-up that ends first; each shown with its state', () => {
  const facts = anna(
    {},
    {
      grants: [
        grant('late', { validUntilMs: NOW_MS + 300 * DAY }),
        grant('soon', { validUntilMs: NOW_MS + 10 * DAY }),
        grant('m', { addOn: 'plus', anchor: { wallTime: '2026-06-01T00:00', zone: 'Europe/Berlin' } }),
      ],
    },
  );
  const counters = new Counters().at(NOW_MS);
  const use = useOf(facts, 'audiobooks');
  assert.equal(counters.consume(use, 1_600), 'plan/audiobooks:900 grant/m:600 grant/soon:100');
  const { limit, used, remaining, resetsAt, overLimit, by, sentence } = describeUsage(use, counters.check(use));
  assert.deepEqual([limit, used, remaining, overLimit], [2_700, 1_600, 1_100, false]);
  assert.equal(resetsAt, '2026-06-30T13:00:00Z');
  assert.deepEqual(
    by.map((one) => [one.bucket, one.from, one.record, one.remaining, one.resetsAt, one.expiresAt]),
    [
      ['plan/audiobooks', 'plan', undefined, 0, '2026-06-30T13:00:00Z', undefined],
      ['grant/m', 'grant', 'm', 0, '2026-06-30T22:00:00Z', undefined],
      ['grant/soon', 'grant', 'soon', 500, undefined, '2026-06-25T12:00:00Z'],
      ['grant/late', 'grant', 'late', 600, undefined, '2027-04-11T12:00:00Z'],
    ],
  );
  assert.equal(
    sentence,
    'Audiobooks: 1100 of 2700 minutes left: 500 from 10 hours, 600 from 10 hours; resets on 30 June 2026, 15:00 (Europe/Berlin).',
  );
});

test('every outcome says why, how much is left, and when it starts anew', () => {
  const counters = new Counters().at(NOW_MS);
  const bo = nobody('bo');
  assert.equal(
    describeDecision(bo, 'daily', counters, 1),
    'allow within-limit: Any track: 30 of 30 minutes left; resets on 16 June 2026.',
  );
  counters.consume(useOf(bo, 'daily'), 28);
  assert.equal(
    describeDecision(bo, 'daily', counters, 5),
    'degrade not-enough-left: Any track: 2 of 30 minutes left; resets on 16 June 2026. 5 minutes were requested. Shuffle is given instead.',
  );
  counters.consume(useOf(bo, 'skips'), 6);
  assert.equal(
    describeDecision(bo, 'skips', counters, 1),
    'deny limit-reached: Skips: all 6 skips are used; resets on 15 June 2026, 15:00 (Europe/Berlin).',
  );
  counters.consume(useOf(anna(), 'audiobooks'), 900);
  assert.equal(
    describeDecision(anna(), 'audiobooks', counters, 1),
    'upsell limit-reached: Audiobooks: all 900 minutes are used; resets on 30 June 2026, 15:00 (Europe/Berlin). Audiobooks+, 10 hours include more Audiobooks.',
  );
});

test('a denial within a rolling window says when some comes back', () => {
  const of = tableWith(capOf('skips', { feature: 'skips', window: { type: 'rolling', per: 'PT1H' } }));
  const counters = new Counters().at(NOW_MS - 1_800_000);
  counters.consume(useOf(nobody('bo'), 'skips', of), 6);
  assert.equal(
    describeDecision(nobody('bo'), 'skips', counters, 1, of),
    'deny limit-reached: Skips: all 6 skips are used; used units return gradually. Some may be used again from 15 June 2026, 14:30 (Europe/Berlin).',
  );
});

test('an upsell names the plans that give more in the same time, never one that gives less', () => {
  const of = tableWith(
    resource('Plan', 'family', {
      title: 'Family',
      group: 'music',
      rank: 40,
      roles: ['manager', 'member'],
      entitlements: [{ feature: 'audiobooks', limit: 1_000, per: 'P1M' }],
    }),
    resource('Plan', 'duo', {
      title: 'Duo',
      group: 'music',
      rank: 30,
      entitlements: [{ feature: 'audiobooks', limit: 20, per: 'P1D' }],
    }),
  );
  const counters = new Counters().at(NOW_MS);
  const use = useOf(anna(), 'audiobooks', of);
  counters.consume(use, 900);
  const plansAfter = (facts: SubjectFacts) => {
    const one = useOf(facts, 'audiobooks', of);
    const answer = decideUse(
      of,
      { base: checkOnRecord(of, { feature: 'audiobooks' }, facts, NOW), use: one },
      counters.check(one, 1_001),
      {
        amount: 1_001,
      },
    );
    return answer.outcome === 'upsell' ? answer.plans.map(({ plan }) => plan) : answer.outcome;
  };
  assert.deepEqual(plansAfter(anna()), ['family']);
  assert.deepEqual(plansAfter(anna({ plan: 'family' })), []);
});

test('a soft limit goes on and says so; its grace ends, once in each window', () => {
  const soft = (more: object) => tableWith(audiobooks({ limit: 100, enforcement: 'soft', ...more }));
  const counters = new Counters().at(NOW_MS);
  const endless = soft({});
  assert.equal(counters.consume(useOf(anna(), 'audiobooks', endless), 130), 'plan/audiobooks:130');
  assert.match(
    describeDecision(anna(), 'audiobooks', counters, 1, endless),
    /^allow over-limit: Audiobooks: 130 of 100 minutes used, 30 beyond the limit;/,
  );
  const grace = soft({ grace: '20%' });
  const use = useOf(anna({}, { listener: 'cleo' }), 'audiobooks', grace);
  const cleo = new Counters().at(NOW_MS);
  assert.equal(cleo.consume(use, 110), 'plan/audiobooks:100 plan/audiobooks/grace:10');
  assert.match(
    describeDecision(anna({}, { listener: 'cleo' }), 'audiobooks', cleo, 10, grace),
    /^allow over-limit: Audiobooks: 110 of 100 minutes used, 10 beyond the limit;/,
  );
  assert.match(
    describeDecision(anna({}, { listener: 'cleo' }), 'audiobooks', cleo, 11, grace),
    /^upsell limit-reached/,
  );
  assert.equal(describeUsage(use, cleo.check(use)).remaining, 0);
  cleo.at(NOW_MS + 31 * DAY);
  assert.equal(cleo.consume(use, 120), 'plan/audiobooks:100 plan/audiobooks/grace:20');
});

test('a cap that degrades does as a hard one where the plan has nothing to degrade to', () => {
  const of = tableWith(
    resource('Plan', 'free', {
      title: 'Free',
      group: 'music',
      rank: 0,
      entitlements: [{ feature: 'daily', limit: 30, per: 'P1D' }],
    }),
  );
  const counters = new Counters().at(NOW_MS);
  counters.consume(useOf(nobody('bo'), 'daily', of), 30);
  assert.match(
    describeDecision(nobody('bo'), 'daily', counters, 1, of),
    /^upsell limit-reached.* Premium includes more Any track\.$/,
  );
});

test('a purchase waits while the subscription has lapsed, ages, and can be used when there is one again', () => {
  const grants = [grant('g', { validUntilMs: NOW_MS + 20 * DAY })];
  const lapsed = anna({ status: 'lapsed' }, { grants });
  const counters = new Counters().at(NOW_MS);
  const use = useOf(lapsed, 'audiobooks');
  assert.equal(counters.consume(use, 1), 'denied');
  assert.match(
    describeDecision(lapsed, 'audiobooks', counters, 1),
    /^upsell not-in-plan: Free does not include Audiobooks. Audiobooks: 10 hours is suspended without a subscription; it expires on 5 July 2026, 14:00 \(Europe\/Berlin\).$/,
  );
  const again = anna({}, { grants });
  assert.equal(counters.consume(useOf(again, 'audiobooks'), 950), 'plan/audiobooks:900 grant/g:50');
  counters.at(NOW_MS + 20 * DAY);
  assert.equal(counters.consume(useOf(again, 'audiobooks', table, {}, NOW_MS + 20 * DAY), 901), 'denied');
});

test('the rest of a month goes on into the next, as far as the cap says, and answers show it', () => {
  const of = tableWith(audiobooks({ limit: 900, rollover: { max: '50%' } }));
  // She began on 31 January, at 15:00 in Berlin.
  const facts = anna({ givesSinceMs: NOW_MS - 10 * DAY, memberSinceMs: NOW_MS - 10 * DAY });
  const counters = new Counters().at(NOW_MS);
  const at = (days: number) => useOf(facts, 'audiobooks', of, {}, NOW_MS + days * DAY);
  const usageAfter = (days: number) => describeUsage(at(days), counters.at(NOW_MS + days * DAY).check(at(days)));
  assert.equal(counters.consume(at(0), 700), 'plan/audiobooks:700');
  assert.equal(
    usageAfter(0).sentence,
    'Audiobooks: 200 of 900 minutes left; resets on 30 June 2026, 15:00 (Europe/Berlin).',
  );
  assert.equal(
    usageAfter(16).sentence,
    'Audiobooks: 1100 of 1100 minutes left, with 200 from before; resets on 31 July 2026, 15:00 (Europe/Berlin).',
  );
  assert.equal(counters.consume(at(16), 1_101), 'denied');
  assert.equal(counters.consume(at(16), 1_000), 'plan/audiobooks:1000');
  const { limit, used, remaining, by } = usageAfter(16);
  assert.deepEqual([limit, used, remaining, by[0]?.rolledOver], [1_100, 1_000, 100, 200]);
  assert.equal(usageAfter(50).by[0]?.rolledOver, 100, 'what came from June and was not used is left of July');
  assert.equal(usageAfter(80).by[0]?.rolledOver, 450, 'a whole month without use');
  const steps = explain(of, { ...free, plan: 'premium', feature: 'audiobooks' }, NOW, { facts }).steps.map(
    ({ says }) => says,
  );
  assert.ok(
    steps.some((says) => says.endsWith('; what is left of a period goes on into the next, at most 50% of the limit.')),
    steps.join('\n'),
  );
});

test('late use of the previous month is shown with the present balance', () => {
  const of = tableWith(audiobooks({ limit: 900, rollover: { max: 100 } }));
  const counters = new Counters().at(NOW_MS);
  const use = useOf(anna(), 'audiobooks', of);
  counters.consume(use, 1);
  // An hour after the month of hers has ended.
  const later = Date.parse('2026-06-30T14:00:00Z');
  const answer = counters.at(later).charge(use, 50, later - 2 * 3_600_000);
  assert.equal(answer.balances.length, 2);
  assert.equal(
    describeUsage(use, answer).sentence,
    'Audiobooks: 1000 of 1000 minutes left, with 100 from before; resets on 31 July 2026, 15:00 (Europe/Berlin).',
  );
});

test('months before somebody had it pass nothing on, also not those of a pause or of a plan before', () => {
  const of = tableWith(audiobooks({ limit: 900, rollover: { max: 450 } }));
  const gives = (since: number, joined = since) => {
    const facts = anna({ givesSinceMs: NOW_MS - since * DAY, memberSinceMs: NOW_MS - joined * DAY });
    const use = useOf(facts, 'audiobooks', of);
    return describeUsage(use, new Counters().at(NOW_MS).check(use)).limit;
  };
  assert.equal(gives(100), 1_350);
  assert.equal(gives(20), 900);
  assert.equal(gives(100, 20), 900);
});

test('an add-on that recurs passes on what is left of its month', () => {
  const plus = resource('AddOn', 'plus', {
    title: 'Plus',
    feature: 'audiobooks',
    amount: 600,
    kind: 'recurring',
    per: 'P1M',
    rollover: { max: 100 },
  });
  const of = tableWith(plus);
  const since = NOW_MS - 40 * DAY;
  const bought = grant('g', {
    addOn: 'plus',
    validFromMs: since,
    anchor: { wallTime: '2026-05-06T14:00', zone: 'Europe/Berlin' },
  });
  const limitOf = (facts: SubjectFacts) => {
    const use = useOf(facts, 'audiobooks', of);
    return describeUsage(use, new Counters().at(NOW_MS).check(use)).by.map(({ bucket, limit }) => `${bucket} ${limit}`);
  };
  assert.deepEqual(limitOf(anna({}, { grants: [bought] })), ['plan/audiobooks 900', 'grant/g 700']);
  const paused = anna({ givesSinceMs: NOW_MS - DAY }, { grants: [bought] });
  assert.deepEqual(limitOf(paused), ['plan/audiobooks 900', 'grant/g 600'], 'it waited for a subscription');
});

test('purchased hours give the feature to listeners whose plan gives none', () => {
  const member = anna({ plan: 'family', role: 'member' }, { grants: [grant('g')] });
  const counters = new Counters().at(NOW_MS);
  assert.equal(
    describeDecision(member, 'audiobooks', counters, 60),
    'allow within-limit: Audiobooks: 600 of 600 minutes left.',
  );
  assert.equal(counters.consume(useOf(member, 'audiobooks'), 60), 'grant/g:60');
});

test('a change of plan takes the use along, also over another cap and back; a loop makes no units', () => {
  const counters = new Counters().at(NOW_MS);
  const of = tableWith(
    audiobooks({ plans: ['premium'], limit: 10 }),
    capOf('more', { feature: 'audiobooks', plans: ['family'], limit: 20, window: { type: 'anchored', per: 'P1M' } }),
  );
  const [premium, family] = [anna(), anna({ plan: 'family' })];
  counters.consume(useOf(premium, 'audiobooks', of), 5);
  assert.deepEqual(movesAtChange(of, premium, family, NOW_MS), []);
  const leftOf = (facts: SubjectFacts) => {
    const use = useOf(facts, 'audiobooks', of);
    return describeUsage(use, counters.check(use)).remaining;
  };
  assert.equal(leftOf(family), 15);
  counters.consume(useOf(family, 'audiobooks', of), 15);
  assert.deepEqual([leftOf(family), leftOf(premium)], [0, 0]);
});

test('a reservation over an upgrade is settled in what the new plan gives', () => {
  // 50 a month and 100 once, 60 of them reserved; then 80 a month. What was used counts once, in both together.
  const of = tableWith(
    audiobooks({ plans: ['premium'], limit: 50 }),
    capOf('more', { feature: 'audiobooks', plans: ['family'], limit: 80, window: { type: 'anchored', per: 'P1M' } }),
  );
  const leftOf = (committed: number) => {
    const grants = [grant('once', { amount: 100 })];
    const [before, after] = [anna({}, { grants }), anna({ plan: 'family' }, { grants })];
    const counters = new Counters().at(NOW_MS);
    assert.equal(counters.reserve(useOf(before, 'audiobooks', of), 60, 'r'), 'granted');
    counters.carry(movesAtChange(of, before, after, NOW_MS));
    const use = useOf(after, 'audiobooks', of);
    assert.equal(counters.commit(use, 'r', committed), 'granted');
    return describeUsage(use, counters.check(use)).remaining;
  };
  assert.deepEqual([57, 60, 63].map(leftOf), [180 - 57, 180 - 60, 180 - 63]);
});

test('use is scaled to the new limit, or begins anew, where the cap of the new plan says so', () => {
  const usedAfter = (onPlanChange: string) => {
    const of = tableWith(
      audiobooks({ plans: ['premium'], limit: 100, onPlanChange }),
      capOf('more', {
        feature: 'audiobooks',
        plans: ['family'],
        limit: 50,
        window: { type: 'anchored', per: 'P1M' },
        onPlanChange,
      }),
    );
    const [premium, family] = [anna(), anna({ plan: 'family' })];
    const counters = new Counters().at(NOW_MS);
    counters.consume(useOf(premium, 'audiobooks', of), 30);
    counters.carry(movesAtChange(of, premium, family, NOW_MS));
    const usedOf = (facts: SubjectFacts) => {
      const use = useOf(facts, 'audiobooks', of);
      return describeUsage(use, counters.check(use)).used;
    };
    return [usedOf(family), usedOf(premium)];
  };
  assert.deepEqual(usedAfter('scale'), [15, 30]);
  assert.deepEqual(usedAfter('reset'), [0, 30]);
  assert.deepEqual(usedAfter('carry'), [30, 30]);
});

test('another anchor gives nobody a second allowance', () => {
  const moved = anna({ anchor: { wallTime: '2026-06-10T00:00', zone: 'Europe/Berlin' } });
  const counters = new Counters().at(NOW_MS);
  counters.consume(useOf(anna(), 'audiobooks'), 700);
  const moves = movesAtChange(table, anna(), moved, NOW_MS);
  assert.deepEqual(
    moves.map(({ subject, moves: all }) => [subject, all.length]),
    [['listener/anna', 1]],
  );
  counters.carry(moves);
  const use = useOf(moved, 'audiobooks');
  assert.equal(describeUsage(use, counters.check(use)).remaining, 200);
});

test('however often somebody changes plans within a window, no more than the largest limit is used', () => {
  const limits = fc.record({ premium: fc.integer({ min: 1, max: 30 }), family: fc.integer({ min: 1, max: 30 }) });
  const step = fc.record({ plan: fc.constantFrom('premium', 'family'), amount: fc.integer({ min: 1, max: 12 }) });
  const arbitrary = fc.record({
    limits,
    steps: fc.array(step, { maxLength: 12 }),
    onPlanChange: fc.constantFrom('carry', 'scale', 'reset'),
  });
  fc.assert(
    fc.property(arbitrary, ({ limits: limit, steps, onPlanChange }) => {
      const window = { type: 'anchored', per: 'P1M' };
      const of = tableWith(
        capOf('audiobooks', { feature: 'audiobooks', plans: ['premium'], limit: limit.premium, window, onPlanChange }),
        capOf('more', { feature: 'audiobooks', plans: ['family'], limit: limit.family, window, onPlanChange }),
      );
      const counters = new Counters().at(NOW_MS);
      let facts = anna();
      let total = 0;
      for (const { plan, amount } of steps) {
        const next = anna({ plan });
        counters.carry(movesAtChange(of, facts, next, NOW_MS));
        facts = next;
        if (counters.consume(useOf(facts, 'audiobooks', of), amount) !== 'denied') total += amount;
      }
      const most = onPlanChange === 'carry' ? Math.max(limit.premium, limit.family) : limit.premium + limit.family;
      assert.ok(total <= most, `${total} of ${most}`);
    }),
    { numRuns: 60 },
  );
});

test('counters survive a new revision of a cap, another cap in its place, its removal, and the way back', () => {
  const counters = new Counters().at(NOW_MS);
  const window = { type: 'calendar', per: 'P1M' };
  const was = tableWith(audiobooks({ window }));
  const lower = tableWith(audiobooks({ window, limit: 200 }));
  const other = compile(
    worldOf([
      ...base.filter(({ kind }) => kind !== 'Cap'),
      capOf('new-name', { feature: 'audiobooks', window, limit: 500 }),
    ]),
  );
  const none = compile(worldOf(base.filter(({ kind }) => kind !== 'Cap')));
  counters.consume(useOf(anna(), 'audiobooks', was), 300);
  const stands = (of: ProductsTable) => {
    const use = useOf(anna(), 'audiobooks', of);
    const { used, remaining, overLimit } = describeUsage(use, counters.check(use));
    return [used, remaining, overLimit];
  };
  assert.deepEqual([was, lower, other, none, was].map(stands), [
    [300, 600, false],
    [300, 0, true],
    [300, 200, false],
    [300, 600, false],
    [300, 600, false],
  ]);
});

test('slots in use are shown like metered use', () => {
  const facts = anna({ plan: 'free' });
  const use = useOf(facts, 'streams');
  const holders = [{ session: 's', holder: 'Kitchen speaker', sinceMs: 0, expiresAtMs: 1, takeover: 't' }];
  const standing = standingOfSlots(use, { outcome: 'conflict', slots: 1, inUse: 1, holders }, NOW_MS);
  const answer = decideUse(table, { base: check(table, { ...free, feature: 'streams' }, NOW), use }, standing, {
    amount: 1,
  });
  assert.equal(
    `${answer.outcome}: ${answer.reason.message}`,
    'upsell: Simultaneous streams: the only one is used. Family includes more Simultaneous streams.',
  );
  const granted = standingOfSlots(use, { outcome: 'granted', expiresAtMs: 1, inUse: 1 }, NOW_MS);
  assert.deepEqual([granted.outcome, describeUsage(use, granted).used], ['granted', 1]);
});

test('add-ons are offered to those who may buy them', () => {
  const offersFor = (facts: SubjectFacts) =>
    addOnsFor(table, useOf(facts, 'audiobooks')).map(({ addOn, amount }) => `${addOn} ${amount}`);
  assert.deepEqual(offersFor(anna()), ['plus 600', 'ten-hours 600']);
  assert.deepEqual(offersFor(anna({ plan: 'family', role: 'member' }, { grants: [grant('g')] })), []);
});

test('an override holds until its end, and no longer', () => {
  const give = (feature: string, value: unknown, untilMs: number) =>
    anna({}, { overrides: [{ id: 'o', feature, limit: undefined, value, reason: 'press', untilMs }] });
  const outcome = (facts: SubjectFacts, feature: string) => {
    const answer = checkOnRecord(table, { feature }, facts, NOW);
    return `${answer.outcome} ${answer.reason.code} ${answer.outcome === 'allow' ? String(answer.grant.value) : ''}`;
  };
  assert.equal(outcome(give('karaoke', undefined, NOW_MS + 1), 'karaoke'), 'allow given-by-hand undefined');
  assert.equal(outcome(give('karaoke', undefined, NOW_MS), 'karaoke'), 'deny not-in-plan ');
  assert.equal(outcome(give('audio-quality', 'lossless', NOW_MS + 1), 'audio-quality'), 'allow given-by-hand lossless');
  // A value that the feature does not take is not handed on.
  assert.equal(outcome(give('audio-quality', 'best', NOW_MS + 1), 'audio-quality'), 'deny not-in-plan ');
});

test('entitlements on record are those of the plan, with what was bought and given, and what is left', () => {
  const facts = anna(
    { plan: 'family', role: 'member' },
    {
      grants: [grant('g')],
      overrides: [
        { id: 'o', feature: 'karaoke', limit: undefined, value: undefined, reason: 'press', untilMs: NOW_MS + 1 },
      ],
    },
  );
  const counters = new Counters().at(NOW_MS);
  const uses = usesOf(table, {}, facts, NOW_MS);
  const standings = new Map(uses.map((use) => [use.feature, counters.check(use)]));
  const { plan, role, entitlements: all } = entitlementsOnRecord(table, {}, { facts, standings }, NOW_MS);
  assert.deepEqual([plan, role], ['family', 'member']);
  assert.deepEqual(
    all.map(({ feature, usage, notes }) => [feature, usage?.remaining, notes?.join()]),
    [
      ['ad-free', undefined, undefined],
      ['audiobooks', 600, undefined],
      ['karaoke', undefined, 'Override: press'],
      ['on-demand', undefined, undefined],
      ['streams', 1, undefined],
    ],
  );
  const nothing = entitlementsOnRecord(table, { ...free }, { facts: nobody('bo'), standings: new Map() }, NOW_MS);
  assert.deepEqual(nothing, entitlements(table, free));
});

test('an explanation names what is on record, the cap, each source and what is left', () => {
  const facts = anna({}, { grants: [grant('g', { validUntilMs: NOW_MS + 10 * DAY })] });
  const use = useOf(facts, 'audiobooks');
  const counters = new Counters().at(NOW_MS);
  const { steps, answer } = explain(table, { plan: 'free', market: 'de', feature: 'audiobooks' }, NOW, {
    facts,
    standing: counters.check(use),
  });
  assert.equal('outcome' in answer && answer.outcome, 'allow');
  assert.deepEqual(
    steps.slice(-5).map(({ object, says }) => `${object.kind.split('/')[1]} ${object.name}: ${says}`),
    [
      'Plan premium: "anna" is on premium as manager, in the market de.',
      'Cap audiobooks: The cap "audiobooks" limits Audiobooks to 900 minutes a month counted from the start of the subscription, counted for this listener alone; beyond it, use is denied.',
      'Cap audiobooks: Taken from in place 1: 900 minutes a month counted from the start of the subscription from the plan.',
      'AddOn ten-hours: Taken from in place 2: 600 minutes in all from 10 hours, until 25 June 2026, 14:00 (Europe/Berlin).',
      'Cap audiobooks: Audiobooks: 1500 of 1500 minutes left: 900 from the plan, 600 from 10 hours; resets on 30 June 2026, 15:00 (Europe/Berlin).',
    ],
  );
  const other = explain(table, { plan: 'free', market: 'de', feature: 'skips' }, NOW, { facts: nobody('bo') });
  assert.match(
    other.steps.map(({ says }) => says).join('\n'),
    /No cap is declared for this listener, so Skips: 6 skips an hour is the limit/,
  );
});

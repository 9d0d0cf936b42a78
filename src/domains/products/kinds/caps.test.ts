import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fieldPath, type Problem } from '#kernel/base/failures.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { usageCatalogue } from '../testing/catalogue.ts';
import { contextOf, kindOf, resource, worldOf } from '../testing/world.ts';

const NOW = '2026-06-15T12:00:00Z';
const base = usageCatalogue();
const world = worldOf(base);

const linesOf = (problems: readonly Problem[] | undefined) =>
  (problems ?? []).map(({ path, detail }) => `${fieldPath(path)}: ${detail}`).join('\n');

function validateText(object: ResourceObject, before?: unknown): string {
  const context = { ...contextOf(base, NOW), name: object.metadata.name };
  return linesOf(kindOf(object).validate?.(object.spec, before === undefined ? context : { ...context, before }));
}

function checkText(object: ResourceObject): string {
  const live = worldOf([...base.filter(({ metadata }) => metadata.name !== object.metadata.name), object]);
  return linesOf(kindOf(object).check?.(object.spec, live, object.metadata.name));
}

function describeText(kind: 'Cap' | 'AddOn', before: unknown, after: unknown): string {
  const { describe } = kindOf(resource(kind, 'x', {}));
  return (describe?.('x', { before, after }, { world, now: Temporal.Instant.from(NOW) }) ?? []).join('\n');
}

const month = { type: 'anchored', per: 'P1M' };
const day = { type: 'calendar', per: 'P1D' };
const skips = { feature: 'skips', limit: 6, window: { type: 'rolling', per: 'PT1H' } };
const cap = (spec: object) => resource('Cap', 'x', { ...skips, ...spec });

test('each thing that is wrong in a cap itself is refused with its field and what would be right', () => {
  const vectors: [object, string][] = [
    [{}, ''],
    [{ limit: 'unlimited' }, ''],
    [
      { limit: 0 },
      'spec.limit: 0 is not a limit; it is a whole number from 1 to 1000000000000. To give none, leave the feature out.',
    ],
    [{ limit: 'many' }, 'spec.limit: "many" is not a limit; it is a whole number or "unlimited".'],
    [{ plans: ['free', 'free'] }, 'spec.plans[1]: "free" is listed twice.'],
    [{ window: { type: 'calendar' } }, 'spec.window.per: A calendar window has a length: PT1H, P1D, P1W, P1M or P1Y.'],
    [{ enforcement: 'soft', grace: '10%' }, ''],
    [
      { enforcement: 'soft', grace: '0%' },
      'spec.grace: Invalid grace: "0%" is neither a whole number of units from 1, nor a share of the limit from "1%" to "100%".',
    ],
    [{ window: day, rollover: { max: 300 } }, ''],
    [{ window: month, rollover: { max: '50%', min: '10%', overage: 'carried' } }, ''],
    [{ rollover: { max: 3 } }, 'spec.rollover: Rollover needs a calendar or anchored window of a day or longer.'],
    [
      { window: { type: 'calendar', per: 'PT1H' }, rollover: { max: 3 } },
      'spec.rollover: Rollover needs a calendar or anchored window of a day or longer.',
    ],
    [
      { window: day, rollover: { max: 0, min: '0%' } },
      'spec.rollover.max: "0" is neither a whole number of units from 1, nor a share of the limit from "1%" to "100%".\n' +
        'spec.rollover.min: "0%" is neither a whole number of units from 1, nor a share of the limit from "1%" to "100%".',
    ],
    [{ window: day, rollover: { max: 3, min: 4 } }, 'spec.rollover.min: At least 4 is more than at most 3.'],
    [{ window: day, rollover: { max: '5%', min: '50%' } }, 'spec.rollover.min: At least 50% is more than at most 5%.'],
    [
      { window: day, limit: 'unlimited', rollover: { max: 3 } },
      'spec.rollover: An unlimited cap has nothing to roll over; remove rollover.',
    ],
    [
      { window: day, enforcement: 'soft', grace: 5, rollover: { max: 3, overage: 'carried' } },
      'spec.rollover.overage: A grace is forgiven; carry overage, or give a grace.',
    ],
    [{ grace: 5 }, 'spec.grace: Only a soft cap has a grace; this one is hard.'],
    [
      { enforcement: 'soft', window: { type: 'concurrent' } },
      'spec.enforcement: A concurrent feature has no soft limit; raise the limit instead.',
    ],
    [{ offlineFor: 'P41D' }, 'spec.offlineFor: "P41D" is not a number of days from P1D to P40D.'],
    [{ limitBefore: { limit: 9, until: NOW } }, 'spec.limitBefore: limitBefore needs onLimitChange: nextWindow.'],
    [{ onLimitChange: 'nextWindow' }, 'spec.onLimitChange: A rolling window never resets, so there is no next one.'],
    [
      { onLimitChange: 'nextWindow', window: day, limitBefore: { limit: 9, until: '2026-06-01' } },
      'spec.limitBefore.until: "2026-06-01" is not an instant like 2026-12-01T09:00:00Z.',
    ],
    [
      { feature: 'audiobooks', window: month, plans: ['family', 'duo'], roles: ['manager', 'member'] },
      'spec.feature: The cap "audiobooks" limits "audiobooks" for some of the same listeners, equally exactly; name other plans, markets or roles, or remove one.',
    ],
    [{ feature: 'audiobooks', window: month, plans: ['family'] }, ''],
    [{ feature: 'audiobooks', window: month, plans: ['family'], roles: ['manager'], markets: ['de'] }, ''],
  ];
  for (const [spec, expected] of vectors) assert.equal(validateText(cap(spec)), expected, JSON.stringify(spec));
});

test('a limit that changes with the next window says what it was, and a cap keeps how use is carried', () => {
  const next = { ...skips, window: day, onLimitChange: 'nextWindow' };
  assert.equal(
    validateText(cap({ ...next, limit: 4 }), next),
    'spec.limitBefore: The limit changes from 6 to 4 with the next window; set limitBefore: { limit: 6, until: } with the time of the change.',
  );
  assert.equal(validateText(cap({ ...next, limit: 4, limitBefore: { limit: 6, until: NOW } }), next), '');
  assert.match(
    validateText(cap({ onPlanChange: 'scale' }), skips),
    /^spec.onPlanChange: Use is already counted under "carry"/,
  );
  assert.equal(validateText(cap({ onPlanChange: 'scale' }), { ...skips, onPlanChange: 'reset' }), '');
});

test('a cap goes live only over a feature that is counted so, and for roles that its plans have', () => {
  const vectors: [object, string][] = [
    [{}, ''],
    [
      { feature: 'ad-free' },
      'spec.feature: Music without ads is a boolean feature; only metered and concurrent features are counted.',
    ],
    [
      { feature: 'streams' },
      'spec.window.type: Simultaneous streams is concurrent; its window is concurrent, not rolling.',
    ],
    [
      { window: { type: 'concurrent' } },
      'spec.window.type: Skips is metered; its window is one of time, not concurrent.',
    ],
    [
      { enforcement: 'degrade' },
      'spec.enforcement: Skips has no fallback; set degradeTo in the Feature, or use enforcement: hard.',
    ],
    [{ feature: 'daily', enforcement: 'degrade', window: day }, ''],
    [
      { plans: ['premium'], roles: ['member'] },
      'spec.roles[0]: "member" is a role of none of premium; there are manager.',
    ],
    [
      { roles: ['managr'] },
      'spec.roles[0]: "managr" is a role of no plan (did you mean "manager"?); there are manager, member.',
    ],
  ];
  for (const [spec, expected] of vectors) assert.equal(checkText(cap(spec)), expected, JSON.stringify(spec));
});

test('of two caps that do not entitlementsCollide, no listener has both as the most exact one', () => {
  const some = (names: readonly string[]) =>
    fc.option(fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }), { nil: undefined });
  const target = fc
    .record({ plans: some(['free', 'premium']), markets: some(['de', 'in']), roles: some(['manager', 'member']) })
    .map((spec): object => JSON.parse(JSON.stringify(spec)) as object);
  fc.assert(
    fc.property(target, target, (a, b) => {
      const [one, other] = [cap(a), resource('Cap', 'y', { ...skips, ...b })];
      const context = { ...contextOf([other], NOW), name: 'x' };
      const refused = (kindOf(one).validate?.(one.spec, context) ?? []).length > 0;
      // The oracle asks every listener: both are meant, and both name the same things.
      const has = (spec: object, field: string, name: string) =>
        !(field in spec) || (spec as Record<string, string[]>)[field]?.includes(name) === true;
      const both = ['free', 'premium'].some((plan) =>
        ['de', 'in'].some((market) =>
          ['manager', 'member'].some((role) =>
            [a, b].every(
              (spec) => has(spec, 'plans', plan) && has(spec, 'markets', market) && has(spec, 'roles', role),
            ),
          ),
        ),
      );
      const equal = ['plans', 'markets', 'roles'].every((field) => field in a === field in b);
      assert.equal(refused, both && equal);
    }),
  );
});

test('a change of a cap is described in sentences', () => {
  const before = { feature: 'audiobooks', plans: ['premium'], limit: 900, window: month };
  assert.equal(
    describeText('Cap', undefined, { ...before, roles: ['manager'], markets: ['de'] }),
    'Audiobooks on Premium for manager in Germany: 900 minutes a month counted from the start of the subscription for each listener; beyond that it is denied.',
  );
  assert.equal(
    describeText('Cap', undefined, { feature: 'skips', window: skips.window, enforcement: 'soft', grace: 2 }),
    'Skips on every plan: as many skips as the plan gives within any hour for each listener; beyond that use goes on for 2 more, and answers report it.',
  );
  assert.equal(
    describeText('Cap', before, { ...before, limit: 600, scope: 'household', enforcement: 'soft', grace: '10%' }),
    [
      'Audiobooks on Premium: 900 minutes a month counted from the start of the subscription → 600 minutes a month counted from the start of the subscription.',
      'Audiobooks on Premium: the new limit applies at once; past use is not revoked.',
      'Audiobooks on Premium: counted for all members of a subscription together instead of for each listener; the count restarts.',
      'Audiobooks on Premium: beyond that it is denied → beyond that use goes on for 10% of the limit, and answers report it.',
    ].join('\n'),
  );
  assert.match(describeText('Cap', before, { ...before, window: day }), /use of the current window no longer counts/);
  assert.equal(
    describeText('Cap', before, { ...before, rollover: { max: '50%', min: 10, overage: 'carried' } }),
    'Audiobooks on Premium: unused units of a period are lost → what is left of a period goes on into the next, at most 50% of the limit and at least 10 minutes, less what was used beyond the limit.',
  );
  assert.equal(
    describeText('Cap', before, undefined),
    'Audiobooks: the cap "x" on Premium is removed; the limits of the plans apply.',
  );
  assert.equal(describeText('Cap', before, before), '');
});

const topUp = { title: '10 hours', feature: 'audiobooks', amount: 600, kind: 'topUp', validity: 'P12M' };
const monthly = { title: 'Plus', feature: 'audiobooks', amount: 600, kind: 'recurring', per: 'P1M' };

test('each thing that is wrong in an add-on is refused with its field', () => {
  const vectors: [object, object | undefined, string][] = [
    [topUp, undefined, ''],
    [monthly, undefined, ''],
    [{ ...topUp, per: 'P1M' }, undefined, 'spec.per: A top-up is bought once; how long it lasts is its validity.'],
    [
      { ...topUp, validity: 'PT5H' },
      undefined,
      'spec.validity: "PT5H" is not a validity; write it like P12M, P30D or P1Y.',
    ],
    [{ ...monthly, per: undefined }, undefined, 'spec.per: A recurring add-on has a period, like P1M.'],
    [
      { ...monthly, per: 'PT30M' },
      undefined,
      'spec.per: "PT30M" is not a period; it is a whole number up to 999 of one unit: P1M, P30D, PT6H.',
    ],
    [{ ...monthly, rollover: { max: '50%' } }, undefined, ''],
    [{ ...monthly, rollover: { max: 3, min: 4 } }, undefined, 'spec.rollover.min: At least 4 is more than at most 3.'],
    [
      { ...topUp, rollover: { max: 3 } },
      undefined,
      'spec.rollover: A top-up has one period; how long it lasts is its validity.',
    ],
    [
      { ...monthly, validity: 'P1M' },
      undefined,
      'spec.validity: A recurring add-on runs until it is ended; remove validity.',
    ],
    [
      { ...monthly, per: 'P2M' },
      monthly,
      'spec.per: It was sold with per P1M, and its buyers rely on that; declare a new add-on instead.',
    ],
    [{ ...monthly, amount: 700 }, monthly, ''],
  ];
  for (const [spec, before, expected] of vectors) {
    assert.equal(validateText(resource('AddOn', 'x', spec), before), expected, JSON.stringify(spec));
  }
  assert.equal(
    checkText(resource('AddOn', 'x', { ...topUp, feature: 'streams' })),
    'spec.feature: Simultaneous streams is concurrent; only a recurring add-on adds to it.',
  );
  assert.equal(
    checkText(resource('AddOn', 'x', { ...topUp, plans: ['premium'], roles: ['member'] })),
    'spec.roles[0]: "member" is not a role of those plans; they have manager.',
  );
});

test('a change of an add-on is described in sentences', () => {
  assert.equal(
    describeText('AddOn', undefined, topUp),
    'New add-on 10 hours for those on any plan: 600 minutes of Audiobooks, usable for 12 months; it is suspended, and its time runs, without a subscription.',
  );
  assert.equal(
    describeText('AddOn', undefined, { ...monthly, plans: ['premium'], whileLapsed: 'kept' }),
    'New add-on Plus for those on premium: 600 minutes of Audiobooks a month; unused units of a period are lost; it can be used without a subscription.',
  );
  assert.equal(
    describeText('AddOn', monthly, { ...monthly, amount: 700, priority: 50 }),
    [
      'Plus: 600 minutes of Audiobooks a month → 700 minutes of Audiobooks a month, for purchases from now on.',
      'Plus: its priority is 50 instead of 200.',
    ].join('\n'),
  );
  assert.equal(
    describeText('AddOn', monthly, { ...monthly, rollover: { max: 300 } }),
    'Plus: unused units of a period are lost → what is left of a period goes on into the next, at most 300 minutes.',
  );
  assert.equal(describeText('AddOn', monthly, undefined), 'Add-on Plus is no longer sold; what was bought stays.');
});

test('the examples of the kinds pass their own rules', () => {
  for (const kind of ['Cap', 'AddOn'] as const) {
    const { example, validate } = kindOf(resource(kind, 'x', {}));
    const context = { ...contextOf([], NOW), name: example?.name ?? '' };
    assert.equal(linesOf(validate?.(example?.spec, context)), '');
  }
});

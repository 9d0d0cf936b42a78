import type { Problem } from '#kernel/base/failures.ts';
import { didYouMean, nearSpellings } from '#kernel/base/spelling.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { windowProblems } from '#kernel/quotas/rules/window-spec.ts';
import { capsCollide } from '../rules/cap-choice.ts';
import { limitFault, UNLIMITED } from '../rules/entitlement.ts';
import { isFault } from '../rules/fault.ts';
import { rolloverFaults } from '../rules/rollover.ts';
import { isPlainDate, parseTime } from '../rules/times.ts';
import { parseUnitsOrShare } from '../rules/units-or-share.ts';
import { windowInWords } from '../rules/windows.ts';
import { CapSpecSchema, offlineDays, type CapSpec } from './cap-spec.ts';
import { describeCap } from './describe-cap.ts';
import { Feature } from './feature.ts';
import { CAP, FEATURE, GROUP, MARKET, PLAN, VERSION } from './identity.ts';
import { Plan, duplicatesIn } from './plan.ts';

export const Cap = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Cap',
  plural: 'caps',
  categories: ['products'],
  scope: 'Namespaced',
  released: true,
  description: 'A cap limits the use of a feature: amount, scope, window, and enforcement at the limit.',
  spec: CapSpecSchema,
  columns: [
    { name: 'Feature', type: 'string', description: 'The Feature that it limits.', value: ({ spec }) => spec.feature },
    {
      name: 'Limit',
      type: 'string',
      description: 'Units per window; "plan": the limit of the plan.',
      value: ({ spec }) => String(spec.limit ?? 'plan'),
    },
    {
      name: 'Window',
      type: 'string',
      description: 'Window in which use counts.',
      value: ({ spec }) => windowInWords(spec.window),
    },
    {
      name: 'Scope',
      type: 'string',
      description: 'Scope of the count.',
      value: ({ spec }) => spec.scope,
    },
    {
      name: 'Enforcement',
      type: 'string',
      description: 'Enforcement at the limit.',
      value: ({ spec }) => spec.enforcement,
    },
    {
      name: 'Plans',
      type: 'string',
      description: 'Plans that it applies to.',
      priority: 1,
      value: ({ spec }) => spec.plans?.join(',') ?? 'all',
    },
  ],
  selectableFields: { 'spec.feature': ['spec', 'feature'] },
  fieldIndexes: { 'spec.feature': 'feature' },
  indexes: { feature: ({ feature }) => [feature] },
  refs: ({ feature, plans = [], markets = [] }) => [
    { path: ['spec', 'feature'], kind: FEATURE, name: feature },
    ...plans.map((name, index) => ({ path: ['spec', 'plans', index], kind: PLAN, name })),
    ...markets.map((name, index) => ({ path: ['spec', 'markets', index], kind: MARKET, name })),
  ],
  validate: (spec, { find, name, before }) => {
    const others = find(CAP, 'feature', spec.feature).filter((other) => other.metadata.name !== name);
    return [
      ...['plans', 'roles', 'markets'].flatMap((field) => {
        const listed = spec[field as 'plans' | 'roles' | 'markets'];
        return listed === undefined ? [] : duplicatesIn(listed, ['spec', field]);
      }),
      ...windowProblems(spec.window, ['spec', 'window']),
      ...limitProblems(spec),
      ...graceProblems(spec),
      ...rolloverProblems(spec),
      ...limitChangeProblems(spec, before),
      ...others.flatMap((other) => collisionProblems(spec, other.metadata.name, other)),
    ];
  },
  check: (spec, world, name) => {
    const others = world.find(CAP, 'feature', spec.feature).filter((other) => other.name !== name);
    return [
      ...featureProblems(spec, world),
      ...roleProblems(spec, world),
      ...others.flatMap((other) => collisionProblems(spec, other.name, other)),
    ];
  },
  describe: describeCap,
  example: {
    name: 'audiobooks-monthly',
    spec: {
      feature: 'audiobooks',
      plans: ['premium', 'duo', 'family'],
      roles: ['manager'],
      limit: 900,
      window: { type: 'anchored', per: 'P1M' },
      scope: 'listener',
      enforcement: 'hard',
      onPlanChange: 'carry',
      onLimitChange: 'now',
      priority: 100,
    },
  },
});

function wrong(field: string, detail: string, reason: Problem['reason'] = 'FieldValueInvalid'): Problem {
  return { path: ['spec', ...field.split('.')], reason, detail };
}

function limitProblems({ limit, limitBefore, offlineFor }: CapSpec): readonly Problem[] {
  const problems: Problem[] = [];
  const fault = limit === undefined ? undefined : limitFault(limit);
  if (fault !== undefined) problems.push(wrong('limit', fault));
  const faultBefore = limitBefore === undefined ? undefined : limitFault(limitBefore.limit);
  if (faultBefore !== undefined) problems.push(wrong('limitBefore.limit', faultBefore));
  if (limitBefore !== undefined && (isPlainDate(limitBefore.until) || isFault(parseTime(limitBefore.until, 'UTC')))) {
    problems.push(wrong('limitBefore.until', `"${limitBefore.until}" is not an instant like 2026-12-01T09:00:00Z.`));
  }
  if (offlineFor !== undefined && offlineDays(offlineFor) === undefined) {
    problems.push(wrong('offlineFor', `"${offlineFor}" is not a number of days from P1D to P40D.`));
  }
  return problems;
}

function graceProblems({ grace, enforcement, window }: CapSpec): readonly Problem[] {
  const problems: Problem[] = [];
  if (enforcement === 'soft' && window.type === 'concurrent') {
    problems.push(wrong('enforcement', 'A concurrent feature has no soft limit; raise the limit instead.'));
  }
  if (grace === undefined) return problems;
  const parsed = parseUnitsOrShare(grace);
  if (isFault(parsed)) problems.push(wrong('grace', `Invalid grace: ${parsed.fault}`));
  if (enforcement !== 'soft') {
    problems.push(wrong('grace', `Only a soft cap has a grace; this one is ${enforcement}.`, 'FieldValueForbidden'));
  }
  return problems;
}

function rolloverProblems({ rollover, window, limit, grace }: CapSpec): readonly Problem[] {
  if (rollover === undefined) return [];
  if (limit === UNLIMITED)
    return [wrong('rollover', 'An unlimited cap has nothing to roll over; remove rollover.', 'FieldValueForbidden')];
  if (rollover.overage === 'carried' && grace !== undefined) {
    return [wrong('rollover.overage', 'A grace is forgiven; carry overage, or give a grace.', 'FieldValueForbidden')];
  }
  return rolloverFaults(rollover, window).map(({ field, fault }) => wrong(field, fault));
}

/** A table has no past, so the spec must state the previous limit for windows that already run. */
function limitChangeProblems(spec: CapSpec, before: CapSpec | undefined): readonly Problem[] {
  const { limit, limitBefore, onLimitChange, onPlanChange, window } = spec;
  const problems: Problem[] = [];
  if (onLimitChange === 'now' && limitBefore !== undefined) {
    problems.push(wrong('limitBefore', 'limitBefore needs onLimitChange: nextWindow.', 'FieldValueForbidden'));
  }
  if (onLimitChange === 'nextWindow') {
    if (limit === undefined) {
      problems.push(wrong('limit', 'The limit of a plan changes at once; give the cap a limit.', 'FieldValueRequired'));
    }
    if (window.type !== 'calendar' && window.type !== 'anchored') {
      problems.push(wrong('onLimitChange', `A ${window.type} window never resets, so there is no next one.`));
    }
    if (before?.limit !== undefined && before.limit !== limit && limitBefore?.limit !== before.limit) {
      problems.push(
        wrong(
          'limitBefore',
          `The limit changes from ${before.limit} to ${limit ?? 'that of the plan'} with the next window; set ` +
            `limitBefore: { limit: ${before.limit}, until: } with the time of the change.`,
          'FieldValueRequired',
        ),
      );
    }
  }
  if (before !== undefined && before.onPlanChange !== onPlanChange) {
    // Carried use has one counter for all plans, other use one per plan: switching would lose the counters.
    if (before.onPlanChange === 'carry' || onPlanChange === 'carry') {
      problems.push(
        wrong(
          'onPlanChange',
          `Use is already counted under "${before.onPlanChange}" and would be lost; keep it, or replace this cap with a new one.`,
          'FieldValueForbidden',
        ),
      );
    }
  }
  return problems;
}

function collisionProblems(spec: CapSpec, otherName: string, other: { readonly spec?: unknown }): readonly Problem[] {
  if (!capsCollide(spec, Cap.spec(other))) return [];
  return [
    {
      ...wrong(
        'feature',
        `The cap "${otherName}" limits "${spec.feature}" for some of the same listeners, equally exactly; ` +
          'name other plans, markets or roles, or remove one.',
      ),
      about: {
        kind: CAP,
        name: otherName,
        instead: `A cap that you may not read limits "${spec.feature}" for some of the same listeners, equally exactly; name other plans, markets or roles.`,
      },
    },
  ];
}

function featureProblems({ feature: name, window, enforcement }: CapSpec, world: World): readonly Problem[] {
  const found = world.get(FEATURE, name);
  if (found === undefined) return [];
  const { title, type, degradeTo } = Feature.spec(found);
  if (type !== 'metered' && type !== 'concurrent') {
    return [wrong('feature', `${title} is a ${type} feature; only metered and concurrent features are counted.`)];
  }
  const problems: Problem[] = [];
  if ((type === 'concurrent') !== (window.type === 'concurrent')) {
    problems.push(
      wrong(
        'window.type',
        type === 'concurrent'
          ? `${title} is concurrent; its window is concurrent, not ${window.type}.`
          : `${title} is metered; its window is one of time, not concurrent.`,
      ),
    );
  }
  if (enforcement === 'degrade' && degradeTo === undefined) {
    problems.push(
      wrong('enforcement', `${title} has no fallback; set degradeTo in the Feature, or use enforcement: hard.`),
    );
  }
  return problems;
}

function roleProblems({ plans, roles = [] }: CapSpec, world: World): readonly Problem[] {
  const named = plans?.flatMap((name) => world.get(PLAN, name) ?? []) ?? [...world.list(PLAN)];
  const known = [...new Set(named.flatMap((plan) => Plan.spec(plan).roles))];
  return roles.flatMap((role, index): readonly Problem[] => {
    if (known.includes(role)) return [];
    const whose = plans === undefined ? 'no plan' : `none of ${plans.join(', ')}`;
    return [
      {
        path: ['spec', 'roles', index],
        reason: 'FieldValueNotFound',
        detail: `"${role}" is a role of ${whose}${didYouMean(nearSpellings(role, known))}; there are ${known.join(', ')}.`,
      },
    ];
  });
}

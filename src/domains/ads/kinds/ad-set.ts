import { isDeepStrictEqual } from 'node:util';
import { Type, type Static } from 'typebox';
import { attributeLookup } from '#kernel/audiences/kinds/attribute.ts';
import { contradictionProblems } from '#kernel/audiences/find-contradiction.ts';
import type { AttributeLookup } from '#kernel/audiences/language/attributes.ts';
import { DAYS, isInWindow, weeklyWindow, type WeeklyWindow } from '#kernel/audiences/language/compile-time.ts';
import { ruleProblems, ruleRefs } from '#kernel/audiences/language/check-rule.ts';
import { AUDIENCE } from '#kernel/audiences/language/identity.ts';
import { AudienceRuleSchema } from '#kernel/audiences/language/language.ts';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { CAMPAIGN, GROUP, PLACEMENT, VERSION } from './identity.ts';
import { GOALS, mostCharged, type Goal } from '../rules/goals.ts';
import { decimalOf, microsOf } from '../rules/micros.ts';
import {
  account,
  amount,
  budget,
  budgetProblems,
  capProblems,
  frequencyCaps,
  nameOf,
  nameProblems,
  ownProblems,
  paused,
  positiveProblems,
  SERVING_COLUMNS,
  servingStatus,
  title,
} from './parts.ts';

const PLACEMENTS_MAX = 100;
/** The most that one event may cost, in whole units of the currency. */
const PRICE_MAX = 10_000_000;
const DAY_PARTS_MAX = 21;
const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;
/** How far clocks are from UTC at most: from Baker Island to Kiritimati. */
const ZONES_MS = { behind: 12 * 60 * MINUTE_MS, ahead: 14 * 60 * MINUTE_MS } as const;
const CLOCK_PATTERN = '^([01][0-9]|2[0-3]):[0-5][0-9]$';

/** From the first to the last: what is in an earlier one is served before all of the later ones. */
export const TIERS = ['sponsorship', 'guaranteed', 'auction', 'house'] as const;

const AdSetSpecSchema = Type.Object(
  {
    account,
    campaign: nameOf('Campaign'),
    title,
    paused,
    tier: Type.Enum(TIERS, {
      default: 'auction',
      description: 'Ads of an earlier tier are served before all of the later ones; within a tier the price decides.',
    }),
    goal: Type.Enum(GOALS, {
      default: 'cpm',
      description: 'What is paid for. cpm: a thousand impressions. cpc: a click. cpcv: an ad that played to its end.',
    }),
    bid: amount('The most that it pays for that, in the currency of the account.'),
    budget,
    pacing: Type.Optional(
      Type.Enum(['even', 'asap'], {
        description:
          'even: the budget is spent in the course of the day, or of the flight, as listeners come. asap: as soon as it can be. Default: even where a budget is daily or the ad set ends.',
      }),
    ),
    frequencyCaps,
    audience: Type.Optional(nameOf('Audience')),
    when: Type.Optional({ ...AudienceRuleSchema, description: 'A rule for its listeners, beside the audience.' }),
    placements: Type.Optional(
      Type.Array(nameOf('Placement'), {
        minItems: 1,
        maxItems: PLACEMENTS_MAX,
        uniqueItems: true,
        description: 'Where it may be served. Absent: at every placement of its namespace.',
      }),
    ),
    dayParts: Type.Optional(
      Type.Array(
        Type.Object(
          {
            days: Type.Optional(
              Type.Array(Type.Enum(DAYS, { description: 'A day of the week.' }), {
                minItems: 1,
                maxItems: DAYS.length,
                uniqueItems: true,
                description: 'Days on which it begins. Absent: every day.',
              }),
            ),
            from: Type.Optional(
              Type.String({ pattern: CLOCK_PATTERN, description: 'When it begins, by the clock: "07:00".' }),
            ),
            until: Type.Optional(
              Type.String({
                pattern: `${CLOCK_PATTERN}|^24:00$`,
                description: 'When it ends, by the clock; before `from` on the next day.',
              }),
            ),
          },
          { description: 'One part of the week.' },
        ),
        {
          minItems: 1,
          maxItems: DAY_PARTS_MAX,
          description:
            'When it may be served, by the clock of the listener, or of the account where their zone is not known. Absent: always.',
        },
      ),
    ),
    deal: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9][\\w.-]{0,99}$',
        description: 'Id of a deal. Where a Placement lists it for this account, its floor is the one that applies.',
      }),
    ),
    from: Type.Optional(Type.String({ format: 'date-time', description: 'When it begins.' })),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'When it ends (not included).' })),
    position: Type.Enum(['any', 'first', 'last', 'edge'], {
      default: 'any',
      description: 'Where in a break it may stand. `edge`: first or last.',
    }),
  },
  { description: 'Audience, places, times and bid.' },
);

export type AdSetSpec = Static<typeof AdSetSpecSchema>;

export const AdSet = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'AdSet',
  plural: 'adsets',
  categories: ['advertising'],
  scope: 'Namespaced',
  direct: true,
  names: 'namespace',
  description: 'An ad set has the audience, places and times of its ads, and the bid for an impression.',
  spec: AdSetSpecSchema,
  status: servingStatus,
  computedStatus: true,
  columns: [
    { name: 'Campaign', type: 'string', description: 'The Campaign.', value: ({ spec }) => spec.campaign },
    { name: 'Tier', type: 'string', description: 'Its priority.', value: ({ spec }) => spec.tier },
    { name: 'Goal', type: 'string', description: 'What is paid for.', value: ({ spec }) => spec.goal },
    { name: 'Bid', type: 'string', description: 'The most that it pays for that.', value: ({ spec }) => spec.bid },
    ...SERVING_COLUMNS,
  ],
  selectableFields: {
    'spec.account': ['spec', 'account'],
    'spec.campaign': ['spec', 'campaign'],
    'spec.tier': ['spec', 'tier'],
  },
  indexes: { account: (spec) => [spec.account], campaign: (spec) => [spec.campaign] },
  fieldIndexes: { 'spec.account': 'account', 'spec.campaign': 'campaign' },
  refs: (spec, namespace) => [
    { path: ['spec', 'campaign'], kind: CAMPAIGN, name: `${namespace}/${spec.campaign}` },
    ...(spec.audience === undefined ? [] : [{ path: ['spec', 'audience'], kind: AUDIENCE, name: spec.audience }]),
    ...(spec.when === undefined ? [] : ruleRefs(spec.when, ['spec', 'when'])),
    ...(spec.placements ?? []).map((name, index) => ({ path: ['spec', 'placements', index], kind: PLACEMENT, name })),
  ],
  validate: (spec, context) => [
    ...nameProblems(spec, context.name),
    ...ownProblems(spec.account, ['spec', 'campaign'], spec.campaign),
    ...bidProblems(spec, context.before),
    ...budgetProblems(spec),
    ...capProblems(spec),
    ...pacingProblems(spec),
    ...whenProblems(spec, context.before, attributeLookup(context)),
    ...dayPartProblems(spec, context.before, context.now),
    ...flightProblems(spec, context.before, context.now),
  ],
  example: {
    name: 'acme.runners',
    spec: { account: 'acme', campaign: 'acme.spring', tier: 'auction', goal: 'cpm', bid: '12.50', position: 'any' },
  },
});

/** One event costs no more than a slice of a budget may have and, of a new ad set, no more than its own budgets. */
function bidProblems({ bid, goal, budget }: AdSetSpec, before: AdSetSpec | undefined): readonly Problem[] {
  const path = ['spec', 'bid'];
  const price = mostCharged({ goal, bid: microsOf(bid) });
  if (price > PRICE_MAX * 1_000_000) {
    const detail = `one ${EVENT_OF[goal]} would cost up to ${decimalOf(price)}; the limit is ${PRICE_MAX}`;
    return [{ path, reason: 'FieldValueInvalid', detail }];
  }
  // To stop at what is spent, a budget may be lowered to anything.
  const limits = before === undefined ? budget : undefined;
  const tooSmall = Object.entries(limits ?? {}).flatMap(([name, limit]): readonly Problem[] => {
    if (microsOf(limit) === 0 || microsOf(limit) >= price) return [];
    const detail = `${limit} does not pay for one ${EVENT_OF[goal]}, which costs up to ${decimalOf(price)}: nothing would be served`;
    return [{ path: ['spec', 'budget', name], reason: 'FieldValueInvalid', detail }];
  });
  return [...positiveProblems(bid, path), ...tooSmall];
}

const EVENT_OF = { cpm: 'impression', cpc: 'click', cpcv: 'play to the end' } as const satisfies Record<Goal, string>;

function pacingProblems({ pacing, budget: limits, until }: AdSetSpec): readonly Problem[] {
  if (pacing !== 'even' || limits?.daily !== undefined || (limits?.lifetime !== undefined && until !== undefined))
    return [];
  const detail = 'nothing to spread: even pacing needs budget.daily, or budget.lifetime and until';
  return [{ path: ['spec', 'pacing'], reason: 'FieldValueInvalid', detail }];
}

/** The audience and the rule of an ad set as one rule; undefined: everybody. */
export function listenerRule({ audience, when }: Pick<AdSetSpec, 'audience' | 'when'>): AdSetSpec['when'] {
  if (audience === undefined) return when;
  const groups = when?.anyOf ?? [{ allOf: [] }];
  return { anyOf: groups.map(({ allOf }) => ({ allOf: [{ audience }, ...allOf] })) };
}

function whenProblems(spec: AdSetSpec, before: AdSetSpec | undefined, attributes: AttributeLookup): readonly Problem[] {
  const { when, audience } = spec;
  const rule = listenerRule(spec);
  if (when === undefined || rule === undefined) return [];
  const path = ['spec', 'when'];
  const problems = ruleProblems(when, path, attributes);
  const isSame = before !== undefined && isDeepStrictEqual([when, audience], [before.when, before.audience]);
  if (problems.length > 0 || isSame) return problems;
  return contradictionProblems(rule, path, attributes);
}

function dayPartProblems(
  { dayParts = [], from, until }: AdSetSpec,
  before: AdSetSpec | undefined,
  now: Temporal.Instant,
): readonly Problem[] {
  const problems = shapeProblems(dayParts);
  const times = [dayParts, from, until];
  // As time goes on the last part of a flight passes; the ad set can be edited all the same.
  const isSame = before !== undefined && isDeepStrictEqual(times, [before.dayParts ?? [], before.from, before.until]);
  if (problems.length > 0 || dayParts.length === 0 || until === undefined || isSame) return problems;
  const [fromMs, untilMs] = [
    (from === undefined ? now : Temporal.Instant.from(from)).epochMilliseconds,
    Temporal.Instant.from(until).epochMilliseconds,
  ];
  // A flight that is over, or ends before it begins, is a problem of its own.
  if (fromMs >= untilMs || isDuringFlight(dayParts.map(weeklyWindow), fromMs, untilMs)) return [];
  const detail = `none has a moment between ${from ?? 'now'} and ${until} in any time zone: nothing would be served`;
  return [{ path: ['spec', 'dayParts'], reason: 'FieldValueInvalid', detail }];
}

/** Whether one of the windows has a moment of the flight, by the clock of some zone. */
function isDuringFlight(windows: readonly WeeklyWindow[], fromMs: number, untilMs: number): boolean {
  const [first, end] = [fromMs - ZONES_MS.behind, untilMs + ZONES_MS.ahead];
  if (end - first > WEEK_MS) return true;
  const isIn = (wallMs: number): boolean => windows.some((window) => isInWindow(window, wallMs));
  // Windows begin and end with a minute.
  for (let wallMs = first; wallMs < end; wallMs += MINUTE_MS) if (isIn(wallMs)) return true;
  return isIn(end - 1);
}

function shapeProblems(dayParts: NonNullable<AdSetSpec['dayParts']>): readonly Problem[] {
  return dayParts.flatMap(({ days, from, until }, index): readonly Problem[] => {
    const path = ['spec', 'dayParts', index];
    if (days === undefined && from === undefined && until === undefined) {
      return [{ path, reason: 'FieldValueRequired', detail: 'it has days, from or until: without, it is always' }];
    }
    if (from === undefined || from !== until) return [];
    const detail = `it begins and ends at ${until}: leave out both for the whole day`;
    return [{ path: [...path, 'until'], reason: 'FieldValueInvalid', detail }];
  });
}

function flightProblems(
  { from, until }: AdSetSpec,
  before: AdSetSpec | undefined,
  now: Temporal.Instant,
): readonly Problem[] {
  if (until === undefined) return [];
  const path = ['spec', 'until'];
  const end = Temporal.Instant.from(until);
  if (from !== undefined && Temporal.Instant.compare(end, Temporal.Instant.from(from)) <= 0)
    return [{ path, reason: 'FieldValueInvalid', detail: `it ends at ${until}, before it begins at ${from}` }];
  // An ad set that has ended can still be edited; it cannot be made to end in the past.
  if (before?.until === until || Temporal.Instant.compare(end, now) > 0) return [];
  return [{ path, reason: 'FieldValueInvalid', detail: `${until} is over: nothing would be served` }];
}

import { Type, type Static } from 'typebox';
import { WindowSchema } from '#kernel/quotas/rules/window-spec.ts';
import { RolloverSchema } from '../rules/rollover.ts';

const NAMES_MAX = 500;
const ROLES_MAX = 10;
const PRIORITY_MAX = 1_000;
/** Consumed before purchased units. */
const PLAN_PRIORITY = 100;

const limit = (description: string) =>
  Type.Unsafe<number | string>({ 'x-kubernetes-int-or-string': true, description });
const names = (item: string, description: string, maxItems = NAMES_MAX) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, description: item }), { minItems: 1, maxItems, description }));

export const CapSpecSchema = Type.Object(
  {
    feature: Type.String({ minLength: 1, description: 'The metered or concurrent Feature whose use is limited.' }),
    plans: names('Name of a Plan.', 'The plans it is for; absent: all.'),
    roles: names('A role of a plan.', 'The roles it is for; absent: all.', ROLES_MAX),
    markets: names('Name of a Market.', 'The markets it is for; absent: all.'),
    limit: Type.Optional(
      limit('Units for each window: a whole number, or "unlimited". Absent: what the plan says it gives.'),
    ),
    window: WindowSchema,
    scope: Type.Enum(['listener', 'household', 'device', 'role'], {
      default: 'listener',
      description:
        'Whose use is counted together: of each listener, of all on a subscription, of each device of a listener, of all with one role on a subscription.',
    }),
    enforcement: Type.Enum(['hard', 'soft', 'degrade'], {
      default: 'hard',
      description: 'At the limit: hard denies, soft counts on and says so, degrade gives what the feature degrades to.',
    }),
    grace: Type.Optional(
      Type.Unsafe<number | string>({
        'x-kubernetes-int-or-string': true,
        description:
          'How much a soft cap still allows beyond its limit in each window, after all that was bought: units, or a share like "10%". Absent: no end.',
      }),
    ),
    rollover: Type.Optional(RolloverSchema),
    onPlanChange: Type.Enum(['carry', 'scale', 'reset'], {
      default: 'carry',
      description:
        'What becomes of use in the present window when a listener comes to a plan of this cap: it counts, it counts in proportion to the limits, or it does not count.',
    }),
    onLimitChange: Type.Enum(['now', 'nextWindow'], {
      default: 'now',
      description: 'From when a changed limit counts. nextWindow needs limitBefore.',
    }),
    limitBefore: Type.Optional(
      Type.Object(
        {
          limit: limit('The limit as it was: a whole number, or "unlimited".'),
          until: Type.String({ description: 'When it was changed (RFC 3339).' }),
        },
        { description: 'Windows that began before `until` keep this limit to their end.' },
      ),
    ),
    priority: Type.Integer({
      minimum: 0,
      maximum: PRIORITY_MAX,
      default: PLAN_PRIORITY,
      description: 'Lower numbers are used up first; add-ons have 200 and top-ups 300, unless they say otherwise.',
    }),
    offlineFor: Type.Optional(
      Type.String({
        description: 'How long a device may use it without a connection before it checks in: P1D to P40D.',
      }),
    ),
  },
  { description: 'How much of a feature may be used, how long use counts, and what happens at the limit.' },
);

export type CapSpec = Static<typeof CapSpecSchema>;

const OFFLINE = /^P([1-9]\d?)D$/;
/** Longest time that a device may keep leased units from others. */
const OFFLINE_DAYS_MAX = 40;

/** Days of `offlineFor`; `undefined` when it is not a valid duration. */
export function offlineDays(text: string): number | undefined {
  const days = Number(OFFLINE.exec(text)?.[1] ?? 0);
  return days >= 1 && days <= OFFLINE_DAYS_MAX ? days : undefined;
}

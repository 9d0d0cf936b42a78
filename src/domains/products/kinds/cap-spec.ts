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
    plans: names('Name of a Plan.', 'Plans that it applies to. Absent: all.'),
    roles: names('A role of a plan.', 'Roles that it applies to. Absent: all.', ROLES_MAX),
    markets: names('Name of a Market.', 'Markets that it applies to. Absent: all.'),
    limit: Type.Optional(limit('Units per window: a whole number, or "unlimited". Absent: the limit of the plan.')),
    window: WindowSchema,
    scope: Type.Enum(['listener', 'household', 'device', 'role'], {
      default: 'listener',
      description:
        'Scope of the count. listener: each listener. household: all listeners on a subscription. device: each device of a listener. role: all listeners with one role on a subscription.',
    }),
    enforcement: Type.Enum(['hard', 'soft', 'degrade'], {
      default: 'hard',
      description:
        'At the limit: hard denies, soft keeps counting and reports it, degrade gives the fallback of the feature.',
    }),
    grace: Type.Optional(
      Type.Unsafe<number | string>({
        'x-kubernetes-int-or-string': true,
        description:
          'Units that a soft cap allows beyond its limit in each window, after all purchased units: a number, or a share like "10%". Absent: without end.',
      }),
    ),
    rollover: Type.Optional(RolloverSchema),
    onPlanChange: Type.Enum(['carry', 'scale', 'reset'], {
      default: 'carry',
      description:
        'Use of the current window when a listener changes to a plan with this cap. carry: it counts. scale: it counts in proportion to the limits. reset: it does not count.',
    }),
    onLimitChange: Type.Enum(['now', 'nextWindow'], {
      default: 'now',
      description: 'When a changed limit takes effect. nextWindow needs limitBefore.',
    }),
    limitBefore: Type.Optional(
      Type.Object(
        {
          limit: limit('The previous limit: a whole number, or "unlimited".'),
          until: Type.String({ description: 'Time of the change (RFC 3339).' }),
        },
        { description: 'Windows that began before `until` keep this limit to their end.' },
      ),
    ),
    priority: Type.Integer({
      minimum: 0,
      maximum: PRIORITY_MAX,
      default: PLAN_PRIORITY,
      description: 'Lower numbers are consumed first. Defaults: recurring add-ons 200, top-ups 300.',
    }),
    offlineFor: Type.Optional(
      Type.String({
        description: 'How long a device may use it offline before it reconnects: P1D to P40D.',
      }),
    ),
  },
  { description: 'Limit of a feature: its amount, window, scope and enforcement.' },
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

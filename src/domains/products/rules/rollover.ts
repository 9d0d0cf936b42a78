import { Type, type Static } from 'typebox';
import type { Rollover } from '#kernel/quotas/rules/bucket.ts';
import { canRollOver, type WindowSpec } from '#kernel/quotas/rules/window-spec.ts';
import type { Limit } from './entitlement.ts';
import { isFault } from './fault.ts';
import { parseUnitsOrShare, unitsOf } from './units-or-share.ts';

const units = (description: string) =>
  Type.Unsafe<number | string>({ 'x-kubernetes-int-or-string': true, description });

/** The declared rollover of unused units into the next window. */
export const RolloverSchema = Type.Object(
  {
    max: units('Maximum rollover: units, or a share of the limit like "50%".'),
    min: Type.Optional(units('Minimum rollover, even when less is left: units, or a share. Absent: none.')),
    overage: Type.Enum(['forgiven', 'carried'], {
      default: 'forgiven',
      description:
        'Use beyond the limit of a soft cap. forgiven: dropped when the window ends. carried: deducted from the next window.',
    }),
  },
  { description: 'Rollover of unused units into the next window. Absent: they are lost.' },
);

export type DeclaredRollover = Static<typeof RolloverSchema>;

/** Faults of a declared rollover, by field. */
export function rolloverFaults(
  { max, min }: DeclaredRollover,
  window: WindowSpec,
): readonly { readonly field: string; readonly fault: string }[] {
  if (!canRollOver(window)) {
    const why = 'Rollover needs a calendar or anchored window of a day or longer.';
    return [{ field: 'rollover', fault: why }];
  }
  const parsed = (['max', 'min'] as const).flatMap((field) => {
    const value = field === 'max' ? max : min;
    const found = value === undefined ? undefined : parseUnitsOrShare(value);
    return found !== undefined && isFault(found) ? [{ field: `rollover.${field}`, fault: found.fault }] : [];
  });
  if (parsed.length > 0 || min === undefined) return parsed;
  // Shares of one limit are comparable with each other; units and a share are not until the limit is known.
  const [least, most] = [min, max].map((value) => (typeof value === 'string' ? Number.parseInt(value, 10) : value));
  if (typeof min !== typeof max || least === undefined || most === undefined || least <= most) return [];
  return [{ field: 'rollover.min', fault: `At least ${min} is more than at most ${max}.` }];
}

/** A valid rollover, for a limit. */
export function rolloverOf(
  { max, min, overage }: DeclaredRollover,
  limit: Limit,
  sinceMs: number | undefined,
): Rollover {
  const most = unitsOf(max, limit);
  return {
    max: most,
    min: min === undefined ? 0 : Math.min(most, unitsOf(min, limit)),
    overage,
    // Anchors are whole seconds, and the first window begins at its anchor.
    ...(sinceMs === undefined ? {} : { sinceMs: Math.floor(sinceMs / 1_000) * 1_000 }),
  };
}

/** Describes a rollover after the grant: `what is left of a period goes on into the next, at most 300 minutes`. */
export function rolloverInWords(rollover: DeclaredRollover | undefined, unit: string): string {
  if (rollover === undefined) return 'unused units of a period are lost';
  const { max, min, overage } = rollover;
  const amount = (value: number | string): string =>
    typeof value === 'string' ? `${value} of the limit` : `${value} ${unit}`;
  const least = min === undefined ? '' : ` and at least ${amount(min)}`;
  const beyond = overage === 'carried' ? ', less what was used beyond the limit' : '';
  return `what is left of a period goes on into the next, at most ${amount(max)}${least}${beyond}`;
}

import { rolledOver } from '#kernel/quotas/plan-change.ts';
import { windowAt, type Span } from '#kernel/quotas/window.ts';
import type { GrantFacts } from './subject-facts.ts';

/** An add-on as far as what somebody gets with it goes. */
interface SoldAddOn {
  readonly name: string;
  readonly spec: {
    readonly feature: string;
    readonly amount: number;
    readonly kind: 'recurring' | 'topUp';
    readonly per?: string;
    readonly validity?: string;
    readonly rollover?: { readonly min?: number; readonly max: number };
  };
}

/**
 * What is put on record when an add-on is bought. Its validity is counted by the calendar of the zone: twelve months
 * from 29 February end on 28 February.
 */
export function grantBought(
  id: string,
  { name, spec }: SoldAddOn,
  { atMs, zone }: { readonly atMs: number; readonly zone: string },
): GrantFacts {
  const { feature, amount, kind, validity } = spec;
  const at = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone);
  const wallTime = at.toPlainDateTime().toString({ smallestUnit: 'millisecond' });
  return {
    id,
    addOn: name,
    feature,
    amount,
    createdMs: atMs,
    validFromMs: atMs,
    validUntilMs: validity === undefined ? undefined : at.add(validity).epochMilliseconds,
    anchor: kind === 'recurring' ? { wallTime, zone } : undefined,
  };
}

/**
 * What goes into the next period of a recurring grant when one has ended: a grant of its own, for that period only, and
 * under a name that is the same however often it is asked for. `undefined` when nothing goes over.
 *
 * @param used units of the grant in the period that ended; what was rolled into it is not rolled again
 */
export function rolloverOf(
  grant: GrantFacts,
  { spec: { per, rollover } }: SoldAddOn,
  { span, used }: { readonly span: Span; readonly used: number },
): GrantFacts | undefined {
  if (rollover === undefined || per === undefined || grant.anchor === undefined || span.untilMs === undefined) {
    return undefined;
  }
  const amount = rolledOver({ limit: grant.amount, used }, { min: rollover.min ?? 0, max: rollover.max });
  const { wallTime, zone } = grant.anchor;
  const next = windowAt({ type: 'anchored', per }, { at: wallTime, zone }, span.untilMs);
  const fromMs = Math.max(span.untilMs, grant.validFromMs);
  const untilMs = Math.min(next.untilMs ?? Infinity, grant.validUntilMs ?? Infinity);
  if (amount <= 0 || untilMs <= fromMs) return undefined;
  return {
    ...grant,
    id: `${grant.id}/from/${span.key}`,
    amount,
    createdMs: span.untilMs,
    validFromMs: fromMs,
    validUntilMs: untilMs,
    anchor: undefined,
  };
}

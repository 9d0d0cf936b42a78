import type { GrantFacts, GrantTerms } from './subject-facts.ts';

/** The properties of an add-on that a purchase depends on. */
interface SoldAddOn {
  readonly name: string;
  readonly spec: {
    readonly feature: string;
    readonly amount: number;
    readonly kind: 'recurring' | 'topUp';
    readonly validity?: string;
  } & GrantTerms;
}

/**
 * The record of a purchase. Validity follows the zone's calendar: twelve months from 29 February end on 28
 * February.
 */
export function grantBought(
  id: string,
  { name, spec }: SoldAddOn,
  { atMs, zone }: { readonly atMs: number; readonly zone: string },
): GrantFacts {
  const { feature, amount, kind, validity, title, per, priority, rollover, whileLapsed } = spec;
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
    terms: {
      title,
      priority,
      whileLapsed,
      ...(per === undefined ? {} : { per }),
      ...(rollover === undefined ? {} : { rollover }),
    },
  };
}

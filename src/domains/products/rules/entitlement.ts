import { isFault } from './fault.ts';
import { periodInWords } from './intervals.ts';
import { valueFault, type ValueSchema } from './value-schema.ts';

/** The properties of a feature that a grant depends on. */
interface GrantedFeature {
  readonly title: string;
  readonly type: 'boolean' | 'config' | 'metered' | 'concurrent';
  readonly unit?: string;
  readonly valueSchema?: ValueSchema;
}

/** A feature in a plan: its value or limit, its roles and its markets. */
export interface Entitlement {
  readonly feature: string;
  readonly value?: unknown;
  readonly limit?: number | string;
  readonly per?: string;
  readonly roles?: readonly string[];
  readonly markets?: readonly string[];
}

/** The limit that means no limit. */
export const UNLIMITED = 'unlimited';
export type Limit = number | typeof UNLIMITED;
/** Beyond any real use; a thousandth of the exact range of numbers, so that sums stay exact. */
export const LIMIT_MAX = 1_000_000_000_000;

/** The fault of a declared limit. */
export function limitFault(limit: number | string): string | undefined {
  if (typeof limit === 'string') {
    return limit === UNLIMITED ? undefined : `"${limit}" is not a limit; it is a whole number or "${UNLIMITED}".`;
  }
  if (Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX) return undefined;
  return `${limit} is not a limit; it is a whole number from 1 to ${LIMIT_MAX}. To give none, leave the feature out.`;
}

/** A declared limit that has passed `limitFault`. */
export function limitOf(limit: number | string): Limit {
  return typeof limit === 'number' ? limit : UNLIMITED;
}

/** Faults of an entitlement of this feature, by field. */
export function entitlementFaults(
  { value, limit, per }: Entitlement,
  feature: GrantedFeature,
): readonly { readonly field: 'value' | 'limit' | 'per'; readonly fault: string }[] {
  const faults: { field: 'value' | 'limit' | 'per'; fault: string }[] = [];
  const isA = `${feature.title} is a ${feature.type} feature`;
  const counted = feature.type === 'metered' || feature.type === 'concurrent';
  if (feature.type === 'config') {
    const fault = value === undefined ? 'is missing' : feature.valueSchema && valueFault(feature.valueSchema, value);
    if (fault !== undefined) faults.push({ field: 'value', fault: `${isA}; the value ${showValue(value)}${fault}.` });
  } else if (value !== undefined) faults.push({ field: 'value', fault: `${isA}; only a config feature has a value.` });

  if (counted && limit === undefined) {
    faults.push({ field: 'limit', fault: `${isA}; it needs a limit, a whole number or "${UNLIMITED}".` });
  } else if (!counted && limit !== undefined) {
    faults.push({ field: 'limit', fault: `${isA}; only metered and concurrent features have a limit.` });
  }

  if (feature.type === 'metered' && typeof limit === 'number' && per === undefined) {
    faults.push({ field: 'per', fault: `${isA}; its limit needs a period, like P1M for ${limit} a month.` });
  } else if (feature.type !== 'metered' && per !== undefined) {
    faults.push({ field: 'per', fault: `${isA}; only a metered feature has a period.` });
  }
  return faults;
}

function showValue(value: unknown): string {
  return value === undefined ? '' : `${JSON.stringify(value)} `;
}

/** Describes the grant for people: `Offline downloads`, `Audio quality: "high"`, `Audiobooks: 900 minutes a month`. */
export function grantInWords({ value, limit, per }: Entitlement, { title, type, unit }: GrantedFeature): string {
  switch (type) {
    case 'boolean':
      return title;
    case 'config':
      return `${title}: ${typeof value === 'string' ? value : JSON.stringify(value)}`;
    case 'metered': {
      if (limit === UNLIMITED) return `${title}: unlimited`;
      const period = per === undefined ? '' : periodInWords(per);
      return `${title}: ${limit} ${unit ?? 'units'}${isFault(period) || period === '' ? '' : ` ${period}`}`;
    }
    case 'concurrent':
      return limit === UNLIMITED ? `${title}: unlimited` : `${title}: ${limit} at once`;
    default:
      return type satisfies never;
  }
}

/**
 * How exactly an entitlement matches a role in a market; `undefined` when it does not. Naming the market wins
 * over naming the role. Equally exact entitlements for one listener are refused.
 */
export function exactness({ roles, markets }: Entitlement, role: string, market: string): number | undefined {
  if (roles !== undefined && !roles.includes(role)) return undefined;
  if (markets !== undefined && !markets.includes(market)) return undefined;
  return (markets === undefined ? 0 : 2) + (roles === undefined ? 0 : 1);
}

/** True when two entitlements of one feature are equally exact and match a common listener. */
export function entitlementsCollide(a: Entitlement, b: Entitlement): boolean {
  return meet(a.roles, b.roles) && meet(a.markets, b.markets);
}

/** Both lists share a name, or both are absent: only then do two matches collide. */
export function meet(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.some((name) => b.includes(name));
}

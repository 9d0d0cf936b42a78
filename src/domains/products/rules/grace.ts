import { LIMIT_MAX, UNLIMITED, type Limit } from './entitlement.ts';
import { isFault, type Fault } from './fault.ts';

const PERCENT = /^([1-9]\d{0,2})%$/;

/** What is still allowed beyond a soft limit: so many units, or a share of the limit. */
type Grace = { readonly units: number } | { readonly percent: number };

/** Units as a whole number, or a share like "10%". */
export function parseGrace(grace: number | string): Grace | Fault {
  if (typeof grace === 'number' && Number.isInteger(grace) && grace >= 1 && grace <= LIMIT_MAX) return { units: grace };
  const percent = Number(PERCENT.exec(String(grace))?.[1] ?? 0);
  if (typeof grace === 'string' && percent >= 1 && percent <= 100) return { percent };
  return {
    fault: `"${grace}" is no grace; it is a whole number of units from 1, or a share of the limit from "1%" to "100%".`,
  };
}

/** The units of a grace that has passed the checks: a share is rounded down. */
export function graceUnits(grace: number | string, limit: Limit): number {
  const parsed = parseGrace(grace);
  if (isFault(parsed) || limit === UNLIMITED) return 0;
  return 'units' in parsed ? parsed.units : Math.floor((limit * parsed.percent) / 100);
}

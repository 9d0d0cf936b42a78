import { LIMIT_MAX, UNLIMITED, type Limit } from './entitlement.ts';
import { isFault, type Fault } from './fault.ts';

const PERCENT = /^([1-9]\d{0,2})%$/;

/** So many units, or a share of the limit. */
type UnitsOrShare = { readonly units: number } | { readonly percent: number };

/** Parses whole units, or a share like "10%". */
export function parseUnitsOrShare(value: number | string): UnitsOrShare | Fault {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= LIMIT_MAX) return { units: value };
  const percent = Number(PERCENT.exec(String(value))?.[1] ?? 0);
  if (typeof value === 'string' && percent >= 1 && percent <= 100) return { percent };
  return {
    fault: `"${value}" is neither a whole number of units from 1, nor a share of the limit from "1%" to "100%".`,
  };
}

/** The units of a valid value. A share is rounded down; a share of no limit is zero. */
export function unitsOf(value: number | string, limit: Limit): number {
  const parsed = parseUnitsOrShare(value);
  if (isFault(parsed) || limit === UNLIMITED) return 0;
  return 'units' in parsed ? parsed.units : Math.floor((limit * parsed.percent) / 100);
}

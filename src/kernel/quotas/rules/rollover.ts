import type { Counter, RolloverState } from './book.ts';
import { spanOf, type Bucket, type Rollover } from './bucket.ts';
import type { Span } from './window.ts';

/** Units from further back are gone. */
const WINDOWS_BACK_MAX = 36;

/**
 * Units that a window passes on: min(max, max(min, left)), less the overage where it is carried.
 *
 * @param gave its limit plus the units brought into it
 */
export function unitsToPassOn({ max, min = 0, overage }: Rollover, gave: number, used: number): number {
  const goesOn = Math.min(max, Math.max(min, gave - used));
  return overage === 'carried' ? goesOn - Math.max(0, used - gave) : goesOn;
}

/** Units that a window gets from earlier ones. */
export interface RolloverUnits {
  readonly brought: number;
  /** Earlier windows after passing on: the last one with use, and the one that just ended. */
  readonly passed: readonly Counter[];
}

/** A window that gets units from earlier ones. */
interface RollingWindow {
  readonly bucket: Bucket;
  readonly rollover: Rollover;
  readonly limit: number;
  readonly into: Span;
}

/**
 * Units for a window without a counter: passed on from the last used window through the unused ones, or from the first
 * unused window that counts.
 *
 * @param counterOf the counter of another window of the bucket, if there is one
 * @param unusedIn a new counter for a window without one
 */
export function collectRollover(
  { bucket, rollover, limit, into }: RollingWindow,
  counterOf: (window: string) => Counter | undefined,
  unusedIn: (span: Span) => Counter,
): RolloverUnits {
  const { sinceMs = Infinity, overage } = rollover;
  const unused: Span[] = [];
  let last: Counter | undefined;
  for (let { fromMs } = into; unused.length < WINDOWS_BACK_MAX;) {
    const before = spanOf(bucket, fromMs - 1);
    last = counterOf(before.key);
    if (last !== undefined) break;
    unused.unshift(before);
    ({ fromMs } = before);
  }
  const passed: Counter[] = [];
  let brought = 0;
  if (last?.rolled?.isPassed === false) {
    const { used, rolled } = last;
    const left = rolled.least + rolled.brought;
    const goesOn = unitsToPassOn({ ...rollover, overage: 'forgiven' }, left, used);
    passed.push(deductPassed(last, rolled, Math.min(goesOn, left - used)));
    brought = goesOn - (overage === 'carried' ? Math.max(0, used - rolled.last - rolled.brought) : 0);
  }
  for (const span of unused) {
    if (span.fromMs < sinceMs) continue;
    const gave = limit + brought;
    const goesOn = unitsToPassOn(rollover, gave, 0);
    // Only the last one may still get late use.
    if (span.untilMs === into.fromMs) {
      const rolled = { brought, least: limit, last: limit, isPassed: false };
      passed.push(deductPassed(unusedIn(span), rolled, Math.min(goesOn, gave)));
    }
    brought = goesOn;
  }
  return { brought, passed };
}

/** A window after passing on. Units that `min` added were not left in it, and are not deducted. */
function deductPassed(counter: Counter, rolled: RolloverState, units: number): Counter {
  return { ...counter, rolled: { ...rolled, brought: rolled.brought - Math.max(0, units), isPassed: true } };
}

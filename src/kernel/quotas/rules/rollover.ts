import type { Counter, Rolled } from './book.ts';
import { spanOf, type Bucket, type Rollover } from './bucket.ts';
import type { Span } from './window.ts';

/** What was left further back is gone. */
const WINDOWS_BACK_MAX = 36;

/**
 * What goes on of a window: min(max, max(min, left)), less what was used beyond it where that is carried.
 *
 * @param gave its limit with what was brought
 */
export function passedOn({ max, min = 0, overage }: Rollover, gave: number, used: number): number {
  const goesOn = Math.min(max, Math.max(min, gave - used));
  return overage === 'carried' ? goesOn - Math.max(0, used - gave) : goesOn;
}

/** What a window is given from those before it. */
export interface Brought {
  readonly brought: number;
  /** Windows before it, as they are once units went on: the last one with use, and the one that just ended. */
  readonly passed: readonly Counter[];
}

/** A window that gets units from those before it. */
interface RollingWindow {
  readonly bucket: Bucket;
  readonly rollover: Rollover;
  readonly limit: number;
  readonly into: Span;
}

/**
 * What a window in which nobody looked yet is given: from the last one with use, through those without, or from the first
 * ones without, as far back as they count.
 *
 * @param counterOf the counter of another window of the bucket, if there is one
 * @param unusedIn the counter of a window that has none
 */
export function broughtInto(
  { bucket, rollover, limit, into }: RollingWindow,
  counterOf: (window: string) => Counter | undefined,
  unusedIn: (span: Span) => Counter,
): Brought {
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
    const goesOn = passedOn({ ...rollover, overage: 'forgiven' }, left, used);
    passed.push(without(last, rolled, Math.min(goesOn, left - used)));
    brought = goesOn - (overage === 'carried' ? Math.max(0, used - rolled.last - rolled.brought) : 0);
  }
  for (const span of unused) {
    if (span.fromMs < sinceMs) continue;
    const gave = limit + brought;
    const goesOn = passedOn(rollover, gave, 0);
    // Only in the last one may late use still come.
    if (span.untilMs === into.fromMs) {
      const rolled = { brought, least: limit, last: limit, isPassed: false };
      passed.push(without(unusedIn(span), rolled, Math.min(goesOn, gave)));
    }
    brought = goesOn;
  }
  return { brought, passed };
}

/** A window after units went on. What `min` adds was not left, and is not gone from there. */
function without(counter: Counter, rolled: Rolled, units: number): Counter {
  return { ...counter, rolled: { ...rolled, brought: rolled.brought - Math.max(0, units), isPassed: true } };
}

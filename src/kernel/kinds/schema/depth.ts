import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';

/** Most levels of nested objects and lists. Every recursion over a value relies on it; real resources have < 40. */
export const valueDepthMax = 200;

/** Throws a Refusal when a value at `depth` is nested deeper than `valueDepthMax`. */
export function refuseTooDeep(value: unknown, depth = 0): void {
  if (isTooDeep(value, depth)) throw tooDeep();
}

/** Whether a value at `depth` is nested deeper than `valueDepthMax`. Does not recurse. */
export function isTooDeep(value: unknown, depth = 0): boolean {
  let level: unknown[] = [value];
  for (; level.length > 0; depth++) {
    if (depth > valueDepthMax) return true;
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue;
      for (const child of Array.isArray(item) ? item : Object.values(item)) {
        if (typeof child === 'object' && child !== null) next.push(child);
      }
    }
    level = next;
  }
  return false;
}

export function tooDeep(): Refusal {
  return resourceRefusal('nested-too-deep', `The body is nested deeper than ${valueDepthMax} levels.`);
}

import { BLOCK_BUCKETS, has, type Blocks } from '#kernel/audiences/allocation.ts';
import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import { BUCKETS } from '#kernel/audiences/bucketing/buckets.ts';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { AudienceRule, Matcher } from '#kernel/audiences/language/language.ts';
import type { Traffic } from '../kinds/parts.ts';
import { compileTraffic } from './compile-split.ts';
import type { Evaluation, Outcome } from './table.ts';
import { unitReader } from './unit.ts';

/** Salt of the buckets that all experiments share. */
const ALLOCATION: Bucketing = { algorithm: 'backline', salt: 'allocation' };

/** The named audience and the inline rule must both match. Undefined: everybody. */
export function whoMatches(
  { audience, when }: { readonly audience?: string; readonly when?: AudienceRule },
  audiences: AudienceTable,
): Matcher | undefined {
  const named = audience === undefined ? undefined : audiences.matcher(audience);
  const own = when === undefined ? undefined : audiences.compile(when);
  if (named === undefined || own === undefined) return named ?? own;
  return (context, nowMs) => named(context, nowMs) === true && own(context, nowMs) === true;
}

export function whyUnmatched(matches: Matcher | undefined, { context, nowMs }: Evaluation): string | undefined {
  const truth = matches === undefined ? true : matches(context, nowMs);
  if (truth === true) return undefined;
  return truth === false
    ? 'Not matched: the audience does not match.'
    : 'Not matched: an attribute of the audience is missing from the context.';
}

/** Whether a unit takes part; undefined without a unit. */
export function trafficTest(
  traffic: Traffic,
  salt: string,
  unit: readonly string[] | undefined,
): (evaluation: Evaluation) => boolean | undefined {
  const unitOf = unitReader(traffic.unit ?? unit, traffic.bucketing);
  const takesPart = compileTraffic(traffic, traffic.bucketing ?? { algorithm: 'backline', salt });
  const also = (traffic.also ?? []).map((part, index) => trafficTest(part, `${salt}/${index}`, unit));
  const test = (evaluation: Evaluation) => {
    const value = unitOf(evaluation);
    return value === undefined ? undefined : takesPart(value);
  };
  if (also.length === 0) return test;
  return (evaluation) => {
    for (const each of [test, ...also]) {
      const part = each(evaluation);
      if (part !== true) return part;
    }
    return true;
  };
}

export function allotmentTest(blocks: Blocks | undefined): ((unit: string) => boolean) | undefined {
  if (blocks === undefined) return undefined;
  const bucket = compileSlot(ALLOCATION, BUCKETS);
  return (unit) => has(blocks, Math.floor(bucket(unit) / BLOCK_BUCKETS));
}

export function unitMissing(unit: readonly string[], what: string): NonNullable<Outcome['error']> {
  return {
    code: 'TARGETING_KEY_MISSING',
    message: `The context needs ${unit.join(' or ')}: ${what} puts it into buckets.`,
  };
}

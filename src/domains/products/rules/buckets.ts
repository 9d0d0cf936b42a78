import type { Bucket } from '#kernel/quotas/rules/bucket.ts';
import { byOrder } from '#kernel/quotas/rules/bucket.ts';
import { windowAt } from '#kernel/quotas/rules/window.ts';
import type { WindowSpec } from '#kernel/quotas/rules/window-spec.ts';
import { UNLIMITED, type Limit } from './entitlement.ts';
import type { GrantFacts, GrantTerms, OverrideFacts, SubjectFacts } from './subject-facts.ts';
import { rolloverOf, type DeclaredRollover } from './rollover.ts';
import { timeInWords } from './times.ts';
import { unitsOf } from './units-or-share.ts';
import type { WindowAnchor } from './windows.ts';

/** Limit and window that a plan, after the matching cap, gives one listener for a feature. */
export interface PlanTerms {
  /** Permanent: use is counted under it, whatever cap or plan is live (see `planBucket`). */
  readonly id: string;
  readonly limit: Limit;
  /** Windows that began before `untilMs` have this limit. */
  readonly limitBefore?: { readonly limit: Limit; readonly untilMs: number };
  readonly window: WindowSpec;
  readonly anchor?: WindowAnchor;
  readonly priority: number;
  readonly enforcement: 'hard' | 'soft' | 'degrade';
  readonly grace?: number | string;
  readonly rollover?: DeclaredRollover;
  /** Buckets of other plans that this one replaces. */
  readonly replaces: readonly string[];
}

/** A counted feature with the terms of one listener. */
export interface CountedFeature {
  readonly feature: string;
  readonly title: string;
  readonly unit: string;
  readonly isConcurrent: boolean;
  /** Undefined where the plan does not give the feature. */
  readonly plan: PlanTerms | undefined;
  /** Start of the grant, so that unused windows since then roll over; undefined where it is unknown. */
  readonly sinceMs: number | undefined;
  readonly addOnOf: (name: string) => GrantTerms | undefined;
  /** Zone for times in notes. */
  readonly zone: string;
}

/** The source of a bucket, for people and programs. */
interface Origin {
  readonly from: 'plan' | 'grace' | 'grant' | 'override';
  /** Like `the plan`, `10 hours of audiobooks`. */
  readonly title: string;
  /** Id of the grant or override. */
  readonly record?: string;
}

export interface CountedBuckets {
  /** In the order of consumption, with suspended and expired ones. */
  readonly buckets: readonly Bucket[];
  /** By id of the bucket. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** The plan or an override gives it without limit: it is not counted. */
  readonly isUnlimited: boolean;
  /** Exceptions, as sentences. */
  readonly notes: readonly string[];
}

/** Terms for purchases of an undeclared add-on from before terms were recorded: consumed last. */
const FORGOTTEN: GrantTerms = { title: 'what was bought', priority: 300, whileLapsed: 'suspended' };
/** Consumed last: a grace is no extra for listeners with purchases. */
const GRACE_PRIORITY = 2_000;
const OVERRIDE_PRIORITY = 100;
/** Of more grants with units left, the first in order are consumed; the others wait. */
export const GRANTS_MAX = 90;

/**
 * Name of the counter of a plan's units. It is that of the feature, so a new revision, another cap, a
 * rollback or a change of plan continues the count. Where a change of plan scales or resets use, each plan
 * has its own counter, which is found again on the way back.
 */
export function planBucket(feature: string, plan: string, onPlanChange: 'carry' | 'scale' | 'reset'): string {
  return onPlanChange === 'carry' ? `plan/${feature}` : `plan/${feature}/${plan}`;
}

/** All buckets of a feature: from the plan, overrides, grants and a grace. */
export function bucketsOf(counted: CountedFeature, facts: SubjectFacts, nowMs: number): CountedBuckets {
  const { feature, plan, zone } = counted;
  const notes: string[] = [];
  const entries: (readonly [Bucket, Origin])[] = [];
  const override = overrideOf(facts, feature, nowMs);
  if (override !== undefined) {
    notes.push(
      `${counted.title}: ${override.limit} ${counted.unit}, override until ${timeInWords(override.untilMs, zone)}: ${override.reason}`,
    );
  }
  if (plan !== undefined) {
    entries.push(...planEntries(plan, override?.limit, { ...counted, nowMs }, notes));
  } else if (override !== undefined) {
    const bucket: Bucket = {
      id: `override/${override.id}`,
      limit: override.limit,
      window: onceWindow(counted),
      priority: OVERRIDE_PRIORITY,
      createdMs: 0,
      validUntilMs: override.untilMs,
    };
    entries.push([bucket, { from: 'override', title: 'the override', record: override.id }]);
  }
  const isActive = facts.subscription?.status === 'active';
  const bought: typeof entries = [];
  for (const grant of facts.grants) {
    const hasEnded = grant.validUntilMs !== undefined && grant.validUntilMs <= nowMs;
    if (grant.feature !== feature || hasEnded) continue;
    bought.push(...grantEntries(grant, counted, isActive, notes));
  }
  entries.push(...bought.sort(([a], [b]) => byOrder(a, b)).slice(0, GRANTS_MAX));
  entries.sort(([a], [b]) => byOrder(a, b));
  return {
    buckets: entries.map(([bucket]) => bucket),
    origins: new Map(entries.map(([{ id }, origin]) => [id, origin])),
    isUnlimited: (override?.limit ?? plan?.limit) === UNLIMITED,
    notes,
  };
}

type LimitOverride = OverrideFacts & { readonly limit: Limit };

/** Among several in force: the highest limit, then the latest end, then the lowest id. */
function overrideOf({ overrides }: SubjectFacts, feature: string, nowMs: number): LimitOverride | undefined {
  const size = ({ limit }: LimitOverride): number => (limit === UNLIMITED ? Infinity : limit);
  return overrides
    .flatMap((one) =>
      one.feature === feature && one.untilMs > nowMs && one.limit !== undefined ? [{ ...one, limit: one.limit }] : [],
    )
    .reduce<LimitOverride | undefined>((best, one) => {
      if (best === undefined) return one;
      if (size(one) !== size(best)) return size(one) > size(best) ? one : best;
      if (one.untilMs !== best.untilMs) return one.untilMs > best.untilMs ? one : best;
      return one.id < best.id ? one : best;
    }, undefined);
}

function planEntries(
  plan: PlanTerms,
  byHand: Limit | undefined,
  { title, unit, zone, sinceMs, nowMs }: CountedFeature & { readonly nowMs: number },
  notes: string[],
): readonly (readonly [Bucket, Origin])[] {
  const { id, window, anchor, priority, enforcement, grace, rollover, replaces, limitBefore } = plan;
  let limit = byHand ?? plan.limit;
  if (byHand === undefined && limitBefore !== undefined) {
    const { fromMs, untilMs } = windowAt(window, anchor, nowMs);
    if (fromMs < limitBefore.untilMs) {
      limit = limitBefore.limit;
      const until = untilMs === undefined ? '' : ` until ${timeInWords(untilMs, zone)}`;
      notes.push(`${title}: the previous limit, ${limit} ${unit}, counts${until}; then it is ${plan.limit}.`);
    }
  }
  const base = { window, createdMs: 0, ...(anchor === undefined ? {} : { anchor }) };
  const bucket: Bucket = {
    ...base,
    id,
    limit,
    priority,
    ...(enforcement === 'soft' && grace === undefined ? { overage: true } : {}),
    ...(rollover === undefined ? {} : { rollover: rolloverOf(rollover, limit, sinceMs) }),
    ...(replaces.length === 0 ? {} : { replaces }),
  };
  const units = enforcement === 'soft' && grace !== undefined ? unitsOf(grace, limit) : 0;
  const own = [bucket, { from: 'plan', title: 'the plan' }] as const;
  if (units === 0) return [own];
  const beyond: Bucket = {
    ...base,
    id: `${id}/grace`,
    limit: units,
    priority: GRACE_PRIORITY,
    ...(replaces.length === 0 ? {} : { replaces: replaces.map((other) => `${other}/grace`) }),
  };
  return [own, [beyond, { from: 'grace', title: 'the grace' }]];
}

function grantEntries(
  grant: GrantFacts,
  counted: CountedFeature,
  isActive: boolean,
  notes: string[],
): readonly (readonly [Bucket, Origin])[] {
  const { id, addOn, amount, createdMs, validFromMs, validUntilMs, anchor } = grant;
  const terms = counted.addOnOf(addOn) ?? grant.terms ?? FORGOTTEN;
  const { title, per, priority, rollover, whileLapsed } = terms;
  const recurs = anchor !== undefined && !counted.isConcurrent;
  if (recurs && per === undefined) {
    notes.push(`${counted.title}: the add-on "${addOn}" is no longer declared, so its periods are unknown.`);
    return [];
  }
  const suspended = !isActive && whileLapsed === 'suspended';
  if (suspended) {
    const ages = validUntilMs === undefined ? '' : `; it expires on ${timeInWords(validUntilMs, counted.zone)}`;
    notes.push(`${counted.title}: ${title} is suspended without a subscription${ages}.`);
  }
  // Windows without a subscription have nothing to roll over.
  const sinceMs = whileLapsed === 'kept' ? validFromMs : Math.max(validFromMs, counted.sinceMs ?? Infinity);
  const bucket: Bucket = {
    id: `grant/${id}`,
    limit: amount,
    ...(recurs && per !== undefined
      ? {
          window: { type: 'anchored', per },
          anchor: { at: anchor.wallTime, zone: anchor.zone },
          ...(rollover === undefined ? {} : { rollover: rolloverOf(rollover, amount, sinceMs) }),
        }
      : { window: onceWindow(counted) }),
    priority,
    createdMs,
    validFromMs,
    ...(validUntilMs === undefined ? {} : { validUntilMs }),
    ...(suspended ? { suspended } : {}),
  };
  return [[bucket, { from: 'grant', title, record: id }]];
}

function onceWindow({ isConcurrent }: CountedFeature): WindowSpec {
  return { type: isConcurrent ? 'concurrent' : 'lifetime' };
}

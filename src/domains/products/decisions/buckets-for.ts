import { productRefusal } from '#domains/products/refusals.ts';
import { offlineDays, type CapSpec } from '../kinds/cap-spec.ts';
import { bucketsOf, planBucket, type CountedBuckets, type PlanTerms } from '../rules/buckets.ts';
import { capFor, type CappedListener } from '../rules/cap-choice.ts';
import { limitOf, type Limit } from '../rules/entitlement.ts';
import type { SubjectFacts } from '../rules/subject-facts.ts';
import { type UseSubject, useSubject } from '../rules/use-subject.ts';
import { DEFAULT_ANCHOR, periodWindow, type WindowAnchor } from '../rules/windows.ts';
import { degradations, rowFor } from './grants.ts';
import { marketAt, unknown } from './lookup.ts';
import { listenerOf, type RecordedQuestion } from './on-record.ts';
import type { CompiledObject, Grant, GrantRow, MarketTable, ProductsTable } from './table.ts';

export interface UseQuestion extends RecordedQuestion {
  readonly feature: string;
  /** Required where the cap counts each device. */
  readonly device?: string | undefined;
}

/** The counting scope, as quotas name it. */
interface Scope {
  readonly kind: CapSpec['scope'];
  readonly subject: string;
}

/**
 * The buckets that a use takes units from. `quota`, `scope.subject` and `buckets` are passed to the quotas
 * unchanged.
 */
export interface MeteredUse extends Pick<CountedBuckets, 'buckets' | 'origins' | 'notes'> {
  readonly metered: true;
  readonly feature: string;
  /** Name of the feature that is counted. */
  readonly quota: string;
  readonly title: string;
  readonly unit: string;
  /** The grant while units are left. */
  readonly grant: Grant;
  readonly scope: Scope;
  readonly enforcement: CapSpec['enforcement'];
  /** The grant at the limit, where the cap degrades and the plan gives it. */
  readonly degradeTo?: Grant;
  /** How long a device may use it offline. */
  readonly offlineMs?: number;
  /** Zone in which times are shown: that of the subscription, or of the market. */
  readonly zone: string;
  readonly listener: CappedListener;
  /** Limit and window of the plan; undefined where the plan does not give the feature. */
  readonly plan: PlanTerms | undefined;
  readonly cap: CompiledObject<CapSpec> | undefined;
}

/** Not counted: the answer of `check` is final. */
export interface UnmeteredUse {
  readonly metered: false;
  readonly feature: string;
  readonly reason: { readonly code: 'not-counted' | 'nobody' | 'not-given' | 'unlimited'; readonly message: string };
  /** Subject that remembers idempotency keys of use that is given without limit. */
  readonly freeFor?: string;
  readonly notes: readonly string[];
}

const DAY_MS = 86_400_000;

/**
 * Finds the buckets that a listener's use of a feature takes from, and the counting scope; or the reason why
 * it is not counted.
 *
 * Refuses names that do not exist, `products/plan-needed`, and `products/device-needed` where each device is
 * counted.
 */
export function bucketsFor(
  table: ProductsTable,
  question: UseQuestion,
  facts: SubjectFacts | undefined,
  nowMs: number,
): MeteredUse | UnmeteredUse {
  const { feature } = question;
  const found = table.features.get(feature);
  if (found === undefined) throw unknown('feature', feature, table.features.keys());
  const { title, type, unit = 'units' } = found.spec;
  if (type !== 'metered' && type !== 'concurrent') {
    return unmeteredUse(feature, 'not-counted', `${title} is a ${type} feature, which is not counted.`);
  }
  if (facts === undefined) {
    return unmeteredUse(feature, 'nobody', `Use of ${title} is counted per listener, and the request names none.`);
  }
  const asked = listenerOf(question, facts);
  const market = marketAt(table, asked);
  const row = rowFor(table, market, asked);
  const listener = { plan: asked.plan, market: market.name, role: row.role };
  const zone = facts.subscription?.anchor.zone ?? market.spec.zone;
  const cap = capFor(table.caps.get(feature) ?? [], listener);
  const plan = planTermsFor(table, { feature, market, row, listener }, anchorOf(facts, market));
  const scope = cap?.spec.scope ?? 'listener';
  const counted = {
    feature,
    title,
    unit,
    isConcurrent: type === 'concurrent',
    plan,
    sinceMs: sinceOf(facts, scope),
    addOnOf: (name: string) => table.addOns.get(name)?.spec,
    zone,
  };
  const { buckets, origins, isUnlimited, notes } = bucketsOf(counted, facts, nowMs);
  if (isUnlimited) {
    const kind = scope === 'device' && question.device === undefined ? 'listener' : scope;
    const freeFor = scopeOf(kind, question, facts, listener).subject;
    return { ...unmeteredUse(feature, 'unlimited', `${title} is unlimited.`), freeFor, notes };
  }
  if (buckets.length === 0) {
    return {
      ...unmeteredUse(feature, 'not-given', `This listener has no ${title}: no plan, grant or override gives it.`),
      notes,
    };
  }
  const answer = row.answers.get(feature);
  const degradeTo = cap?.spec.enforcement === 'degrade' ? degradedGrant(table, row, feature) : undefined;
  const days = cap?.spec.offlineFor === undefined ? undefined : offlineDays(cap.spec.offlineFor);
  return {
    metered: true,
    feature,
    quota: feature,
    title,
    unit,
    grant: answer?.outcome === 'allow' ? answer.grant : { feature, title, type, unit },
    scope: scopeOf(scope, question, facts, listener),
    buckets,
    origins,
    enforcement: cap?.spec.enforcement ?? 'hard',
    ...(degradeTo === undefined ? {} : { degradeTo }),
    ...(days === undefined ? {} : { offlineMs: days * DAY_MS }),
    zone,
    listener,
    plan,
    cap,
    notes,
  };
}

/** Every counted feature that the listener has some of, by name. */
export function usesOf(
  table: ProductsTable,
  question: Omit<UseQuestion, 'feature'>,
  facts: SubjectFacts,
  nowMs: number,
): readonly MeteredUse[] {
  return [...table.features.values()].flatMap(({ name, spec }) => {
    if (spec.type !== 'metered' && spec.type !== 'concurrent') return [];
    // Per-device use is reported only to a question that names a device.
    if (question.device === undefined && isByDevice(table, name, question, facts)) return [];
    const use = bucketsFor(table, { ...question, feature: name }, facts, nowMs);
    return use.metered ? [use] : [];
  });
}

function isByDevice(table: ProductsTable, feature: string, question: RecordedQuestion, facts: SubjectFacts): boolean {
  const asked = listenerOf(question, facts);
  const market = marketAt(table, asked);
  const { role } = rowFor(table, market, asked);
  const listener = { plan: asked.plan, market: market.name, role };
  return capFor(table.caps.get(feature) ?? [], listener)?.spec.scope === 'device';
}

/** Limit and window that a plan gives a role, after the matching cap. */
export function planTermsFor(
  table: ProductsTable,
  {
    feature,
    market,
    row,
    listener,
  }: {
    readonly feature: string;
    readonly market: MarketTable;
    readonly row: GrantRow;
    readonly listener: CappedListener;
  },
  anchor: WindowAnchor,
): PlanTerms | undefined {
  const answer = row.answers.get(feature);
  if (answer?.outcome !== 'allow') return undefined;
  const { type, limit, per } = answer.grant;
  const given: Limit = limitOf(limit ?? '');
  const caps = table.caps.get(feature) ?? [];
  const cap = capFor(caps, listener);
  if (cap === undefined) {
    const once = type === 'concurrent' ? { window: { type: 'concurrent' } as const } : undefined;
    return {
      id: planBucket(feature, listener.plan, 'carry'),
      limit: given,
      ...(once ?? periodWindow(per, market.spec.zone)),
      priority: 100,
      enforcement: 'hard',
      replaces: replacedBy(table, caps, { feature, plan: listener.plan, onPlanChange: 'carry' }),
    };
  }
  const { spec } = cap;
  const { onPlanChange, limitBefore, grace, rollover, window } = spec;
  const needsAnchor = window.type === 'anchored' || (window.type === 'calendar' && window.zone === undefined);
  return {
    id: planBucket(feature, listener.plan, onPlanChange),
    limit: spec.limit === undefined ? given : limitOf(spec.limit),
    ...(limitBefore === undefined
      ? {}
      : {
          limitBefore: {
            limit: limitOf(limitBefore.limit),
            untilMs: Temporal.Instant.from(limitBefore.until).epochMilliseconds,
          },
        }),
    window,
    ...(needsAnchor ? { anchor } : {}),
    priority: spec.priority,
    enforcement: spec.enforcement,
    ...(grace === undefined ? {} : { grace }),
    ...(rollover === undefined ? {} : { rollover }),
    replaces: replacedBy(table, caps, { feature, plan: listener.plan, onPlanChange }),
  };
}

/** Buckets on other plans to which units go back. With `reset` that use does not count, so nothing goes back. */
function replacedBy(
  table: ProductsTable,
  caps: readonly CompiledObject<CapSpec>[],
  use: { readonly feature: string; readonly plan: string } & Pick<CapSpec, 'onPlanChange'>,
): readonly string[] {
  const { feature, plan, onPlanChange } = use;
  if (onPlanChange === 'reset' || caps.every(({ spec }) => spec.onPlanChange === 'carry')) return [];
  const own = planBucket(feature, plan, onPlanChange);
  const all = [
    planBucket(feature, plan, 'carry'),
    ...[...table.plans.keys()].map((name) => planBucket(feature, name, 'scale')),
  ];
  return all.filter((id) => id !== own);
}

function anchorOf({ subscription }: SubjectFacts, market: MarketTable): WindowAnchor {
  if (subscription === undefined) return { at: DEFAULT_ANCHOR, zone: market.spec.zone };
  const { wallTime, zone } = subscription.anchor;
  return { at: wallTime, zone };
}

function scopeOf(
  kind: Scope['kind'],
  { device }: UseQuestion,
  { listener, subscription }: SubjectFacts,
  { role }: CappedListener,
): Scope {
  // A listener without a subscription is a household of one.
  const household: UseSubject =
    subscription?.status === 'active'
      ? { scope: 'household', owner: subscription.household }
      : { scope: 'listener', owner: listener };
  switch (kind) {
    case 'listener':
      return { kind, subject: useSubject({ scope: 'listener', owner: listener }) };
    case 'household':
      return { kind, subject: useSubject(household) };
    case 'role':
      return { kind, subject: useSubject({ ...household, part: role }) };
    case 'device':
      if (device === undefined) {
        throw productRefusal('device-needed', 'The feature is counted per device, and the request names none.');
      }
      return { kind, subject: useSubject({ scope: 'device', owner: listener, part: device }) };
  }
}

/** When the youngest membership in this counting scope began. */
function sinceOf({ subscription }: SubjectFacts, scope: Scope['kind']): number | undefined {
  if (subscription?.status !== 'active') return undefined;
  const { givesSinceMs, memberSinceMs } = subscription;
  return scope === 'household' || scope === 'role' ? givesSinceMs : Math.max(givesSinceMs, memberSinceMs);
}

function degradedGrant(table: ProductsTable, { answers }: GrantRow, feature: string): Grant | undefined {
  for (const name of degradations(feature, table.features)) {
    const answer = answers.get(name);
    if (answer?.outcome === 'allow') return answer.grant;
  }
  return undefined;
}

function unmeteredUse(feature: string, code: UnmeteredUse['reason']['code'], message: string): UnmeteredUse {
  return { metered: false, feature, reason: { code, message }, notes: [] };
}

import type { Context } from '#kernel/audiences/language/language.ts';
import { TERRITORIES } from '#kernel/base/territories.ts';
import type { AdLoad } from './ad-load.ts';
import {
  ALL_PERMITTED,
  nothingPermitted,
  type ConsentDemand,
  type ConsentSignals,
  type Permission,
} from './consent/permission.ts';

export const AGE_GROUPS = ['child', 'teen', 'adult'] as const;
type AgeGroup = (typeof AGE_GROUPS)[number];

/** The rules of a policy that concern one listener. */
export interface ListenerPolicy {
  /** How often a listener gets breaks; undefined: as often as they are asked for. */
  readonly load: AdLoad | undefined;
  readonly explicit: 'unlessFiltered' | 'adults' | 'never';
  readonly ages: { readonly teenFrom: number; readonly adultFrom: number };
  /** Categories that children may get; nothing else reaches them. */
  readonly childCategories: readonly string[];
  readonly categories: readonly CategoryRule[];
  /** The first that fits the territory counts. */
  readonly consent: readonly ConsentRule[];
  readonly attributes: {
    /** Attributes of what plays: they choose ads without consent. */
    readonly contextual: readonly string[];
    /** Attributes of the device and the rough place: they choose ads where limited data may be used. */
    readonly limited: readonly string[];
  };
}

interface CategoryRule {
  readonly categories: readonly string[];
  readonly minAge?: number | undefined;
  readonly territories?: readonly string[] | undefined;
  readonly deniedIn?: readonly string[] | undefined;
}

interface ConsentRule extends ConsentDemand {
  readonly territories?: readonly string[] | undefined;
}

/** Facts of a listener, besides the attributes for audiences. */
export interface ListenerFacts extends ConsentSignals {
  readonly territory?: string | undefined;
  readonly age?: number | undefined;
  readonly ageGroup?: AgeGroup | undefined;
  /** The app is made for children, or the listener is known to be one (COPPA). */
  readonly coppa?: boolean | undefined;
}

/** The rules for a listener who may get everything. */
export const OPEN_RULES: ListenerRules = {
  permission: ALL_PERMITTED,
  ageGroup: 'adult',
  deniedCategories: new Map(),
  onlyCategories: undefined,
  mayBeExplicit: true,
};

/** Why the categories of an ad keep it from a listener. */
export type CategoryObstacle = 'minimum age' | 'territory' | 'not for children';

/** Rules for all ads of one break. */
export interface ListenerRules {
  readonly permission: Permission;
  readonly ageGroup: AgeGroup | undefined;
  /** Categories that this listener does not get, and why. */
  readonly deniedCategories: ReadonlyMap<string, CategoryObstacle>;
  /** Where it is there, all categories of an ad are of these, and it has one. */
  readonly onlyCategories: ReadonlySet<string> | undefined;
  readonly mayBeExplicit: boolean;
}

export type ReadPermission = (demand: ConsentDemand, signals: ConsentSignals) => Permission;

/** The rules of a policy for one listener. What is not known counts as the stricter case. */
export function listenerRules(policy: ListenerPolicy, facts: ListenerFacts, read: ReadPermission): ListenerRules {
  const territory = knownTerritory(facts);
  const signalled = signalledPermission(policy.consent, { facts, territory }, read);
  const ageGroup = ageGroupOf(policy, facts, signalled.knownAs);
  const permission = permissionOf(ageGroup, signalled);
  const age = knownAge(policy, facts.age, ageGroup);
  const denied = new Map<string, CategoryObstacle>();
  for (const rule of policy.categories) {
    const obstacle = obstacleOf(rule, age, territory);
    if (obstacle !== undefined) for (const category of rule.categories) denied.set(category, obstacle);
  }
  return {
    permission,
    ageGroup,
    deniedCategories: denied,
    onlyCategories: ageGroup === 'child' ? new Set(policy.childCategories) : undefined,
    mayBeExplicit: mayBeExplicit(policy.explicit, ageGroup),
  };
}

/** The rules where there is no policy. */
export const CLOSED_RULES: ListenerRules = {
  permission: nothingPermitted('no policy'),
  ageGroup: undefined,
  deniedCategories: new Map(),
  onlyCategories: new Set(),
  mayBeExplicit: false,
};

/** Why a listener does not get ads of these categories. */
export function categoryObstacle(
  categories: readonly string[],
  { deniedCategories, onlyCategories }: ListenerRules,
): CategoryObstacle | undefined {
  if (onlyCategories !== undefined) {
    // An advertiser without categories may be anything.
    if (categories.length === 0 || !categories.every((name) => onlyCategories.has(name))) return 'not for children';
  }
  if (deniedCategories.size === 0) return undefined;
  const denied = categories.find((name) => deniedCategories.has(name));
  return denied === undefined ? undefined : deniedCategories.get(denied);
}

/** Whose history frequency caps may read and write. */
export function historyScope(listener: string | undefined, { permission }: ListenerRules): 'listener' | 'session' {
  return listener !== undefined && permission.history ? 'listener' : 'session';
}

/** The attributes that may choose ads. */
export function permittedContext(context: Context, { attributes }: ListenerPolicy, permission: Permission): Context {
  if (permission.personal) return context;
  const names = new Set([...attributes.contextual, ...(permission.limited ? attributes.limited : [])]);
  return Object.fromEntries(Object.entries(context).filter(([name]) => names.has(name)));
}

/** Rules name codes alone: another text, as `de`, `UK` or the `XX` of a proxy, would meet none of them, so it is unknown. */
function knownTerritory({ territory }: ListenerFacts): string | undefined {
  return territory !== undefined && TERRITORIES.has(territory) ? territory : undefined;
}

function signalledPermission(
  rules: readonly ConsentRule[],
  { facts, territory }: { readonly facts: ListenerFacts; readonly territory: string | undefined },
  read: ReadPermission,
): Permission {
  // The age that a string gives away counts without a rule too.
  const nothing = (reason: string): Permission => {
    const { knownAs } = read({ framework: 'none' }, facts);
    return { ...nothingPermitted(reason), knownAs };
  };
  for (const rule of rules) {
    if (rule.territories === undefined || rule.territories.includes(territory ?? '')) return read(rule, facts);
    // An unknown territory may be this one.
    if (territory === undefined) return nothing('territory unknown');
  }
  return nothing('no consent rule for the territory');
}

/** Children and teens get no personal ads, whatever was consented to; pixels of third parties are not for children. */
function permissionOf(ageGroup: AgeGroup | undefined, signalled: Permission): Permission {
  if (ageGroup === 'child') return nothingPermitted('child');
  return ageGroup === 'teen' ? { ...signalled, personal: false, reason: signalled.reason ?? 'teen' } : signalled;
}

/** The youngest of all that is known. */
function ageGroupOf(
  { ages }: ListenerPolicy,
  { age, ageGroup, coppa = false }: ListenerFacts,
  knownAs: Permission['knownAs'],
): AgeGroup | undefined {
  const byAge = age === undefined ? undefined : age < ages.teenFrom ? 'child' : age < ages.adultFrom ? 'teen' : 'adult';
  const known = [coppa ? 'child' : undefined, ageGroup, knownAs, byAge];
  return AGE_GROUPS.find((group) => known.includes(group));
}

/** The age that is certain: at least for adults, nothing for younger ones whose age is not stated. */
function knownAge({ ages }: ListenerPolicy, age: number | undefined, ageGroup: AgeGroup | undefined): number {
  const most = ageGroup === 'child' ? ages.teenFrom - 1 : ageGroup === 'teen' ? ages.adultFrom - 1 : Infinity;
  return Math.min(most, age ?? (ageGroup === 'adult' ? ages.adultFrom : 0));
}

function obstacleOf(
  { minAge = 0, territories, deniedIn = [] }: CategoryRule,
  age: number,
  territory: string | undefined,
): CategoryObstacle | undefined {
  if (age < minAge) return 'minimum age';
  const isTerritorial = territories !== undefined || deniedIn.length > 0;
  if (territory === undefined) return isTerritorial ? 'territory' : undefined;
  return territories?.includes(territory) === false || deniedIn.includes(territory) ? 'territory' : undefined;
}

function mayBeExplicit(explicit: ListenerPolicy['explicit'], ageGroup: AgeGroup | undefined): boolean {
  if (ageGroup === 'child' || explicit === 'never') return false;
  return explicit === 'unlessFiltered' || ageGroup === 'adult';
}

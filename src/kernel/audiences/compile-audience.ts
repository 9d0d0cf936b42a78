import { LayeredMap } from '#kernel/base/layered-map.ts';
import { atOnce, type Steps } from '#kernel/base/turns.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { attributeTable, declarationOf, TARGETING_KEY, type AttributeTable } from './language/attributes.ts';
import { compileCondition, type RuleLookup } from './compile-condition.ts';
import type { AttributeSpec } from './kinds/attribute.ts';
import type { AudienceSpec } from './kinds/audience.ts';
import { ATTRIBUTE, AUDIENCE } from './language/identity.ts';
import type { AudienceRule, Matcher, Truth } from './language/language.ts';

/** The kinds that an `AudienceTable` is compiled from, as `Kind.id`. */
export const audienceKindIds: ReadonlySet<string> = new Set([ATTRIBUTE, AUDIENCE]);

/** The target audience: an Audience by name, an inline rule, or both. */
interface Who {
  readonly audience?: string;
  readonly when?: AudienceRule;
}

/** The attributes and audiences of one world. Never altered. */
export interface AudienceTable {
  readonly attributes: AttributeTable;
  /** The matcher of an Audience; undefined when there is none. `update` keeps the matcher of an unchanged audience. */
  readonly matcher: (name: string) => Matcher | undefined;
  readonly compile: (rule: AudienceRule) => Matcher;
  /** Names of the attributes that decide membership, those of the named audiences included. */
  readonly attributesOf: (who: Who) => ReadonlySet<string>;
  /** The table of another world, compiled incrementally; the same table when no attribute or audience changed. */
  readonly update: (
    world: World,
    changed: readonly { readonly kind: string; readonly name: string }[],
  ) => Steps<AudienceTable>;
}

/** A rule as a closure: Kleene's "or" of groups, each the "and" of its conditions. */
export function compileRule(rule: AudienceRule, lookup: RuleLookup): Matcher {
  return anyOf(
    rule.anyOf.map(({ allOf: conditions }) => allOf(conditions.map((one) => compileCondition(one, lookup)))),
  );
}

function allOf(matchers: readonly Matcher[]): Matcher {
  const [first, second, third] = matchers;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (third === undefined) {
    return (context, nowMs) => {
      const a = first(context, nowMs);
      return a === false ? false : and(a, second(context, nowMs));
    };
  }
  if (matchers.length === 3) {
    return (context, nowMs) => {
      const a = first(context, nowMs);
      if (a === false) return false;
      const b = and(a, second(context, nowMs));
      return b === false ? false : and(b, third(context, nowMs));
    };
  }
  return (context, nowMs) => {
    let truth: Truth = true;
    for (const matcher of matchers) {
      truth = and(truth, matcher(context, nowMs));
      if (truth === false) return false;
    }
    return truth;
  };
}

function anyOf(matchers: readonly Matcher[]): Matcher {
  const [first] = matchers;
  if (first !== undefined && matchers.length === 1) return first;
  return (context, nowMs) => {
    let truth: Truth = false;
    for (const matcher of matchers) {
      const one = matcher(context, nowMs);
      if (one === true) return true;
      if (one === undefined) truth = undefined;
    }
    return truth;
  };
}

function and(a: Truth, b: Truth): Truth {
  if (a === false || b === false) return false;
  return a === undefined || b === undefined ? undefined : true;
}

/** A whole Audience: not excluded, and included or matched by its rule. */
function compileAudience({ anyOf: groups, members }: AudienceSpec, lookup: RuleLookup): Matcher {
  const rule = groups === undefined ? () => false : compileRule({ anyOf: groups }, lookup);
  if (members === undefined) return rule;
  const included = new Set(members.include);
  const excluded = new Set(members.exclude);
  // Membership without a key is unknown, unless the list is empty.
  const includedWithoutKey = included.size === 0 ? false : undefined;
  const mayBeExcluded = excluded.size > 0;
  return (context, nowMs) => {
    const key = context[TARGETING_KEY];
    if (typeof key === 'string') {
      if (excluded.has(key)) return false;
      return included.has(key) ? true : rule(context, nowMs);
    }
    const truth = rule(context, nowMs);
    const inside = truth === true ? true : truth === undefined ? undefined : includedWithoutKey;
    return mayBeExcluded && inside !== false ? undefined : inside;
  };
}

/** The table of a world. Audiences are compiled on first use. */
export function compileAudiences(world: World): AudienceTable {
  return atOnce(compileAudiencesInSteps(world));
}

/** The same in steps; the world must not change meanwhile. */
export function* compileAudiencesInSteps(world: World): Steps<AudienceTable> {
  return makeTable(attributesOf(world), yield* specsOf(world), new Map());
}

function makeTable(
  attributes: AttributeTable,
  specs: LayeredMap<AudienceSpec>,
  matchers: Map<string, Matcher>,
): AudienceTable {
  const inProgress = new Set<string>();
  const matcher = (name: string): Matcher | undefined => {
    const known = matchers.get(name);
    if (known !== undefined) return known;
    const spec = specs.get(name);
    // A cycle cannot go live; if there is one, membership is unknown.
    if (spec === undefined || inProgress.has(name)) return undefined;
    inProgress.add(name);
    const compiled = compileAudience(spec, lookup);
    inProgress.delete(name);
    matchers.set(name, compiled);
    return compiled;
  };
  const lookup: RuleLookup = { attributes, matcher };
  const read = new Map<string, ReadonlySet<string>>();
  const attributesIn = (name: string): ReadonlySet<string> => {
    const known = read.get(name);
    if (known !== undefined) return known;
    // A cycle, if there is one, ends here.
    read.set(name, new Set());
    const { anyOf: groups } = specs.get(name) ?? {};
    const found = groups === undefined ? new Set<string>() : attributesOf({ when: { anyOf: groups } });
    read.set(name, found);
    return found;
  };
  const attributesOf = ({ audience, when }: Who): ReadonlySet<string> => {
    const found = new Set(audience === undefined ? [] : attributesIn(audience));
    for (const { allOf: conditions } of when?.anyOf ?? []) {
      for (const condition of conditions) {
        if (condition.attribute !== undefined) found.add(condition.attribute);
        if (condition.audience !== undefined) for (const name of attributesIn(condition.audience)) found.add(name);
      }
    }
    return found;
  };
  const table: AudienceTable = {
    attributes,
    matcher,
    compile: (rule) => compileRule(rule, lookup),
    attributesOf,
    update: function* (world, changed) {
      if (changed.some(({ kind }) => kind === ATTRIBUTE)) return yield* compileAudiencesInSteps(world);
      const names = new Set(changed.filter(({ kind }) => kind === AUDIENCE).map(({ name }) => name));
      if (names.size === 0) return table;
      const changes = new Map([...names].map((name) => [name, specIn(world, name)]));
      const next = yield* specs.withInSteps(changes);
      // A Set iterates over entries added on the way, so this finds referrers of referrers too.
      for (const name of names) {
        for (const [other, spec] of next) {
          if (audiencesIn(spec).includes(name)) names.add(other);
          yield;
        }
      }
      return makeTable(attributes, next, new Map([...matchers].filter(([name]) => !names.has(name))));
    },
  };
  return table;
}

function* specsOf(world: World): Steps<LayeredMap<AudienceSpec>> {
  const specs = new Map<string, AudienceSpec>();
  for (const object of world.list(AUDIENCE)) {
    specs.set(object.name, specOf(object));
    yield;
  }
  return new LayeredMap(specs);
}

function specIn(world: World, name: string): AudienceSpec | undefined {
  const object = world.get(AUDIENCE, name);
  return object && specOf(object);
}

function specOf({ spec }: LiveObject): AudienceSpec {
  return spec as AudienceSpec;
}

function attributesOf(world: World): AttributeTable {
  return attributeTable([...world.list(ATTRIBUTE)].map(({ name, spec }) => declarationOf(name, spec as AttributeSpec)));
}

/** Names of the audiences that a spec refers to. */
function audiencesIn({ anyOf: groups = [] }: AudienceSpec): readonly string[] {
  return groups.flatMap(({ allOf: conditions }) =>
    conditions.flatMap(({ audience }) => (audience === undefined ? [] : [audience])),
  );
}

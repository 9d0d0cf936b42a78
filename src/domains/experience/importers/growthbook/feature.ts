import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { FlagRule, FlagSpec, Requirement } from '../../kinds/flag-spec.ts';
import type { Split, Traffic } from '../../kinds/parts.ts';
import type { AttributeBook } from '../attribute-book.ts';
import { all, any, leaf, type Expression } from '../expression.ts';
import { experimentObject, flagObject, whoFields } from '../flag-object.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import type { Translation, Note } from '../import-result.ts';
import { conditionExpression, type Subjects } from './condition.ts';
import { featureValues, variationsOf, type FeatureValues } from './feature-values.ts';
import type { GrowthbookFeature, GrowthbookRule } from './payload.ts';
import { variantsThatPass } from './prerequisite.ts';
import { coverageRange, hashing, rangeOf, splitOf, type Range } from './split.ts';

/** Inputs of the translation of features. */
interface World {
  readonly features: Readonly<Record<string, GrowthbookFeature>>;
  /** Their position in the document. */
  readonly path: Path;
  readonly subjects: Subjects;
  readonly attributes: AttributeBook;
  readonly notes: Note[];
  readonly stickyBucketing: boolean;
  readonly names: ReadonlyMap<string, string>;
  readonly experiments: (key: string, feature: string) => string;
}

/** A rule that can match. */
interface Step {
  readonly name: string;
  readonly path: Path;
  readonly source: GrowthbookRule;
  readonly requires: readonly Requirement[];
  readonly who: Expression;
  readonly traffic: Traffic | undefined;
  readonly gives: Serving;
}
type Serving =
  | { readonly serve: string }
  | { readonly split: Split; readonly unit: string[]; readonly bucketing: Bucketing; readonly key: string };

/** Translates a feature to a Flag, and its last experiment to an Experiment. */
export function importFeature(id: string, world: World): readonly Translation[] {
  const path = [...world.path, id];
  if (meetsCircle(id, world.features, new Set())) throw new UnsupportedSource(path, 'its prerequisites form a loop');
  const feature = world.features[id] ?? {};
  const values = featureValues(feature, path);
  const gates: Requirement[] = [];
  const steps: Step[] = [];
  let isAlwaysNull = false;
  for (const [index, source] of (feature.rules ?? []).entries()) {
    const at = [...path, 'rules', index];
    const found = requirementsOf(source, at, world);
    if ((found.gates.length > 0 || found.isClosed) && steps.length > 0)
      throw new UnsupportedSource(
        [...at, 'parentConditions'],
        'a gate after other rules is not supported; move it to the front',
      );
    gates.push(...found.gates);
    isAlwaysNull ||= found.isClosed;
    const step =
      found.isNever || isAlwaysNull
        ? undefined
        : stepOf(source, { id, index, at, values, requires: found.requires }, world);
    if (step === undefined) {
      const isOnlyGate = !('force' in source) && variationsOf(source).length === 0;
      if (!isOnlyGate) world.notes.push({ path: at, says: 'this rule never matches and is dropped' });
      continue;
    }
    steps.push(step);
    // A rule for everybody is the last that matters.
    if (isForAll(step)) break;
  }
  const named = uniquelyNamed(steps);
  const last = named.at(-1);
  const isGated = gates.length > 0 || isAlwaysNull;
  const trailing = last !== undefined && isForAll(last) && !isGated ? last : undefined;
  const before = trailing === undefined ? named : named.slice(0, -1);
  const tested = before.at(-1);
  const experiment =
    tested !== undefined && 'split' in tested.gives && tested.requires.length === 0 && !isGated ? tested : undefined;
  // Experiments come after all rules; a rule for everybody else then becomes the default.
  const ruled = experiment === undefined ? named : before.slice(0, -1);
  const fallback =
    experiment !== undefined && trailing !== undefined && 'serve' in trailing.gives
      ? trailing.gives.serve
      : values.fallback;
  for (const { gives, path: at } of ruled) {
    if ('split' in gives)
      world.notes.push({
        path: at,
        says: `the experiment "${gives.key}" becomes the split of a rule, because it has prerequisites or rules after it: variants stay the same, without experiment exposures`,
      });
  }
  const rules = ruled.flatMap((step) => ruleOf(step));
  const isOtherwise = isGated && !isAlwaysNull && fallback !== undefined;
  const spec: FlagSpec = {
    type: values.type,
    enabled: true,
    variants: [...values.variants],
    // Behind a closed gate GrowthBook gives null, and code uses its own default.
    ...(fallback === undefined || isGated ? {} : { default: fallback }),
    ...(gates.length === 0 ? {} : { requires: gates }),
    rules: isOtherwise ? [...rules, { name: 'otherwise', serve: fallback }] : rules,
  };
  const flag = flagObject({ key: id, path, names: world.names }, spec);
  return experiment === undefined ? [flag] : [flag, ...experimentOf(experiment, id, world)];
}

function isForAll({ who, traffic, requires, gives }: Step): boolean {
  return who === true && traffic === undefined && requires.length === 0 && 'serve' in gives;
}

function ruleOf({ name, path, requires, who, traffic, gives }: Step): readonly FlagRule[] {
  const fields = whoFields(who, path);
  if (fields === undefined) return [];
  const given =
    'serve' in gives ? { serve: gives.serve } : { split: gives.split, unit: gives.unit, bucketing: gives.bucketing };
  return [
    {
      name,
      ...fields,
      ...(requires.length === 0 ? {} : { requires: [...requires] }),
      ...(traffic === undefined ? {} : { traffic }),
      ...given,
    },
  ];
}

function experimentOf({ source, path, who, traffic, gives }: Step, id: string, world: World): readonly Translation[] {
  const fields = whoFields(who, path);
  if (fields === undefined || 'serve' in gives) return [];
  const { key, split, unit, bucketing } = gives;
  const isSticky = world.stickyBucketing && source.disableStickyBucketing !== true;
  if (isSticky) {
    const says = 'variants are recorded from now on; the payload does not contain those of the sticky bucket service';
    world.notes.push({ path, says });
  }
  const name = world.experiments(key, id);
  return [
    experimentObject(
      { name, title: source.name, path },
      {
        flag: world.names.get(id) ?? id,
        state: 'running',
        iteration: 1,
        ...fields,
        split,
        unit,
        bucketing,
        ...(traffic === undefined ? {} : { traffic }),
        ...(isSticky ? { sticky: { intake: 'open', days: 365 } } : {}),
      },
    ),
  ];
}

/** Undefined for a rule that can never match. */
function stepOf(
  source: GrowthbookRule,
  {
    id,
    index,
    at,
    values,
    requires,
  }: { id: string; index: number; at: Path; values: FeatureValues; requires: readonly Requirement[] },
  world: World,
): Step | undefined {
  const { subjects } = world;
  if (source.tracks !== undefined)
    throw new UnsupportedSource(
      [...at, 'tracks'],
      'this payload was evaluated for one listener; fetch it without remote evaluation',
    );
  if (source.contextualBanditRef !== undefined)
    throw new UnsupportedSource(
      [...at, 'contextualBanditRef'],
      'a contextual bandit keeps moving listeners between variations',
    );
  const condition = conditionExpression(source.condition ?? {}, [...at, 'condition'], subjects);
  const filters = (source.filters ?? []).map((filter, of) => {
    const attribute = filter.attribute ?? 'id';
    const path = [...at, 'filters', of];
    const bucketing = hashing(filter.hashVersion || 2, filter.seed);
    return part([attribute], { ranges: filter.ranges, bucketing }, path, world);
  });
  const named = { name: source.id ?? `rule-${index + 1}`, path: at, source, requires };
  const units = unitsOf(source, at, world);
  if ('force' in source) {
    const isLimited = source.range !== undefined || source.coverage !== undefined;
    const how = hashing(source.hashVersion || 1, source.seed || id);
    const range = source.range ?? (how === undefined ? [0, 0] : coverageRange(source.coverage ?? 1, how));
    const isEmpty = source.range === undefined && source.coverage === 0;
    const covered = isLimited ? [part(units, { ranges: isEmpty ? [] : [range], bucketing: how }, at, world)] : [];
    return combine({
      ...named,
      who: condition,
      parts: [...filters, ...covered],
      gives: { serve: values.nameOf(source.force) },
    });
  }
  const variations = variationsOf(source);
  // GrowthBook skips an experiment with fewer than two variations.
  if (variations.length < 2) return undefined;
  const key = source.key || id;
  const bucketing = hashing(source.hashVersion || 1, source.seed || key);
  const split = splitOf(source, values.namesOf(variations), at);
  if (bucketing === undefined || split === undefined) return undefined;
  const [namespace, from, until] = source.namespace ?? [];
  const within =
    source.filters === undefined && namespace !== undefined
      ? [
          part(
            units,
            { ranges: [[from ?? 0, until ?? 0]], bucketing: hashing(1, `__${namespace}`) },
            [...at, 'namespace'],
            world,
          ),
        ]
      : [];
  const { unit, given } = unitFields(units, at, world);
  const entries = 'split' in split ? split.split : split.ranges;
  return combine({
    ...named,
    who: all([condition, given]),
    parts: [...filters, ...within],
    gives: { split: entries, unit, bucketing, key },
  });
}

/** Unit attributes: GrowthBook hashes the first in the context. */
function unitsOf(
  { hashAttribute, fallbackAttribute, disableStickyBucketing }: GrowthbookRule,
  path: Path,
  world: World,
): readonly string[] {
  const first = hashAttribute || 'id';
  if (fallbackAttribute === undefined || fallbackAttribute === '') return [first];
  if (world.stickyBucketing && disableStickyBucketing !== true) return [first, fallbackAttribute];
  const says = 'SDKs without a sticky bucket service do not use it; if yours have one, import with --sticky-bucketing';
  world.notes.push({ path: [...path, 'fallbackAttribute'], says });
  return [first];
}

function unitFields(
  units: readonly string[],
  path: Path,
  { attributes, subjects }: World,
): { unit: string[]; given: Expression } {
  const unit = units.map((attribute) => attributes.name(attribute, path));
  // GrowthBook does not hash empty texts, 0 or false.
  const given = any(
    units.map((source, index) => {
      const { type } = subjects.kindOf(source, path);
      const empty = type === 'number' ? 0 : type === 'boolean' ? false : '';
      return leaf({ attribute: unit[index] ?? '', notIn: [empty], absent: 'noMatch' });
    }),
  );
  return { unit, given };
}

/** A share of units, and the condition that a unit exists; `undefined` for nobody. */
type Part = { readonly given: Expression; readonly traffic: Omit<Traffic, 'also'> } | undefined;

function part(
  units: readonly string[],
  { ranges, bucketing }: { readonly ranges: readonly Range[]; readonly bucketing: Bucketing | undefined },
  path: Path,
  world: World,
): Part {
  if (bucketing === undefined) return undefined;
  const { unit, given } = unitFields(units, path, world);
  const parts = ranges.flatMap((range) => rangeOf(range) ?? []);
  if (parts.length === 0) return { given, traffic: { percent: 0, unit, bucketing } };
  return { given, traffic: { ranges: mergeRanges(parts), unit, bucketing } };
}

/** Ranges that do not overlap. */
function mergeRanges(ranges: readonly { from: number; until: number }[]): { from: number; until: number }[] {
  const apart: { from: number; until: number }[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const before = apart.at(-1);
    if (before !== undefined && range.from <= before.until) before.until = Math.max(before.until, range.until);
    else apart.push({ ...range });
  }
  return apart;
}

function combine({
  who,
  parts,
  ...step
}: Omit<Step, 'traffic'> & { readonly parts: readonly Part[] }): Step | undefined {
  const [first, ...others] = parts.flatMap((each) => each ?? []);
  if (parts.includes(undefined) || who === false) return undefined;
  const given = all([who, ...parts.flatMap((each) => each?.given ?? [])]);
  const also = others.map(({ traffic }) => traffic);
  const traffic = first === undefined ? undefined : { ...first.traffic, ...(also.length === 0 ? {} : { also }) };
  return { ...step, who: given, traffic };
}

/** Required variants of other features: a failed gate ends the evaluation, other failures skip the rule. */
function requirementsOf({ parentConditions = [] }: GrowthbookRule, at: Path, { features, names, path: root }: World) {
  const gates: Requirement[] = [];
  const requires: Requirement[] = [];
  for (const [index, { id, condition = {}, gate = false }] of parentConditions.entries()) {
    const path = [...at, 'parentConditions', index];
    const parent = Object.hasOwn(features, id) ? features[id] : undefined;
    if (gate && requires.length > 0)
      throw new UnsupportedSource(path, 'a gate after another prerequisite is not supported');
    const values =
      parent === undefined
        ? { type: 'string' as const, variants: [], fallback: undefined }
        : featureValues(parent, [...root, id]);
    const { names: passing, onNull } = variantsThatPass(condition, values, [...path, 'condition']);
    const mayBeNull = values.fallback === undefined || (parent?.rules ?? []).some(isGate);
    if (onNull && mayBeNull && values.variants.length > 0)
      throw new UnsupportedSource(
        [...path, 'condition'],
        `it also holds while "${id}" has no value, which no variant represents`,
      );
    const isOpen = values.variants.length === 0 ? onNull : !mayBeNull && passing.length === values.variants.length;
    if (isOpen) continue;
    // Later prerequisites are not evaluated.
    if (passing.length === 0) return { gates, requires, isClosed: gate, isNever: true };
    (gate ? gates : requires).push({ flag: names.get(id) ?? id, variants: [...passing] });
  }
  return { gates, requires, isClosed: false, isNever: false };
}

/** Whether prerequisites form a loop from here. */
function meetsCircle(id: string, features: World['features'], above: ReadonlySet<string>): boolean {
  if (above.has(id)) return true;
  const { rules = [] } = (Object.hasOwn(features, id) ? features[id] : undefined) ?? {};
  const parents = new Set(rules.flatMap(({ parentConditions = [] }) => parentConditions.map((parent) => parent.id)));
  return [...parents].some((parent) => meetsCircle(parent, features, new Set([...above, id])));
}

function isGate({ parentConditions = [] }: GrowthbookRule): boolean {
  return parentConditions.some(({ gate }) => gate === true);
}

function uniquelyNamed(steps: readonly Step[]): readonly Step[] {
  const taken = new Set<string>(['otherwise']);
  return steps.map((step) => {
    let { name } = step;
    for (let number = 2; taken.has(name); number += 1) name = `${step.name}-${number}`;
    taken.add(name);
    return { ...step, name };
  });
}

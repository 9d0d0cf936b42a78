import { Attribute } from '#kernel/audiences/kinds/attribute.ts';
import { AUDIENCE, GROUP as AUDIENCES, VERSION as AUDIENCES_VERSION } from '#kernel/audiences/language/identity.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import type { Path } from '#kernel/base/failures.ts';
import type { FlagRule, FlagSpec, Requirement } from '../../kinds/flag-spec.ts';
import { RANDOM_UNIT } from '../../kinds/parts.ts';
import { AttributeBook } from '../attribute-book.ts';
import { all, leaf, not, toRule, type Expression } from '../expression.ts';
import { flagObject, whoFields } from '../flag-object.ts';
import { UnsupportedSource } from '../unsupported-source.ts';
import {
  madeOrNoted,
  type AttributeKind,
  type ImportResult,
  type ImportOptions,
  type Translation,
  type Note,
} from '../import-result.ts';
import { keepSound } from '../keep-sound.ts';
import { objectNames } from '../object-names.ts';
import { constraintExpression, CURRENT_TIME } from './constraint.ts';
import { parseUnleash, type Feature, type DocumentPart, type UnleashState, type UnleashVariant } from './state.ts';
import { choiceBuckets, choiceOf, featureChoice, HOSTNAME, overridesOf, strategyTakes } from './strategy.ts';

/** Text fields of an Unleash context; all others may also be numbers and booleans. */
const TEXT_FIELDS = ['userId', 'sessionId', 'remoteAddress', 'environment', 'appName', HOSTNAME];
/** Fields that an Unleash SDK fills in itself. */
const OF_THE_SDK = ['environment', 'appName', HOSTNAME];

/** Variant of a disabled feature, and of an enabled one without variants. */
const OFF = 'disabled';
const ON = 'enabled';

/**
 * Translates an Unleash state to Flags, and its segments to Audiences. A feature without variants is a
 * boolean Flag; otherwise its value is the SDK's `getVariant` answer: `{ name, enabled, payload?,
 * feature_enabled }`.
 *
 * Proven against all of @unleash/client-specification and against unleash-client.
 */
export function importUnleash(document: unknown, options: ImportOptions = {}): ImportResult {
  const notes: Note[] = [];
  const state = parseUnleash(document, notes);
  const attributes = new AttributeBook(kindOf, options.targetingKey);
  const segments = importSegments(state, attributes, notes, options.inexact);
  const names = objectNames(state.features.keys());
  const flags = [...state.features.values()].flatMap(
    (placed) =>
      madeOrNoted(notes, () => {
        options.inexact?.refuseIn(placed.path);
        return importFeature(placed, { state, attributes, segments, names, notes });
      }) ?? [],
  );
  const imported = keepSound([...attributes.translations(), ...segments.made, ...flags], notes);
  const used = new Set(imported.objects.map(({ metadata }) => metadata.name));
  const fromSdk = attributes
    .translations()
    .filter(({ object }) => used.has(object.metadata.name))
    .flatMap(({ object, path }): Note[] => {
      const { name = object.metadata.name } = Attribute.spec(object);
      if (!OF_THE_SDK.includes(name)) return [];
      return [{ path, says: `"${name}" was set by the Unleash SDK; the context must provide it from now on` }];
    });
  return { ...imported, notes: [...imported.notes, ...fromSdk] };
}

function kindOf(name: string): AttributeKind {
  if (name === CURRENT_TIME) return { type: 'timestamp' };
  return TEXT_FIELDS.includes(name) ? { type: 'string' } : { type: 'string', loose: true };
}

interface Segments {
  readonly made: readonly Translation[];
  /** Segment expressions by id; absent: untranslatable. */
  readonly expressions: ReadonlyMap<number, Expression>;
}

function importSegments(
  state: UnleashState,
  attributes: AttributeBook,
  notes: Note[],
  inexact: ImportOptions['inexact'],
): Segments {
  const made: Translation[] = [];
  const expressions = new Map<number, Expression>();
  for (const [id, { value, path }] of state.segments) {
    madeOrNoted(notes, () => {
      inexact?.refuseIn(path);
      const constraints = (value.constraints ?? []).map((constraint, index) =>
        constraintExpression(constraint, [...path, 'constraints', index], attributes),
      );
      const rule = toRule(all(constraints), path, true);
      if (typeof rule === 'boolean') {
        expressions.set(id, rule);
        return;
      }
      const name = `unleash-segment-${id}`;
      const title = value.name ?? undefined;
      made.push({
        path,
        object: {
          apiVersion: `${AUDIENCES}/${AUDIENCES_VERSION}`,
          kind: AUDIENCE.slice(AUDIENCES.length + 1),
          metadata: { name },
          spec: { ...(title === undefined || title === '' ? {} : { title }), anyOf: rule.anyOf },
        },
      });
      expressions.set(id, leaf({ audience: name }));
    });
  }
  return { made, expressions };
}

interface World {
  readonly state: UnleashState;
  readonly attributes: AttributeBook;
  readonly segments: Segments;
  readonly names: ReadonlyMap<string, string>;
  readonly notes: Note[];
}

function importFeature({ value: feature, path }: DocumentPart<Feature>, world: World): Translation {
  const { names, attributes } = world;
  const variants = variantsOf(feature);
  const requires = requiresOf(feature, path, world);
  const rules: FlagRule[] = [];
  // A disabled feature keeps its strategies: without this rule it would be on.
  if (!feature.enabled || requires === undefined) rules.push({ name: 'off', serve: OFF });
  if (feature.strategies.length === 0)
    rules.push(...rulesFor('everybody', { who: true }, featureChoice(feature, path)));
  for (const [index, strategy] of feature.strategies.entries()) {
    const at = [...path, 'strategies', index];
    const taken = strategyTakes(strategy, at, attributes);
    const constraints = (strategy.constraints ?? []).map((constraint, of) =>
      constraintExpression(constraint, [...at, 'constraints', of], attributes),
    );
    const inSegments = (strategy.segments ?? []).map((id, of) => segmentExpression(id, [...at, 'segments', of], world));
    const choice = choiceOf(strategy, feature, { strategy: at, feature: path });
    rules.push(
      ...rulesFor(`strategy-${index + 1}`, { ...taken, who: all([...constraints, ...inSegments, taken.who]) }, choice),
    );
  }
  const spec: FlagSpec = {
    type: variants.hasVariants ? 'object' : 'boolean',
    enabled: true,
    variants: variants.all,
    default: OFF,
    ...(requires === undefined || requires.length === 0 ? {} : { requires: [...requires] }),
    rules,
  };
  return flagObject({ key: feature.name, title: feature.description, path, names }, spec);

  function rulesFor(
    name: string,
    taken: ReturnType<typeof strategyTakes>,
    choice: ReturnType<typeof choiceOf>,
  ): readonly FlagRule[] {
    const traffic = taken.traffic === undefined ? {} : { traffic: taken.traffic };
    const rule = (
      ruleName: string,
      who: Expression,
      given: Pick<FlagRule, 'serve' | 'split' | 'unit' | 'bucketing'>,
    ) => {
      const fields = whoFields(who, path);
      return fields === undefined ? [] : [{ name: ruleName, ...fields, ...traffic, ...given }];
    };
    if (choice === undefined) return rule(name, taken.who, { serve: ON });
    const overrides = overridesOf(choice, attributes);
    // A random unit would get another chance at the next rule.
    const isDrawn = taken.traffic?.unit?.includes(RANDOM_UNIT) === true;
    const before = (position: number) => (isDrawn ? overrides.slice(0, position).map(({ who }) => not(who)) : []);
    return [
      ...overrides.flatMap(({ variant, index, who }, position) =>
        rule(`${name}-override-${index + 1}`, all([taken.who, who, ...before(position)]), {
          serve: variants.nameOf(variant),
        }),
      ),
      ...rule(name, all([taken.who, ...before(overrides.length)]), translateChoice(choice)),
    ];
  }

  function translateChoice(choice: NonNullable<ReturnType<typeof choiceOf>>) {
    for (const [index, { weight }] of choice.variants.entries()) {
      if (!Number.isInteger(weight) || weight < 0)
        throw new UnsupportedSource([...choice.path, index, 'weight'], `a weight of ${weight} is not a whole number`);
    }
    const weighty = choice.variants.filter(({ weight }) => weight > 0);
    const [only] = weighty;
    if (only !== undefined && weighty.length === 1) return { serve: variants.nameOf(only) };
    return {
      split: choice.variants.map((variant) => ({ variant: variants.nameOf(variant), weight: variant.weight })),
      ...choiceBuckets(choice, attributes),
    };
  }
}

function segmentExpression(id: number, path: Path, { state, segments }: World): Expression {
  // SDKs treat a missing segment as empty.
  if (!state.segments.has(id)) return false;
  const expression = segments.expressions.get(id);
  if (expression === undefined) throw new UnsupportedSource(path, `segment ${id} is left out`);
  return expression;
}

/** Variants of a feature's Flag, with their Unleash names. */
function variantsOf(feature: Feature) {
  const declared = [...feature.strategies.flatMap(({ variants }) => variants ?? []), ...(feature.variants ?? [])];
  const hasVariants = declared.length > 0;
  const without = (isOn: boolean) => (hasVariants ? { name: 'disabled', enabled: false, feature_enabled: isOn } : isOn);
  const byContent = new Map<string, { name: string; value: unknown; source: UnleashVariant }>();
  const taken = new Set([ON, OFF]);
  const valueOf = ({ name, payload }: UnleashVariant) => ({
    name,
    enabled: true,
    ...(payload ? { payload } : {}),
    feature_enabled: true,
  });
  for (const variant of declared) {
    const value = valueOf(variant);
    const content = canonicalJson(value);
    if (byContent.has(content)) continue;
    let name = variant.name;
    for (let number = 2; taken.has(name); number += 1) name = `${variant.name}-${number}`;
    taken.add(name);
    byContent.set(content, { name, value, source: variant });
  }
  return {
    hasVariants,
    all: [
      { name: ON, value: without(true) },
      { name: OFF, value: without(false) },
      ...[...byContent.values()].map(({ name, value }) => ({ name, value })),
    ],
    nameOf: (variant: UnleashVariant) => byContent.get(canonicalJson(valueOf(variant)))?.name ?? ON,
    /** Variants with one of these names in Unleash's `getVariant`, while the feature is enabled. */
    called: (names: readonly string[]) => [
      ...(names.includes('disabled') ? [ON] : []),
      ...[...byContent.values()].filter(({ source }) => names.includes(source.name)).map(({ name }) => name),
    ],
    enabled: () => [ON, ...[...byContent.values()].map(({ name }) => name)],
  };
}

/** Requirements of a feature on others; undefined when they can never hold, as in Unleash SDKs. */
function requiresOf(
  { dependencies }: Feature,
  path: Path,
  { state, names, notes }: World,
): readonly Requirement[] | undefined {
  const required: Requirement[] = [];
  for (const [index, { feature, enabled, variants }] of (dependencies ?? []).entries()) {
    const parent = state.features.get(feature)?.value;
    const never = (because: string) => {
      notes.push({ path: [...path, 'dependencies', index], says: `${because}: it is always off, as in Unleash` });
      return undefined;
    };
    if (parent === undefined) return never(`there is no feature "${feature}"`);
    if ((parent.dependencies ?? []).length > 0) return never(`"${feature}" itself depends on another feature`);
    const of = variantsOf(parent);
    const wanted = enabled === false ? [OFF] : (variants ?? []).length > 0 ? of.called(variants ?? []) : of.enabled();
    if (wanted.length === 0) return never(`"${feature}" has none of the variants ${(variants ?? []).join(', ')}`);
    required.push({ flag: names.get(feature) ?? feature, variants: wanted });
  }
  return required;
}

import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { LiveObject, World } from '#kernel/kinds/kind.ts';
import { knownIndexKeys } from '#kernel/snapshots/compact-object.ts';
import { unitOf as unitOfExperiment } from '../kinds/assignment.ts';
import { experimentSpec } from '../kinds/experiment-spec.ts';
import { flagKey, flagSpec, type FlagSpec } from '../kinds/flag-spec.ts';
import { Holdout } from '../kinds/holdout.ts';
import { EXPERIMENT, FLAG, HOLDOUT } from '../kinds/identity.ts';
import type { Traffic } from '../kinds/parts.ts';
import { compileExperiment } from './compile-experiment.ts';
import { compileRule } from './compile-rule.ts';
import { flagSource, type Beside, type Flags, type Step } from './flag-source.ts';
import { LazyFlag, type CompiledParts } from './lazy-flag.ts';
import { areMet, compileRequires, type Requirement } from './requirements.ts';
import type { Evaluation, CompiledFlag, EvaluationStep, Outcome } from './table.ts';
import { unitReader } from './unit.ts';

/** A flag that compiles to a chain of closures at its first evaluation. Most flags are not parsed before. */
export function compileFlag(object: LiveObject, world: World, audiences: AudienceTable): LazyFlag<Beside> {
  const { name } = object;
  const experiments = world.find(EXPERIMENT, 'flag', name);
  if (knownIndexKeys(object)?.length === 0 && experiments.length === 0) {
    // Without index keys the flag's key is its name, and it requires no flag.
    const known = { key: name, object, experiments: NOTHING, sticky: NOTHING, requires: false };
    return new LazyFlag(known, besideOf(NOTHING, NOTHING, world, audiences), compileParts);
  }
  const spec = flagSpec(object);
  const running = spec.enabled ? runningAmong(experiments) : NOTHING;
  const requires = spec.enabled ? requirementsOf(spec) : NOTHING;
  const known = {
    key: flagKey(name, spec),
    object,
    experiments: running.length === 0 ? NOTHING : running.map((experiment) => experiment.name),
    sticky: running.length === 0 ? NOTHING : running.flatMap((experiment) => stickyOf(experiment, spec)),
    requires: requires.length > 0,
  };
  return new LazyFlag(known, besideOf(running, requires, world, audiences), compileParts);
}

function besideOf(
  running: readonly LiveObject[],
  requires: readonly { readonly flag: string }[],
  world: World,
  audiences: AudienceTable,
): Beside {
  if (running.length === 0 && requires.length === 0) {
    const known = alone.get(audiences) ?? { running, holdouts: new Map(), keys: new Map(), audiences };
    alone.set(audiences, known);
    return known;
  }
  const holdouts = new Map(
    running
      .flatMap((experiment) => experimentSpec(experiment).holdouts ?? [])
      .flatMap((holdout) => {
        const found = world.get(HOLDOUT, holdout);
        return found === undefined ? [] : [[holdout, found] as const];
      }),
  );
  const keys = new Map(requires.map(({ flag }) => [flag, keyOf(flag, world)]));
  return { running, holdouts, keys, audiences };
}

/** Shared context of most flags: audiences alone. */
const alone = new WeakMap<AudienceTable, Beside>();

/** Shared empty list of most flags. */
const NOTHING: readonly never[] = [];

function runningAmong(experiments: readonly LiveObject[]): readonly LiveObject[] {
  if (experiments.length === 0) return NOTHING;
  return experiments
    .filter((experiment) => experimentSpec(experiment).state === 'running')
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** All requirements of a flag and its rules. */
function requirementsOf({ requires = [], rules = [] }: FlagSpec) {
  return [...requires, ...rules.flatMap((rule) => rule.requires ?? [])];
}

function stickyOf(experiment: LiveObject, spec: FlagSpec): CompiledFlag['sticky'] {
  const declared = experimentSpec(experiment);
  const { sticky: keep, iteration, bucketing } = declared;
  if (keep === undefined) return [];
  const unitOf = unitReader(unitOfExperiment(declared, spec), bucketing);
  return [
    {
      record: `${experiment.name}/${iteration}`,
      unitOf: (context: Context) => unitOf({ context, random: () => 0 }),
    },
  ];
}

/** Compiles a flag to a chain of closures, with all outcomes prepared. */
function compileParts(object: LiveObject, beside: Beside): CompiledParts {
  const source = flagSource(object, beside);
  const { name, key, spec, make, valueOf } = source;
  const forced = new Map(
    spec.variants.map((variant) => [
      variant.name,
      make({ reason: 'STATIC', variant: variant.name, value: variant.value, forced: true }),
    ]),
  );
  const forcedOutcome = (wanted: Evaluation['forced']): Outcome | undefined => {
    const variant = wanted?.[key];
    return variant === undefined ? undefined : forced.get(variant);
  };
  if (!spec.enabled) {
    const disabled = make({ reason: 'DISABLED' });
    return {
      forced,
      decide: ({ forced: wanted }) => forcedOutcome(wanted) ?? disabled,
      stepsOf: () => [{ step: `flag ${name}`, says: 'Switched off.' }],
    };
  }
  const needs = attributesNeeded(spec, beside);
  const chain: Chain = {
    steps: [
      ...(spec.rules ?? []).map((rule) => compileRule(source, rule)),
      ...beside.running.map((experiment) => compileExperiment(source, experiment)),
    ],
    requires: compileRequires(source, spec.requires),
    fallback: make({ reason: 'STATIC', variant: spec.default, value: valueOf(spec.default) }),
    forcedOutcome,
    wrongIn: (wrong) => {
      const found = [...wrong].filter(([attribute]) => needs.has(attribute)).map(([, says]) => says);
      return found.length === 0 ? undefined : found.join('; ');
    },
  };
  return {
    forced,
    decide: deciderAlong(chain, (message) => make({ reason: 'ERROR', error: { code: 'INVALID_CONTEXT', message } })),
    stepsOf: (evaluation, flags) => stepsAlong(chain, evaluation, flags),
  };
}

/** The evaluation steps of a flag that is switched on. */
interface Chain {
  readonly steps: readonly Step[];
  readonly requires: readonly Requirement[];
  readonly fallback: Outcome;
  readonly forcedOutcome: (wanted: Evaluation['forced']) => Outcome | undefined;
  /** The type error of an attribute that the flag uses. */
  readonly wrongIn: (wrong: NonNullable<Evaluation['wrong']>) => string | undefined;
}

function deciderAlong(
  { steps, requires, fallback, forcedOutcome, wrongIn }: Chain,
  wrongContext: (message: string) => Outcome,
): CompiledParts['decide'] {
  return (evaluation, flags) => {
    if (evaluation.forced !== undefined) {
      const wanted = forcedOutcome(evaluation.forced);
      if (wanted !== undefined) return wanted;
    }
    if (evaluation.wrong !== undefined) {
      const message = wrongIn(evaluation.wrong);
      if (message !== undefined) return wrongContext(message);
    }
    if (requires.length > 0) {
      const met = areMet(requires, evaluation, flags);
      if (met !== true) return met === false ? fallback : met;
    }
    for (const step of steps) {
      const decided = step.take(evaluation, flags);
      if (decided !== undefined) return decided;
    }
    return fallback;
  };
}

/** The steps of an evaluation, in order, up to the decisive one. */
function stepsAlong(chain: Chain, evaluation: Evaluation, flags: Flags): readonly EvaluationStep[] {
  const { steps, requires, forcedOutcome, wrongIn, fallback } = chain;
  if (forcedOutcome(evaluation.forced) !== undefined) return [{ step: 'forced', says: 'Forced by the caller.' }];
  const wrong = evaluation.wrong && wrongIn(evaluation.wrong);
  if (wrong !== undefined) return [{ step: 'context', says: wrong }];
  const seen: EvaluationStep[] = [];
  for (const requirement of requires) {
    const { flag, variants } = requirement;
    const { variant, error } = flags.get(flag)?.decide(evaluation, flags) ?? {};
    const wanted = [...variants].join(' or ');
    const is = error === undefined ? (variant ?? 'the default in the code') : `in error (${error.message})`;
    seen.push({ step: `requires ${flag}`, says: `Has ${is}; requires ${wanted}.` });
    if (areMet([requirement], evaluation, flags) === false) return seen;
  }
  if (areMet(requires, evaluation, flags) !== true) return seen;
  for (const step of steps) {
    const taken = step.take(evaluation, flags) !== undefined;
    seen.push({ step: step.name, says: taken ? step.says : step.whyNot(evaluation, flags) });
    if (taken) return seen;
  }
  return [...seen, { step: 'default', says: `Default: ${fallback.variant ?? 'the default in the code'}.` }];
}

/** Attributes that a flag uses: in its rules, its experiments, and their holdouts. */
function attributesNeeded(
  { unit = [], rules = [] }: FlagSpec,
  { running, holdouts, audiences }: Pick<Beside, 'running' | 'holdouts' | 'audiences'>,
): ReadonlySet<string> {
  const trafficUnits = (traffic: Traffic | undefined) =>
    traffic === undefined ? [] : [traffic, ...(traffic.also ?? [])].flatMap((part) => part.unit ?? []);
  const experiments = running.map(experimentSpec);
  const deciders = [...rules, ...experiments];
  return new Set([
    ...unit,
    ...deciders.flatMap((each) => [...(each.unit ?? []), ...trafficUnits(each.traffic)]),
    ...[...holdouts.values()].flatMap((holdout) => Holdout.spec(holdout).unit ?? []),
    ...[...deciders, ...[...holdouts.values()].map(Holdout.spec)].flatMap((who) => [...audiences.attributesOf(who)]),
  ]);
}

/** The key of a required flag. Keys never change. */
function keyOf(name: string, world: World): string {
  const flag = world.get(FLAG, name);
  return flag === undefined ? name : flagKey(name, flagSpec(flag));
}

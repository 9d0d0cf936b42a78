import type { Bucketing } from '#kernel/audiences/bucketing/bucketing.ts';
import { BUCKETS } from '#kernel/audiences/bucketing/buckets.ts';
import { compileSlot } from '#kernel/audiences/bucketing/compile-slot.ts';
import { BLOCK_BUCKETS, has, type Blocks } from '#kernel/audiences/allocation.ts';
import type { AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import type { AudienceRule, Context, Matcher } from '#kernel/audiences/language/language.ts';
import type { LiveObject, World } from '#kernel/resources/kind.ts';
import { experimentAllotment, experimentSpec } from '../kinds/experiment-spec.ts';
import { flagKey, flagSpec, type FlagRule, type FlagSpec } from '../kinds/flag-spec.ts';
import { Holdout } from '../kinds/holdout.ts';
import { EXPERIMENT, FLAG, HOLDOUT } from '../kinds/identity.ts';
import type { Traffic } from '../kinds/parts.ts';
import { bucketingOf, unitOf as unitOfExperiment } from '../kinds/assignment.ts';
import { ruleSaid, splitSaid } from '../kinds/describe-flag.ts';
import { compileSplit, compileTraffic } from './compile-split.ts';
import { outcome, REVISION_CHARS } from './outcome.ts';
import { unitReader } from './unit.ts';
import { LazyFlag, type CompiledParts } from './lazy-flag.ts';
import type { Asked, CompiledFlag, Look, Outcome, Participation } from './table.ts';

/** The one salt of the buckets that all experiments share. */
const ALLOCATION: Bucketing = { algorithm: 'backline', salt: 'allocation' };
/** A rule or an experiment: decides, or lets the listener go on. */
interface Step {
  readonly name: string;
  readonly take: (asked: Asked, flags: Flags) => Outcome | undefined;
  /** What it does with those whom it takes, as a sentence. */
  readonly says: string;
  /** Why it does not take this one, as a sentence. */
  readonly whyNot: (asked: Asked, flags: Flags) => string;
}
type Flags = ReadonlyMap<string, CompiledFlag>;
/** Another flag that must have one of some variants, and what is answered while it is in error. */
interface Requirement {
  readonly flag: string;
  readonly variants: ReadonlySet<string>;
  readonly inError: Readonly<Record<NonNullable<Outcome['error']>['code'], Outcome>>;
}

/** What a flag is compiled from besides itself, as it is now: the world goes on changing. */
interface Beside {
  /** The experiments that run on it, in the order in which they are asked. */
  readonly running: readonly LiveObject[];
  readonly holdouts: ReadonlyMap<string, LiveObject>;
  /** Keys of the flags that it requires, by their names. */
  readonly keys: ReadonlyMap<string, string>;
  readonly audiences: AudienceTable;
}

/** One flag, which becomes a chain of closures when it is first asked for. */
export function compileFlag(object: LiveObject, world: World, audiences: AudienceTable): LazyFlag<Beside> {
  const spec = flagSpec(object);
  const { name } = object;
  const running = spec.enabled ? runningOn(name, world) : NOTHING;
  const requires = spec.enabled ? requirementsOf(spec) : NOTHING;
  const known = {
    key: flagKey(name, spec),
    type: spec.type,
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

/** What most flags have beside them: nothing but who listeners are. */
const alone = new WeakMap<AudienceTable, Beside>();

/** Shared by the flags that have nothing of something: most. */
const NOTHING: readonly never[] = [];

function runningOn(flag: string, world: World): readonly LiveObject[] {
  const found = world.find(EXPERIMENT, 'flag', flag);
  if (found.length === 0) return NOTHING;
  return found
    .filter((experiment) => experimentSpec(experiment).state === 'running')
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** All that it requires, in whole or in a rule. */
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

/** One flag as a chain of closures; what it answers is made here, once. */
function compileParts(object: LiveObject, { running, holdouts, keys, audiences }: Beside): CompiledParts {
  const spec = flagSpec(object);
  const { name, revision } = object;
  const key = flagKey(name, spec);
  const make = (parts: Omit<Parameters<typeof outcome>[0], 'flag' | 'revision'> & { revision?: string }) =>
    outcome({ flag: key, revision, ...parts });
  const values = new Map(spec.variants.map((variant) => [variant.name, variant.value]));
  const fallback = make({ reason: 'STATIC', variant: spec.default, value: valueOf(spec.default) });
  const forced = new Map(
    spec.variants.map((variant) => [
      variant.name,
      make({ reason: 'STATIC', variant: variant.name, value: variant.value, forced: true }),
    ]),
  );
  if (!spec.enabled) {
    const disabled = make({ reason: 'DISABLED' });
    return {
      forced,
      decide: ({ forced: wanted }) => forcedOutcome(wanted) ?? disabled,
      looks: () => [{ step: `flag ${name}`, says: 'It is switched off.' }],
    };
  }
  const steps: readonly Step[] = [
    ...(spec.rules ?? []).map((rule) => compileRule(rule)),
    ...running.map((experiment) => compileExperiment(experiment)),
  ];
  const requires = compileRequires(spec.requires);
  const needs = attributesNeeded(spec, { running, holdouts, audiences });
  return {
    forced,
    decide: (asked, flags) => {
      if (asked.forced !== undefined) {
        const wanted = forcedOutcome(asked.forced);
        if (wanted !== undefined) return wanted;
      }
      if (asked.wrong !== undefined) {
        const message = wrongIn(asked.wrong);
        if (message !== undefined) return make({ reason: 'ERROR', error: { code: 'INVALID_CONTEXT', message } });
      }
      if (requires.length > 0) {
        const met = areMet(requires, asked, flags);
        if (met !== true) return met === false ? fallback : met;
      }
      for (const step of steps) {
        const decided = step.take(asked, flags);
        if (decided !== undefined) return decided;
      }
      return fallback;
    },
    looks,
  };

  function looks(asked: Asked, flags: ReadonlyMap<string, CompiledFlag>): readonly Look[] {
    if (forcedOutcome(asked.forced) !== undefined)
      return [{ step: 'forced', says: 'The caller asks for this variant.' }];
    const wrong = asked.wrong && wrongIn(asked.wrong);
    if (wrong !== undefined) return [{ step: 'context', says: wrong }];
    const seen: Look[] = [];
    for (const requirement of requires) {
      const { flag, variants } = requirement;
      const { variant, error } = flags.get(flag)?.decide(asked, flags) ?? {};
      const wanted = [...variants].join(' or ');
      const is = error === undefined ? (variant ?? 'the default in the code') : `in error (${error.message})`;
      seen.push({ step: `requires ${flag}`, says: `It is ${is}, and must be ${wanted}.` });
      if (areMet([requirement], asked, flags) === false) return seen;
    }
    if (areMet(requires, asked, flags) !== true) return seen;
    for (const step of steps) {
      const taken = step.take(asked, flags) !== undefined;
      seen.push({ step: step.name, says: taken ? step.says : step.whyNot(asked, flags) });
      if (taken) return seen;
    }
    return [...seen, { step: 'default', says: `Everybody else gets ${spec.default ?? 'the default in the code'}.` }];
  }

  function wrongIn(wrong: NonNullable<Asked['wrong']>): string | undefined {
    const found = [...wrong].filter(([name]) => needs.has(name)).map(([, says]) => says);
    return found.length === 0 ? undefined : found.join('; ');
  }

  function compileRequires(declared: FlagSpec['requires']): readonly Requirement[] {
    return (declared ?? []).map(({ flag, variants }) => {
      const message = `It requires flag "${flag}", which cannot be decided for this context.`;
      const failing = (code: NonNullable<Outcome['error']>['code']) =>
        make({ reason: 'ERROR', error: { code, message } });
      return {
        flag: keys.get(flag) ?? flag,
        variants: new Set(variants),
        inError: {
          TARGETING_KEY_MISSING: failing('TARGETING_KEY_MISSING'),
          INVALID_CONTEXT: failing('INVALID_CONTEXT'),
          GENERAL: failing('GENERAL'),
        },
      };
    });
  }

  function valueOf(variant: string | undefined): unknown {
    return variant === undefined ? undefined : values.get(variant);
  }

  function forcedOutcome(wanted: Asked['forced']): Outcome | undefined {
    const variant = wanted?.[key];
    return variant === undefined ? undefined : forced.get(variant);
  }

  function compileRule(rule: FlagRule): Step {
    const matches = whoMatches(rule, audiences);
    const unit = rule.unit ?? spec.unit;
    const required = compileRequires(rule.requires);
    const takesPart = rule.traffic && trafficTest(rule.traffic, `${name}/${rule.name}/traffic`, unit);
    const noUnit = make({ reason: 'ERROR', error: unitMissing(unit ?? [TARGETING_KEY], `rule "${rule.name}"`) });
    const served = serve(rule, unit, noUnit);
    const take: Step['take'] = (asked, flags) => {
      if (matches !== undefined && matches(asked.context, asked.nowMs) !== true) return undefined;
      if (required.length > 0) {
        const met = areMet(required, asked, flags);
        if (met !== true) return met === false ? undefined : met;
      }
      if (takesPart !== undefined) {
        const part = takesPart(asked);
        if (part === undefined) return noUnit;
        if (!part) return undefined;
      }
      return served(asked);
    };
    const why = (asked: Asked, flags: Flags): string => {
      const unmatched = whyUnmatched(matches, asked);
      if (unmatched !== undefined) return unmatched;
      const missing = required.find((one) => areMet([one], asked, flags) === false);
      return missing === undefined
        ? 'The unit is not in the part of the audience that takes part.'
        : `Flag ${missing.flag} is not ${[...missing.variants].join(' or ')}.`;
    };
    return {
      name: `rule ${rule.name}`,
      take,
      says: `${ruleSaid(rule)}.`,
      whyNot: why,
    };
  }

  function serve(
    rule: FlagRule,
    unit: readonly string[] | undefined,
    noUnit: Outcome,
  ): (asked: Asked) => Outcome | undefined {
    if (rule.split === undefined) {
      const reason = rule.traffic === undefined ? 'TARGETING_MATCH' : 'SPLIT';
      const by = rule.traffic === undefined ? undefined : (rule.traffic.unit ?? unit ?? [TARGETING_KEY]);
      const all = make({ reason, variant: rule.serve, value: valueOf(rule.serve), rule: rule.name, unit: by });
      return () => all;
    }
    const outcomes = rule.split.map(({ variant }) =>
      make({ reason: 'SPLIT', variant, value: valueOf(variant), rule: rule.name, unit: unit ?? [TARGETING_KEY] }),
    );
    const choose = compileSplit(rule.split, rule.bucketing ?? { algorithm: 'backline', salt: `${name}/${rule.name}` });
    const unitOf = unitReader(unit, rule.bucketing);
    return (asked) => {
      const value = unitOf(asked);
      return value === undefined ? noUnit : outcomes[choose(value)];
    };
  }

  function compileExperiment(live: LiveObject): Step {
    const experiment = experimentSpec(live);
    const { iteration, sticky: keep, split } = experiment;
    const salt = `${live.name}/${iteration}`;
    const unit = unitOfExperiment(experiment, spec);
    const unitOf = unitReader(unit, experiment.bucketing);
    const matches = whoMatches(experiment, audiences);
    const traffic = experiment.traffic && freshTraffic(experiment.traffic, iteration);
    const takesPart = traffic && trafficTest(traffic, `${salt}/traffic`, unit);
    const isAllotted = allotmentTest(experimentAllotment(live)?.blocks);
    const heldBy = (experiment.holdouts ?? []).flatMap((holdout) => {
      const found = holdouts.get(holdout);
      return found === undefined ? [] : [holdoutStep(found, unit)];
    });
    const choose = compileSplit(split, bucketingOf(experiment.bucketing, iteration) ?? { algorithm: 'backline', salt });
    const participations = split.map(({ variant }) => participation(variant, undefined));
    const recorded =
      keep === undefined
        ? participations
        : split.map(({ variant }) => participation(variant, { record: salt, days: keep.days }));
    const positions = new Map(split.map(({ variant }, index) => [variant, index]));
    const problem = { flag: key, revision: live.revision, reason: 'ERROR' } as const;
    const noUnit = outcome({ ...problem, error: unitMissing(unit, `experiment "${live.name}"`) });
    const unread = outcome({
      ...problem,
      error: {
        code: 'GENERAL',
        message: `Experiment "${live.name}" keeps variants on record, and the record cannot be read now.`,
      },
    });
    const take: Step['take'] = (asked) => {
      const matched = matches === undefined || matches(asked.context, asked.nowMs) === true;
      if (!matched && keep?.ignoreTargeting !== true) return undefined;
      const value = unitOf(asked);
      if (value === undefined) return matched ? noUnit : undefined;
      if (keep !== undefined) {
        if (asked.kept === undefined) return unread;
        const kept = positions.get(asked.kept.get(salt) ?? '');
        if (kept !== undefined) return participations[kept];
        if (!matched || keep.intake === 'paused') return undefined;
      }
      for (const holdout of heldBy) {
        const held = holdout(asked);
        if (held !== undefined) return held;
      }
      if (isAllotted !== undefined && !isAllotted(value)) return undefined;
      if (takesPart !== undefined && takesPart(asked) !== true) return undefined;
      return recorded[choose(value)];
    };
    return {
      name: `experiment ${live.name}`,
      take,
      says: `It takes part and is split: ${splitSaid(split)}.`,
      whyNot: (asked) => {
        const unmatched = whyUnmatched(matches, asked);
        if (unmatched !== undefined) return unmatched;
        if (keep?.intake === 'paused') return 'It takes nobody new, and no variant is on record for this unit.';
        const value = unitOf(asked);
        if (isAllotted !== undefined && value !== undefined && !isAllotted(value))
          return 'The unit is not in its buckets.';
        return 'The unit is not in the part that takes part.';
      },
    };

    function participation(variant: string, kept: Participation['keep']): Outcome {
      const assignmentId = `${live.name}/${iteration}/${variant}/${live.revision.slice(0, REVISION_CHARS)}`;
      const part = { name: live.name, iteration, assignmentId, keep: kept };
      const { revision } = live;
      return make({ revision, reason: 'SPLIT', variant, value: valueOf(variant), experiment: part, unit });
    }
  }

  /**
   * Held-out units get the default of the flag, and it is said that they would have been asked. They are of the unit of
   * the experiment, unless the holdout names one: part of a household would tell the rest.
   */
  function holdoutStep(object: LiveObject, experimentUnit: readonly string[]): (asked: Asked) => Outcome | undefined {
    const holdout = Holdout.spec(object);
    const matches = whoMatches(holdout, audiences);
    const unit = holdout.unit ?? experimentUnit;
    const isHeld = trafficTest({ percent: holdout.percent }, `holdout/${object.name}`, unit);
    const left = { variant: spec.default, value: valueOf(spec.default) };
    const held = make({ reason: 'SPLIT', ...left, holdout: object.name, unit });
    return (asked) => {
      if (matches !== undefined && matches(asked.context, asked.nowMs) !== true) return undefined;
      return isHeld(asked) === true ? held : undefined;
    };
  }
}

/**
 * Whether all that is required holds. What is in error is no answer: unless something else does not hold anyway, the error
 * is the outcome.
 */
function areMet(requires: readonly Requirement[], asked: Asked, flags: Flags): boolean | Outcome {
  let failing: Outcome | undefined;
  for (const { flag, variants, inError } of requires) {
    const decided = flags.get(flag)?.decide(asked, flags);
    if (decided?.error !== undefined) failing ??= inError[decided.error.code];
    else if (decided?.variant === undefined || !variants.has(decided.variant)) return false;
  }
  return failing ?? true;
}

/** Names of the attributes that a flag goes by: those of its rules, of the experiments on it, and of their holdouts. */
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

/** Who takes part, drawn anew by each iteration, also where another tool has said how. */
function freshTraffic({ also, ...part }: Traffic, iteration: number): Traffic {
  const fresh = <Part extends Omit<Traffic, 'also'>>({ bucketing, ...rest }: Part) => {
    const drawn = bucketingOf(bucketing, iteration);
    return { ...rest, ...(drawn === undefined ? {} : { bucketing: drawn }) };
  };
  return { ...fresh(part), ...(also === undefined ? {} : { also: also.map(fresh) }) };
}

function whyUnmatched(matches: Matcher | undefined, { context, nowMs }: Asked): string | undefined {
  const truth = matches === undefined ? true : matches(context, nowMs);
  if (truth === true) return undefined;
  return truth === false
    ? 'Its audience does not match.'
    : 'Whether its audience matches is unknown: the context lacks an attribute.';
}

/** The key of a flag that another one requires. A key never changes. */
function keyOf(name: string, world: World): string {
  const flag = world.get(FLAG, name);
  return flag === undefined ? name : flagKey(name, flagSpec(flag));
}

/** Both must hold: the audience that is named and the rule that is written out. Undefined: everybody. */
function whoMatches(
  { audience, when }: { readonly audience?: string; readonly when?: AudienceRule },
  audiences: AudienceTable,
): Matcher | undefined {
  const named = audience === undefined ? undefined : audiences.matcher(audience);
  const own = when === undefined ? undefined : audiences.compile(when);
  if (named === undefined || own === undefined) return named ?? own;
  return (context, nowMs) => named(context, nowMs) === true && own(context, nowMs) === true;
}

/** Whether a unit takes part; undefined when there is no unit. */
function trafficTest(
  traffic: Traffic,
  salt: string,
  unit: readonly string[] | undefined,
): (asked: Asked) => boolean | undefined {
  const unitOf = unitReader(traffic.unit ?? unit, traffic.bucketing);
  const takesPart = compileTraffic(traffic, traffic.bucketing ?? { algorithm: 'backline', salt });
  const also = (traffic.also ?? []).map((part, index) => trafficTest(part, `${salt}/${index}`, unit));
  const test = (asked: Asked) => {
    const value = unitOf(asked);
    return value === undefined ? undefined : takesPart(value);
  };
  if (also.length === 0) return test;
  return (asked) => {
    for (const each of [test, ...also]) {
      const part = each(asked);
      if (part !== true) return part;
    }
    return true;
  };
}

function allotmentTest(blocks: Blocks | undefined): ((unit: string) => boolean) | undefined {
  if (blocks === undefined) return undefined;
  const bucket = compileSlot(ALLOCATION, BUCKETS);
  return (unit) => has(blocks, Math.floor(bucket(unit) / BLOCK_BUCKETS));
}

function unitMissing(unit: readonly string[], what: string): NonNullable<Outcome['error']> {
  return {
    code: 'TARGETING_KEY_MISSING',
    message: `The context needs ${unit.join(' or ')}: ${what} puts it into buckets.`,
  };
}

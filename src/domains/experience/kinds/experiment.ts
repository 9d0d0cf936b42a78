import { allocate, conflicts } from '#kernel/audiences/allocation.ts';
import { namesIn } from '#kernel/audiences/language/audience-problems.ts';
import { ruleProblems } from '#kernel/audiences/language/check-rule.ts';
import { attributeLookup } from '#kernel/audiences/kinds/attribute.ts';
import { Audience, type AudienceSpec } from '#kernel/audiences/kinds/audience.ts';
import { AUDIENCE } from '#kernel/audiences/language/identity.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { CheckContext, LiveObject, World } from '#kernel/kinds/kind.ts';
import { movedProblems, unitOf, type AssignmentInputs, type HoldoutInputs } from './assignment.ts';
import { audienceRefs } from './audience-refs.ts';
import { splitProblems, trafficProblems, unitProblems } from './check-split.ts';
import { describeExperiment } from './describe-experiment.ts';
import {
  experimentAllotment,
  ExperimentSpecSchema,
  experimentSpec,
  keptAllotment,
  type ExperimentSpec,
} from './experiment-spec.ts';
import { flagSpec } from './flag-spec.ts';
import { variantProblem } from './flag.ts';
import { Holdout } from './holdout.ts';
import { EXPERIMENT, FLAG, GROUP, HOLDOUT, VERSION } from './identity.ts';
import { RANDOM_UNIT } from './parts.ts';

export const Experiment = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Experiment',
  plural: 'experiments',
  shortNames: ['exp'],
  categories: ['experience'],
  scope: 'Namespaced',
  released: true,
  description: 'An experiment compares variants of a flag: its audience, split and metrics.',
  spec: ExperimentSpecSchema,
  columns: [
    { name: 'Flag', type: 'string', description: 'Name of the Flag.', value: ({ spec }) => spec.flag },
    {
      name: 'State',
      type: 'string',
      description: 'draft, running or ended.',
      value: ({ spec }) => spec.state,
    },
    {
      name: 'Split',
      type: 'string',
      description: 'Variants and weights.',
      value: ({ spec }) =>
        spec.split.map(({ variant, weight }) => (weight === undefined ? variant : `${variant}:${weight}`)).join(','),
    },
    {
      name: 'Percent',
      type: 'number',
      description: 'Share of all units.',
      value: ({ spec }) => spec.allocation?.percent ?? 100,
    },
    {
      name: 'Owner',
      type: 'string',
      description: 'Team or person to contact.',
      priority: 1,
      value: ({ spec }) => spec.owner,
    },
  ],
  selectableFields: { 'spec.flag': ['spec', 'flag'], 'spec.state': ['spec', 'state'] },
  fieldIndexes: { 'spec.flag': 'flag' },
  indexes: { flag: ({ flag }) => [flag] },
  refs: (spec) => [
    { path: ['spec', 'flag'], kind: FLAG, name: spec.flag },
    ...audienceRefs(spec, ['spec']),
    ...(spec.holdouts ?? []).map((name, index) => ({ path: ['spec', 'holdouts', index], kind: HOLDOUT, name })),
  ],
  validate: (spec, context) => {
    const attributes = attributeLookup(context);
    return [
      ...(spec.when === undefined ? [] : ruleProblems(spec.when, ['spec', 'when'], attributes)),
      ...unitProblems(spec.unit, attributes, ['spec', 'unit']),
      ...stableUnitProblems(spec),
      ...splitProblems(spec.split, ['spec', 'split']),
      ...trafficProblems(spec.traffic, attributes, ['spec', 'traffic']),
      ...repeatedVariants(spec),
      ...movedFromLive(spec, context),
    ];
  },
  check: checkExperiment,
  allot: allotBuckets,
  describe: describeExperiment,
  example: {
    name: 'night-mode-default',
    spec: {
      title: 'Night mode by default',
      hypothesis: 'Listeners who see night mode in the evening listen longer.',
      flag: 'night-mode',
      state: 'draft',
      iteration: 1,
      split: [
        { variant: 'off', weight: 50 },
        { variant: 'on', weight: 50 },
      ],
      allocation: { percent: 20, exclusivityTags: ['player'] },
    },
  },
});

function stableUnitProblems({ unit = [], traffic }: ExperimentSpec): Problem[] {
  const at = [
    { units: unit, path: ['spec', 'unit'] as Path },
    { units: traffic?.unit ?? [], path: ['spec', 'traffic', 'unit'] as Path },
    ...(traffic?.also ?? []).map((part, index) => ({
      units: part.unit ?? [],
      path: ['spec', 'traffic', 'also', index, 'unit'] as Path,
    })),
  ];
  return at.flatMap(({ units, path }) =>
    units.includes(RANDOM_UNIT)
      ? [
          {
            path,
            reason: 'FieldValueInvalid' as const,
            detail: `an experiment needs a stable unit; ${RANDOM_UNIT} changes at each evaluation`,
          },
        ]
      : [],
  );
}

function repeatedVariants({ split }: ExperimentSpec): Problem[] {
  return split.flatMap(({ variant }, index): Problem[] =>
    split.findIndex((other) => other.variant === variant) === index
      ? []
      : [
          {
            path: ['spec', 'split', index, 'variant'],
            reason: 'FieldValueDuplicate',
            detail: `variant "${variant}" is listed twice`,
          },
        ],
  );
}

/** Moves that this object alone would cause are refused at write time; others are checked before going live. */
function movedFromLive(spec: ExperimentSpec, { name, live }: CheckContext & { name: string }): readonly Problem[] {
  const now = live?.(EXPERIMENT, name);
  if (now === undefined || live === undefined) return [];
  const before = experimentSpec(now);
  const liveFlag = live(FLAG, before.flag);
  const flag = liveFlag && flagSpec(liveFlag);
  const holdouts = new Map<string, HoldoutInputs>();
  return movedProblems({ experiment: before, flag, holdouts }, { experiment: spec, flag, holdouts });
}

/** An experiment of a world, with all other inputs of its assignment. */
function assignedIn(world: World, experiment: ExperimentSpec): AssignmentInputs {
  const flag = world.get(FLAG, experiment.flag);
  const holdouts = (experiment.holdouts ?? []).flatMap((name) => {
    const holdout = world.get(HOLDOUT, name);
    if (holdout === undefined) return [];
    const { percent, audience, when } = Holdout.spec(holdout);
    const named = [...(audience === undefined ? [] : [audience]), ...(when === undefined ? [] : namesIn(when))];
    return [[name, { percent, audiences: audiencesBelow(world, named) }] as const];
  });
  return { experiment, flag: flag === undefined ? undefined : flagSpec(flag), holdouts: new Map(holdouts) };
}

/** These audiences and all that they include. */
function audiencesBelow(world: World, named: readonly string[]): HoldoutInputs['audiences'] {
  const found = new Map<string, AudienceSpec>();
  const names = new Set(named);
  for (const name of names) {
    const object = world.get(AUDIENCE, name);
    if (object === undefined) continue;
    const spec = Audience.spec(object);
    found.set(name, spec);
    for (const below of namesIn(spec)) names.add(below);
  }
  return found;
}

function checkExperiment(spec: ExperimentSpec, world: World, name: string, live?: World): readonly Problem[] {
  const flag = world.get(FLAG, spec.flag);
  if (flag === undefined) return [];
  const { variants } = flagSpec(flag);
  const missing = spec.split.flatMap(({ variant }, index) =>
    variantProblem(variant, variants, ['spec', 'split', index, 'variant']),
  );
  const now = live?.get(EXPERIMENT, name);
  const before = now === undefined ? undefined : experimentSpec(now);
  const moved =
    live === undefined || before === undefined ? [] : movedProblems(assignedIn(live, before), assignedIn(world, spec));
  if (spec.state !== 'running') return [...missing, ...moved];
  // A new requirement needs a new iteration, so a running experiment may continue and shrink without it.
  const goesOn = before?.state === 'running' && before.iteration === spec.iteration;
  const unasked = [...(goesOn ? [] : world.list(HOLDOUT))].filter(
    (holdout) => Holdout.spec(holdout).required === true && spec.holdouts?.includes(holdout.name) !== true,
  );
  return [
    ...missing,
    ...moved,
    ...unasked.map((holdout): Problem => ({
      path: ['spec', 'holdouts'],
      reason: 'FieldValueRequired',
      // A rule for all experiments: every author must know its name, in any namespace.
      detail: `Holdout "${holdout.name}" is required of every experiment: add "${holdout.name}" to spec.holdouts`,
    })),
    ...world.find(EXPERIMENT, 'flag', spec.flag).flatMap((other): Problem[] => {
      const their = experimentSpec(other);
      if (other.name === name || their.state !== 'running' || areExclusive(spec, their)) return [];
      return [
        {
          path: ['spec', 'flag'],
          reason: 'FieldValueInvalid',
          detail: `Experiment "${other.name}" runs on the same flag; give both an allocation and make one exclusive to a tag of the other`,
          about: {
            kind: EXPERIMENT,
            name: other.name,
            instead:
              'an Experiment of another namespace runs on the same flag; give both an allocation and make one exclusive to the other',
          },
        },
      ];
    }),
  ];
}

function areExclusive(a: ExperimentSpec, b: ExperimentSpec): boolean {
  return a.allocation !== undefined && b.allocation !== undefined && conflicts(a.allocation, b.allocation);
}

/** Allots buckets to a running experiment: it keeps its own, and shares none with exclusive experiments. */
function allotBuckets(
  object: LiveObject,
  world: World,
  before: LiveObject | undefined,
): { allotment: unknown } | { problems: readonly Problem[] } {
  const spec = experimentSpec(object);
  const { allocation, state } = spec;
  if (state !== 'running' || allocation === undefined) return { allotment: undefined };
  const others = [...world.list(EXPERIMENT)].filter(
    (other) =>
      other.name !== object.name &&
      experimentSpec(other).state === 'running' &&
      areExclusive(spec, experimentSpec(other)),
  );
  const namesOf = namesBeside(object);
  const unitIn = (experiment: ExperimentSpec) => unitOf(experiment, assignedIn(world, experiment).flag).join(' or ');
  const otherUnit = others.find((other) => unitIn(experimentSpec(other)) !== unitIn(spec));
  if (otherUnit !== undefined) {
    const detail = `it is exclusive to ${namesOf([otherUnit])}, which uses the unit ${unitIn(experimentSpec(otherUnit))}, not ${unitIn(spec)}: exclusive experiments need the same unit`;
    return { problems: [{ path: ['spec', 'unit'], reason: 'FieldValueInvalid', detail }] };
  }
  const kept =
    before !== undefined && experimentSpec(before).iteration === spec.iteration
      ? experimentAllotment(before)
      : undefined;
  const taken = others.flatMap((other) => experimentAllotment(other)?.blocks ?? []);
  const given = allocate({
    percent: allocation.percent,
    seed: `${object.name}/${spec.iteration}`,
    taken,
    ...(kept === undefined ? {} : { previous: kept }),
  });
  if ('blocks' in given) return { allotment: keptAllotment(given) };
  const names = namesOf(others);
  const detail =
    'overlap' in given
      ? `it already shares ${given.overlap / 100} % of all units with ${names}: a running experiment cannot become exclusive; raise iteration to restart`
      : `it needs ${allocation.percent} % of all units, but only ${given.free / 100} % are free beside ${names}, to which it is exclusive`;
  return { problems: [{ path: ['spec', 'allocation', 'percent'], reason: 'FieldValueInvalid', detail }] };
}

/** Names of objects that readers of `object` may read too: those in its namespace. */
function namesBeside({ namespace }: LiveObject): (others: readonly LiveObject[]) => string {
  return (others) => {
    const own = others.filter((other) => other.namespace === namespace).map(({ name }) => `"${name}"`);
    return [...own, ...(own.length < others.length ? ['experiments of other namespaces'] : [])].join(', ');
  };
}

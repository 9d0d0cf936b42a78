import { allocate, conflicts } from '#kernel/audiences/allocation.ts';
import { ruleProblems } from '#kernel/audiences/check-rule.ts';
import { attributeLookup } from '#kernel/audiences/kinds/attribute.ts';
import { TARGETING_KEY } from '#kernel/audiences/attributes.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import { METRIC } from '#kernel/events/kinds/identity.ts';
import { defineKind } from '#kernel/resources/define-kind.ts';
import type { LiveObject, World } from '#kernel/resources/kind.ts';
import { audienceRefs } from '../rules/audience-refs.ts';
import { splitProblems, trafficProblems, unitProblems } from '../rules/check-split.ts';
import { describeExperiment } from './describe-experiment.ts';
import { experimentBlocks, ExperimentSpecSchema, experimentSpec, type ExperimentSpec } from './experiment-spec.ts';
import { flagSpec } from './flag-spec.ts';
import { variantProblem } from './flag.ts';
import { holdoutSpec } from './holdout.ts';
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
  description: 'An experiment compares variants of a flag: who takes part, how they are split, what is measured.',
  spec: ExperimentSpecSchema,
  columns: [
    { name: 'Flag', type: 'string', description: 'What it varies.', value: (object) => experimentSpec(object).flag },
    {
      name: 'State',
      type: 'string',
      description: 'draft, running or ended.',
      value: (object) => experimentSpec(object).state,
    },
    {
      name: 'Split',
      type: 'string',
      description: 'Variants and weights.',
      value: (object) =>
        experimentSpec(object)
          .split.map(({ variant, weight }) => (weight === undefined ? variant : `${variant}:${weight}`))
          .join(','),
    },
    {
      name: 'Percent',
      type: 'number',
      description: 'Part of all units.',
      value: (object) => experimentSpec(object).allocation?.percent ?? 100,
    },
    {
      name: 'Owner',
      type: 'string',
      description: 'Whom to ask.',
      priority: 1,
      value: (object) => experimentSpec(object).owner,
    },
  ],
  indexes: { flag: ({ flag }) => [flag] },
  refs: (spec) => [
    { path: ['spec', 'flag'], kind: FLAG, name: spec.flag },
    ...audienceRefs(spec, ['spec']),
    ...metricRefs(spec),
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
      ...controlProblems(spec),
      ...(context.before === undefined ? [] : startedProblems(context.before, spec)),
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

/** What is measured must exist; who measures nothing yet needs no Metric. */
function metricRefs({ metrics = {} }: ExperimentSpec): { path: Path; kind: string; name: string }[] {
  return (['success', 'guardrails', 'quality'] as const).flatMap((list) =>
    (metrics[list] ?? []).map(({ metric }, index) => ({
      path: ['spec', 'metrics', list, index, 'metric'],
      kind: METRIC,
      name: metric,
    })),
  );
}

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
            detail: `an experiment needs a unit that stays the same; ${RANDOM_UNIT} is another one each time`,
          },
        ]
      : [],
  );
}

function controlProblems({ control, split }: ExperimentSpec): Problem[] {
  const twice = split.flatMap(({ variant }, index): Problem[] =>
    split.findIndex((other) => other.variant === variant) === index
      ? []
      : [
          {
            path: ['spec', 'split', index, 'variant'],
            reason: 'FieldValueDuplicate',
            detail: `variant "${variant}" is there twice`,
          },
        ],
  );
  if (control === undefined) return twice;
  const names = split.map(({ variant }) => ({ name: variant }));
  return [...twice, ...variantProblem(control, names, ['spec', 'control'])];
}

/** What would move listeners from one variant to another while it runs is refused: that is a new iteration. */
function startedProblems(before: ExperimentSpec, after: ExperimentSpec): Problem[] {
  if (before.state === 'draft' || after.iteration > before.iteration) return [];
  const fixed = ['flag', 'unit', 'split', 'bucketing', 'control'] as const;
  const problems = fixed.flatMap((field): Problem[] =>
    canonicalJson(before[field]) === canonicalJson(after[field])
      ? []
      : [
          {
            path: ['spec', field],
            reason: 'FieldValueForbidden',
            detail: `${field} cannot change once the experiment has started: it would move listeners between variants; raise iteration to start anew`,
          },
        ],
  );
  if (after.iteration < before.iteration) {
    problems.push({
      path: ['spec', 'iteration'],
      reason: 'FieldValueForbidden',
      detail: `iteration ${before.iteration} has started; it only grows`,
    });
  }
  if (before.state === 'ended' && after.state !== 'ended') {
    problems.push({
      path: ['spec', 'state'],
      reason: 'FieldValueForbidden',
      detail: 'it has ended; raise iteration to start anew',
    });
  }
  if (before.state === 'running' && after.state === 'draft') {
    problems.push({ path: ['spec', 'state'], reason: 'FieldValueForbidden', detail: 'it is running; end it instead' });
  }
  if (before.state === 'running') {
    const left = (before.holdouts ?? []).filter((name) => after.holdouts?.includes(name) !== true);
    const added = (after.holdouts ?? []).filter((name) => before.holdouts?.includes(name) !== true);
    for (const name of [...left, ...added]) {
      problems.push({
        path: ['spec', 'holdouts'],
        reason: 'FieldValueForbidden',
        detail: `holdout "${name}" cannot come or go while the experiment runs; raise iteration to start anew`,
      });
    }
  }
  return problems;
}

function checkExperiment(spec: ExperimentSpec, world: World, name: string): readonly Problem[] {
  const flag = world.get(FLAG, spec.flag);
  if (flag === undefined) return [];
  const { variants } = flagSpec(flag);
  const missing = spec.split.flatMap(({ variant }, index) =>
    variantProblem(variant, variants, ['spec', 'split', index, 'variant']),
  );
  if (spec.state !== 'running') return missing;
  const unasked = [...world.list(HOLDOUT)].filter(
    (holdout) => holdoutSpec(holdout).required === true && spec.holdouts?.includes(holdout.name) !== true,
  );
  return [
    ...missing,
    ...unasked.map((holdout): Problem => ({
      path: ['spec', 'holdouts'],
      reason: 'FieldValueRequired',
      // A rule for all experiments: whoever has one must know its name, wherever it is.
      detail: `Holdout "${holdout.name}" is required of every experiment; add it, or raise iteration if this one runs already`,
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

/** Buckets for an experiment that runs: it keeps those that it has, and shares none with those it is exclusive to. */
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
  const otherUnit = others.find((other) => unitOf(experimentSpec(other)) !== unitOf(spec));
  if (otherUnit !== undefined) {
    const detail = `it is exclusive to ${namesOf([otherUnit])}, which is about ${unitOf(experimentSpec(otherUnit))}, not ${unitOf(spec)}: only experiments on the same unit can share no one`;
    return { problems: [{ path: ['spec', 'unit'], reason: 'FieldValueInvalid', detail }] };
  }
  const kept =
    before !== undefined && experimentSpec(before).iteration === spec.iteration ? experimentBlocks(before) : undefined;
  const taken = others.flatMap((other) => {
    const blocks = experimentBlocks(other);
    return blocks === undefined ? [] : [blocks];
  });
  const given = allocate({
    percent: allocation.percent,
    seed: `${object.name}/${spec.iteration}`,
    taken,
    ...(kept === undefined ? {} : { previous: kept }),
  });
  if ('blocks' in given) return { allotment: { blocks: given.text } };
  const names = namesOf(others);
  const detail =
    'overlap' in given
      ? `it already shares ${given.overlap / 100} % of all units with ${names}: what runs cannot be made exclusive; raise iteration to start anew`
      : `it wants ${allocation.percent} % of all units, but only ${given.free / 100} % are free beside ${names}, to which it is exclusive`;
  return { problems: [{ path: ['spec', 'allocation', 'percent'], reason: 'FieldValueInvalid', detail }] };
}

/** The names of those that whoever reads about `object` may read too: those of its namespace. */
function namesBeside({ namespace }: LiveObject): (others: readonly LiveObject[]) => string {
  return (others) => {
    const own = others.filter((other) => other.namespace === namespace).map(({ name }) => `"${name}"`);
    return [...own, ...(own.length < others.length ? ['experiments of other namespaces'] : [])].join(', ');
  };
}

function unitOf({ unit = [TARGETING_KEY] }: ExperimentSpec): string {
  return unit.join(' or ');
}

import { Type, type Static } from 'typebox';
import { allocate, blocksFrom, conflicts, type Blocks } from '#kernel/audiences/allocation.ts';
import { BucketingSchema } from '#kernel/audiences/bucketing/bucketing.ts';
import { ruleProblems } from '#kernel/audiences/check-rule.ts';
import { attributeLookup } from '#kernel/audiences/kinds/attribute.ts';
import { TARGETING_KEY } from '#kernel/audiences/attributes.ts';
import type { Path, Problem } from '#kernel/base/failures.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import { defineKind } from '#kernel/resources/define-kind.ts';
import type { LiveObject, World } from '#kernel/resources/kind.ts';
import { audienceRefs } from '../rules/audience-refs.ts';
import { splitProblems, trafficProblems, unitProblems } from '../rules/check-split.ts';
import { describeExperiment } from './describe-experiment.ts';
import { flagSpec, variantProblem } from './flag.ts';
import { holdoutSpec } from './holdout.ts';
import { EXPERIMENT, FLAG, GROUP, HOLDOUT, VERSION } from './identity.ts';
import { owner, RANDOM_UNIT, SplitSchema, title, TrafficSchema, UnitSchema, whoFields } from './parts.ts';

const METRICS_MAX = 50;
const TAGS_MAX = 20;
const HOLDOUTS_MAX = 10;

const TagsSchema = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 63, description: 'A tag.' }), {
      maxItems: TAGS_MAX,
      description,
    }),
  );

const ExperimentSpecSchema = Type.Object(
  {
    title,
    owner,
    hypothesis: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2_000, description: 'What you expect to happen, and why.' }),
    ),
    flag: Type.String({ minLength: 1, description: 'Name of the Flag whose variants are compared.' }),
    state: Type.Enum(['draft', 'running', 'ended'], {
      default: 'draft',
      description: 'draft and ended take nobody; to ship a winner, change the default of the flag.',
    }),
    iteration: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 1_000_000,
      description: 'Raised to start anew with a fresh split.',
    }),
    ...whoFields,
    unit: Type.Optional(UnitSchema),
    control: Type.Optional(
      Type.String({ minLength: 1, description: 'The variant that the others are compared with; default the first.' }),
    ),
    split: SplitSchema,
    bucketing: Type.Optional(BucketingSchema),
    traffic: Type.Optional(TrafficSchema),
    allocation: Type.Optional(
      Type.Object(
        {
          percent: Type.Number({
            minimum: 0.01,
            maximum: 100,
            multipleOf: 0.01,
            description: 'Part of all units, in percent.',
          }),
          exclusivityTags: TagsSchema('What this experiment is, for others that are exclusive to it.'),
          exclusiveTo: TagsSchema('It shares no unit with experiments that have one of these tags.'),
        },
        {
          description:
            'Its buckets out of those that all experiments share. Absent: all of them, exclusive to none. Buckets stay its own until it ends.',
        },
      ),
    ),
    holdouts: Type.Optional(
      Type.Array(Type.String({ minLength: 1, description: 'Name of a Holdout.' }), {
        maxItems: HOLDOUTS_MAX,
        description: 'Whose units it leaves alone.',
      }),
    ),
    sticky: Type.Optional(
      Type.Object(
        {
          intake: Type.Enum(['open', 'paused'], {
            default: 'open',
            description: 'paused: only who has a variant already keeps it; nobody new comes in.',
          }),
          ignoreTargeting: Type.Optional(
            Type.Boolean({ description: 'True: who has a variant keeps it also when the audience no longer matches.' }),
          ),
          days: Type.Integer({
            default: 90,
            minimum: 1,
            maximum: 365,
            description: 'How long it is kept since it was last asked for.',
          }),
        },
        {
          description: 'Variants are recorded for each unit and kept, whatever becomes of audience, split and buckets.',
        },
      ),
    ),
    metrics: Type.Optional(
      Type.Object(
        {
          success: metricList('At least one of these must get better.'),
          guardrails: metricList('None of these may get worse by more than its margin.'),
          quality: metricList('Whether the experiment itself can be trusted.'),
        },
        { description: 'What is measured; Metrics by name.' },
      ),
    ),
    analysis: Type.Optional(
      Type.Object(
        {
          alpha: Type.Number({
            default: 0.05,
            exclusiveMinimum: 0,
            maximum: 0.5,
            description: 'Chance of shipping what makes no difference.',
          }),
          power: Type.Number({
            default: 0.8,
            minimum: 0.5,
            maximum: 0.999,
            description: 'Chance of finding an effect that is there.',
          }),
          units: Type.Optional(
            Type.Integer({ minimum: 1, description: 'Planned number of units, all variants together.' }),
          ),
          looks: Type.Integer({
            default: 14,
            minimum: 1,
            maximum: 1_000,
            description: 'Planned number of interim analyses.',
          }),
        },
        { description: 'How the result is judged.' },
      ),
    ),
  },
  { description: 'A comparison of variants of a flag among listeners who are put into buckets.' },
);

function metricList(description: string) {
  return Type.Optional(
    Type.Array(
      Type.Object(
        {
          metric: Type.String({ minLength: 1, description: 'Name of a Metric.' }),
          margin: Type.Optional(
            Type.Number({
              exclusiveMinimum: 0,
              maximum: 1,
              description: 'Relative change that still counts as none; default that of the Metric.',
            }),
          ),
        },
        { description: 'One metric.' },
      ),
      { maxItems: METRICS_MAX, description },
    ),
  );
}

export type ExperimentSpec = Static<typeof ExperimentSpecSchema>;

/** The spec of a stored or live Experiment, which has passed the schema. */
export function experimentSpec(object: { readonly spec?: unknown }): ExperimentSpec {
  return object.spec as ExperimentSpec;
}

/** The buckets of a live Experiment; undefined when it takes all of them, or none as it does not run. */
export function experimentBlocks({ allotment }: LiveObject): Blocks | undefined {
  const { blocks } = (allotment ?? {}) as { blocks?: string };
  return blocks === undefined ? undefined : blocksFrom(blocks);
}

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

function stableUnitProblems({ unit = [], traffic }: ExperimentSpec): Problem[] {
  const at = [
    { units: unit, path: ['spec', 'unit'] as Path },
    { units: traffic?.unit ?? [], path: ['spec', 'traffic', 'unit'] as Path },
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
  const otherUnit = others.find((other) => unitOf(experimentSpec(other)) !== unitOf(spec));
  if (otherUnit !== undefined) {
    const detail = `it is exclusive to Experiment "${otherUnit.name}", which is about ${unitOf(experimentSpec(otherUnit))}, not ${unitOf(spec)}: only experiments on the same unit can share no one`;
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
  const names = others.map(({ name }) => `"${name}"`).join(', ');
  const detail =
    'overlap' in given
      ? `it already shares ${given.overlap / 100} % of all units with ${names}: what runs cannot be made exclusive; raise iteration to start anew`
      : `it wants ${allocation.percent} % of all units, but only ${given.free / 100} % are free beside ${names}, to which it is exclusive`;
  return { problems: [{ path: ['spec', 'allocation', 'percent'], reason: 'FieldValueInvalid', detail }] };
}

function unitOf({ unit = [TARGETING_KEY] }: ExperimentSpec): string {
  return unit.join(' or ');
}

import { Type, type Static } from 'typebox';
import { blocksFrom, type Blocks } from '#kernel/audiences/allocation.ts';
import { BucketingSchema } from '#kernel/audiences/bucketing/bucketing.ts';
import type { LiveObject } from '#kernel/resources/kind.ts';
import { owner, SplitSchema, title, TrafficSchema, UnitSchema, whoFields } from './parts.ts';

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

export const ExperimentSpecSchema = Type.Object(
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

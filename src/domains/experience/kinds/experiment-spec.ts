import { Type, type Static } from 'typebox';
import { specReader } from '#kernel/kinds/schema/read-typed.ts';
import { blocksFrom, blocksText, type Allotment } from '#kernel/audiences/allocation.ts';
import { BucketingSchema } from '#kernel/audiences/bucketing/bucketing.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { owner, SplitSchema, title, TrafficSchema, UnitSchema, whoFields } from './parts.ts';

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
      Type.String({ minLength: 1, maxLength: 2_000, description: 'The expected effect, and the reason.' }),
    ),
    flag: Type.String({ minLength: 1, description: 'Name of the Flag whose variants it compares.' }),
    state: Type.Enum(['draft', 'running', 'ended'], {
      default: 'draft',
      description: 'draft and ended assign no variants; to ship a winner, change the default of the flag.',
    }),
    iteration: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 1_000_000,
      description: 'Raise it to restart with a new split, even with imported bucketing.',
    }),
    ...whoFields,
    unit: Type.Optional(UnitSchema),
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
            description: 'Share of all units, in percent.',
          }),
          exclusivityTags: TagsSchema('Tags by which other experiments can be exclusive to it.'),
          exclusiveTo: TagsSchema('It shares no unit with experiments that have one of these tags.'),
        },
        {
          description:
            'Share of the common buckets, reserved until the experiment ends. Absent: all buckets, exclusive to none.',
        },
      ),
    ),
    holdouts: Type.Optional(
      Type.Array(Type.String({ minLength: 1, description: 'Name of a Holdout.' }), {
        maxItems: HOLDOUTS_MAX,
        description: 'Holdouts whose units it excludes.',
      }),
    ),
    sticky: Type.Optional(
      Type.Object(
        {
          intake: Type.Enum(['open', 'paused'], {
            default: 'open',
            description: 'paused: units with a variant keep it; no new unit is assigned.',
          }),
          ignoreTargeting: Type.Optional(
            Type.Boolean({ description: 'True: a unit keeps its variant even if the audience no longer matches.' }),
          ),
          days: Type.Integer({
            default: 90,
            minimum: 1,
            maximum: 365,
            description: 'Retention since the last evaluation, in days.',
          }),
        },
        {
          description:
            'Sticky assignment: the variant of each unit is recorded and kept when audience, split or buckets change.',
        },
      ),
    ),
  },
  { description: 'A comparison of variants of a flag between randomly assigned units.' },
);

export type ExperimentSpec = Static<typeof ExperimentSpecSchema>;

/** The spec of a stored or live Experiment. */
export const experimentSpec = specReader(ExperimentSpecSchema);

/** Stored buckets of a live Experiment: sets as text, see `blocksText`. */
interface KeptAllotment {
  readonly blocks: string;
  readonly later?: readonly string[];
}

export function keptAllotment({ blocks, later }: Allotment): KeptAllotment {
  return { blocks: blocksText(blocks), ...(later.length === 0 ? {} : { later: later.map(blocksText) }) };
}

/** Buckets of a live Experiment; undefined when it takes all of them, or is not running. */
export function experimentAllotment({ allotment }: LiveObject): Allotment | undefined {
  if (allotment === undefined) return undefined;
  const { blocks, later = [] } = allotment as KeptAllotment;
  return { blocks: blocksFrom(blocks), later: later.map(blocksFrom) };
}

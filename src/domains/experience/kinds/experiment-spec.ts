import { Type, type Static } from 'typebox';
import { specReader } from '#kernel/kinds/schema/read-typed.ts';
import { blocksFrom, blocksText, type Allotted } from '#kernel/audiences/allocation.ts';
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
      description: 'Raised to start anew with a fresh split, also where bucketing names the split of another tool.',
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
  },
  { description: 'A comparison of variants of a flag among listeners who are put into buckets.' },
);

export type ExperimentSpec = Static<typeof ExperimentSpecSchema>;

/** The spec of a stored or live Experiment. */
export const experimentSpec = specReader(ExperimentSpecSchema);

/** Stored buckets of a live Experiment: sets as text, see `blocksText`. */
interface KeptAllotment {
  readonly blocks: string;
  readonly later?: readonly string[];
}

export function keptAllotment({ blocks, later }: Allotted): KeptAllotment {
  return { blocks: blocksText(blocks), ...(later.length === 0 ? {} : { later: later.map(blocksText) }) };
}

/** Buckets of a live Experiment; undefined when it takes all of them, or is not running. */
export function experimentAllotment({ allotment }: LiveObject): Allotted | undefined {
  if (allotment === undefined) return undefined;
  const { blocks, later = [] } = allotment as KeptAllotment;
  return { blocks: blocksFrom(blocks), later: later.map(blocksFrom) };
}

import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

/** `Kind.id` of releases. The Head under the name of a release holds its cohort. */
export const RELEASE = 'releases.backline.dev/Release';

/** Of so many parts is a share told: a millionth, like the buckets of experiments. */
export const SHARE_TOTAL = 1_000_000;

const Slice = Type.Object(
  {
    audience: Type.Optional(Type.String({ description: 'Name of an Audience; absent: everybody.' })),
    markets: Type.Optional(Type.Array(Type.String(), { description: 'Names of Markets; absent: all of them.' })),
    share: Type.Integer({ minimum: 0, maximum: SHARE_TOTAL, description: 'How many of a million units.' }),
  },
  { description: 'Some of the units that an audience and markets are about.' },
);

/**
 * Who gets what a release carries: whoever is in one of the slices, one for each stage that was reached, so that a later
 * stage moves nobody back. The last slice is what is compared: its share against the rest of the same audience and
 * markets.
 */
const CohortSpec = Type.Object(
  {
    unit: Type.Enum(['listener', 'household'], { description: 'What falls into buckets.' }),
    salt: Type.String({ description: 'Which buckets: those of releases with different salts have nothing in common.' }),
    slices: Type.Array(Slice, { minItems: 1, description: 'Whoever is in one of them is in the cohort.' }),
  },
  { description: 'Who gets what a release carries.' },
);

export type Cohort = Static<typeof CohortSpec>;
export type CohortSlice = Static<typeof Slice>;

const shape = Compile(CohortSpec);

/** The cohort that the Head of a release holds; undefined for anything else. */
export function parseCohort(spec: unknown): Cohort | undefined {
  return shape.Check(spec) ? spec : undefined;
}

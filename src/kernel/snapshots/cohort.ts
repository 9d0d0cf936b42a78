import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';

/** The resolution of a share: a millionth, like the buckets of experiments. */
export const SHARE_TOTAL = 1_000_000;

const Slice = Type.Object(
  {
    audience: Type.Optional(Type.String({ description: 'Name of an Audience; absent: everybody.' })),
    facts: Type.Optional(
      Type.Record(Type.String(), Type.Array(Type.String()), {
        description: 'Values of facts by name, one of which must hold; absent: any.',
      }),
    ),
    share: Type.Integer({ minimum: 0, maximum: SHARE_TOTAL, description: 'How many of a million units.' }),
  },
  { description: 'Some of the units that an audience and facts select.' },
);

/**
 * The units that get the candidate of a release: those in one of the slices, one for each stage that was reached, so that a
 * later stage moves no unit back. The last slice is compared: its share against the rest of the same audience and facts.
 */
const CohortSpec = Type.Object(
  {
    unit: Type.String({ minLength: 1, description: 'What falls into buckets, by its name.' }),
    salt: Type.String({ description: 'Which buckets: those of releases with different salts have nothing in common.' }),
    slices: Type.Array(Slice, { minItems: 1, description: 'A unit in one of them is in the cohort.' }),
  },
  { description: 'Who gets what a release carries.' },
);

export type Cohort = Static<typeof CohortSpec>;
export type CohortSlice = Static<typeof Slice>;

const shape = Compile(CohortSpec);

/** The cohort that an entry of a Head holds; undefined for anything else. */
export function parseCohort(where: unknown): Cohort | undefined {
  return shape.Check(where) ? where : undefined;
}

import { Type, type Static } from 'typebox';

/**
 * How a unit is put into a bucket. `backline` is the default; the others are those of other tools, so that what runs
 * there can go on here and no listener is moved.
 */
export const BucketingSchema = Type.Object(
  {
    algorithm: Type.Enum(['backline', 'growthbook-v1', 'growthbook-v2', 'unleash', 'flagd-v1', 'flagd-v2', 'eppo'], {
      description: 'Whose hash function.',
    }),
    salt: Type.String({ maxLength: 500, description: 'What is hashed beside the unit: its salt, seed, group or key.' }),
    seed: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 4_294_967_295,
        description: 'The seed of the hash itself, for unleash (0, or 86028157 for variants).',
      }),
    ),
  },
  { description: 'How a unit is put into a bucket.' },
);

export type Bucketing = Static<typeof BucketingSchema>;

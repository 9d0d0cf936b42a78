import { Type, type Static } from 'typebox';

/**
 * How a unit maps to a bucket. `backline` is the default; the others are the algorithms of other tools, so that
 * experiments continue here and no listener moves.
 */
export const BucketingSchema = Type.Object(
  {
    algorithm: Type.Enum(['backline', 'growthbook-v1', 'growthbook-v2', 'unleash', 'flagd-v1', 'flagd-v2', 'eppo'], {
      description: 'The tool whose hash function is used.',
    }),
    salt: Type.String({
      maxLength: 500,
      description: 'Text hashed with the unit: the salt, seed, group or key of the tool.',
    }),
    seed: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 4_294_967_295,
        description: 'The seed of the hash itself, for unleash (0, or 86028157 for variants).',
      }),
    ),
  },
  { description: 'How a unit maps to a bucket.' },
);

export type Bucketing = Static<typeof BucketingSchema>;

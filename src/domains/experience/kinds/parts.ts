import { Type, type Static } from 'typebox';
import { BucketingSchema } from '#kernel/audiences/bucketing/bucketing.ts';
import { AudienceRuleSchema } from '#kernel/audiences/language/language.ts';

const TITLE_LENGTH_MAX = 200;
const WEIGHT_MAX = 1_000_000;
export const VARIANTS_MAX = 100;

export const title = Type.Optional(
  Type.String({ minLength: 1, maxLength: TITLE_LENGTH_MAX, description: 'The name that people see.' }),
);
export const owner = Type.Optional(
  Type.String({ minLength: 1, maxLength: TITLE_LENGTH_MAX, description: 'Team or person to contact.' }),
);

/** Targeting: an Audience by name, an inline rule, or both (then both must match). */
export const whoFields = {
  audience: Type.Optional(Type.String({ minLength: 1, maxLength: 253, description: 'Name of an Audience.' })),
  when: Type.Optional(AudienceRuleSchema),
};

/**
 * Pseudo-attribute: a new random unit at each evaluation, as the fallback of some tools. It keeps nobody in a
 * variant.
 */
export const RANDOM_UNIT = '$random';

export const UnitSchema = Type.Array(
  Type.String({ minLength: 1, maxLength: 100, description: `An attribute, or "${RANDOM_UNIT}".` }),
  {
    minItems: 1,
    maxItems: 5,
    description: 'The unit of bucketing: the first of these attributes in the context. Default: targetingKey.',
  },
);

const RangeSchema = Type.Object(
  {
    from: Type.Number({ minimum: 0, maximum: 1, description: 'Start of the range.' }),
    until: Type.Number({ minimum: 0, maximum: 1, description: 'End of the range, not included.' }),
  },
  { description: 'A range of the line from 0 to 1.' },
);

const trafficFields = {
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, description: 'Share that takes part, in percent.' })),
  ranges: Type.Optional(
    Type.Array(RangeSchema, {
      minItems: 1,
      maxItems: 100,
      description: 'Ranges of the line from 0 to 1 that take part, instead of percent.',
    }),
  ),
  unit: Type.Optional(UnitSchema),
  bucketing: Type.Optional(BucketingSchema),
};

export const TrafficSchema = Type.Object(
  {
    ...trafficFields,
    also: Type.Optional(
      Type.Array(Type.Object(trafficFields, { description: 'An additional share.' }), {
        maxItems: 10,
        description: 'Additional shares that a unit must be in, each with its own unit and bucketing.',
      }),
    ),
  },
  { description: 'Share of the audience that takes part. It is stable: a larger share contains the smaller one.' },
);

export type Traffic = Static<typeof TrafficSchema>;

export const SplitSchema = Type.Array(
  Type.Object(
    {
      variant: Type.String({ minLength: 1, maxLength: 100, description: 'Name of a variant of the flag.' }),
      weight: Type.Optional(
        Type.Number({ minimum: 0, maximum: WEIGHT_MAX, description: 'Weight, relative to the sum of weights.' }),
      ),
      ranges: Type.Optional(
        Type.Array(RangeSchema, {
          minItems: 1,
          maxItems: 100,
          description: 'Ranges of the line from 0 to 1, instead of weights.',
        }),
      ),
    },
    { description: 'The share of a variant.' },
  ),
  { minItems: 1, maxItems: VARIANTS_MAX, description: 'Split of units between variants, in this order.' },
);

export type Split = Static<typeof SplitSchema>;

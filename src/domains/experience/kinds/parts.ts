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
  Type.String({ minLength: 1, maxLength: TITLE_LENGTH_MAX, description: 'The team or person to ask.' }),
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
    description:
      'The attribute whose value is put into buckets; the first of these that the context has. Default targetingKey.',
  },
);

const RangeSchema = Type.Object(
  {
    from: Type.Number({ minimum: 0, maximum: 1, description: 'Where it begins.' }),
    until: Type.Number({ minimum: 0, maximum: 1, description: 'Where it ends; not included.' }),
  },
  { description: 'A part of the line from 0 to 1.' },
);

const trafficFields = {
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100, description: 'How many take part, in percent.' })),
  ranges: Type.Optional(
    Type.Array(RangeSchema, {
      minItems: 1,
      maxItems: 100,
      description: 'Who takes part, as parts of the line from 0 to 1, in place of percent.',
    }),
  ),
  unit: Type.Optional(UnitSchema),
  bucketing: Type.Optional(BucketingSchema),
};

export const TrafficSchema = Type.Object(
  {
    ...trafficFields,
    also: Type.Optional(
      Type.Array(Type.Object(trafficFields, { description: 'One more part.' }), {
        maxItems: 10,
        description: 'Parts that a unit must be in as well, by units and buckets of their own.',
      }),
    ),
  },
  { description: 'Which part of the audience takes part; the same units always, and more of them when it grows.' },
);

export type Traffic = Static<typeof TrafficSchema>;

export const SplitSchema = Type.Array(
  Type.Object(
    {
      variant: Type.String({ minLength: 1, maxLength: 100, description: 'Name of a variant of the flag.' }),
      weight: Type.Optional(
        Type.Number({ minimum: 0, maximum: WEIGHT_MAX, description: 'Its part of the sum of weights.' }),
      ),
      ranges: Type.Optional(
        Type.Array(RangeSchema, {
          minItems: 1,
          maxItems: 100,
          description: 'Its parts of the line from 0 to 1, in place of weights.',
        }),
      ),
    },
    { description: 'Who gets a variant.' },
  ),
  { minItems: 1, maxItems: VARIANTS_MAX, description: 'How units are split among variants, in this order.' },
);

export type Split = Static<typeof SplitSchema>;

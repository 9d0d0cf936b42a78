import { Type, type Static } from 'typebox';
import { specReader } from '#kernel/kinds/schema/read-typed.ts';
import { BucketingSchema } from '#kernel/audiences/bucketing/bucketing.ts';
import { owner, SplitSchema, title, TrafficSchema, UnitSchema, VARIANTS_MAX, whoFields } from './parts.ts';

const KEY_CHARS_MAX = 250;
const RULES_MAX = 200;
const REQUIRED_MAX = 10;

const RequiresSchema = (description: string) =>
  Type.Optional(
    Type.Array(
      Type.Object(
        {
          flag: Type.String({ minLength: 1, description: 'Name of a Flag.' }),
          variants: Type.Array(Type.String({ minLength: 1, description: 'Name of a variant.' }), {
            minItems: 1,
            maxItems: VARIANTS_MAX,
            description: 'Variants that meet the requirement.',
          }),
        },
        { description: 'A flag that must have one of these variants.' },
      ),
      { maxItems: REQUIRED_MAX, description },
    ),
  );

export const FlagSpecSchema = Type.Object(
  {
    title,
    owner,
    key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: KEY_CHARS_MAX,
        description: 'The key that code uses; it cannot change. Absent: the name of the object.',
      }),
    ),
    type: Type.Enum(['boolean', 'string', 'number', 'object'], {
      description: 'The JSON type of all values; object includes arrays.',
    }),
    variants: Type.Array(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 100, description: 'Unique in the flag.' }),
          value: Type.Unknown({ 'x-kubernetes-preserve-unknown-fields': true, description: 'The value for code.' }),
        },
        { description: 'A possible value of the flag.' },
      ),
      {
        minItems: 1,
        maxItems: VARIANTS_MAX,
        description: 'Possible values of the flag.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      },
    ),
    default: Type.Optional(
      Type.String({
        description: 'The variant without a matching rule or experiment. Absent: the default in the code.',
      }),
    ),
    enabled: Type.Boolean({ default: true, description: 'False: everybody gets the default in the code.' }),
    unit: Type.Optional(UnitSchema),
    requires: RequiresSchema('If one of these does not hold, the flag serves its default.'),
    rules: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String({ minLength: 1, maxLength: 100, description: 'Unique in the flag.' }),
            ...whoFields,
            requires: RequiresSchema('If one of these does not hold, the rule does not match.'),
            traffic: Type.Optional(TrafficSchema),
            serve: Type.Optional(Type.String({ minLength: 1, description: 'The variant for all matching listeners.' })),
            split: Type.Optional(SplitSchema),
            unit: Type.Optional(UnitSchema),
            bucketing: Type.Optional(BucketingSchema),
          },
          { description: 'A targeting rule. A listener who does not match continues with the next rule.' },
        ),
        {
          maxItems: RULES_MAX,
          description: 'The first matching rule decides; then experiments, then the default.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
        },
      ),
    ),
  },
  { description: 'A value that the app reads, with its targeting.' },
);

export type FlagSpec = Static<typeof FlagSpecSchema>;
export type Requirement = NonNullable<FlagSpec['requires']>[number];
export type FlagRule = NonNullable<FlagSpec['rules']>[number];

/** The spec of a stored or live Flag. */
export const flagSpec = specReader(FlagSpecSchema);

/** The key that code uses. */
export function flagKey(name: string, { key = name }: Pick<FlagSpec, 'key'>): string {
  return key;
}

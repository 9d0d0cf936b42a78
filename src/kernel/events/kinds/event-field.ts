import { Type, type Static } from 'typebox';

export const FIELD_LIMITS = {
  /** Limits of what one event type may declare. */
  fieldsMax: 200,
  enumMax: 500,
  /** Characters of a text without `maxLength`. */
  textCharsMax: 8_192,
  /** Items of a list without `maxItems`. */
  itemsMax: 1_000,
  /** Digits of a decimal before and after the point: 38 together, the limit of DuckDB. */
  decimalWholeDigitsMax: 20,
  scaleMax: 18,
} as const;

const SCALARS = ['string', 'integer', 'number', 'decimal', 'boolean', 'timestamp'] as const;

const bounds = {
  enum: Type.Optional(
    Type.Array(Type.Unknown({ 'x-kubernetes-preserve-unknown-fields': true, description: 'One allowed value.' }), {
      minItems: 1,
      maxItems: FIELD_LIMITS.enumMax,
      description: 'The values that are allowed.',
    }),
  ),
  minimum: Type.Optional(Type.Number({ description: 'The lowest number that is allowed.' })),
  maximum: Type.Optional(Type.Number({ description: 'The highest number that is allowed.' })),
  scale: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: FIELD_LIMITS.scaleMax,
      description: 'Digits of a decimal after the point; more are refused.',
    }),
  ),
  maxLength: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: FIELD_LIMITS.textCharsMax,
      description: `Characters (UTF-16 code units) of a text at most; absent: ${FIELD_LIMITS.textCharsMax}.`,
    }),
  ),
};

const ItemSchema = Type.Object(
  { type: Type.Enum([...SCALARS], { description: 'The type of each item.' }), ...bounds },
  { description: 'The schema of the items of an array.' },
);

export const EventFieldSchema = Type.Object(
  {
    type: Type.Enum([...SCALARS, 'array', 'object'], {
      description:
        'decimal: an exact number, for money: text like "4.99". timestamp: text as in RFC 3339. array: a list of `items`. object: any JSON object, kept as it is.',
    }),
    description: Type.Optional(Type.String({ maxLength: 1_000, description: 'What it means, with its unit.' })),
    sensitive: Type.Optional(
      Type.Boolean({
        description: 'Sealed with a key of the subject: erasing the subject makes it unreadable everywhere.',
      }),
    ),
    ...bounds,
    items: Type.Optional(ItemSchema),
    maxItems: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: FIELD_LIMITS.itemsMax,
        description: `Items of an array at most; absent: ${FIELD_LIMITS.itemsMax}.`,
      }),
    ),
  },
  { description: 'A field of the properties of an event.' },
);

export type EventField = Static<typeof EventFieldSchema>;
export type ItemField = Static<typeof ItemSchema>;

import { Type, type Static } from 'typebox';

/** Sizes of one audience: readable for a person, and affordable for a write. */
export const AUDIENCE_LIMITS = {
  groupsMax: 100,
  conditionsMax: 50,
  valuesMax: 10_000,
  /** Texts of all `startsWith`, `endsWith` and `contains` of a rule. */
  textsMax: 10_000,
  valueCharsMax: 500,
  membersMax: 10_000,
  /** Audiences that refer to audiences; deeper chains are not understandable any more. */
  depthMax: 10,
} as const;

const Scalar = Type.Unknown({
  'x-kubernetes-preserve-unknown-fields': true,
  description: 'A text, a number or true/false, of the type of the attribute.',
});
const values = (description: string) =>
  Type.Optional(Type.Array(Scalar, { minItems: 1, maxItems: AUDIENCE_LIMITS.valuesMax, description }));
const texts = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ maxLength: AUDIENCE_LIMITS.valueCharsMax, description: 'One text.' }), {
      minItems: 1,
      maxItems: AUDIENCE_LIMITS.valuesMax,
      description,
    }),
  );
const bound = (description: string) =>
  Type.Optional(Type.Unknown({ 'x-kubernetes-preserve-unknown-fields': true, description }));

/**
 * One condition. It names an `attribute`, another `audience`, or the `time`; exactly one of the three. For an attribute
 * it has one test; the four bounds of a range may stand together.
 */
const ConditionSchema = Type.Object(
  {
    attribute: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: 'Name of a declared Attribute.' }),
    ),
    as: Type.Optional(
      Type.Enum(['number', 'timestamp', 'semver', 'partial-semver', 'ip', 'growthbook-version'], {
        description:
          'Reads the text of a string attribute as this, for its tests; an unreadable text counts as absent. partial-semver takes 1 and 1.2 for 1.0.0 and 1.2.0; growthbook-version compares as GrowthBook does.',
      }),
    ),
    in: values('True when the value, or one of the values, is one of these.'),
    notIn: values('True when the value, or each of the values, is none of these.'),
    exists: Type.Optional(Type.Boolean({ description: 'Whether the context has the attribute. Never unknown.' })),
    atLeast: bound('True for this value and above: a number, or an instant for a timestamp.'),
    above: bound('True above this value.'),
    atMost: bound('True for this value and below.'),
    below: bound('True below this value.'),
    startsWith: texts('True when the text begins with one of these.'),
    endsWith: texts('True when the text ends with one of these.'),
    contains: texts('True when one of these is in the text.'),
    matches: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1_000,
        description: 'True when this regular expression, in the syntax of RE2, finds a match in the text.',
      }),
    ),
    ignoreCase: Type.Optional(Type.Boolean({ description: 'Compares texts without regard to case.' })),
    semver: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'A range of versions, like ">=8.9.0 <9".' }),
    ),
    cidr: texts('True when the IP address is in one of these networks, like 10.0.0.0/8.'),
    absent: Type.Optional(
      Type.Enum(['match', 'noMatch'], {
        description: 'The answer (before `not`) when the context lacks the attribute; else it is unknown.',
      }),
    ),
    audience: Type.Optional(Type.String({ minLength: 1, maxLength: 253, description: 'Name of an Audience.' })),
    time: Type.Optional(
      Type.Object(
        {
          zone: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 100,
              description:
                'An IANA zone, or "listener" for the zone in the attribute timeZone (UTC without it). Default UTC.',
            }),
          ),
          days: Type.Optional(
            Type.Array(
              Type.Enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], { description: 'A day of the week.' }),
              {
                minItems: 1,
                maxItems: 7,
                description: 'Days on which the window begins.',
              },
            ),
          ),
          from: Type.Optional(
            Type.String({
              pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
              description: 'Wall-clock time at which the window begins each day.',
            }),
          ),
          until: Type.Optional(
            Type.String({
              pattern: '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$',
              description: 'Wall-clock time at which it ends; before `from` means the next day.',
            }),
          ),
          after: Type.Optional(Type.String({ format: 'date-time', description: 'From this instant on.' })),
          before: Type.Optional(Type.String({ format: 'date-time', description: 'Until just before this instant.' })),
        },
        { description: 'When: a daily window, an interval of time, or both.' },
      ),
    ),
    not: Type.Optional(Type.Boolean({ description: 'Negates the answer. Unknown stays unknown.' })),
  },
  { description: 'One condition on an attribute, another audience, or the time.' },
);

export type Condition = Static<typeof ConditionSchema>;

const GroupSchema = Type.Object(
  {
    allOf: Type.Array(ConditionSchema, {
      minItems: 1,
      maxItems: AUDIENCE_LIMITS.conditionsMax,
      description: 'All of these must be true.',
    }),
  },
  { description: 'Conditions that must all be true.' },
);

/** A rule: any of some groups. This is the inline form; the kind Audience adds a title and members. */
export const AudienceRuleSchema = Type.Object(
  {
    anyOf: Type.Array(GroupSchema, {
      minItems: 1,
      maxItems: AUDIENCE_LIMITS.groupsMax,
      description: 'One of these groups is enough.',
    }),
  },
  { description: 'The rule of an audience.' },
);

export type AudienceRule = Static<typeof AudienceRuleSchema>;

/** Attributes of one listener by name, as JSON values. A name with dots also finds nested values. */
export type Context = Readonly<Record<string, unknown>>;

/** Kleene's three values; `undefined` is unknown. Only `true` counts as "in the audience". */
export type Truth = boolean | undefined;

/** A compiled audience. `nowMs` is epoch milliseconds. */
export type Matcher = (context: Context, nowMs: number) => Truth;

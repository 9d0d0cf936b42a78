import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { World } from '#kernel/kinds/kind.ts';
import { audienceProblems, namesIn } from '../language/audience-problems.ts';
import { ruleProblems, ruleRefs } from '../language/check-rule.ts';
import { AUDIENCE_LIMITS, AudienceRuleSchema } from '../language/language.ts';
import { describeRule } from '../language/describe-rule.ts';
import { attributeLookup, liveAttributeLookup } from './attribute.ts';
import { GROUP, VERSION } from '../language/identity.ts';

const TITLE_LENGTH_MAX = 200;

const members = (description: string) =>
  Type.Optional(
    Type.Array(
      Type.String({ minLength: 1, maxLength: AUDIENCE_LIMITS.valueCharsMax, description: 'A targetingKey.' }),
      { maxItems: AUDIENCE_LIMITS.membersMax, description },
    ),
  );

const AudienceSpecSchema = Type.Object(
  {
    title: Type.Optional(Type.String({ minLength: 1, maxLength: TITLE_LENGTH_MAX, description: 'The display name.' })),
    anyOf: Type.Optional(AudienceRuleSchema.properties.anyOf),
    members: Type.Optional(
      Type.Object(
        {
          include: members('Members, whatever the rule says.'),
          exclude: members('Never members; wins over include and the rule.'),
        },
        {
          description:
            'Single test accounts and staff. Not for lists of customers: resources hold no personal data; send their common property as an attribute.',
        },
      ),
    ),
  },
  { description: 'The members: a rule over attributes, single keys, or both.' },
);

export type AudienceSpec = Static<typeof AudienceSpecSchema>;

export const Audience = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Audience',
  plural: 'audiences',
  shortNames: ['aud'],
  categories: ['targeting'],
  scope: 'Namespaced',
  released: true,
  passesOn: true,
  description: 'An audience defines a set of listeners once, for flags, experiments, releases, prices and ads.',
  spec: AudienceSpecSchema,
  columns: [
    {
      name: 'Title',
      type: 'string',
      description: 'The display name.',
      value: ({ spec }) => spec.title,
    },
    {
      name: 'Groups',
      type: 'integer',
      description: 'How many groups of conditions it has; one true group is enough.',
      value: ({ spec }) => spec.anyOf?.length ?? 0,
    },
    {
      name: 'Members',
      type: 'integer',
      description: 'How many are included by name.',
      value: ({ spec }) => spec.members?.include?.length ?? 0,
    },
    {
      name: 'Rule',
      type: 'string',
      description: 'The rule in words.',
      priority: 1,
      value: ({ spec }) => {
        const { anyOf } = spec;
        return anyOf === undefined ? undefined : describeRule({ anyOf });
      },
    },
  ],
  indexes: { audience: (spec) => [...new Set(namesIn(spec))] },
  refs: ({ anyOf }) => (anyOf === undefined ? [] : ruleRefs({ anyOf }, ['spec'])),
  validate: (spec, { name, ...context }) => [
    ...(spec.anyOf === undefined ? [] : ruleProblems({ anyOf: spec.anyOf }, ['spec'], attributeLookup(context))),
    ...shapeProblems(spec),
    ...selfProblems(spec, name),
  ],
  check: (spec, world, name) => [
    ...(spec.anyOf === undefined ? [] : ruleProblems({ anyOf: spec.anyOf }, ['spec'], liveAttributeLookup(world))),
    ...chainProblems(spec, world, name),
  ],
  describe: (name, { before, after }) => {
    const called = after?.title ?? before?.title ?? name;
    if (after === undefined) return [`Audience ${called} is removed.`];
    if (before === undefined) return [`New audience ${called}: ${sayWho(after)}.`];
    const sentences: string[] = [];
    if (before.title !== after.title) sentences.push(`Audience ${before.title ?? name} is now called ${called}.`);
    if (sayRuleOf(before) !== sayRuleOf(after) || JSON.stringify(before.anyOf) !== JSON.stringify(after.anyOf)) {
      sentences.push(`Audience ${called} was: ${sayRuleOf(before)}. It becomes: ${sayRuleOf(after)}.`);
    }
    for (const list of ['include', 'exclude'] as const) {
      const [was, is] = [new Set(before.members?.[list]), new Set(after.members?.[list])];
      const [added, gone] = [is.difference(was).size, was.difference(is).size];
      if (added + gone > 0) sentences.push(`Audience ${called}: ${list}d members, ${added} more and ${gone} fewer.`);
    }
    return sentences;
  },
  example: {
    name: 'beta-testers',
    spec: {
      title: 'Beta testers',
      anyOf: [{ allOf: [{ attribute: 'targetingKey', startsWith: ['beta-'] }] }],
      members: { include: ['qa-phone-1'] },
    },
  },
});

function sayRuleOf({ anyOf }: AudienceSpec): string {
  return anyOf === undefined ? 'members only' : describeRule({ anyOf });
}

function sayWho(spec: AudienceSpec): string {
  const { include = [], exclude = [] } = spec.members ?? {};
  return [
    sayRuleOf(spec),
    ...(include.length === 0 ? [] : [`${include.length} included by name`]),
    ...(exclude.length === 0 ? [] : [`${exclude.length} excluded by name`]),
  ].join('; ');
}

function shapeProblems({ anyOf, members: lists }: AudienceSpec): readonly Problem[] {
  const { include = [], exclude = [] } = lists ?? {};
  if (anyOf === undefined && include.length === 0) {
    const detail = 'say who is in it: with anyOf, or with members.include';
    return [{ path: ['spec', 'anyOf'], reason: 'FieldValueRequired', detail }];
  }
  const excluded = new Set(exclude);
  return include.flatMap((key, index): Problem[] =>
    excluded.has(key)
      ? [
          {
            path: ['spec', 'members', 'include', index],
            reason: 'FieldValueInvalid',
            detail: `"${key}" is excluded as well, which wins; take it out of one of the lists`,
          },
        ]
      : [],
  );
}

function chainProblems(spec: AudienceSpec, world: World, name: string): readonly Problem[] {
  return audienceProblems(spec, world, name, Audience.spec);
}

function selfProblems(spec: AudienceSpec, name: string): readonly Problem[] {
  return (spec.anyOf ?? []).flatMap(({ allOf }, group) =>
    allOf.flatMap(({ audience }, index): Problem[] =>
      audience === name
        ? [
            {
              path: ['spec', 'anyOf', group, 'allOf', index, 'audience'],
              reason: 'FieldValueInvalid',
              detail: `"${name}" cannot be defined by itself`,
            },
          ]
        : [],
    ),
  );
}

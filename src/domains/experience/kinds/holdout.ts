import { Type, type Static } from 'typebox';
import { ruleProblems } from '#kernel/audiences/language/check-rule.ts';
import { attributeLookup } from '#kernel/audiences/kinds/attribute.ts';
import type { Problem } from '#kernel/base/failures.ts';
import { canonicalJson } from '#kernel/base/ids.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { audienceRefs } from './audience-refs.ts';
import { unitProblems } from './check-split.ts';
import { audienceSuffix } from './audience-text.ts';
import { GROUP, HOLDOUT, VERSION } from './identity.ts';
import { owner, RANDOM_UNIT, title, UnitSchema, whoFields } from './parts.ts';

const HoldoutSpecSchema = Type.Object(
  {
    title,
    owner,
    percent: Type.Number({ minimum: 0, maximum: 50, description: 'Share of all units that is held out, in percent.' }),
    ...whoFields,
    unit: Type.Optional({
      ...UnitSchema,
      description:
        'The unit of the holdout: the first of these attributes in the context. Default: the unit of the experiment.',
    }),
    required: Type.Optional(
      Type.Boolean({
        description: 'True: every experiment that starts must name it. Running experiments are not affected.',
      }),
    ),
  },
  { description: 'Units that experiments exclude, to measure their combined effect.' },
);

export type HoldoutSpec = Static<typeof HoldoutSpecSchema>;

export const Holdout = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Holdout',
  plural: 'holdouts',
  categories: ['experience'],
  scope: 'Namespaced',
  released: true,
  passesOn: true,
  // Every experiment of the installation must then name it.
  actsEverywhere: ({ required }) => required === true,
  description: 'A holdout is a share of all units that experiments exclude.',
  spec: HoldoutSpecSchema,
  columns: [
    {
      name: 'Percent',
      type: 'number',
      description: 'Share of all units.',
      value: ({ spec }) => spec.percent,
    },
    {
      name: 'Required',
      type: 'boolean',
      description: 'Whether every new experiment must name it.',
      value: ({ spec }) => spec.required ?? false,
    },
    {
      name: 'Title',
      type: 'string',
      description: 'The name that people see.',
      value: ({ spec }) => spec.title,
    },
  ],
  refs: (spec) => audienceRefs(spec, ['spec']),
  validate: (spec, context) => {
    const attributes = attributeLookup(context);
    return [
      ...(spec.when === undefined ? [] : ruleProblems(spec.when, ['spec', 'when'], attributes)),
      ...unitProblems(spec.unit, attributes, ['spec', 'unit']),
      ...(spec.unit?.includes(RANDOM_UNIT) === true
        ? [
            {
              path: ['spec', 'unit'],
              reason: 'FieldValueInvalid' as const,
              detail: 'a holdout needs a stable unit',
            },
          ]
        : []),
      ...changeProblems(context.live?.(HOLDOUT, context.name), spec),
    ];
  },
  describe: (name, { before, after }) => {
    if (after === undefined) return [`Holdout ${before?.title ?? name} ends: its units may take part again.`];
    if (before === undefined) {
      const required = after.required === true ? '; every experiment that starts must name it' : '';
      return [`New holdout: ${after.percent} % of all units are held out${audienceSuffix(after)}${required}.`];
    }
    const title = after.title ?? name;
    const isRequired = after.required === true;
    return [
      ...(before.percent === after.percent
        ? []
        : [`Holdout ${title}: ${before.percent} % → ${after.percent} % of all units${audienceSuffix(after)}.`]),
      ...((before.required ?? false) === isRequired
        ? []
        : [`Holdout ${title}: experiments that start ${isRequired ? 'must' : 'need not'} name it.`]),
    ];
  },
  example: { name: 'autumn', spec: { title: 'Autumn holdout', percent: 5 } },
});

/**
 * Held-out units stay held out: a larger share contains the smaller one, but another unit or audience would
 * not. Running experiments also fix its percent, see `movedProblems`.
 */
function changeProblems(live: LiveObject | undefined, after: HoldoutSpec): Problem[] {
  if (live === undefined) return [];
  const before = Holdout.spec(live);
  return (['unit', 'audience', 'when'] as const).flatMap((field): Problem[] =>
    canonicalJson(before[field]) === canonicalJson(after[field])
      ? []
      : [
          {
            path: ['spec', field],
            reason: 'FieldValueForbidden',
            detail: `${field} of a holdout cannot change: held-out units would take part; make a new holdout`,
          },
        ],
  );
}

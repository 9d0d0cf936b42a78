import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/resources/define-kind.ts';
import { durationMs, durationProblems } from '#kernel/resources/schema/duration.ts';
import { guardrailProblems } from './guardrail-spec.ts';
import { GROUP, VERSION } from './identity.ts';
import { impossibleProblems, selectorProblems } from './impossible.ts';
import { PolicySchema, type PolicySpec } from './policy-spec.ts';
import { BAKE } from './stages-of.ts';
import { stagesText } from './stages-text.ts';

const PolicyStatusSchema = Type.Object(
  {
    selects: Type.Object(
      {
        objects: Type.Integer({ description: 'How many of the objects that are declared.' }),
        names: Type.Array(Type.String(), { description: 'Some of them.' }),
        isPart: Type.Optional(Type.Boolean({ description: 'True where there are too many to look at all.' })),
      },
      { description: 'Whose changes it is about now.' },
    ),
    warnings: Type.Array(Type.String(), { description: 'What it names and is not there.' }),
  },
  { description: 'What it comes to at present, at most a minute old.' },
);

export type PolicyStatus = Static<typeof PolicyStatusSchema>;

/** How changes of some objects spread; without one they go live at once. */
export const ReleasePolicy = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'ReleasePolicy',
  plural: 'releasepolicies',
  shortNames: ['rp'],
  categories: ['releasing'],
  scope: 'Cluster',
  writtenBy: 'administrators',
  description: 'How changes of some objects spread: who approves, in which stages, what must not get worse.',
  spec: PolicySchema,
  status: PolicyStatusSchema,
  columns: [
    { name: 'Priority', type: 'integer', description: 'The highest counts.', value: ({ spec }) => spec.priority },
    {
      name: 'Kinds',
      type: 'string',
      description: 'Whose changes.',
      value: ({ spec }) => spec.selector.kinds?.join(',') ?? 'all',
    },
    {
      name: 'Selects',
      type: 'integer',
      description: 'How many objects it is about now.',
      value: ({ status }) => status?.selects.objects,
    },
    { name: 'Stages', type: 'string', description: 'The steps.', value: ({ spec }) => stagesText(spec) },
    {
      name: 'Guardrails',
      type: 'string',
      description: 'What must not get worse.',
      value: ({ spec }) => spec.guardrails.map(({ name }) => name).join(','),
    },
    {
      name: 'Approvals',
      type: 'integer',
      description: 'How many people have to agree.',
      value: ({ spec }) => spec.approvals?.required ?? 0,
    },
  ],
  validate: (spec, { kinds }) => [
    ...selectorProblems(spec.selector, kinds),
    ...stageProblems(spec),
    ...bakeProblems(spec),
    ...guardrailsProblems(spec),
    ...channelProblems(spec),
    ...impossibleProblems(spec),
  ],
  example: {
    name: 'prices',
    spec: {
      selector: { kinds: ['Price', 'Plan'] },
      priority: 0,
      unit: 'household',
      stages: [
        { name: 'first', percent: 1, soak: 'PT10M', promote: 'auto' },
        { name: 'tenth', percent: 10, soak: 'PT1H', promote: 'auto' },
      ],
      guardrails: [{ name: 'denials', decisions: 'denied', noWorse: { margin: 1.5 } }],
      judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
      onFailure: 'rollback',
      onUndecided: 'pause',
      queue: 'supersede',
    },
  },
});

function stageProblems({ stages }: PolicySpec): readonly Problem[] {
  const seen = new Set<string>();
  return stages.flatMap(({ name, soak, deadline }, index): Problem[] => {
    const path = ['spec', 'stages', index];
    const problems: Problem[] = [...durationProblems([...path, 'soak'], soak, 'PT0S', 'P30D')];
    if (seen.has(name)) {
      problems.push({
        path: [...path, 'name'],
        reason: 'FieldValueDuplicate',
        detail: `Two stages are called "${name}".`,
      });
    }
    seen.add(name);
    if (deadline !== undefined) {
      problems.push(...durationProblems([...path, 'deadline'], deadline, 'PT10S', 'P30D'));
      if (durationMs(deadline) < durationMs(soak)) {
        const detail = `The deadline ${deadline} is before the end of the soak, ${soak}.`;
        problems.push({ path: [...path, 'deadline'], reason: 'FieldValueInvalid', detail });
      }
    }
    return problems;
  });
}

function bakeProblems({ stages, bake }: PolicySpec): readonly Problem[] {
  if (bake === undefined) return [];
  const path = ['spec', 'bake'];
  const problems: Problem[] = [...durationProblems(path, bake, 'PT1M', 'P30D')];
  if (stages.length === 0) {
    const detail =
      'A bake follows stages; without any, everybody gets the change at once. Have a stage, or leave the bake out.';
    problems.push({ path, reason: 'FieldValueInvalid', detail });
  }
  const index = stages.findIndex(({ name }) => name === BAKE);
  if (index >= 0) {
    const detail = `"${BAKE}" is what the stage of the bake is called: give this one another name.`;
    problems.push({ path: ['spec', 'stages', index, 'name'], reason: 'FieldValueDuplicate', detail });
  }
  return problems;
}

function guardrailsProblems({ guardrails, stages, judging }: PolicySpec): readonly Problem[] {
  const names = stages.map(({ name }) => name);
  const twice = guardrails.flatMap(({ name }, index): Problem[] =>
    guardrails.findIndex((one) => one.name === name) === index
      ? []
      : [
          {
            path: ['spec', 'guardrails', index, 'name'],
            reason: 'FieldValueDuplicate',
            detail: `Two guardrails are called "${name}".`,
          },
        ],
  );
  const idle: Problem[] =
    guardrails.length > 0 && stages.length === 0
      ? [
          {
            path: ['spec', 'stages'],
            reason: 'FieldValueRequired',
            detail:
              'Guardrails judge stages: without any, everybody gets the change before there is anything to judge.',
          },
        ]
      : [];
  return [
    ...guardrails.flatMap((one, index) => guardrailProblems(one, names, judging.every, ['spec', 'guardrails', index])),
    ...twice,
    ...idle,
    ...durationProblems(['spec', 'judging', 'every'], judging.every, 'PT1S', 'PT1H'),
  ];
}

function channelProblems({ notify = [] }: PolicySpec): readonly Problem[] {
  return notify.flatMap(({ type, url, secret }, index): Problem[] => {
    const path = ['spec', 'notify', index];
    if (type === 'webhook' && url === undefined) {
      return [{ path: [...path, 'url'], reason: 'FieldValueRequired', detail: 'A webhook says where to.' }];
    }
    if (type === 'slack' && url === undefined && secret === undefined) {
      return [{ path, reason: 'FieldValueRequired', detail: 'Slack needs a url, or a secret that holds it.' }];
    }
    if (type === 'pagerduty' && secret === undefined) {
      return [{ path: [...path, 'secret'], reason: 'FieldValueRequired', detail: 'PagerDuty needs a routing key.' }];
    }
    return [];
  });
}

import { Type, type Static } from 'typebox';
import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { KindOf } from '#kernel/kinds/kind.ts';
import { durationMs, durationProblems } from '#kernel/kinds/schema/duration.ts';
import { guardrailProblems } from './guardrail-spec.ts';
import { GROUP, VERSION } from './identity.ts';
import { impossibleProblems, selectorProblems } from './impossible.ts';
import { isCircular, type Targets } from './targets.ts';
import { policySchema, type Channel, type PolicySpec } from './policy-spec.ts';
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

/** `Kind.id` of policies. */
export const RELEASE_POLICY = `${GROUP}/ReleasePolicy`;

/** How changes of some objects spread where these targets are installed; without a policy they go live at once. */
export const releasePolicyKind = (targets: Targets): KindOf<PolicySpec, PolicyStatus> =>
  defineKind({
    group: GROUP,
    version: VERSION,
    kind: 'ReleasePolicy',
    plural: 'releasepolicies',
    shortNames: ['rp'],
    categories: ['releasing'],
    scope: 'Cluster',
    writtenBy: 'administrators',
    description: 'How changes of some objects spread: who approves, in which stages, what must not get worse.',
    spec: Type.Unsafe<PolicySpec>(policySchema(targets)),
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
    validate: (spec, { kinds }) => {
      return [
        ...selectorProblems(spec.selector, kinds),
        ...stageProblems(spec),
        ...partProblems(spec, targets),
        ...orderProblems(spec, targets),
        ...bakeProblems(spec),
        ...guardrailsProblems(spec),
        ...channelProblems(spec),
        ...impossibleProblems(spec, targets),
      ];
    },
    example: {
      name: 'prices',
      spec: {
        selector: { kinds: ['Price', 'Plan'] },
        priority: 0,
        stages: targets.slice(0, 1).map(({ name, example }) => ({
          name: 'first',
          [name]: example,
          soak: 'PT10M',
          promote: 'auto' as const,
          maxUnknown: 0,
        })),
        guardrails: [{ name: 'denials', decisions: 'denied', noWorse: { margin: 1.5 } }],
        judging: { alpha: 0.05, beta: 0.05, every: 'PT30S' },
        onFailure: 'rollBack',
        onUndecided: 'halt',
        queue: 'supersede',
      },
    },
  });

/** The spec of a stored policy, whatever targets there are. */
export const policySpec = releasePolicyKind([]).spec;

/** Each stage says where, in a form that its target takes. */
function partProblems({ stages }: PolicySpec, targets: Targets): readonly Problem[] {
  const names = targets.map(({ name }) => name);
  const empty = stages.flatMap((stage, index): Problem[] => {
    if (names.some((name) => stage[name] !== undefined)) return [];
    const detail = `Stage "${stage.name}" shows the change nowhere: say where, by ${new Intl.ListFormat('en', { type: 'disjunction' }).format(names)}.`;
    return [{ path: ['spec', 'stages', index], reason: 'FieldValueRequired', detail }];
  });
  const wrong = targets.flatMap(({ name: target, check }) => {
    const parts = stages.flatMap(({ name, [target]: where }, stage) =>
      where === undefined ? [] : [{ stage, name, where }],
    );
    const found = check?.(parts) ?? [];
    return found.map(({ stage, path, ...problem }): Problem => ({
      ...problem,
      path: ['spec', 'stages', stage, target, ...path],
    }));
  });
  return [...empty, ...wrong];
}

function orderProblems({ before = {} }: PolicySpec, targets: Targets): readonly Problem[] {
  if (!isCircular(targets, before)) return [];
  const detail = 'A target would go before itself: let each go only before those that do not go before it.';
  return [{ path: ['spec', 'before'], reason: 'FieldValueInvalid', detail }];
}

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
    const wrong = url === undefined ? undefined : addressProblem(type, url);
    if (wrong !== undefined) return [{ path: [...path, 'url'], reason: 'FieldValueInvalid', detail: wrong }];
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

/** Why nothing can be sent to an address, and what would be right. */
function addressProblem(type: Channel['type'], url: string): string | undefined {
  const address = URL.parse(url);
  if (address === null) return 'This is no address; write it like https://hooks.example/releases.';
  if (address.username === '' && address.password === '') return undefined;
  const instead = { webhook: 'signs what is sent', slack: 'holds the address', pagerduty: 'holds the routing key' };
  return `An address without a user and password is right: name a Secret in secret, which ${instead[type]}.`;
}

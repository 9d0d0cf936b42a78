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
import { BAKE } from './release-stages.ts';
import { stagesText } from './stages-text.ts';

const PolicyStatusSchema = Type.Object(
  {
    selects: Type.Object(
      {
        objects: Type.Integer({ description: 'Number of selected objects.' }),
        names: Type.Array(Type.String(), { description: 'Names of some of them.' }),
        isPart: Type.Optional(Type.Boolean({ description: 'True where there are too many objects to examine all.' })),
      },
      { description: 'The present selection.' },
    ),
    warnings: Type.Array(Type.String(), { description: 'Names that do not exist, and other warnings.' }),
  },
  { description: 'Present effect, at most a minute old.' },
);

export type PolicyStatus = Static<typeof PolicyStatusSchema>;

/** `Kind.id` of policies. */
export const RELEASE_POLICY = `${GROUP}/ReleasePolicy`;

/** A policy with the installed targets. Changes that no policy selects go live at once. */
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
    description: 'How changes of selected objects are released: approvals, stages, guardrails.',
    spec: Type.Unsafe<PolicySpec>(policySchema(targets)),
    status: PolicyStatusSchema,
    columns: [
      {
        name: 'Priority',
        type: 'integer',
        description: 'The highest priority gives the stages.',
        value: ({ spec }) => spec.priority,
      },
      {
        name: 'Kinds',
        type: 'string',
        description: 'Selected kinds.',
        value: ({ spec }) => spec.selector.kinds?.join(',') ?? 'all',
      },
      {
        name: 'Selects',
        type: 'integer',
        description: 'Number of selected objects.',
        value: ({ status }) => status?.selects.objects,
      },
      { name: 'Stages', type: 'string', description: 'The stages.', value: ({ spec }) => stagesText(spec) },
      {
        name: 'Guardrails',
        type: 'string',
        description: 'Limits on harm.',
        value: ({ spec }) => spec.guardrails.map(({ name }) => name).join(','),
      },
      {
        name: 'Approvals',
        type: 'integer',
        description: 'Number of required approvals.',
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

/** The spec of a stored policy, with any targets. */
export const policySpec = releasePolicyKind([]).spec;

/** Each stage has a valid part for at least one target. */
function partProblems({ stages }: PolicySpec, targets: Targets): readonly Problem[] {
  const names = targets.map(({ name }) => name);
  const empty = stages.flatMap((stage, index): Problem[] => {
    if (names.some((name) => stage[name] !== undefined)) return [];
    const detail = `Stage "${stage.name}" has no target: add ${new Intl.ListFormat('en', { type: 'disjunction' }).format(names)}.`;
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
  const detail = 'The order of targets has a cycle.';
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
      'A bake follows stages; without a stage, the change is live for everyone at once. Add a stage, or remove the bake.';
    problems.push({ path, reason: 'FieldValueInvalid', detail });
  }
  const index = stages.findIndex(({ name }) => name === BAKE);
  if (index >= 0) {
    const detail = `"${BAKE}" is reserved for the stage of the bake: use another name.`;
    problems.push({ path: ['spec', 'stages', index, 'name'], reason: 'FieldValueDuplicate', detail });
  }
  return problems;
}

function guardrailsProblems({ guardrails, stages, judging }: PolicySpec): readonly Problem[] {
  const names = stages.map(({ name }) => name);
  const idle: Problem[] =
    guardrails.length > 0 && stages.length === 0
      ? [
          {
            path: ['spec', 'stages'],
            reason: 'FieldValueRequired',
            detail:
              'Guardrails judge stages: without a stage, the change is live for everyone before there is anything to judge.',
          },
        ]
      : [];
  return [
    ...guardrails.flatMap((one, index) => guardrailProblems(one, names, judging.every, ['spec', 'guardrails', index])),
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
      return [{ path: [...path, 'url'], reason: 'FieldValueRequired', detail: 'A webhook needs a url.' }];
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

/** The problem of an address, with the remedy. */
function addressProblem(type: Channel['type'], url: string): string | undefined {
  const address = URL.parse(url);
  if (address === null) return 'Invalid address; write it like https://hooks.example/releases.';
  if (address.username === '' && address.password === '') return undefined;
  const instead = { webhook: 'signs what is sent', slack: 'holds the address', pagerduty: 'holds the routing key' };
  return `The address must not contain a user and password: name a Secret in secret, which ${instead[type]}.`;
}

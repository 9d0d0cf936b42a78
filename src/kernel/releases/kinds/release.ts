import { humanDuration } from '#kernel/api/human-duration.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { actingOf } from './guardrail-spec.ts';
import { GROUP, VERSION } from './identity.ts';
import { Judgement } from './judgement.ts';
import { ReleaseChanges } from './release-changes.ts';
import { RELEASE_COMMANDS, ReleaseCommand } from './release-command.ts';
import { ReleaseSchema, type ReleaseSpec } from './release-spec.ts';
import { ReleaseStatusSchema, type ReleaseStatus } from './release-status.ts';
import { stagesOf } from './release-stages.ts';
import { reachText } from './stages-text.ts';

/** A change that is being released, and afterwards the record of it. */
export const Release = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Release',
  plural: 'releases',
  shortNames: ['rel'],
  categories: ['releasing'],
  scope: 'Cluster',
  description:
    'A change that is being released, and afterwards the record of it. Created by the engine for each change set.',
  spec: ReleaseSchema,
  status: ReleaseStatusSchema,
  verbs: ['get', 'list', 'watch'],
  subresources: {
    ...Object.fromEntries(RELEASE_COMMANDS.map((verb) => [verb, ReleaseCommand])),
    judgement: Judgement,
    changes: ReleaseChanges,
  },
  indexes: {
    /** Of open releases, by the objects that they change. */
    openObject: ({ open, objects }) => (open ? objects.map(({ kind, name }) => `${kind} ${name}`) : []),
    /** Of releases that were ended after exposure, by the revisions that they brought. */
    takenBackRevision: ({ takenBack, objects }) =>
      takenBack === undefined
        ? []
        : objects.flatMap(({ kind, name, to }) => (to === undefined ? [] : [`${kind} ${name} ${to.revision}`])),
    open: ({ open }) => (open ? ['true'] : []),
    changeSet: ({ changeSet }) => [changeSet],
  },
  selectableFields: {
    'spec.open': ['spec', 'open'],
    'spec.policy.name': ['spec', 'policy', 'name'],
    'spec.changeSet': ['spec', 'changeSet'],
    'spec.rollbackOf': ['spec', 'rollbackOf'],
    'status.phase': ['status', 'phase'],
  },
  columns: [
    { name: 'Phase', type: 'string', description: 'Phase of the release.', value: ({ status }) => phaseText(status) },
    { name: 'Stage', type: 'string', description: 'Present stage.', value: ({ status }) => status?.stage },
    {
      name: 'Share',
      type: 'string',
      description: 'Part of the units that have it.',
      value: ({ spec, status }) => shareText(spec, status),
    },
    {
      name: 'Targets',
      type: 'string',
      description: 'With several targets: healthy places of each.',
      value: (r) => targetsText(r.status),
    },
    {
      name: 'Guardrails',
      type: 'string',
      description: 'Guardrails that pass, and the first that does not.',
      value: ({ status }) => guardrailsText(status),
    },
    {
      name: 'Objects',
      type: 'integer',
      description: 'Number of changed objects.',
      value: ({ spec }) => spec.objects.length,
    },
    {
      name: 'Policy',
      type: 'string',
      description: 'The policy that gives the stages, and others that need approvals.',
      value: ({ spec }) => policiesText(spec),
    },
    {
      name: 'Next',
      type: 'string',
      description: 'Time until the end of a soak, a deadline or a freeze.',
      value: ({ status }, now) => nextText(status, now),
    },
    {
      name: 'Changes',
      type: 'string',
      description: 'The changed objects.',
      priority: 1,
      value: ({ spec }) => changesText(spec),
    },
    {
      name: 'Plan Hash',
      type: 'string',
      description: 'Hash that approvals refer to.',
      priority: 1,
      value: ({ spec }) => spec.planHash,
    },
    {
      name: 'Authors',
      type: 'string',
      description: 'Authors of the change.',
      priority: 1,
      value: ({ spec }) => spec.authors.join(','),
    },
    {
      name: 'Message',
      type: 'string',
      description: 'Reason for the phase.',
      priority: 1,
      value: ({ status }) => status?.message,
    },
  ],
});

const CHANGES_SHOWN = 2;

/** A promoted release has 100 %, whatever its last stage. A stage may select some of the units only. */
function shareText({ policy }: ReleaseSpec, status: ReleaseStatus | undefined): string | undefined {
  if (status?.phase === 'Promoted') return status.rolledBackBy === undefined ? '100%' : undefined;
  const stage = policy === undefined ? undefined : stagesOf(policy.spec).find(({ name }) => name === status?.stage);
  return stage === undefined ? undefined : reachText(stage, false) || '100%';
}

/** `venues progressing 1/3`: each target with the number of its healthy places, where there are several targets. */
function targetsText(status: ReleaseStatus | undefined): string | undefined {
  const { targets = [] } = status ?? {};
  if (targets.length < 2) return undefined;
  return targets
    .map(({ name, state, places, placesMore = 0 }) => {
      const healthy = places.filter((place) => place.state === 'healthy').length;
      const all = places.length + placesMore;
      // Places that are not listed are healthy, as the others come first.
      return `${name} ${state === 'healthy' ? '' : `${state} `}${state === 'healthy' ? all : healthy}/${all}`;
    })
    .join(', ');
}

function phaseText(status: ReleaseStatus | undefined): string | undefined {
  return status?.rolledBackBy === undefined ? status?.phase : `${status.phase}, rolled back`;
}

function nextText(status: ReleaseStatus | undefined, now: Temporal.Instant): string | undefined {
  const { nextAt } = status ?? {};
  if (nextAt === undefined) return undefined;
  return humanDuration(Math.max(0, (Date.parse(nextAt) - now.epochMilliseconds) / 1_000));
}

function policiesText({ policy, otherPolicies = [] }: ReleaseSpec): string | undefined {
  return policy === undefined ? undefined : [policy, ...otherPolicies].map(({ name }) => name).join(',');
}

function changesText({ objects }: ReleaseSpec): string {
  const shown = objects.slice(0, CHANGES_SHOWN).map(({ kind, name }) => `${kind.split('/').at(-1)}/${name}`);
  const more = objects.length > CHANGES_SHOWN ? ` +${objects.length - CHANGES_SHOWN}` : '';
  return `${shown.join(', ')}${more}`;
}

function guardrailsText(status: ReleaseStatus | undefined): string | undefined {
  const guardrails = actingOf(status?.guardrails ?? []);
  if (guardrails.length === 0) return undefined;
  const passing = guardrails.filter(({ outcome }) => outcome === 'pass').length;
  const first =
    guardrails.find(({ outcome }) => outcome === 'fail') ?? guardrails.find(({ outcome }) => outcome !== 'pass');
  return `${passing}/${guardrails.length}${first === undefined ? '' : ` ${first.name}: ${first.outcome}`}`;
}

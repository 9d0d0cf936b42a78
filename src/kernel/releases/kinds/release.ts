import { humanDuration } from '#kernel/api/human-duration.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { actingOf } from './guardrail-spec.ts';
import { GROUP, VERSION } from './identity.ts';
import { Judgement } from './judgement.ts';
import { ReleaseChanges } from './release-changes.ts';
import { RELEASE_COMMANDS, ReleaseCommand } from './release-command.ts';
import { ReleaseSchema, type ReleaseSpec } from './release-spec.ts';
import { ReleaseStatusSchema, type ReleaseStatus } from './release-status.ts';
import { stagesOf } from './stages-of.ts';
import { reachText } from './stages-text.ts';

/** A change on its way to everybody, and afterwards the record of it. */
export const Release = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Release',
  plural: 'releases',
  shortNames: ['rel'],
  categories: ['releasing'],
  scope: 'Cluster',
  description:
    'A change on its way to everybody, and afterwards the record of it. Made by the engine for each change set.',
  spec: ReleaseSchema,
  status: ReleaseStatusSchema,
  verbs: ['get', 'list', 'watch'],
  subresources: {
    ...Object.fromEntries(RELEASE_COMMANDS.map((verb) => [verb, ReleaseCommand])),
    judgement: Judgement,
    changes: ReleaseChanges,
  },
  indexes: {
    /** Of those that have not come to their end, by what they change. */
    openObject: ({ open, objects }) => (open ? objects.map(({ kind, name }) => `${kind} ${name}`) : []),
    /** Of those that were taken back after somebody had them, by the revisions that they brought. */
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
    { name: 'Phase', type: 'string', description: 'Where it is.', value: ({ status }) => phaseText(status) },
    { name: 'Stage', type: 'string', description: 'The stage that it is in.', value: ({ status }) => status?.stage },
    {
      name: 'Share',
      type: 'string',
      description: 'How many of the units get it.',
      value: ({ spec, status }) => shareText(spec, status),
    },
    {
      name: 'Targets',
      type: 'string',
      description: 'Of a release over several targets: how many places of each are healthy.',
      value: (r) => targetsText(r.status),
    },
    {
      name: 'Guardrails',
      type: 'string',
      description: 'How many pass, and the first that does not.',
      value: ({ status }) => guardrailsText(status),
    },
    {
      name: 'Objects',
      type: 'integer',
      description: 'How many it changes.',
      value: ({ spec }) => spec.objects.length,
    },
    {
      name: 'Policy',
      type: 'string',
      description: 'How it spreads, and whose approvals it needs besides.',
      value: ({ spec }) => policiesText(spec),
    },
    {
      name: 'Next',
      type: 'string',
      description: 'How long until time alone may bring it on: the end of a soak, a deadline or a freeze.',
      value: ({ status }, now) => nextText(status, now),
    },
    {
      name: 'Changes',
      type: 'string',
      description: 'What it changes.',
      priority: 1,
      value: ({ spec }) => changesText(spec),
    },
    {
      name: 'Plan Hash',
      type: 'string',
      description: 'What approvals are for.',
      priority: 1,
      value: ({ spec }) => spec.planHash,
    },
    {
      name: 'Authors',
      type: 'string',
      description: 'Who made the change.',
      priority: 1,
      value: ({ spec }) => spec.authors.join(','),
    },
    {
      name: 'Message',
      type: 'string',
      description: 'Why it is where it is.',
      priority: 1,
      value: ({ status }) => status?.message,
    },
  ],
});

const CHANGES_SHOWN = 2;

/** Everybody has what is promoted, whatever its last stage was. A stage may be about some of the units only. */
function shareText({ policy }: ReleaseSpec, status: ReleaseStatus | undefined): string | undefined {
  if (status?.phase === 'Promoted') return status.rolledBackBy === undefined ? '100%' : undefined;
  const stage = policy === undefined ? undefined : stagesOf(policy.spec).find(({ name }) => name === status?.stage);
  return stage === undefined ? undefined : reachText(stage, false) || '100%';
}

/** `venues progressing 1/3`: each target with how many of its places are healthy, where there are several targets. */
function targetsText(status: ReleaseStatus | undefined): string | undefined {
  const { targets = [] } = status ?? {};
  if (targets.length < 2) return undefined;
  return targets
    .map(({ name, state, places, placesMore = 0 }) => {
      const healthy = places.filter((place) => place.state === 'healthy').length;
      const all = places.length + placesMore;
      // Those that are not listed are healthy, as the others come first.
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

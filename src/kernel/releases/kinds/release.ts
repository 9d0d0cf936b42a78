import { defineKind } from '#kernel/resources/define-kind.ts';
import type { ResourceObject } from '#kernel/resources/kind.ts';
import { GROUP, VERSION } from './identity.ts';
import { RELEASE_COMMANDS, ReleaseCommand } from './release-command.ts';
import { ReleaseSchema, type ReleaseSpec } from './release-spec.ts';
import { ReleaseStatusSchema, type ReleaseStatus } from './release-status.ts';

/** The spec of a stored Release. */
export function releaseSpec(object: Pick<ResourceObject, 'spec'>): ReleaseSpec {
  return object.spec as ReleaseSpec;
}

/** The status of a stored Release; undefined only within the write that makes it. */
export function releaseStatus(object: Pick<ResourceObject, 'status'>): ReleaseStatus | undefined {
  return object.status as ReleaseStatus | undefined;
}

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
  subresources: Object.fromEntries(RELEASE_COMMANDS.map((verb) => [verb, ReleaseCommand])),
  indexes: {
    /** Of those that have not come to their end, by what they change. */
    openObject: ({ open, objects }) => (open ? objects.map(({ kind, name }) => `${kind} ${name}`) : []),
    open: ({ open }) => (open ? ['true'] : []),
  },
  columns: [
    { name: 'Phase', type: 'string', description: 'Where it is.', value: (r) => releaseStatus(r)?.phase },
    { name: 'Stage', type: 'string', description: 'The stage that it is in.', value: (r) => releaseStatus(r)?.stage },
    {
      name: 'Share',
      type: 'string',
      description: 'How many of the units get it.',
      value: (r) => {
        const share = releaseStatus(r)?.share;
        return share === undefined ? undefined : `${share}%`;
      },
    },
    {
      name: 'Guardrails',
      type: 'string',
      description: 'How many pass, and the first that does not.',
      value: (r) => guardrailsText(releaseStatus(r)),
    },
    {
      name: 'Objects',
      type: 'integer',
      description: 'How many it changes.',
      value: (r) => releaseSpec(r).objects.length,
    },
    { name: 'Policy', type: 'string', description: 'How it spreads.', value: (r) => releaseSpec(r).policy?.name },
    {
      name: 'Author',
      type: 'string',
      description: 'Who made the change.',
      priority: 1,
      value: (r) => releaseSpec(r).author,
    },
    {
      name: 'Message',
      type: 'string',
      description: 'Why it is where it is.',
      priority: 1,
      value: (r) => releaseStatus(r)?.message,
    },
    {
      name: 'Age',
      type: 'date',
      description: 'How long ago it began.',
      value: ({ metadata }) => metadata.creationTimestamp,
    },
  ],
});

function guardrailsText(status: ReleaseStatus | undefined): string | undefined {
  const { guardrails = [] } = status ?? {};
  if (guardrails.length === 0) return undefined;
  const passing = guardrails.filter(({ outcome }) => outcome === 'pass').length;
  const first =
    guardrails.find(({ outcome }) => outcome === 'fail') ?? guardrails.find(({ outcome }) => outcome !== 'pass');
  return `${passing}/${guardrails.length}${first === undefined ? '' : ` ${first.name}: ${first.outcome}`}`;
}

import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { DraftPublication, DraftValidation, PublishedSchema } from './draft-answer.ts';
import { draftObjectProblems } from './draft-objects.ts';
import { GROUP, VERSION } from './identity.ts';

export const DRAFT_LIMITS = {
  /** Objects of one draft. */
  objects: 1_000,
  /** Drafts of a namespace. */
  inNamespace: 2_000,
  /** Characters of the drafts of a namespace together: each API process keeps them in memory. */
  charactersInNamespace: 64 * 1024 * 1024,
  /** Drafts of one account in a namespace, and their characters: none takes the room of all others. */
  ofAccount: 50,
  charactersOfAccount: 8 * 1024 * 1024,
  /** A draft that nobody has written for so long is deleted. */
  untouchedDays: 90,
} as const;

const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const DraftSpec = Type.Object(
  {
    title: Type.Optional(Type.String({ maxLength: 200, description: 'What it is for.' })),
    account: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        description:
          'The account it is of: rules for some objects select by it. It gives no right to the objects in it.',
      }),
    ),
    objects: Type.Array(Type.Object({}, free), {
      description:
        'Complete objects; they may be unfinished, and their order does not matter. One with metadata.resourceVersion builds on ' +
        'that version; one without is new, or as it is declared already.',
      minItems: 1,
      maxItems: DRAFT_LIMITS.objects,
    }),
  },
  { description: 'The objects of a change that is being prepared.' },
);

/** Objects that are prepared together, and published in one write. */
export const Draft = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Draft',
  plural: 'drafts',
  categories: ['releasing'],
  scope: 'Namespaced',
  description: 'Objects that are prepared together: nothing of them counts until the draft is published, all at once.',
  spec: DraftSpec,
  status: Type.Object(
    { published: Type.Optional(PublishedSchema) },
    { description: 'Of the last state of a draft that was published.' },
  ),
  transient: true,
  inNamespaceMax: { objects: DRAFT_LIMITS.inNamespace, characters: DRAFT_LIMITS.charactersInNamespace },
  sharingMax: { account: { objects: DRAFT_LIMITS.ofAccount, characters: DRAFT_LIMITS.charactersOfAccount } },
  subresources: { validate: DraftValidation, publish: DraftPublication },
  selectableFields: { 'spec.account': ['spec', 'account'] },
  fieldIndexes: { 'spec.account': 'account' },
  indexes: { account: ({ account }) => (account === undefined ? [] : [account]) },
  validate: ({ objects }, { kinds = [] }) => draftObjectProblems(objects, kinds),
  columns: [
    { name: 'Title', type: 'string', description: 'What it is for.', value: ({ spec }) => spec.title },
    { name: 'Account', type: 'string', description: 'The account it is of.', value: ({ spec }) => spec.account },
    {
      name: 'Objects',
      type: 'integer',
      description: 'Number of objects in it.',
      value: ({ spec }) => spec.objects.length,
    },
  ],
  example: {
    name: 'spring',
    spec: {
      title: 'Spring campaign',
      account: 'acme',
      objects: [
        {
          apiVersion: 'ads.backline.dev/v1',
          kind: 'Campaign',
          metadata: { name: 'acme.spring', namespace: 'default' },
          spec: { account: 'acme' },
        },
      ],
    },
  },
});

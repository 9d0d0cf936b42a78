import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { LIVE_NAME_DESCRIPTION } from '#kernel/kinds/live-name.ts';
import { GROUP, VERSION } from './identity.ts';

/** Objects that one answer holds at most. */
export const CHANGES_AT_ONCE_MAX = 100;

const ChangesSchema = Type.Object(
  {
    offset: Type.Optional(Type.Integer({ minimum: 0, description: 'Objects to leave out first; absent: none.' })),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: CHANGES_AT_ONCE_MAX, description: 'Objects of one answer, at most.' }),
    ),
  },
  { description: 'Which part of the changes is asked for.' },
);

const FieldChanges = Type.Array(Type.Object({}, { 'x-kubernetes-preserve-unknown-fields': true }), {
  description: 'Path, value before and value after. Absent where a revision is no longer kept.',
});

/** Posted below a Release: what it changes in each object. For those who approve and may not read the objects. */
export const ReleaseChanges = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'ReleaseChanges',
  plural: 'releasechanges',
  scope: 'Cluster',
  description: 'Says what a release changes in each object, field by field and in sentences, some objects at a time.',
  spec: Type.Optional(ChangesSchema),
  status: Type.Object(
    {
      planHash: Type.String({ description: 'Of the plan that these are the changes of.' }),
      total: Type.Integer({ description: 'Objects that the release changes.' }),
      next: Type.Optional(Type.Integer({ description: 'The offset of the next part; absent: this is the last.' })),
      objects: Type.Array(
        Type.Object({
          kind: Type.String({ description: 'Group and kind.' }),
          namespace: Type.String({ description: 'Where it is afterwards; of one that is deleted, where it was.' }),
          name: Type.String({ description: LIVE_NAME_DESCRIPTION }),
          fields: Type.Optional(FieldChanges),
          sentences: Type.Array(Type.String(), { description: 'What that means.' }),
        }),
        { maxItems: CHANGES_AT_ONCE_MAX, description: 'In the order of the release.' },
      ),
    },
    { description: 'The changes.' },
  ),
  verbs: ['create'],
});

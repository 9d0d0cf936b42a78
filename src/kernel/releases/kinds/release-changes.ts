import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { LIVE_NAME_DESCRIPTION } from '#kernel/kinds/live-name.ts';
import { GROUP, VERSION } from './identity.ts';

/** Objects in one answer. */
export const CHANGES_AT_ONCE_MAX = 100;

const ChangesSchema = Type.Object(
  {
    offset: Type.Optional(Type.Integer({ minimum: 0, description: 'Objects to skip; absent: none.' })),
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: CHANGES_AT_ONCE_MAX,
        description: 'Maximum number of objects in the answer.',
      }),
    ),
  },
  { description: 'The requested part of the changes.' },
);

const FieldChanges = Type.Array(Type.Object({}, { 'x-kubernetes-preserve-unknown-fields': true }), {
  description: 'Path, value before and value after. Absent where a revision is no longer stored.',
});

/** Posted below a Release: its changes, object by object. For approvers who may not read the objects. */
export const ReleaseChanges = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'ReleaseChanges',
  plural: 'releasechanges',
  scope: 'Cluster',
  description: 'Lists the changes of a release, object by object, as fields and as sentences.',
  spec: Type.Optional(ChangesSchema),
  status: Type.Object(
    {
      planHash: Type.String({ description: 'Hash of the plan with these changes.' }),
      total: Type.Integer({ description: 'Number of objects in the release.' }),
      next: Type.Optional(Type.Integer({ description: 'The offset of the next part; absent: this is the last.' })),
      objects: Type.Array(
        Type.Object({
          kind: Type.String({ description: 'Group and kind.' }),
          namespace: Type.String({ description: 'Its namespace afterwards; for a deletion, before.' }),
          name: Type.String({ description: LIVE_NAME_DESCRIPTION }),
          fields: Type.Optional(FieldChanges),
          sentences: Type.Array(Type.String(), { description: 'The changes in sentences.' }),
        }),
        { maxItems: CHANGES_AT_ONCE_MAX, description: 'In the order of the release.' },
      ),
    },
    { description: 'The changes.' },
  ),
  verbs: ['create'],
});

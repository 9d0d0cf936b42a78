import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';

const AuditSpec = Type.Object(
  {
    user: Type.String({ description: 'Who.' }),
    groups: Type.Array(Type.String(), { description: 'Their groups.' }),
    mintedBy: Type.Optional(
      Type.Array(Type.String(), { description: 'The users who minted their token, or impersonate them.' }),
    ),
    address: Type.String({ description: 'The network address.' }),
    userAgent: Type.String({ description: 'The program.' }),
    requestId: Type.String({ description: 'Shared by all effects of one request.' }),
    verb: Type.String({ description: 'The requested verb.' }),
    group: Type.String({ description: 'The group of the resource; empty for the core group.' }),
    resource: Type.String({ description: 'The plural, with the subresource.' }),
    namespace: Type.String({ description: 'Empty for cluster-scoped resources.' }),
    name: Type.String({ description: 'Empty where the request named none.' }),
    dryRun: Type.Boolean({ description: 'Whether the request was a dry run.' }),
    code: Type.Integer({ description: 'The HTTP status of the answer.' }),
    reason: Type.Optional(Type.String({ description: 'The code of the refusal.' })),
    version: Type.Optional(Type.String({ description: 'The written version.' })),
    times: Type.Optional(
      Type.Integer({ description: 'The number of equal attempts of that day, when more than one.' }),
    ),
    lastAt: Type.Optional(Type.String({ format: 'date-time', description: 'When the last one of them came.' })),
    annotations: Type.Optional(
      Type.Record(Type.String(), Type.String(), { description: 'Notes of policies on the change, by their names.' }),
    ),
    changed: Type.Array(Type.String(), { description: 'The changed fields, without their values.' }),
  },
  { description: 'The attempt, its author and its result.' },
);

export type AuditSpec = Static<typeof AuditSpec>;

/** Read-only: built from the record of writes, newest first. */
export const AuditRecord = defineKind({
  group: 'audit.backline.dev',
  version: 'v1',
  kind: 'AuditRecord',
  plural: 'auditrecords',
  scope: 'Cluster',
  description: 'One attempt to write, with its author, object, time and result. Kept as long as the history.',
  spec: AuditSpec,
  verbs: ['get', 'list'],
  selectableFields: {
    user: ['spec', 'user'],
    verb: ['spec', 'verb'],
    group: ['spec', 'group'],
    resource: ['spec', 'resource'],
    namespace: ['spec', 'namespace'],
    name: ['spec', 'name'],
    code: ['spec', 'code'],
    reason: ['spec', 'reason'],
    dryRun: ['spec', 'dryRun'],
    requestId: ['spec', 'requestId'],
  },
  columns: [
    { name: 'User', type: 'string', description: 'Who.', value: ({ spec }) => spec.user },
    { name: 'Verb', type: 'string', description: 'The requested verb.', value: ({ spec }) => spec.verb },
    {
      name: 'Object',
      type: 'string',
      description: 'The object of the request.',
      value: ({ spec }) => {
        const { resource, group, namespace, name } = spec;
        const kind = group === '' ? resource : `${resource}.${group}`;
        return `${kind} ${namespace === '' ? name : `${namespace}/${name}`}`.trim();
      },
    },
    { name: 'Code', type: 'integer', description: 'The HTTP status.', value: ({ spec }) => spec.code },
    {
      name: 'Changed',
      type: 'string',
      description: 'The changed fields, or the code of the refusal.',
      value: ({ spec }) => {
        const { changed, reason, dryRun, times } = spec;
        const outcome = reason ?? (dryRun ? '(dry run)' : changed.join(', '));
        return times === undefined ? outcome : `${outcome} (${times} times)`;
      },
    },
    {
      name: 'From',
      type: 'string',
      description: 'The network address.',
      priority: 1,
      value: ({ spec }) => spec.address,
    },
    {
      name: 'Program',
      type: 'string',
      description: 'The user agent.',
      priority: 1,
      value: ({ spec }) => spec.userAgent,
    },
    {
      name: 'Request',
      type: 'string',
      description: 'The request id.',
      priority: 1,
      value: ({ spec }) => spec.requestId,
    },
  ],
});

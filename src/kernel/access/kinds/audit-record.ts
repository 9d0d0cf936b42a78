import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';

const AuditSpec = Type.Object(
  {
    user: Type.String({ description: 'Who.' }),
    groups: Type.Array(Type.String(), { description: 'The groups they were in.' }),
    mintedBy: Type.Optional(Type.Array(Type.String(), { description: 'Who minted the token that they used.' })),
    address: Type.String({ description: 'The network address.' }),
    userAgent: Type.String({ description: 'The program.' }),
    requestId: Type.String({ description: 'The same for everything that one request did.' }),
    verb: Type.String({ description: 'What they asked for.' }),
    group: Type.String({ description: 'The group of the resource; empty for the core group.' }),
    resource: Type.String({ description: 'The plural, with the subresource.' }),
    namespace: Type.String({ description: 'Empty for cluster-scoped resources.' }),
    name: Type.String({ description: 'Empty where the request named none.' }),
    dryRun: Type.Boolean({ description: 'Whether nothing was to be written.' }),
    code: Type.Integer({ description: 'The HTTP status of the answer.' }),
    reason: Type.Optional(Type.String({ description: 'The code of the refusal.' })),
    version: Type.Optional(Type.String({ description: 'The version that it wrote.' })),
    times: Type.Optional(
      Type.Integer({ description: 'How many equal attempts there were that day, where it was more than one.' }),
    ),
    lastAt: Type.Optional(Type.String({ format: 'date-time', description: 'When the last one of them came.' })),
    changed: Type.Array(Type.String(), { description: 'The fields that it changed, without their values.' }),
  },
  { description: 'What was attempted, by whom, and what came of it.' },
);

export type AuditSpec = Static<typeof AuditSpec>;

/** Read-only: made from the record of writes, newest first. */
export const AuditRecord = defineKind({
  group: 'audit.backline.dev',
  version: 'v1',
  kind: 'AuditRecord',
  plural: 'auditrecords',
  scope: 'Cluster',
  description: 'One attempt to write: who, what, when, and what came of it. Kept as long as the history.',
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
    { name: 'Verb', type: 'string', description: 'What they asked for.', value: ({ spec }) => spec.verb },
    {
      name: 'Object',
      type: 'string',
      description: 'What it was about.',
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
      description: 'The fields that it changed, or why it was refused.',
      value: ({ spec }) => {
        const { changed, reason, dryRun, times } = spec;
        const said = reason ?? (dryRun ? '(dry run)' : changed.join(', '));
        return times === undefined ? said : `${said} (${times} times)`;
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

import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

const QuarantinedEventSpec = Type.Object(
  {
    type: Type.String({ description: 'The type as sent; empty when not readable.' }),
    id: Type.String({ description: 'The id as sent; empty when not readable.' }),
    client: Type.String({ description: 'The sender.' }),
    format: Type.Enum(['backline', 'segment', 'cloudevents'], { description: 'The format in which it was sent.' }),
    reason: Type.String({ description: 'Why it was not accepted, as a code.' }),
    detail: Type.String({ description: 'The place, the fault and the remedy; no values.' }),
    sentAt: Type.Optional(Type.String({ format: 'date-time', description: 'By the sender’s clock.' })),
    replayedAt: Type.Optional(Type.String({ format: 'date-time', description: 'When a replay accepted it.' })),
  },
  { description: 'The fault of the event. Its content is not shown, because it may be personal.' },
);

export type QuarantinedEventSpec = Static<typeof QuarantinedEventSpec>;

/** Read-only: derived from the quarantine, newest first. */
export const QuarantinedEvent = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'QuarantinedEvent',
  plural: 'quarantinedevents',
  shortNames: ['qe'],
  categories: ['measurement'],
  scope: 'Cluster',
  description: 'An event that was not accepted, and why. An EventReplay judges it again.',
  spec: QuarantinedEventSpec,
  verbs: ['get', 'list'],
  selectableFields: {
    type: ['spec', 'type'],
    reason: ['spec', 'reason'],
    client: ['spec', 'client'],
    id: ['spec', 'id'],
  },
  columns: [
    { name: 'Type', type: 'string', description: 'The type as sent.', value: ({ spec }) => spec.type },
    { name: 'Event', type: 'string', description: 'The id as sent.', value: ({ spec }) => spec.id },
    { name: 'Client', type: 'string', description: 'The sender.', value: ({ spec }) => spec.client },
    {
      name: 'Reason',
      type: 'string',
      description: 'Why it was not accepted, as a code.',
      value: ({ spec }) => spec.reason,
    },
    { name: 'Detail', type: 'string', description: 'The place and the fault.', value: ({ spec }) => spec.detail },
    {
      name: 'Replayed',
      type: 'date',
      description: 'When a replay accepted it.',
      value: ({ spec }) => spec.replayedAt,
    },
  ],
});

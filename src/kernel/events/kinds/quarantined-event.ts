import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';

const QuarantinedEventSpec = Type.Object(
  {
    type: Type.String({ description: 'The type as it was sent; empty when it was not readable.' }),
    id: Type.String({ description: 'The id as it was sent; empty when it was not readable.' }),
    client: Type.String({ description: 'Who sent it.' }),
    format: Type.Enum(['backline', 'segment', 'cloudevents'], { description: 'The shape in which it was sent.' }),
    reason: Type.String({ description: 'Why it was not accepted, as one word.' }),
    detail: Type.String({ description: 'Where, what, and what would be right; no values.' }),
    sentAt: Type.Optional(Type.String({ format: 'date-time', description: 'By the sender’s clock.' })),
    replayedAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it was accepted after all.' })),
  },
  { description: 'What is wrong with the event. What it says is not shown: it may be personal.' },
);

export type QuarantinedEventSpec = Static<typeof QuarantinedEventSpec>;

/** Read-only: made from the quarantine, newest first. */
export const QuarantinedEvent = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'QuarantinedEvent',
  plural: 'quarantinedevents',
  shortNames: ['qe'],
  categories: ['measurement'],
  scope: 'Cluster',
  description: 'An event that could not be accepted, and why. An EventReplay judges it anew.',
  spec: QuarantinedEventSpec,
  verbs: ['get', 'list'],
  selectableFields: {
    type: ['spec', 'type'],
    reason: ['spec', 'reason'],
    client: ['spec', 'client'],
    id: ['spec', 'id'],
  },
  columns: [
    { name: 'Type', type: 'string', description: 'The type as it was sent.', value: ({ spec }) => spec.type },
    { name: 'Event', type: 'string', description: 'The id as it was sent.', value: ({ spec }) => spec.id },
    { name: 'Client', type: 'string', description: 'Who sent it.', value: ({ spec }) => spec.client },
    { name: 'Reason', type: 'string', description: 'Why, as one word.', value: ({ spec }) => spec.reason },
    { name: 'Detail', type: 'string', description: 'Where and what.', value: ({ spec }) => spec.detail },
    {
      name: 'Replayed',
      type: 'date',
      description: 'Since when it is accepted.',
      value: ({ spec }) => spec.replayedAt,
    },
  ],
});

import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';
import { ChannelSchema } from './policy-spec.ts';

const NotificationSchema = Type.Object(
  {
    release: Type.String({ description: 'What it is about.' }),
    event: Type.String({ description: 'What happened.' }),
    phase: Type.String({ description: 'Where the release was then.' }),
    message: Type.String({ description: 'The sentence.' }),
    at: Type.String({ format: 'date-time', description: 'When it happened.' }),
    channel: ChannelSchema,
  },
  { description: 'One thing to tell, to one channel.' },
);

export type NotificationSpec = Static<typeof NotificationSchema>;

export interface NotificationStatus {
  readonly attempts: number;
  readonly deliveredAt?: string;
  readonly problem?: string;
  readonly nextAt?: string;
  readonly givenUpAt?: string;
}

/**
 * What is to be told, written in the same step as what it tells of: so it is sent at least once, and its name tells
 * receivers what they have had already.
 */
export const Notification = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Notification',
  plural: 'notifications',
  categories: ['releasing'],
  scope: 'Cluster',
  description: 'What is to be told to one channel; gone a while after it was delivered.',
  spec: NotificationSchema,
  status: Type.Object(
    {
      attempts: Type.Integer({ description: 'How often it was tried.' }),
      deliveredAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it arrived.' })),
      problem: Type.Optional(Type.String({ description: 'What came back the last time.' })),
      nextAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it is tried again.' })),
      givenUpAt: Type.Optional(
        Type.String({ format: 'date-time', description: 'When it was given up: it is not tried again.' }),
      ),
    },
    { description: 'What has become of it.' },
  ),
  transient: true,
  verbs: ['get', 'list', 'watch', 'delete'],
  columns: [
    { name: 'Release', type: 'string', description: 'What it is about.', value: ({ spec }) => spec.release },
    { name: 'Event', type: 'string', description: 'What happened.', value: ({ spec }) => spec.event },
    { name: 'To', type: 'string', description: 'The channel.', value: ({ spec }) => spec.channel.type },
    {
      name: 'Delivered',
      type: 'date',
      description: 'When it arrived.',
      value: ({ status }) => status?.deliveredAt,
    },
    {
      name: 'Problem',
      type: 'string',
      description: 'What came back.',
      value: ({ status }) => status?.problem,
    },
  ],
});

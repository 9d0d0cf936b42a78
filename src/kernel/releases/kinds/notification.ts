import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { GROUP, VERSION } from './identity.ts';
import { ChannelSchema } from './policy-spec.ts';

const NotificationSchema = Type.Object(
  {
    release: Type.String({ description: 'The release.' }),
    event: Type.String({ description: 'The event.' }),
    phase: Type.String({ description: 'Phase of the release at that time.' }),
    message: Type.String({ description: 'The sentence.' }),
    at: Type.String({ format: 'date-time', description: 'When it happened.' }),
    channel: ChannelSchema,
  },
  { description: 'A message to one channel.' },
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
 * A message to one channel, written in the same step as the event: so it is sent at least once, and receivers drop repetitions by
 * its name.
 */
export const Notification = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Notification',
  plural: 'notifications',
  categories: ['releasing'],
  scope: 'Cluster',
  description: 'A message to one channel; removed some time after its delivery.',
  spec: NotificationSchema,
  status: Type.Object(
    {
      attempts: Type.Integer({ description: 'Delivery attempts.' }),
      deliveredAt: Type.Optional(Type.String({ format: 'date-time', description: 'Time of delivery.' })),
      problem: Type.Optional(Type.String({ description: 'Error of the last attempt.' })),
      nextAt: Type.Optional(Type.String({ format: 'date-time', description: 'Time of the next retry.' })),
      givenUpAt: Type.Optional(
        Type.String({ format: 'date-time', description: 'When delivery was given up: no further retry.' }),
      ),
    },
    { description: 'State of the delivery.' },
  ),
  transient: true,
  verbs: ['get', 'list', 'watch', 'delete'],
  columns: [
    { name: 'Release', type: 'string', description: 'The release.', value: ({ spec }) => spec.release },
    { name: 'Event', type: 'string', description: 'The event.', value: ({ spec }) => spec.event },
    { name: 'To', type: 'string', description: 'The channel.', value: ({ spec }) => spec.channel.type },
    {
      name: 'Delivered',
      type: 'date',
      description: 'Time of delivery.',
      value: ({ status }) => status?.deliveredAt,
    },
    {
      name: 'Problem',
      type: 'string',
      description: 'Error of the last attempt.',
      value: ({ status }) => status?.problem,
    },
  ],
});

import { Type, type Static } from 'typebox';
import { specReader } from '#kernel/kinds/schema/read-typed.ts';
import { durationText } from '#kernel/kinds/schema/duration.ts';
import { EventFieldSchema, FIELD_LIMITS } from './event-field.ts';

/** Names the subject among the identity fields. */
export const SUBJECT = 'subject';

export const EventTypeSpecSchema = Type.Object(
  {
    title: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'The name that people see.' })),
    owner: Type.String({ minLength: 1, maxLength: 200, description: 'The team that answers for it.' }),
    purpose: Type.String({ minLength: 1, maxLength: 1_000, description: 'What it is collected for.' }),
    subject: Type.Enum(['required', 'optional', 'none'], {
      default: 'optional',
      description: 'Whether events have a listener as their subject. none: a subject that is sent is dropped.',
    }),
    schema: Type.Object(
      {
        properties: Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,62}$' }), EventFieldSchema, {
          maxProperties: FIELD_LIMITS.fieldsMax,
          description: 'The fields by their names.',
        }),
        required: Type.Array(Type.String({ description: 'Name of a field.' }), {
          maxItems: FIELD_LIMITS.fieldsMax,
          default: [],
          description: 'Fields that every event has.',
          'x-kubernetes-list-type': 'set',
        }),
        additional: Type.Boolean({
          default: false,
          description: 'Whether fields that are not declared are accepted and kept.',
        }),
      },
      { description: 'The schema of the properties of an event.' },
    ),
    retention: durationText('How long events are kept, in days: P395D.'),
    identity: Type.Optional(
      Type.Array(Type.String({ description: 'Name of a required field, or subject.' }), {
        minItems: 1,
        maxItems: 20,
        description: 'Events that agree in all of these within one window are one event, whatever their ids.',
        'x-kubernetes-list-type': 'set',
      }),
    ),
    within: Type.Optional(
      durationText('The window of `identity`; windows begin at its multiples since 1970, by the time of the event.'),
    ),
    lateness: durationText('How long after it happened an event is still accepted.', { default: 'P3D' }),
    segment: Type.Optional(
      Type.Object(
        {
          call: Type.Enum(['track', 'identify', 'page', 'screen', 'group', 'alias'], {
            default: 'track',
            description: 'The call of the library.',
          }),
          event: Type.Optional(
            Type.String({ minLength: 1, maxLength: 200, description: 'The event name of a track call: Song Played.' }),
          ),
        },
        {
          description:
            'Which calls of Segment’s libraries become this type. Absent: calls whose event name, as words-with-hyphens, is the name of the type.',
        },
      ),
    ),
  },
  { description: 'The schema, purpose and retention of events of this type.' },
);

export type EventTypeSpec = Static<typeof EventTypeSpecSchema>;

/** The spec of a stored or live EventType. */
export const eventTypeSpec = specReader(EventTypeSpecSchema);

/** A key for the calls of Segment's libraries that a type accepts; undefined when it declares none. */
export function segmentKey({ segment }: Pick<EventTypeSpec, 'segment'>): string | undefined {
  if (segment === undefined) return undefined;
  const { call, event = '' } = segment;
  return `${call} ${event}`;
}

import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Verb } from '#kernel/kinds/kind.ts';
import { GROUP, VERSION } from './identity.ts';

/**
 * Posted to be carried out; the list shows those that were. A kind with `create` alone would be a question, which
 * everybody may ask; these are for administrators.
 */
const VERBS: readonly Verb[] = ['create', 'list'];

const byWhom = {
  name: 'By',
  type: 'string',
  description: 'Who had it done.',
  value: ({ status }: { readonly status?: { readonly by: string } }) => status?.by,
} as const;

const ReplaySpec = Type.Object(
  {
    type: Type.Optional(Type.String({ maxLength: 253, description: 'Only events of this type.' })),
    reason: Type.Optional(
      Type.Enum(['unknown-type', 'invalid', 'bad-time', 'clock-ahead', 'too-late', 'subject-missing', 'id-reused'], {
        description: 'Only events with this reason; absent: all but id-reused.',
      }),
    ),
    since: Type.Optional(Type.String({ format: 'date-time', description: 'Only events that were received since.' })),
    continue: Type.Optional(
      Type.String({
        pattern: '^q-\\d{1,15}$',
        description: 'Goes on behind this event: status.continue of a replay that was not complete.',
      }),
    ),
  },
  { description: 'Which events of the quarantine are judged anew.' },
);

const ReplayStatus = Type.Object(
  {
    accepted: Type.Integer({ description: 'How many are in the log now.' }),
    duplicates: Type.Integer({ description: 'How many had come in otherwise.' }),
    quarantined: Type.Integer({ description: 'How many still cannot be accepted.' }),
    complete: Type.Boolean({ description: 'Whether that were all; if not, post another with `continue`.' }),
    continue: Type.Optional(Type.String({ description: 'The last event that was judged, if there may be more.' })),
    by: Type.String({ description: 'Who had it done.' }),
  },
  { description: 'What became of them.' },
);

export type ReplaySpec = Static<typeof ReplaySpec>;
export type ReplayStatus = Static<typeof ReplayStatus>;

/** Judges quarantined events by the event types that are live now. */
export const EventReplay = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'EventReplay',
  plural: 'eventreplays',
  scope: 'Cluster',
  description: 'Judges events of the quarantine by the event types of today, as if they were received when they were.',
  spec: ReplaySpec,
  status: ReplayStatus,
  verbs: VERBS,
  columns: [
    { name: 'Accepted', type: 'integer', description: 'In the log now.', value: ({ status }) => status?.accepted },
    {
      name: 'Duplicates',
      type: 'integer',
      description: 'Came in otherwise.',
      value: ({ status }) => status?.duplicates,
    },
    { name: 'Quarantined', type: 'integer', description: 'Still wrong.', value: ({ status }) => status?.quarantined },
    byWhom,
  ],
});

/** Longer than an event may name: what was refused for its length is erased as well. */
const ERASED_CHARS_MAX = 1_000;
/** Ids of one person. */
const ERASED_MAX = 100;

const ErasureSpec = Type.Object(
  {
    subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: ERASED_CHARS_MAX,
        description: 'Who is erased; never kept.',
      }),
    ),
    subjects: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: ERASED_CHARS_MAX, description: 'One of them.' }), {
        minItems: 1,
        maxItems: ERASED_MAX,
        description: 'The same, where one person has several ids: of the login, and of the time before it.',
      }),
    ),
  },
  { description: 'Who is erased.' },
);

const ErasureStatus = Type.Object(
  {
    erased: Type.Record(Type.String(), Type.Integer(), { description: 'Records that are gone, by what they were.' }),
    at: Type.String({ format: 'date-time', description: 'When it was done.' }),
    by: Type.String({ description: 'Who had it done.' }),
  },
  { description: 'What was erased.' },
);

export type ErasureSpec = Static<typeof ErasureSpec>;
export type ErasureStatus = Static<typeof ErasureStatus>;

/** Erases a subject from every store that knows it. */
export const Erasure = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Erasure',
  plural: 'erasures',
  scope: 'Cluster',
  description: 'Erases a subject: what is kept of it is removed, and its events lead to nobody any more.',
  spec: ErasureSpec,
  status: ErasureStatus,
  verbs: VERBS,
  columns: [
    {
      name: 'Erased',
      type: 'string',
      description: 'Records that are gone.',
      value: ({ status }) =>
        Object.entries(status?.erased ?? {})
          .map(([store, count]) => `${count} ${store}`)
          .join(', '),
    },
    byWhom,
  ],
});

import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Verb } from '#kernel/kinds/kind.ts';
import { GROUP, VERSION } from './identity.ts';

/**
 * Commands are posted, and the list shows those that were carried out. Kinds with `create` alone are questions, which
 * everybody may ask; with `list`, these are for administrators.
 */
const VERBS: readonly Verb[] = ['create', 'list'];

const byColumn = {
  name: 'By',
  type: 'string',
  description: 'The user who posted it.',
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
    since: Type.Optional(
      Type.String({ format: 'date-time', description: 'Only events that were received since this time.' }),
    ),
    continue: Type.Optional(
      Type.String({
        pattern: '^q-\\d{1,15}$',
        description: 'Continues after this event: status.continue of an incomplete replay.',
      }),
    ),
  },
  { description: 'Which events of the quarantine are judged again.' },
);

const ReplayStatus = Type.Object(
  {
    accepted: Type.Integer({ description: 'Number of events that were accepted.' }),
    duplicates: Type.Integer({ description: 'Number of events that had been accepted before.' }),
    quarantined: Type.Integer({ description: 'Number of events that still cannot be accepted.' }),
    complete: Type.Boolean({
      description: 'Whether all selected events were judged; if not, post another with `continue`.',
    }),
    continue: Type.Optional(Type.String({ description: 'The last judged event, if there may be more.' })),
    by: Type.String({ description: 'The user who posted it.' }),
  },
  { description: 'The outcome of the replay.' },
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
  description: 'Judges events of the quarantine by the current event types, with their original time of receipt.',
  spec: ReplaySpec,
  status: ReplayStatus,
  verbs: VERBS,
  columns: [
    {
      name: 'Accepted',
      type: 'integer',
      description: 'Events that were accepted.',
      value: ({ status }) => status?.accepted,
    },
    {
      name: 'Duplicates',
      type: 'integer',
      description: 'Events that had been accepted before.',
      value: ({ status }) => status?.duplicates,
    },
    {
      name: 'Quarantined',
      type: 'integer',
      description: 'Events that still cannot be accepted.',
      value: ({ status }) => status?.quarantined,
    },
    byColumn,
  ],
});

/** Longer than a subject may be: quarantined events with a longer one are erased as well. */
const ERASED_CHARS_MAX = 1_000;
/** Most ids of one person. */
const ERASED_MAX = 100;

const ErasureSpec = Type.Object(
  {
    subject: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: ERASED_CHARS_MAX,
        description: 'The subject to erase; never stored.',
      }),
    ),
    subjects: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: ERASED_CHARS_MAX, description: 'A subject to erase.' }), {
        minItems: 1,
        maxItems: ERASED_MAX,
        description: 'Several ids of one person: of the login, and from before it.',
      }),
    ),
  },
  { description: 'The subjects to erase.' },
);

const ErasureStatus = Type.Object(
  {
    erased: Type.Record(Type.String(), Type.Integer(), { description: 'Number of erased records, by store.' }),
    at: Type.String({ format: 'date-time', description: 'When the erasure was carried out.' }),
    by: Type.String({ description: 'The user who posted it.' }),
  },
  { description: 'The outcome of the erasure.' },
);

export type ErasureSpec = Static<typeof ErasureSpec>;
export type ErasureStatus = Static<typeof ErasureStatus>;

/** Erases a subject from every store that holds records of it. */
export const Erasure = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Erasure',
  plural: 'erasures',
  scope: 'Cluster',
  description: 'Erases a subject: removes its records and anonymizes its events.',
  spec: ErasureSpec,
  status: ErasureStatus,
  verbs: VERBS,
  columns: [
    {
      name: 'Erased',
      type: 'string',
      description: 'Number of erased records, by store.',
      value: ({ status }) =>
        Object.entries(status?.erased ?? {})
          .map(([store, count]) => `${count} ${store}`)
          .join(', '),
    },
    byColumn,
  ],
});

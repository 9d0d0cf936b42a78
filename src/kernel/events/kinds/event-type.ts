import type { Problem } from '#kernel/base/failures.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { evolutionProblems } from './compatible.ts';
import { durationProblems } from '#kernel/kinds/schema/duration.ts';
import { EventTypeSpecSchema, SUBJECT, segmentKey, type EventTypeSpec } from './event-type-spec.ts';
import { fieldProblems } from './field-problems.ts';
import { EVENT_TYPE, GROUP, VERSION } from './identity.ts';
import { SQL_NAME, sqlNameOf, sqlNameProblems } from './sql-name.ts';

/** Shortest and longest times that a type may declare. */
const DURATIONS = {
  retention: ['P1D', 'P3650D'],
  within: ['PT1S', 'P7D'],
  lateness: ['PT1M', 'P30D'],
} as const;

/** Columns of every event, in its own table or in that of a Dataset. A field of the same name would hide one of them. */
const RESERVED: ReadonlySet<string> = new Set(
  'subject event_type event_id day tx type id client pseudonym event_at sent_at received_at corrected_at revision payload'.split(
    ' ',
  ),
);

export const EventType = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'EventType',
  plural: 'eventtypes',
  shortNames: ['evt'],
  categories: ['measurement'],
  scope: 'Namespaced',
  released: true,
  description: 'A kind of event that applications send: its fields, its purpose, and how long it is kept.',
  spec: EventTypeSpecSchema,
  columns: [
    {
      name: 'Owner',
      type: 'string',
      description: 'The team that answers for it.',
      value: ({ spec }) => spec.owner,
    },
    {
      name: 'Fields',
      type: 'integer',
      description: 'How many fields it declares.',
      value: ({ spec }) => Object.keys(spec.schema.properties).length,
    },
    {
      name: 'Subject',
      type: 'string',
      description: 'Whether events have a listener as their subject.',
      value: ({ spec }) => spec.subject,
    },
    {
      name: 'Kept',
      type: 'string',
      description: 'How long events are kept.',
      value: ({ spec }) => spec.retention,
    },
    {
      name: 'Purpose',
      type: 'string',
      description: 'What it is collected for.',
      priority: 1,
      value: ({ spec }) => spec.purpose,
    },
  ],
  indexes: {
    [SQL_NAME]: (_spec, name) => [sqlNameOf(name)],
    segment: (spec) => {
      const key = segmentKey(spec);
      return key === undefined ? [] : [key];
    },
  },
  validate: (spec, { name, before, find }) => {
    const key = segmentKey(spec);
    const other =
      key === undefined ? undefined : find(EVENT_TYPE, 'segment', key).find(({ metadata }) => metadata.name !== name);
    return [
      ...sqlNameProblems(EVENT_TYPE, name, find),
      ...fieldProblems(spec.schema),
      ...reservedProblems(spec),
      ...sealingProblems(spec),
      ...identityProblems(spec),
      ...durationProblems(['spec', 'retention'], spec.retention, ...DURATIONS.retention),
      ...durationProblems(['spec', 'lateness'], spec.lateness, ...DURATIONS.lateness),
      ...segmentProblems(spec, other?.metadata.name),
      ...(before === undefined ? [] : evolutionProblems(before, spec, name)),
    ];
  },
  describe: (name, { before, after }) => {
    if (after === undefined) return [`Events of type ${name} are no longer accepted.`];
    if (before === undefined) return [`New event type: ${after.title ?? name}, for: ${after.purpose}`];
    const sentences: string[] = [];
    const added = Object.keys(after.schema.properties).filter(
      (field) => !Object.hasOwn(before.schema.properties, field),
    );
    if (added.length > 0) sentences.push(`${name} may carry ${added.join(', ')}.`);
    if (before.retention !== after.retention) {
      sentences.push(`${name} is kept for ${after.retention} instead of ${before.retention}.`);
    }
    if (before.owner !== after.owner) sentences.push(`${name} belongs to ${after.owner} instead of ${before.owner}.`);
    if (before.purpose !== after.purpose) sentences.push(`${name} is collected for: ${after.purpose}`);
    return sentences;
  },
  example: {
    name: 'play',
    spec: {
      title: 'A track was played',
      owner: 'playback',
      purpose: 'What is played, for royalties and recommendations.',
      subject: 'required',
      schema: {
        properties: {
          track: { type: 'string', maxLength: 64 },
          playedMs: { type: 'integer', minimum: 0, description: 'How long it was heard, in milliseconds.' },
          device: { type: 'string', enum: ['phone', 'desktop', 'speaker'] },
          ipAddress: { type: 'string', sensitive: true },
        },
        required: ['track', 'playedMs'],
        additional: false,
      },
      retention: 'P395D',
      lateness: 'P3D',
      segment: { call: 'track', event: 'Song Played' },
    },
  },
});

function reservedProblems({ schema }: EventTypeSpec): readonly Problem[] {
  const bySmallLetters = new Map<string, string>();
  return Object.keys(schema.properties).flatMap((field): Problem[] => {
    const path = ['spec', 'schema', 'properties', field];
    const small = field.toLowerCase();
    const other = bySmallLetters.get(small);
    bySmallLetters.set(small, field);
    if (RESERVED.has(small)) {
      const detail = `Every event has a column "${small}"; name the field otherwise.`;
      return [{ path, reason: 'FieldValueForbidden', detail }];
    }
    if (other === undefined) return [];
    const detail = `"${field}" and "${other}" differ only in capital letters, which SQL ignores.`;
    return [{ path, reason: 'FieldValueDuplicate', detail }];
  });
}

function sealingProblems({ schema, subject }: EventTypeSpec): readonly Problem[] {
  if (subject === 'required') return [];
  return Object.entries(schema.properties).flatMap(([field, { sensitive }]): Problem[] =>
    sensitive === true
      ? [
          {
            path: ['spec', 'schema', 'properties', field, 'sensitive'],
            reason: 'FieldValueForbidden',
            detail: 'A sensitive field is sealed with the key of the subject: set spec.subject to required.',
          },
        ]
      : [],
  );
}

function identityProblems({ identity, within, schema, subject }: EventTypeSpec): readonly Problem[] {
  if (identity === undefined && within === undefined) return [];
  if (identity === undefined || within === undefined) {
    const missing = identity === undefined ? 'identity' : 'within';
    const detail = 'identity and within are declared together: they define which events are duplicates.';
    return [{ path: ['spec', missing], reason: 'FieldValueRequired', detail }];
  }
  const guessable = identity.findIndex((field) => schema.properties[field]?.sensitive === true);
  if (guessable !== -1 && !identity.includes(SUBJECT)) {
    const detail = 'A sensitive field is an identity only together with subject, whose key protects it.';
    return [{ path: ['spec', 'identity', guessable], reason: 'FieldValueForbidden', detail }];
  }
  const always = new Set(schema.required);
  if (subject === 'required') always.add(SUBJECT);
  return [
    ...durationProblems(['spec', 'within'], within, ...DURATIONS.within),
    ...identity.flatMap((field, index): Problem[] =>
      always.has(field)
        ? []
        : [
            {
              path: ['spec', 'identity', index],
              reason: 'FieldValueInvalid',
              detail: `"${field}" must be a required field, or subject where that is required: an event without it has no identity.`,
            },
          ],
    ),
  ];
}

function segmentProblems({ segment }: EventTypeSpec, other: string | undefined): readonly Problem[] {
  if (segment === undefined) return [];
  const { call, event } = segment;
  const path = ['spec', 'segment'];
  if ((call === 'track') !== (event !== undefined)) {
    return [
      {
        path: [...path, 'event'],
        reason: call === 'track' ? 'FieldValueRequired' : 'FieldValueForbidden',
        detail: call === 'track' ? 'A track call has an event name.' : `A call of ${call} has no event name.`,
      },
    ];
  }
  if (other === undefined) return [];
  return [{ path, reason: 'FieldValueDuplicate', detail: `EventType "${other}" takes the same calls.` }];
}

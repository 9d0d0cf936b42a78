import { Type, type Static } from 'typebox';
import { contentHash } from '#kernel/base/ids.ts';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { LIVE_NAME_DESCRIPTION } from '#kernel/kinds/live-name.ts';
import { GROUP, VERSION } from './identity.ts';

const PinSchema = Type.Object(
  {
    object: Type.Object(
      {
        kind: Type.String({ minLength: 1, description: 'Group and kind, like products.backline.dev/Plan.' }),
        name: Type.String({ minLength: 1, description: LIVE_NAME_DESCRIPTION }),
      },
      { description: 'The pinned object.' },
    ),
    refuses: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 100,
        description:
          'Refused revisions ("absent": deletion), or hashes of a revision with namespace and labels; absent: every revision that is not live.',
      }),
    ),
    release: Type.Optional(Type.String({ description: 'The release that was rolled back.' })),
    by: Type.String({ minLength: 1, maxLength: 253, description: 'Who pinned it.' }),
    reason: Type.String({ minLength: 1, maxLength: 1_000, description: 'Reason for the pin.' }),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'When it expires.' })),
  },
  { description: 'Refuses changes of an object.' },
);

export type PinSpec = Static<typeof PinSchema>;

/** First part of the name of a pin that was made by hand. Names of releases end with a number. */
export const BY_HAND = 'hand';

/** Name of the pin on an object, for a rollback or by hand. Each pin expires by itself and does not release one of another. */
export function pinName(kind: Pick<Kind, 'plural' | 'group' | 'names'>, name: string, release: string): string {
  const whole = `${release}.${headName(kind, name)}`;
  return whole.length <= 253 ? whole : `${release}.${kind.plural}.${contentHash(name)}`;
}

/** Refuses the return of a revision that was rolled back, or any change of an object; delete it to unpin. */
export const Pin = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Pin',
  plural: 'pins',
  categories: ['releasing'],
  scope: 'Cluster',
  description: 'Keeps an object at its live state: refuses the change that was rolled back until the pin is deleted.',
  spec: PinSchema,
  verbs: ['get', 'list', 'watch', 'delete'],
  indexes: { object: ({ object }) => [`${object.kind} ${object.name}`] },
  columns: [
    {
      name: 'Object',
      type: 'string',
      description: 'The pinned object.',
      value: ({ spec }) => `${spec.object.kind.split('/').at(-1)}/${spec.object.name}`,
    },
    { name: 'By', type: 'string', description: 'Who pinned it.', value: ({ spec }) => spec.by },
    {
      name: 'Release',
      type: 'string',
      description: 'The release that was rolled back.',
      value: ({ spec }) => spec.release,
    },
    { name: 'Until', type: 'string', description: 'When it expires.', value: ({ spec }) => spec.until },
    { name: 'Reason', type: 'string', description: 'Reason for the pin.', value: ({ spec }) => spec.reason },
  ],
  example: {
    name: 'audiobooks-4211.caps.products.backline.dev.audiobooks',
    spec: {
      object: { kind: 'products.backline.dev/Cap', name: 'audiobooks' },
      refuses: ['1f0c'],
      release: 'audiobooks-4211',
      by: 'system:releases',
      reason: 'Denials 2.1 times those of stable.',
    },
  },
});

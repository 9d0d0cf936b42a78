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
      { description: 'What is pinned.' },
    ),
    refuses: Type.Optional(
      Type.Array(Type.String(), {
        maxItems: 100,
        description:
          'Revisions that must not come back ("absent": its deletion), or hashes of a revision with namespace and labels; absent: whatever is not live.',
      }),
    ),
    release: Type.Optional(Type.String({ description: 'The release that was rolled back.' })),
    by: Type.String({ minLength: 1, maxLength: 253, description: 'Who pinned it.' }),
    reason: Type.String({ minLength: 1, maxLength: 1_000, description: 'Why.' }),
    until: Type.Optional(Type.String({ format: 'date-time', description: 'When it expires.' })),
  },
  { description: 'What an object may not become.' },
);

export type PinSpec = Static<typeof PinSchema>;

/** Who made a pin by hand: the first part of its name. Names of releases have a number at their end. */
export const BY_HAND = 'hand';

/**
 * The pin of an object that a release was rolled back for, or the one that was made by hand. Each ends by itself and lets go
 * of nothing that another one keeps.
 */
export function pinName(kind: Pick<Kind, 'plural' | 'group' | 'names'>, name: string, release: string): string {
  const whole = `${release}.${headName(kind, name)}`;
  return whole.length <= 253 ? whole : `${release}.${kind.plural}.${contentHash(name)}`;
}

/** Keeps an object from becoming what it was before a rollback, or anything else; deleted to let go. */
export const Pin = defineKind({
  group: GROUP,
  version: VERSION,
  kind: 'Pin',
  plural: 'pins',
  categories: ['releasing'],
  scope: 'Cluster',
  description: 'Keeps an object at what is live: what was rolled back is refused until the pin is gone.',
  spec: PinSchema,
  verbs: ['get', 'list', 'watch', 'delete'],
  indexes: { object: ({ object }) => [`${object.kind} ${object.name}`] },
  columns: [
    {
      name: 'Object',
      type: 'string',
      description: 'What is pinned.',
      value: ({ spec }) => `${spec.object.kind.split('/').at(-1)}/${spec.object.name}`,
    },
    { name: 'By', type: 'string', description: 'Who pinned it.', value: ({ spec }) => spec.by },
    { name: 'Release', type: 'string', description: 'What was rolled back.', value: ({ spec }) => spec.release },
    { name: 'Until', type: 'string', description: 'When it ends.', value: ({ spec }) => spec.until },
    { name: 'Reason', type: 'string', description: 'Why.', value: ({ spec }) => spec.reason },
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

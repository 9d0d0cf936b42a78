import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';

/** A kind with a bug: broken objects throw when they are read. */
export const Fragile = defineKind({
  group: 'test.backline.dev',
  version: 'v1',
  kind: 'Fragile',
  plural: 'fragiles',
  scope: 'Cluster',
  description: 'Something fragile.',
  released: true,
  spec: Type.Object({ isBroken: Type.Boolean() }),
  check: ({ isBroken }) => {
    if (isBroken) throw new TypeError('it fell apart');
    return [];
  },
});

import { Type } from 'typebox';
import { defineKind } from '../define-kind.ts';

const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));

export const Lease = defineKind({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  scope: 'Namespaced',
  transient: true,
  description: 'A claim to do something alone, for as long as it is renewed.',
  spec: Type.Optional(
    Type.Object(
      {
        holderIdentity: Type.Optional(Type.String({ description: 'Who holds it; empty when it was given back.' })),
        leaseDurationSeconds: Type.Optional(
          Type.Integer({
            format: 'int32',
            minimum: 1,
            description: 'How long others wait, from when they last saw it change, before they take it.',
          }),
        ),
        acquireTime: time('When the holder took it, to the microsecond.'),
        renewTime: time('When the holder last renewed it, to the microsecond.'),
        leaseTransitions: Type.Optional(
          Type.Integer({ format: 'int32', minimum: 0, description: 'How often it went from one holder to another.' }),
        ),
      },
      { description: 'Who holds it, and since when.' },
    ),
  ),
  columns: [
    {
      name: 'Holder',
      type: 'string',
      description: 'Who holds it.',
      value: ({ spec }) => spec?.holderIdentity,
    },
  ],
  example: { name: 'controllers', spec: { holderIdentity: 'node-1', leaseDurationSeconds: 15 } },
});

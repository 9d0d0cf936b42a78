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
  description: 'A lock that its holder renews.',
  spec: Type.Optional(
    Type.Object(
      {
        holderIdentity: Type.Optional(Type.String({ description: 'The holder; empty when it was released.' })),
        leaseDurationSeconds: Type.Optional(
          Type.Integer({
            format: 'int32',
            minimum: 1,
            description: 'How long others wait after its last change before they acquire it.',
          }),
        ),
        acquireTime: time('When the holder acquired it, to the microsecond.'),
        renewTime: time('When the holder last renewed it, to the microsecond.'),
        leaseTransitions: Type.Optional(
          Type.Integer({ format: 'int32', minimum: 0, description: 'How often the holder changed.' }),
        ),
      },
      { description: 'The holder and its times.' },
    ),
  ),
  columns: [
    {
      name: 'Holder',
      type: 'string',
      description: 'The holder.',
      value: ({ spec }) => spec?.holderIdentity,
    },
  ],
  example: { name: 'controllers', spec: { holderIdentity: 'node-1', leaseDurationSeconds: 15 } },
});

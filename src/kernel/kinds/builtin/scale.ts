import { Type } from 'typebox';
import { defineKind } from '../define-kind.ts';

/** The number of replicas of an object, as its `/scale` subresource shows it. Never stored, and at no path of its own. */
export const Scale = defineKind({
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  plural: 'scales',
  scope: 'Namespaced',
  description: 'The number of replicas of an object.',
  spec: Type.Object({
    replicas: Type.Integer({ minimum: 0, maximum: 2_147_483_647, default: 0, description: 'The wanted number.' }),
  }),
  status: Type.Object({
    replicas: Type.Integer({ description: 'The number that there is.' }),
    selector: Type.Optional(Type.String({ description: 'The label selector of the replicas.' })),
  }),
});

import { Type } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import { TokenRequest } from './token-request.ts';

export const ServiceAccount = defineKind({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  scope: 'Namespaced',
  description: 'An identity for programs. Its tokens are asked for with `kubectl create token`, and end with it.',
  fields: {
    automountServiceAccountToken: Type.Optional(
      Type.Boolean({ description: 'Kept for manifests made for Kubernetes; means nothing here.' }),
    ),
  },
  subresources: { token: TokenRequest },
  columns: [{ name: 'Secrets', type: 'integer', description: 'Always 0: tokens are not kept.', value: () => 0 }],
  example: { name: 'price-sync' },
});

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
  description: 'An identity for programs. `kubectl create token` issues its tokens, which end with it.',
  fields: {
    automountServiceAccountToken: Type.Optional(
      Type.Boolean({ description: 'Accepted for manifests made for Kubernetes; without effect here.' }),
    ),
  },
  subresources: { token: TokenRequest },
  columns: [{ name: 'Secrets', type: 'integer', description: 'Always 0: tokens are not kept.', value: () => 0 }],
  example: { name: 'price-sync' },
});

import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';

const TokenRequestSpec = Type.Object(
  {
    audiences: Type.Optional(
      Type.Array(Type.String(), {
        nullable: true,
        description: 'The audiences of the token; this server when empty.',
      }),
    ),
    expirationSeconds: Type.Optional(
      Type.Integer({
        nullable: true,
        minimum: 600,
        maximum: 4_294_967_296,
        description: 'Requested lifetime of the token. The answer has the granted one.',
      }),
    ),
    boundObjectRef: Type.Optional(
      Type.Object({}, { nullable: true, 'x-kubernetes-preserve-unknown-fields': true, description: 'Not supported.' }),
    ),
  },
  { description: 'The requested token.' },
);

export type TokenRequestSpec = Static<typeof TokenRequestSpec>;

/** Posted below a ServiceAccount; answered with a token. */
export const TokenRequest = defineKind({
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  plural: 'tokenrequests',
  scope: 'Namespaced',
  description: 'Requests a token of a service account.',
  spec: Type.Optional(TokenRequestSpec),
  fields: {
    status: Type.Optional(
      Type.Object(
        {
          token: Type.Optional(Type.String({ description: 'The token.' })),
          expirationTimestamp: Type.Optional(Type.String({ nullable: true, description: 'When it ends.' })),
        },
        { nullable: true, description: 'The answer.' },
      ),
    ),
  },
  verbs: ['create'],
});

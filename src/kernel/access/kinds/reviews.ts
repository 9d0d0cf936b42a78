import { Type, type Static } from 'typebox';
import { defineKind } from '#kernel/kinds/define-kind.ts';
import type { Kind } from '#kernel/kinds/kind.ts';

const AUTHORIZATION_GROUP = 'authorization.k8s.io';
const AUTHENTICATION_GROUP = 'authentication.k8s.io';

const text = (description: string) => Type.Optional(Type.String({ description }));
const free = { 'x-kubernetes-preserve-unknown-fields': true } as const;

const selector = (description: string) =>
  Type.Object(
    {
      rawSelector: text('As in the query of a list.'),
      requirements: Type.Optional(
        Type.Array(
          Type.Object({
            key: Type.String({ description: 'The field or label.' }),
            operator: Type.Enum(['In', 'NotIn', 'Exists', 'DoesNotExist'], { description: 'The comparison.' }),
            values: Type.Optional(
              Type.Array(Type.String(), { nullable: true, description: 'The values to compare with.' }),
            ),
          }),
          { nullable: true, description: 'The same, read.' },
        ),
      ),
    },
    { nullable: true, description },
  );

const ResourceQuestion = Type.Object(
  {
    verb: text('The verb.'),
    group: text('The group of the resource.'),
    version: text('Ignored.'),
    resource: text('The plural.'),
    subresource: text('The subresource, like status.'),
    namespace: text('The namespace; empty means all.'),
    name: text('The name; empty means all.'),
    fieldSelector: Type.Optional(selector('Fields of the requested objects.')),
    labelSelector: Type.Optional(selector('Labels of the requested objects.')),
  },
  { nullable: true, description: 'A verb on a resource.' },
);

const PathQuestion = Type.Object(
  { verb: text('The HTTP method in small letters.'), path: text('The path.') },
  { nullable: true, description: 'A path that is no resource.' },
);

const question = {
  resourceAttributes: Type.Optional(ResourceQuestion),
  nonResourceAttributes: Type.Optional(PathQuestion),
};

const subject = {
  user: text('The user to check.'),
  groups: Type.Optional(Type.Array(Type.String(), { nullable: true, description: 'Their groups.' })),
  uid: text('Their UID.'),
  extra: Type.Optional(Type.Object({}, { ...free, nullable: true, description: 'Further attributes of the user.' })),
};

const verdict = {
  status: Type.Optional(
    Type.Object(
      {
        allowed: Type.Optional(Type.Boolean({ description: 'Whether the request is allowed.' })),
        denied: Type.Optional(Type.Boolean({ description: 'Never true: there are no deny rules.' })),
        reason: text('The binding that allows it.'),
        evaluationError: text('Problems of the evaluation.'),
      },
      { nullable: true, description: 'The answer.' },
    ),
  ),
};

const SelfSpec = Type.Object(question, { description: 'The request to check.' });
const AccessSpec = Type.Object({ ...question, ...subject }, { description: 'The request and the user to check.' });
const RulesSpec = Type.Object({ namespace: text('Where.') }, { description: 'Where.' });

export type AccessSpec = Static<typeof AccessSpec>;
export const SelfSubjectAccessReview = defineKind({
  group: AUTHORIZATION_GROUP,
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  scope: 'Cluster',
  description: 'Checks whether the caller is allowed to do something.',
  spec: SelfSpec,
  fields: verdict,
  verbs: ['create'],
});

export const SubjectAccessReview = defineKind({
  group: AUTHORIZATION_GROUP,
  version: 'v1',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  scope: 'Cluster',
  description: 'Checks whether a user is allowed to do something.',
  spec: AccessSpec,
  fields: verdict,
  verbs: ['create'],
});

export const LocalSubjectAccessReview = defineKind({
  group: AUTHORIZATION_GROUP,
  version: 'v1',
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  scope: 'Namespaced',
  description: 'Checks whether a user is allowed to do something in one namespace.',
  spec: AccessSpec,
  fields: verdict,
  verbs: ['create'],
});

export const SelfSubjectRulesReview = defineKind({
  group: AUTHORIZATION_GROUP,
  version: 'v1',
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  scope: 'Cluster',
  description: 'Lists the rights of the caller in a namespace.',
  spec: RulesSpec,
  fields: {
    status: Type.Optional(Type.Object({}, { ...free, nullable: true, description: 'The rules.' })),
  },
  verbs: ['create'],
});

const selfSubjectReview = (version: 'v1' | 'v1beta1') =>
  defineKind({
    group: AUTHENTICATION_GROUP,
    version,
    kind: 'SelfSubjectReview',
    plural: 'selfsubjectreviews',
    scope: 'Cluster',
    description: 'Shows the caller as the server authenticates them.',
    fields: {
      status: Type.Optional(Type.Object({}, { ...free, nullable: true, description: 'The user.' })),
    },
    verbs: ['create'],
  });

export const SelfSubjectReview = selfSubjectReview('v1');

/** The same review in the only version that kubectl 1.27 uses; as a second kind it has its own id. */
export const SelfSubjectReviewBeta: Kind = {
  ...selfSubjectReview('v1beta1'),
  id: `${AUTHENTICATION_GROUP}/v1beta1/SelfSubjectReview`,
};

const TokenSpec = Type.Object(
  {
    token: text('The token to check.'),
    audiences: Type.Optional(
      Type.Array(Type.String(), { nullable: true, description: 'Required audiences; default: this server.' }),
    ),
  },
  { description: 'The token to check.' },
);

export const TokenReview = defineKind({
  group: AUTHENTICATION_GROUP,
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  scope: 'Cluster',
  description: 'Authenticates a token.',
  spec: TokenSpec,
  fields: {
    status: Type.Optional(Type.Object({}, { ...free, nullable: true, description: 'The user, or the error.' })),
  },
  verbs: ['create'],
});

export const REVIEW_KINDS = [
  SelfSubjectAccessReview,
  SubjectAccessReview,
  LocalSubjectAccessReview,
  SelfSubjectRulesReview,
  SelfSubjectReview,
  SelfSubjectReviewBeta,
  TokenReview,
] as const;

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
            operator: Type.Enum(['In', 'NotIn', 'Exists', 'DoesNotExist'], { description: 'How it compares.' }),
            values: Type.Optional(
              Type.Array(Type.String(), { nullable: true, description: 'What it is compared with.' }),
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
    verb: text('What is to be done.'),
    group: text('The group of the resource.'),
    version: text('Not looked at.'),
    resource: text('The plural.'),
    subresource: text('A part of it, like status.'),
    namespace: text('Where; empty means in all namespaces.'),
    name: text('Which one; empty means all.'),
    fieldSelector: Type.Optional(selector('Which fields the objects have that are asked for.')),
    labelSelector: Type.Optional(selector('Which labels the objects have that are asked for.')),
  },
  { nullable: true, description: 'A resource and what is to be done with it.' },
);

const PathQuestion = Type.Object(
  { verb: text('The HTTP method in small letters.'), path: text('The path.') },
  { nullable: true, description: 'A path that is no resource.' },
);

const question = {
  resourceAttributes: Type.Optional(ResourceQuestion),
  nonResourceAttributes: Type.Optional(PathQuestion),
};

const whom = {
  user: text('Whom it is asked about.'),
  groups: Type.Optional(Type.Array(Type.String(), { nullable: true, description: 'Their groups.' })),
  uid: text('Their UID.'),
  extra: Type.Optional(Type.Object({}, { ...free, nullable: true, description: 'What else is known of them.' })),
};

const verdict = {
  status: Type.Optional(
    Type.Object(
      {
        allowed: Type.Optional(Type.Boolean({ description: 'Whether they may.' })),
        denied: Type.Optional(
          Type.Boolean({ description: 'Never true: what is not allowed is not denied by a rule.' }),
        ),
        reason: text('Which binding allows it.'),
        evaluationError: text('What could not be looked at.'),
      },
      { nullable: true, description: 'The answer.' },
    ),
  ),
};

const SelfSpec = Type.Object(question, { description: 'What is asked.' });
const AccessSpec = Type.Object({ ...question, ...whom }, { description: 'What is asked, and about whom.' });
const RulesSpec = Type.Object({ namespace: text('Where.') }, { description: 'Where.' });

export type AccessSpec = Static<typeof AccessSpec>;
export const SelfSubjectAccessReview = defineKind({
  group: AUTHORIZATION_GROUP,
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  scope: 'Cluster',
  description: 'Asks whether the one who asks may do something.',
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
  description: 'Asks whether somebody may do something.',
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
  description: 'Asks whether somebody may do something in one namespace.',
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
  description: 'Asks what all the one who asks may do in a namespace.',
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
    description: 'Asks who the server takes the one who asks for.',
    fields: {
      status: Type.Optional(Type.Object({}, { ...free, nullable: true, description: 'The user.' })),
    },
    verbs: ['create'],
  });

export const SelfSubjectReview = selfSubjectReview('v1');

/** The same question in the only version that kubectl 1.27 asks it in; as a kind beside the other it has its own id. */
export const SelfSubjectReviewBeta: Kind = {
  ...selfSubjectReview('v1beta1'),
  id: `${AUTHENTICATION_GROUP}/v1beta1/SelfSubjectReview`,
};

const TokenSpec = Type.Object(
  {
    token: text('The token that is asked about.'),
    audiences: Type.Optional(
      Type.Array(Type.String(), { nullable: true, description: 'Whom it must be meant for; else this server.' }),
    ),
  },
  { description: 'What is asked.' },
);

export const TokenReview = defineKind({
  group: AUTHENTICATION_GROUP,
  version: 'v1',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  scope: 'Cluster',
  description: 'Asks whose a token is.',
  spec: TokenSpec,
  fields: {
    status: Type.Optional(Type.Object({}, { ...free, nullable: true, description: 'The user, or why it is nobody.' })),
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

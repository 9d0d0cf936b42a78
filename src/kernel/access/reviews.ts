import { Refusal } from '#kernel/base/failures.ts';
import type { Attributes, User } from '#kernel/resources/api/authority.ts';
import type { VirtualKind } from '#kernel/resources/api/handler.ts';
import type { Kind, ResourceObject } from '#kernel/resources/kind.ts';
import { structureOf } from '#kernel/resources/schema/structure.ts';
import { invalid } from '#kernel/resources/write.ts';
import { requireUnbound, type ServiceAccountTokens } from './authentication/service-account-tokens.ts';
import { authorize, heldRules, type RuleTable } from './authorization/rule-table.ts';
import {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectReviewBeta,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  type AccessSpec,
  type RulesSpec,
} from './kinds/reviews.ts';
import { ServiceAccount } from './kinds/service-account.ts';
import { TokenRequest, type TokenRequestSpec } from './kinds/token-request.ts';

/** What answers the questions about access, by the ids of their kinds. */
export function reviews(table: () => RuleTable, tokens: ServiceAccountTokens): ReadonlyMap<string, VirtualKind> {
  const judge = (user: Pick<User, 'name' | 'groups'>, spec: AccessSpec) => authorize(table(), user, wantedIn(spec));
  return new Map<string, VirtualKind>([
    [
      SelfSubjectAccessReview.id,
      async (object, { user }) => {
        requireValid(SelfSubjectAccessReview, object);
        const spec = object.spec as AccessSpec;
        return { ...object, status: judge(user, spec) };
      },
    ],
    [
      SubjectAccessReview.id,
      async (object) => {
        requireValid(SubjectAccessReview, object);
        const spec = object.spec as AccessSpec;
        return { ...object, status: judge(subjectOf(spec), spec) };
      },
    ],
    [
      LocalSubjectAccessReview.id,
      async (object, { namespace = '' }) => {
        requireValid(LocalSubjectAccessReview, object);
        const spec = object.spec as AccessSpec;
        const asked = spec.resourceAttributes?.namespace;
        if (asked !== namespace) {
          throw badQuestion(`spec.resourceAttributes.namespace is "${asked ?? ''}" and must be "${namespace}"`);
        }
        return { ...object, status: judge(subjectOf(spec), spec) };
      },
    ],
    [
      SelfSubjectRulesReview.id,
      async (object, { user }) => {
        requireValid(SelfSubjectRulesReview, object);
        const { namespace = '' } = object.spec as RulesSpec;
        if (namespace === '') throw badQuestion('spec.namespace is missing');
        const rules = heldRules(table(), user, namespace);
        const isForPaths = (rule: (typeof rules)[number]) => (rule.nonResourceURLs ?? []).length > 0;
        return {
          ...object,
          status: {
            resourceRules: rules.filter((rule) => !isForPaths(rule)),
            nonResourceRules: rules.filter(isForPaths),
            incomplete: false,
          },
        };
      },
    ],
    [SelfSubjectReview.id, whoAmI(SelfSubjectReview)],
    [SelfSubjectReviewBeta.id, whoAmI(SelfSubjectReviewBeta)],
    [
      `${ServiceAccount.id}/token`,
      async (object, { namespace = '', name = '', dryRun, user }) => {
        requireValid(TokenRequest, object);
        const spec = (object.spec ?? {}) as TokenRequestSpec;
        requireUnbound(spec);
        const { token, expirationTimestamp } = await tokens.issue(namespace, name, spec, user);
        const status = { token: dryRun ? '' : token, expirationTimestamp };
        return { ...object, metadata: { ...object.metadata, name, namespace }, status };
      },
    ],
  ]);
}

function whoAmI(kind: Kind): VirtualKind {
  return async (object, { user: { name, uid, groups, extra } }) => {
    requireValid(kind, object);
    return { ...object, status: { userInfo: { username: name, uid, groups, extra } } };
  };
}

/** Refuses an object that does not pass the schema of its kind. */
function requireValid(kind: Kind, object: ResourceObject): void {
  const problems = structureOf(kind).validate(object);
  if (problems.length > 0) throw invalid(kind, object.metadata.name ?? '', problems);
}

function subjectOf({ user = '', groups }: AccessSpec): Pick<User, 'name' | 'groups'> {
  if (user === '' && (groups ?? []).length === 0) throw badQuestion('spec names neither a user nor a group');
  return { name: user, groups: groups ?? [] };
}

function wantedIn({ resourceAttributes, nonResourceAttributes }: AccessSpec): Attributes {
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined)) {
    throw badQuestion('spec must have either resourceAttributes or nonResourceAttributes');
  }
  if (nonResourceAttributes !== undefined) {
    const { verb = '', path = '' } = nonResourceAttributes;
    return { verb, path };
  }
  const {
    verb = '',
    group = '',
    resource = '',
    subresource = '',
    namespace = '',
    name = '',
  } = resourceAttributes ?? {};
  return { verb, group, resource, subresource, namespace, name };
}

function badQuestion(why: string): Refusal {
  return new Refusal('access/bad-review', 'Invalid', `The question cannot be answered: ${why}.`);
}

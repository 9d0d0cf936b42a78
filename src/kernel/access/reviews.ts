import { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from './refusals.ts';
import { requirementsOf, type Requirement } from '#kernel/api/codec/requirements.ts';
import { parseFieldRequirements, parseLabelSelector } from '#kernel/api/codec/selectors.ts';
import type { Attributes, User } from '#kernel/api/authority.ts';
import { alternativesIn } from '#kernel/api/selection.ts';
import type { VirtualKind } from '#kernel/api/virtual.ts';
import { userOfToken, type Authenticator } from './authentication/authenticate.ts';
import { ISSUER, requireUnbound, type ServiceAccountTokens } from './authentication/service-account-tokens.ts';
import { isForSome, selectorText, type PolicyRule } from './rules/rules.ts';
import { authorize, heldRules, selectorsOf, type RuleTable } from './rules/rule-table.ts';
import {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectReviewBeta,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  TokenReview,
  type AccessSpec,
} from './kinds/reviews.ts';
import { ServiceAccount } from './kinds/service-account.ts';
import { TokenRequest } from './kinds/token-request.ts';

/** The handlers of the access reviews, by the ids of their kinds. */
export function reviews(
  table: () => RuleTable,
  tokens: ServiceAccountTokens,
  authenticators: readonly Authenticator[],
): ReadonlyMap<string, VirtualKind> {
  const judge = (user: Pick<User, 'name' | 'groups'>, spec: AccessSpec) => {
    const { allowed, reason, partly } = authorize(table(), user, wantedIn(spec));
    if (partly.length === 0) return { allowed, reason };
    return { allowed, reason: `allowed only with ${alternativesIn(selectorsOf(partly).keys())}` };
  };
  return new Map<string, VirtualKind>([
    [
      SelfSubjectAccessReview.id,
      async (object, { user }) => {
        const spec = SelfSubjectAccessReview.spec(object);
        return { ...object, status: judge(user, spec) };
      },
    ],
    [
      SubjectAccessReview.id,
      async (object) => {
        const spec = SubjectAccessReview.spec(object);
        return { ...object, status: judge(subjectOf(spec), spec) };
      },
    ],
    [
      LocalSubjectAccessReview.id,
      async (object, { namespace = '' }) => {
        const spec = LocalSubjectAccessReview.spec(object);
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
        const { namespace = '' } = SelfSubjectRulesReview.spec(object);
        if (namespace === '') throw badQuestion('spec.namespace is missing');
        const rules = heldRules(table(), user, namespace);
        const isForPaths = (rule: (typeof rules)[number]) => (rule.nonResourceURLs ?? []).length > 0;
        return {
          ...object,
          status: {
            resourceRules: rules.filter((rule) => !isForPaths(rule)),
            nonResourceRules: rules.filter(isForPaths),
            // Clients of Kubernetes drop the selectors, and would show such a rule as one for all objects.
            ...(rules.some(isForSome)
              ? { incomplete: true, evaluationError: limitedText(rules.filter(isForSome)) }
              : { incomplete: false }),
          },
        };
      },
    ],
    [SelfSubjectReview.id, whoAmI],
    [SelfSubjectReviewBeta.id, whoAmI],
    [
      TokenReview.id,
      async (object) => {
        const { token = '', audiences } = TokenReview.spec(object);
        if (token === '') throw badQuestion('spec.token is missing');
        return { ...object, status: await statusOfToken(token, audiences ?? [], { tokens, authenticators }) };
      },
    ],
    [
      `${ServiceAccount.id}/token`,
      async (object, { namespace = '', name = '', dryRun, user }) => {
        const spec = TokenRequest.spec(object) ?? {};
        requireUnbound(spec);
        const { token, expirationTimestamp } = await tokens.issue(namespace, name, spec, user);
        const status = { token: dryRun ? '' : token, expirationTimestamp };
        return { ...object, metadata: { ...object.metadata, name, namespace }, status };
      },
    ],
  ]);
}

/** As many rules as a person reads. */
const SHOWN_RULES_MAX = 20;

/** Says which rules are for some objects only: `kubectl auth can-i --list` prints it. */
function limitedText(rules: readonly PolicyRule[]): string {
  const shown = rules
    .slice(0, SHOWN_RULES_MAX)
    .map((rule) => `${(rule.resources ?? []).join(', ')} [${rule.verbs.join(' ')}] with ${selectorText(rule)}`);
  const more = rules.length > shown.length ? [`${rules.length - shown.length} more`] : [];
  return `these rules are for some objects only: ${[...shown, ...more].join('; ')}`;
}

/** Audiences matter only for tokens of ServiceAccounts: the others are for this server. */
async function statusOfToken(
  token: string,
  audiences: readonly string[],
  {
    tokens,
    authenticators,
  }: { readonly tokens: ServiceAccountTokens; readonly authenticators: readonly Authenticator[] },
): Promise<object> {
  const wanted = audiences.length === 0 ? [ISSUER] : audiences;
  try {
    const own = await tokens.review(token, wanted);
    if (own !== undefined) return { authenticated: true, user: userInfo(own.user), audiences: own.audiences };
    const user = wanted.includes(ISSUER) ? await userOfToken(authenticators, token) : undefined;
    if (user !== undefined) return { authenticated: true, user: userInfo(user), audiences: [ISSUER] };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
  return { authenticated: false, user: {}, error: 'The token is invalid.' };
}

/** The user in the words of the reviews. */
function userInfo({ name, uid, groups, extra }: User): object {
  return { username: name, uid, groups, extra };
}

const whoAmI: VirtualKind = async (object, { user }) => ({ ...object, status: { userInfo: userInfo(user) } });

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
  const { fieldSelector: fields, labelSelector: labels } = resourceAttributes ?? {};
  const selection =
    fields || labels
      ? {
          fields: askedRequirements(fields, parseFieldRequirements),
          labels: askedRequirements(labels, (raw) => parseLabelSelector(raw).requirements),
        }
      : undefined;
  return { verb, group, resource, subresource, namespace, name, ...(selection === undefined ? {} : { selection }) };
}

type AskedSelector = NonNullable<NonNullable<AccessSpec['resourceAttributes']>['fieldSelector']>;

/** As in Kubernetes, a selector is given as text or as requirements. */
function askedRequirements(
  asked: AskedSelector | undefined | null,
  parse: (raw: string) => readonly Requirement[],
): readonly Requirement[] {
  const { rawSelector = '', requirements } = asked ?? {};
  const matchExpressions = (requirements ?? []).map(({ key, operator, values }) => ({
    key,
    operator,
    values: values ?? [],
  }));
  if (rawSelector !== '' && matchExpressions.length > 0)
    throw badQuestion('a selector has rawSelector or requirements, not both');
  return rawSelector === '' ? requirementsOf({ matchExpressions }) : parse(rawSelector);
}

function badQuestion(why: string): Refusal {
  return accessRefusal('bad-review', `The review cannot be evaluated: ${why}.`);
}

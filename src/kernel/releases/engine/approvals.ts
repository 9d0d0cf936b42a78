import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { Approval, ApprovalsStatus } from '../kinds/release-status.ts';
import { policiesOf } from '../rules/choose-policy.ts';

/** A caller or an approver. */
export interface Person {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  /** Users who minted the token. */
  readonly mintedBy?: readonly string[] | undefined;
}

/** Whether the present access rules let somebody approve a release. */
export type MayApprove = (
  user: { readonly name: string; readonly uid: string | undefined; readonly groups: readonly string[] },
  release: string,
) => boolean;

type ApprovalRule = NonNullable<PolicySpec['approvals']>;

/** The approvals of a release: required and given by policy, which of them count, and until when. */
export interface ApprovalState extends ApprovalsStatus {
  readonly isComplete: boolean;
  /** When the first of the counted ones expires. */
  readonly expiresMs: number;
}

/** Approvers who have lost the right to approve. */
export function usersWithoutRight(
  approvals: readonly Approval[],
  release: string,
  mayApprove: MayApprove,
): ReadonlySet<string> {
  const without = approvals.filter(({ user, uid, groups }) => !mayApprove({ name: user, uid, groups }, release));
  return new Set(without.map(({ user }) => user));
}

/**
 * Counts the approvals of each policy. An approval counts if its user is no author, it is for this plan, has not expired, and its
 * user may still approve. `withoutRight` names users who lost the right. Approvals by several accounts of one person, linked by
 * minted tokens, count once.
 */
export function countApprovals(
  spec: ReleaseSpec,
  approvals: readonly Approval[],
  { nowMs, withoutRight }: { readonly nowMs: number; readonly withoutRight: ReadonlySet<string> },
): ApprovalState {
  const askedBy = approvalPolicies(spec);
  let expiresMs = Infinity;
  const needed = askedBy.map(({ policy, asked }) => {
    const lastsMs = durationMs(asked.expireAfter);
    const counted = approvals.filter((one) => whyNot(one, asked, lastsMs) === undefined);
    for (const { atMs } of counted) expiresMs = Math.min(expiresMs, atMs + lastsMs);
    return { policy, required: asked.required, given: peopleIn(counted) };
  });
  const given = approvals.map((one) => {
    const reasons = askedBy.map(({ asked }) => whyNot(one, asked, durationMs(asked.expireAfter)));
    const because = reasons.every((reason) => reason !== undefined) ? reasons[0] : undefined;
    return { user: one.user, counts: because === undefined, ...(because === undefined ? {} : { because }) };
  });
  return { needed, given, isComplete: needed.every((one) => one.given >= one.required), expiresMs };

  function whyNot(one: Approval, asked: ApprovalRule, lastsMs: number): string | undefined {
    const author = authorBehind(spec, one.user, one.mintedBy);
    if (author !== undefined) return `${author} made the change`;
    if (one.planHash !== spec.planHash) return 'it is for another plan';
    if (withoutRight.has(one.user)) return `${one.user} no longer has the right to approve`;
    if (!isApprover(asked, { name: one.user, groups: one.groups }))
      return `${one.user} is no longer an approver of the policy`;
    return nowMs < one.atMs + lastsMs ? undefined : 'it has expired';
  }
}

/** The policies that require approvals. An unattended change needs one more, because an approver may have caused it. */
export function approvalPolicies(
  spec: ReleaseSpec,
): readonly { readonly policy: string; readonly asked: ApprovalRule }[] {
  const more = spec.unattended === true ? 1 : 0;
  return policiesOf(spec).flatMap(({ name, spec: { approvals } }) =>
    approvals === undefined ? [] : [{ policy: name, asked: { ...approvals, required: approvals.required + more } }],
  );
}

/** Policies whose named users cannot give enough approvals, in sentences: the release would wait for ever. */
export function shortOfPeople(spec: ReleaseSpec): string[] {
  return approvalPolicies(spec).flatMap(({ policy, asked: { users, groups, required } }) => {
    if (users === undefined || groups !== undefined) return [];
    const able = users.filter((user) => authorBehind(spec, user) === undefined);
    if (able.length >= required) return [];
    const more = spec.unattended === true ? ', one of them because Backline itself declared a part of it' : '';
    const who = able.length === 0 ? 'all users that it names are authors' : `only ${able.join(', ')} may give one`;
    const remedy = 'Add users to the policy, or abort the release and let somebody else make the change.';
    return [`Policy ${policy} needs ${required} approvals${more}, and ${who}. ${remedy}`];
  });
}

/** The author of a change behind a user: the user, or the user who minted the token. */
export function authorBehind(
  { authors }: Pick<ReleaseSpec, 'authors'>,
  user: string,
  mintedBy: readonly string[] = [],
): string | undefined {
  return [user, ...mintedBy].find((one) => authors.includes(one));
}

export function isApprover({ users, groups }: ApprovalRule, person: Person): boolean {
  if (users === undefined && groups === undefined) return true;
  return users?.includes(person.name) === true || groups?.some((group) => person.groups.includes(group)) === true;
}

/** Number of people behind approvals: accounts that are linked by tokens belong to one person. */
function peopleIn(approvals: readonly Approval[]): number {
  const people: Set<string>[] = [];
  for (const { user, mintedBy = [] } of approvals) {
    const names = new Set([user, ...mintedBy]);
    for (const other of people.filter((one) => !one.isDisjointFrom(names))) {
      for (const name of other) names.add(name);
      people.splice(people.indexOf(other), 1);
    }
    people.push(names);
  }
  return people.length;
}

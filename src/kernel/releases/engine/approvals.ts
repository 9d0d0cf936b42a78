import { durationMs } from '#kernel/kinds/schema/duration.ts';
import type { PolicySpec } from '../kinds/policy-spec.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import type { Approval, ApprovalsStatus } from '../kinds/release-status.ts';
import { policiesOf } from '../rules/choose-policy.ts';

/** Who asks or approves. */
export interface Person {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  /** Who minted the token that they use. */
  readonly mintedBy?: readonly string[] | undefined;
}

/** Asks the rules in force whether somebody may approve a release. */
export type MayApprove = (
  user: { readonly name: string; readonly uid: string | undefined; readonly groups: readonly string[] },
  release: string,
) => boolean;

type Asked = NonNullable<PolicySpec['approvals']>;

/** How approvals stand: what each policy needs and has, which of those given count, and until when. */
export interface ApprovalState extends ApprovalsStatus {
  readonly isComplete: boolean;
  /** When the first of those that count expires. */
  readonly expiresMs: number;
}

/** Of those who approved, the users who no longer have the right to. */
export function usersWithoutRight(
  approvals: readonly Approval[],
  release: string,
  mayApprove: MayApprove,
): ReadonlySet<string> {
  const without = approvals.filter(({ user, uid, groups }) => !mayApprove({ name: user, uid, groups }, release));
  return new Set(without.map(({ user }) => user));
}

/**
 * Counts the approvals of each policy: by people who wrote nothing of the change, for this plan, not too old, and only
 * of those who may approve now. `withoutRight` names users who lost the right. What one person approved with several
 * accounts, by tokens that they minted, counts once.
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

  function whyNot(one: Approval, asked: Asked, lastsMs: number): string | undefined {
    const author = authorBehind(spec, one.user, one.mintedBy);
    if (author !== undefined) return `${author} made the change`;
    if (one.planHash !== spec.planHash) return 'it is for another plan';
    if (withoutRight.has(one.user)) return `${one.user} no longer has the right to approve`;
    if (!isAsked(asked, { name: one.user, groups: one.groups }))
      return `${one.user} is no longer one of those who approve it`;
    return nowMs < one.atMs + lastsMs ? undefined : 'it has expired';
  }
}

/** The policies that ask for approvals: one more where any of those who approve may be who caused the change. */
export function approvalPolicies(spec: ReleaseSpec): readonly { readonly policy: string; readonly asked: Asked }[] {
  const more = spec.unattended === true ? 1 : 0;
  return policiesOf(spec).flatMap(({ name, spec: { approvals } }) =>
    approvals === undefined ? [] : [{ policy: name, asked: { ...approvals, required: approvals.required + more } }],
  );
}

/** That a policy needs more approvals than the users that it names can give, in sentences: nobody is to wait for those. */
export function shortOfPeople(spec: ReleaseSpec): string[] {
  return approvalPolicies(spec).flatMap(({ policy, asked: { users, groups, required } }) => {
    if (users === undefined || groups !== undefined) return [];
    const able = users.filter((user) => authorBehind(spec, user) === undefined);
    if (able.length >= required) return [];
    const more = spec.unattended === true ? ', one of them because the program itself declared a part of it' : '';
    const who = able.length === 0 ? 'all whom it names are authors' : `only ${able.join(', ')} may give one`;
    const remedy = 'Let the policy name more users, or abort the release and let somebody else make the change.';
    return [`Policy ${policy} needs ${required} approvals${more}, and ${who}. ${remedy}`];
  });
}

/** The author of a change that stands behind a user: the user, or who minted the token. */
export function authorBehind(
  { authors }: Pick<ReleaseSpec, 'authors'>,
  user: string,
  mintedBy: readonly string[] = [],
): string | undefined {
  return [user, ...mintedBy].find((one) => authors.includes(one));
}

export function isAsked({ users, groups }: Asked, person: Person): boolean {
  if (users === undefined && groups === undefined) return true;
  return users?.includes(person.name) === true || groups?.some((group) => person.groups.includes(group)) === true;
}

/** How many people gave approvals: accounts that are linked by tokens are of one person. */
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

/** More members are a Set, in which one is found at once; it takes 200 bytes more. */
const LISTED_MAX = 8;

/** A set of objects that mostly has one or a few members: one stands for itself. Never empty; changed in place. */
export type OneOrMore<Member extends object> = Member | Member[] | Set<Member>;

export function membersOf<Member extends object>(set: OneOrMore<Member>): Iterable<Member> {
  return Array.isArray(set) || set instanceof Set ? set : [set];
}

/** The set with one more member, which it does not have yet. */
export function withMember<Member extends object>(
  set: OneOrMore<Member> | undefined,
  member: Member,
): OneOrMore<Member> {
  if (set === undefined) return member;
  if (set instanceof Set) return set.add(member);
  if (!Array.isArray(set)) return [set, member];
  set.push(member);
  return set.length > LISTED_MAX ? new Set(set) : set;
}

/** The set without a member; undefined when none is left. */
export function withoutMember<Member extends object>(
  set: OneOrMore<Member>,
  member: Member,
): OneOrMore<Member> | undefined {
  if (set instanceof Set) {
    set.delete(member);
    return set.size === 0 ? undefined : set;
  }
  const left = [...membersOf(set)].filter((other) => other !== member);
  return left.length > 1 ? left : left[0];
}

import { subjectName, subjectParts } from '#kernel/quotas/rules/subject-name.ts';
import type { SubjectFacts } from './subject-facts.ts';

/** Owner of a subject, named by a listener id. A household has the id of the listener who pays. */
const SCOPES = ['listener', 'household', 'device'] as const;

/** A counting subject. */
export interface UseSubject {
  readonly scope: (typeof SCOPES)[number];
  /** Id of the owning listener. */
  readonly owner: string;
  /** Part of it that is counted separately: a role, or a device id. */
  readonly part?: string | undefined;
}

/** The subject's name in the quotas. */
export function useSubject({ scope, owner, part }: UseSubject): string {
  return part === undefined ? subjectName([scope, owner]) : subjectName([scope, owner, part]);
}

/** Root subjects of a listener. Every other subject of the listener is below one of these. */
export function subjectsOfListener(listener: string): readonly string[] {
  return SCOPES.map((scope) => useSubject({ scope, owner: listener }));
}

/** The owning listener of one of these subjects. */
export function ownerOf(subject: string): string {
  return subjectParts(subject)[1] ?? '';
}

/** Every subject under which a listener's use may be counted, on present and former terms. */
export function subjectsOfUse(
  { listener, subscription, formers }: SubjectFacts,
  { device, role }: { readonly device?: string | undefined; readonly role?: string | undefined },
): readonly string[] {
  const own = { scope: 'listener', owner: listener } as const;
  const all = new Set([useSubject(own)]);
  if (device !== undefined) all.add(useSubject({ scope: 'device', owner: listener, part: device }));
  if (role !== undefined) all.add(useSubject({ ...own, part: role }));
  const past = formers.map((former) => former.subscription);
  for (const on of subscription === undefined ? past : [subscription, ...past]) {
    const shared = { scope: 'household', owner: on.household } as const;
    for (const each of [shared, { ...shared, part: on.role }, { ...own, part: on.role }]) all.add(useSubject(each));
  }
  return [...all];
}

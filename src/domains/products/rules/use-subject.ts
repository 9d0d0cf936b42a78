import { subjectName, subjectParts } from '#kernel/quotas/rules/subject-name.ts';
import type { SubjectFacts } from './subject-facts.ts';

/** What belongs to a listener, by whose id it is called. A household has the id of the listener who pays for it. */
const SCOPES = ['listener', 'household', 'device'] as const;

/** Whose use is counted. */
export interface UseSubject {
  readonly scope: (typeof SCOPES)[number];
  /** Id of the listener whom it belongs to. */
  readonly owner: string;
  /** What is counted by itself within it: a role, or the id of a device. */
  readonly part?: string | undefined;
}

/** The name under which the quotas count it. */
export function useSubject({ scope, owner, part }: UseSubject): string {
  return part === undefined ? subjectName([scope, owner]) : subjectName([scope, owner, part]);
}

/** The subjects of a listener. Each other one that belongs to the listener is below one of these. */
export function subjectsOfListener(listener: string): readonly string[] {
  return SCOPES.map((scope) => useSubject({ scope, owner: listener }));
}

/** The listener whom a subject of these names belongs to. */
export function ownerOf(subject: string): string {
  return subjectParts(subject)[1] ?? '';
}

/** Every subject under which the use of a listener may have been counted: now, and on what the listener was on before. */
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

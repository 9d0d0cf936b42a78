import { subjectName } from '#kernel/quotas/subject-name.ts';

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

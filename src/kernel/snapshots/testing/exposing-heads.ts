import { Head, headName, headOf } from '#kernel/resources/builtin/head.ts';
import type { ResourceObject } from '#kernel/resources/kind.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import { RELEASE, SHARE_TOTAL, type Cohort } from '../cohort.ts';

const release = { id: RELEASE, plural: 'releases', group: 'releases.backline.dev' };

/** A cohort that everybody is in. */
export const everybody: Cohort = { unit: 'listener', salt: 'salt', slices: [{ share: SHARE_TOTAL }] };

/** The Head under the name of a release, which says who gets what it carries. */
export function cohortHead(name: string, cohort: unknown): ResourceObject {
  const object = { kind: RELEASE, namespace: '', name, labels: {}, spec: cohort, revision: JSON.stringify(cohort) };
  return headOf(release, name, { object, generation: 1 });
}

/** The write of a Head. */
export function putHead(head: ResourceObject): Operation {
  const { name } = head.metadata;
  return { verb: 'apply', kind: Head.id, namespace: '', name, object: head, uid: crypto.randomUUID() };
}

/** The write that takes the cohort of a release away. */
export function dropCohort(name: string): Operation {
  return { verb: 'delete', kind: Head.id, namespace: '', name: headName(release, name) };
}

import { Head } from '#kernel/kinds/builtin/head.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { SHARE_TOTAL, type Cohort } from '../cohort.ts';

/** A cohort that everybody is in. */
export const everybody: Cohort = { unit: 'listener', salt: 'salt', slices: [{ share: SHARE_TOTAL }] };

/** The write of a Head. */
export function putHead(head: ResourceObject): Operation {
  const { name } = head.metadata;
  return { verb: 'apply', kind: Head.id, namespace: '', name, object: head, uid: crypto.randomUUID() };
}

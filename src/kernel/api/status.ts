import { fieldPath, type Refusal } from '#kernel/base/failures.ts';
import { pathText } from '#kernel/managed-fields/field-set.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { ExpiredContinue } from './list.ts';

/** A Kubernetes `Status` for a refused request. */
export function failureStatus(
  refusal: Refusal,
  about?: { kind?: Kind | undefined; name?: string | undefined },
): object {
  const isOfNamespace = refusal.code === 'resources/namespace-not-found';
  const { kind, name = refusal.subject } = isOfNamespace ? { kind: Namespace } : (about ?? {});
  // As kube-apiserver: an invalid object is named by its kind, everything else by its resource.
  const kindName = refusal.reason === 'Invalid' ? kind?.kind : kind?.plural;
  const causes = refusal.problems.map(({ path, reason, detail }) => ({
    reason,
    message: detail,
    field: reason === 'FieldManagerConflict' ? pathText(path.map(String)) : fieldPath(path),
  }));
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: refusal instanceof ExpiredContinue ? { continue: refusal.continueToken } : {},
    status: 'Failure',
    message:
      refusal.remedy === undefined ? refusal.message : `${refusal.message.replace(/\.$/, '')}. ${refusal.remedy}`,
    reason: refusal.reason,
    details: {
      ...(name === undefined ? {} : { name }),
      ...(kind === undefined ? {} : { group: kind.group, kind: kindName }),
      ...(causes.length === 0 ? {} : { causes }),
      ...(refusal.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: refusal.retryAfterSeconds }),
    },
    code: refusal.status,
  };
}

/** The `Status` that answers a deletion that is done. */
export function deletedStatus(kind: Kind, name: string, uid: string): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, group: kind.group, kind: kind.plural, uid },
  };
}

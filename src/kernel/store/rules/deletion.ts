import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { Namespace } from '#kernel/kinds/builtin/core.ts';
import { isObject } from '#kernel/kinds/schema/own.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Propagation } from './operation.ts';

/** Finalizers that the garbage collector takes away when it has done what they stand for. */
export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** In the spec of every namespace until its content is gone. */
export const NAMESPACE_FINALIZER = 'kubernetes';

/** Where parts of this program keep what they need themselves. */
export const SYSTEM_NAMESPACE = 'backline-system';

const LASTING_NAMESPACES: ReadonlySet<string> = new Set(['default', SYSTEM_NAMESPACE]);

/** The finalizers of an object once its deletion was asked for: what the caller wishes, else what stands there. */
export function finalizersAfterDelete(before: readonly string[], propagation: Propagation | undefined): string[] {
  const others = before.filter((finalizer) => finalizer !== FOREGROUND && finalizer !== ORPHAN);
  switch (propagation) {
    case 'Foreground':
      return [...others, FOREGROUND];
    case 'Orphan':
      return [...others, ORPHAN];
    case 'Background':
      return others;
    case undefined:
      return [...before];
    default:
      return propagation satisfies never;
  }
}

/** True when nobody holds an object back that is being deleted. */
export function isLetGo(kind: Kind, object: ResourceObject): boolean {
  const { finalizers = [], deletionTimestamp } = object.metadata;
  if (finalizers.length > 0) return false;
  // A namespace is first marked, so that nothing new comes into it; what holds it then stands in its spec.
  return kind !== Namespace || (deletionTimestamp !== undefined && namespaceFinalizers(object).length === 0);
}

/** A namespace as it begins: held until its content is gone. */
export function bornNamespace(object: ResourceObject): ResourceObject {
  const finalizers = [...new Set([...namespaceFinalizers(object), NAMESPACE_FINALIZER])];
  return { ...object, spec: { finalizers }, status: { phase: 'Active' } };
}

/** The namespace with the spec that another version of it has. */
export function withFinalizersOf(other: ResourceObject, namespace: ResourceObject): ResourceObject {
  const { spec: _own, ...rest } = namespace;
  const finalizers = namespaceFinalizers(other);
  return finalizers.length === 0 && other.spec === undefined ? rest : { ...rest, spec: { finalizers } };
}

export function namespaceFinalizers({ spec }: ResourceObject): readonly string[] {
  const finalizers = isObject(spec) ? spec['finalizers'] : undefined;
  return Array.isArray(finalizers) ? finalizers.filter((finalizer) => typeof finalizer === 'string') : [];
}

export function requireDeletable(namespace: string): void {
  if (!LASTING_NAMESPACES.has(namespace)) return;
  throw resourceRefusal(
    'namespace-lasting',
    `namespaces "${namespace}" is forbidden: this namespace may not be deleted`,
  );
}

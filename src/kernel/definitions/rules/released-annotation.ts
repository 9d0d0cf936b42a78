import { DEFAULT_TARGET } from '#kernel/kinds/define-kind.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';

/** Makes objects of a definition go live by releases: `true`, or the name of the target that carries their changes. */
export const RELEASED_ANNOTATION = 'releases.backline.dev/released';

/** The condition of a definition whose objects are released; absent where they neither are nor were a moment ago. */
export const RELEASED_CONDITION = 'Released';

/** The target that the annotation of a definition asks for; undefined: its objects are not to be released. */
export function targetIn({ annotations = {} }: ResourceObject['metadata']): string | undefined {
  const value = annotations[RELEASED_ANNOTATION];
  if (value === undefined || value === 'false') return undefined;
  return value === 'true' ? DEFAULT_TARGET : value;
}

/** The scope in which names of objects are unique, as Kubernetes has it: their namespace, where they have one. */
export function namesIn({ namespaced }: Pick<Kind, 'namespaced'>): Pick<Kind, 'names'> {
  return namespaced ? { names: 'namespace' } : {};
}

import type { Refusal } from '#kernel/base/failures.ts';
import { accessRefusal } from '#kernel/access/refusals.ts';
import type { Attributes, ResourceAttributes, User } from '#kernel/api/authority.ts';
import { alternativesIn } from '#kernel/api/selection.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import { selectorsOf } from '../rules/rule-table.ts';
import type { CompiledRule } from '../rules/rules.ts';

/**
 * The refusal of a request that no rule allows, in the words of kube-apiserver.
 *
 * @param partly rules that allow it for other objects
 */
export function forbiddenRefusal(
  user: Pick<User, 'name'>,
  wanted: Attributes,
  partly: readonly CompiledRule[] = [],
): Refusal {
  return accessRefusal('forbidden', sentence(user.name, wanted) + selectors(wanted, partly));
}

/** The refusal of an object that is not there, or not for this user: in the same words. */
export function notAmongRefusal(
  { group, resource, name }: Pick<ResourceAttributes, 'group' | 'resource' | 'name'>,
  partly: readonly CompiledRule[],
): Refusal {
  const what = group === '' ? resource : `${resource}.${group}`;
  return resourceRefusal(
    'not-found',
    `${what} "${name}" not found among those with ${alternativesIn(selectorsOf(partly).keys())}`,
  );
}

/** The selector to add to the request, the objects that are allowed, or that no selector allows it. */
function selectors(wanted: Attributes, partly: readonly CompiledRule[]): string {
  if (partly.length === 0 || 'path' in wanted) return '';
  const shown = alternativesIn(selectorsOf(partly).keys());
  if (wanted.name !== '' || wanted.object !== undefined) return `: it is allowed for objects with ${shown}`;
  return wanted.verb === 'create'
    ? `: a rule for objects with ${shown} applies to stored objects, and this one is not stored; a rule without a selector is required`
    : `: it is allowed with ${shown}; add it to the request`;
}

/** The refusal of a write of other objects, for a user who may write none. */
export function mayWriteNothing({ name }: Pick<User, 'name'>): Refusal {
  return accessRefusal('forbidden', `forbidden: User "${name}" cannot create or update any resource`, {
    remedy: 'Ask for a RoleBinding to a role that allows it, such as edit.',
  });
}

function sentence(user: string, wanted: Attributes): string {
  if ('path' in wanted) return `forbidden: User "${user}" cannot ${wanted.verb} path "${wanted.path}"`;
  const { verb, group, resource, subresource, namespace, name } = wanted;
  const what = `${group === '' ? resource : `${resource}.${group}`}${name === '' ? '' : ` "${name}"`}`;
  const part = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return `${what} is forbidden: User "${user}" cannot ${verb} resource "${part}" in API group "${group}" ${where}`;
}

import type { Problem } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Store } from '#kernel/store/contract.ts';
import { PROBLEMS_MAX, type ChangeSetItem } from './change-set-items.ts';

const HISTORY_BYTES_MAX = 4 * 1024 * 1024;

type Read = Pick<Store<never>, 'get' | 'history'>;

/**
 * Refuses objects that name a `resourceVersion` which is not the present one: all of them at once, with who wrote each since. The
 * write itself refuses the first of those that change in between.
 */
export async function requireVersions(items: readonly ChangeSetItem[], store: Read): Promise<void> {
  const outdated = items.filter((item) => isOutdated(item, store));
  if (outdated.length === 0) return;
  const problems: Problem[] = [];
  for (const item of outdated.slice(0, PROBLEMS_MAX)) problems.push(await problemOf(item, store));
  const [first] = problems;
  const others = outdated.length === 1 ? '' : `, and ${outdated.length - 1} more`;
  throw resourceRefusal('conflict', `${first?.detail ?? ''}${others}: nothing was written.`, {
    problems,
    remedy: 'Read these objects again, repeat the change on them, and apply the whole anew.',
  });
}

/** As for single objects an empty version, and 0, is none. */
function isOutdated({ kind, namespace, name, object }: ChangeSetItem, store: Read): boolean {
  const { resourceVersion = '' } = object.metadata;
  if (resourceVersion === '' || resourceVersion === '0') return false;
  return String(store.get(kind, namespace, name)?.version) !== resourceVersion;
}

async function problemOf({ kind, namespace, name, object, position }: ChangeSetItem, store: Read): Promise<Problem> {
  const { items } = await store.history(kind, namespace, name, { limit: 1, bytesMax: HISTORY_BYTES_MAX });
  const [last] = items;
  const did = last?.type === 'DELETED' ? 'deleted' : 'changed';
  const change = last === undefined ? 'is not there' : `was ${did} by ${last.user} at ${last.at}`;
  return {
    path: ['objects', position, 'metadata', 'resourceVersion'],
    reason: 'FieldValueInvalid',
    detail: `${kind.kind} "${name}" ${change}, after version ${object.metadata.resourceVersion ?? ''}`,
  };
}

import type { Problem } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import type { Entry, HistoryItem, Store } from '#kernel/store/contract.ts';
import { PROBLEMS_MAX, type ChangeSetItem } from './change-set-items.ts';

const HISTORY_BYTES_MAX = 4 * 1024 * 1024;

/** Whether the author may read an object. */
export type MayRead = (object: Pick<Entry, 'kind' | 'namespace' | 'name' | 'labels' | 'object'>) => boolean;

interface Versions {
  readonly store: Pick<Store<never>, 'get' | 'history'>;
  readonly mayRead: MayRead;
}

/**
 * Refuses objects that name a `resourceVersion` which is not the present one: all of them at once, with who wrote each since. The
 * write itself refuses the first of those that change in between.
 */
export async function requireVersions(items: readonly ChangeSetItem[], versions: Versions): Promise<void> {
  const outdated = items.filter((item) => isOutdated(item, versions.store));
  if (outdated.length === 0) return;
  const problems: Problem[] = [];
  for (const item of outdated.slice(0, PROBLEMS_MAX)) problems.push(await problemOf(item, versions));
  const [first] = problems;
  const others = outdated.length === 1 ? '' : `, and ${outdated.length - 1} more`;
  throw resourceRefusal('conflict', `${first?.detail ?? ''}${others}: nothing was written.`, {
    problems,
    remedy: 'Read these objects again, repeat the change on them, and apply the whole anew.',
  });
}

/** The version that an object names. As for single objects an empty one, and 0, is none. */
export function namedVersion({ object }: ChangeSetItem): string | undefined {
  const { resourceVersion = '' } = object.metadata;
  return resourceVersion === '' || resourceVersion === '0' ? undefined : resourceVersion;
}

function isOutdated(item: ChangeSetItem, store: Versions['store']): boolean {
  const named = namedVersion(item);
  return named !== undefined && String(store.get(item.kind, item.namespace, item.name)?.version) !== named;
}

async function problemOf(item: ChangeSetItem, versions: Versions): Promise<Problem> {
  const { kind, name, object, position } = item;
  return {
    path: ['objects', position, 'metadata', 'resourceVersion'],
    reason: 'FieldValueInvalid',
    detail: `${kind.kind} "${name}" ${await lastChangeText(item, versions)}, after version ${object.metadata.resourceVersion ?? ''}`,
  };
}

/** `was changed by bob at …`. An object that the author may not read, and one that is not there, are the same to them. */
export async function lastChangeText(item: ChangeSetItem, { store, mayRead }: Versions): Promise<string> {
  const { kind, namespace, name } = item;
  const { items } = await store.history(kind, namespace, name, { limit: 1, bytesMax: HISTORY_BYTES_MAX });
  const [last] = items;
  if (last === undefined || !mayRead(objectIn(item, last))) return 'is not there';
  return `was ${last.type === 'DELETED' ? 'deleted' : 'changed'} by ${last.user} at ${last.at}`;
}

function objectIn({ kind, namespace, name }: ChangeSetItem, { text }: HistoryItem): Parameters<MayRead>[0] {
  const object: ResourceObject = JSON.parse(text);
  return { kind, namespace, name, labels: object.metadata.labels ?? {}, object: () => object };
}

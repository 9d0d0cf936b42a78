import type { Verb } from '#kernel/kinds/kind.ts';
import { checkListOptions } from '../list-options.ts';
import { reachVersion } from '../list.ts';
import type { ResourceServer, VerbRequest } from './context.ts';

/**
 * Waits until what is read here is new enough: not older than the version that is named, else all that was
 * acknowledged anywhere. A watch from a version that is yet to come just begins there; only our own followers want to
 * hear when it does not come, as after a restore.
 */
export async function catchUp(
  { store, virtualLists }: ResourceServer,
  { limit, call, query }: VerbRequest,
  verb: Verb,
): Promise<void> {
  if (query.resourceVersion === undefined) await store.fresh();
  if (!virtualLists.has(call.target.kind.id)) {
    if (verb !== 'get') checkListOptions(query);
    if (verb !== 'watch' || query.sendInitialEvents === true || query.batchBookmarks) await reachVersion(store, query);
  }
  limit.signal.throwIfAborted();
}

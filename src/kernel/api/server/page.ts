import { listPage, type Page } from '../list.ts';
import { pastPage, readAsOf } from '../past.ts';
import type { Query, RequestTarget } from '../request.ts';
import { selectionOf } from '../selection.ts';
import type { ResourceServer } from './context.ts';

/** The objects that a request selects, from wherever objects of their kind come. */
export async function pageOf(
  { store, virtualLists }: ResourceServer,
  target: RequestTarget,
  query: Query,
): Promise<Page> {
  const lookUp = virtualLists.get(target.kind.id);
  if (lookUp !== undefined) return lookUp(target, query);
  const selection = selectionOf(target.kind, query, target.name);
  if (query.asOf !== undefined) return pastPage(store, target, readAsOf(query.asOf), selection);
  return listPage(store, target, query, selection);
}

/** The metadata of a list. */
export function pageMetadata({ version, continueToken, remaining }: Page) {
  return {
    resourceVersion: String(version),
    ...(continueToken === undefined ? {} : { continue: continueToken }),
    ...(remaining === undefined ? {} : { remainingItemCount: remaining }),
  };
}

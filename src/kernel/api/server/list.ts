import { sendJsonPieces } from '../answer.ts';
import { indexedBy } from '../list.ts';
import { representationOf } from '../representation.ts';
import { selectionOf } from '../selection.ts';
import { catchUp } from './catch-up.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { pageMetadata, pageOf } from './page.ts';

export async function listObjects(server: ResourceServer, request: VerbRequest): Promise<void> {
  await catchUp(server, request, 'list');
  const { store, clock } = server;
  const { exchange, limit, call, query, accepted } = request;
  const { target } = call;
  // Each object is held against each term.
  const terms = termsIn(query.labelSelector) + termsIn(query.fieldSelector);
  const isLookedUp = indexedBy(target.kind, selectionOf(target.kind, query)) !== undefined;
  exchange.chargeLooks(terms === 0 || isLookedUp ? 0 : terms * store.count(target.kind));
  const page = await pageOf(server, target, query);
  limit.signal.throwIfAborted();
  const shown = representationOf(accepted, { ...query, clock });
  sendJsonPieces(exchange, shown.list(target.kind, page.entries, pageMetadata(page)), accepted);
}

/** How many terms a selector has at most. */
function termsIn(selector: string): number {
  return selector === '' ? 0 : selector.split(',').length;
}

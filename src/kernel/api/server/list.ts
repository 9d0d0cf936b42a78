import { sendJsonPieces, warningHeaders } from '../answer.ts';
import { representationOf } from '../representation.ts';
import { catchUp } from './catch-up.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { allowedSelection, narrowedWarning, pageMetadata, pageOf } from './page.ts';

export async function listObjects(server: ResourceServer, request: VerbRequest): Promise<void> {
  await catchUp(server, request, 'list');
  const { store, clock } = server;
  const { exchange, limit, call, query, accepted } = request;
  const { target } = call;
  // Each object is held against each term.
  const { terms, lookUps } = allowedSelection(request);
  exchange.chargeLooks(terms === 0 || lookUps !== undefined ? 0 : terms * store.count(target.kind));
  const page = await pageOf(server, request);
  limit.signal.throwIfAborted();
  const shown = representationOf(accepted, { ...query, clock });
  const headers = warningHeaders(narrowedWarning(request));
  sendJsonPieces(exchange, shown.list(target.kind, page.entries, pageMetadata(page)), accepted, headers);
}

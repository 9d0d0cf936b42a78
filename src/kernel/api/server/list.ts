import { sendJsonPieces, warningHeaders } from '../answer.ts';
import { catchUp } from './catch-up.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { allowedSelection, narrowedWarning, pageMetadata, pageOf } from './page.ts';
import { represent } from './represent.ts';

/** A computed status takes some 50 µs, as so many looks at an object do. */
const STATUS_LOOKS = 2_000;

export async function listObjects(server: ResourceServer, request: VerbRequest): Promise<void> {
  await catchUp(server, request, 'list');
  const { store, statuses } = server;
  const { exchange, limit, call, query, accepted } = request;
  const { target } = call;
  // Each object is held against each term.
  const { terms, lookUps } = allowedSelection(request);
  exchange.chargeLooks(terms === 0 || lookUps !== undefined ? 0 : terms * store.count(target.kind));
  const page = await pageOf(server, request);
  limit.signal.throwIfAborted();
  if (!query.stored && statuses.has(target.kind.id)) exchange.chargeLooks(page.entries.length * STATUS_LOOKS);
  const shown = represent(server, request);
  const headers = warningHeaders(narrowedWarning(request));
  sendJsonPieces(exchange, shown.list(target.kind, page.entries, pageMetadata(page)), accepted, headers);
}

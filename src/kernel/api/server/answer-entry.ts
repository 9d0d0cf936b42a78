import type { Entry } from '#kernel/store/contract.ts';
import { sendJson, warningHeaders } from '../answer.ts';
import { representationOf } from '../representation.ts';
import type { ResourceServer, VerbRequest } from './context.ts';

/** Answers with an object, in the form that the client asks for. */
export function answerEntry(
  { clock }: ResourceServer,
  { exchange, query, accepted }: VerbRequest,
  entry: Entry,
  { status = 200, warnings = [] }: { readonly status?: number; readonly warnings?: readonly string[] } = {},
): void {
  const shown = representationOf(accepted, { ...query, clock });
  sendJson(exchange, { status, json: shown.object(entry), accepted, headers: warningHeaders(warnings) });
}

import type { Entry } from '#kernel/store/contract.ts';
import { sendJson, warningHeaders } from '../answer.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { represent } from './represent.ts';

/** Answers with an object, in the form that the client asks for. */
export function answerEntry(
  server: ResourceServer,
  request: VerbRequest,
  entry: Entry,
  { status = 200, warnings = [] }: { readonly status?: number; readonly warnings?: readonly string[] } = {},
): void {
  const { exchange, accepted } = request;
  const shown = represent(server, request);
  sendJson(exchange, { status, json: shown.object(entry), accepted, headers: warningHeaders(warnings) });
}

import type { Entry } from '#kernel/store/contract.ts';
import { Scale } from '#kernel/kinds/builtin/scale.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import { readAs } from '#kernel/store/rules/read-as.ts';
import { scaleOf, scalePathsOf } from '#kernel/store/rules/scale.ts';
import { textEntry } from '#kernel/store/rules/text-entry.ts';
import { sendJson, warningHeaders } from '../answer.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { represent } from './represent.ts';

/** Answers with an object, in the form that the client asks for. */
export async function answerEntry(
  server: ResourceServer,
  request: VerbRequest,
  entry: Entry,
  { status = 200, warnings = [] }: { readonly status?: number; readonly warnings?: readonly string[] } = {},
): Promise<void> {
  const { exchange, accepted, call } = request;
  const { kind } = call.target;
  await server.convert(kind, [entry]);
  const shown = represent(server, request);
  const json = shown.object(request.part === 'scale' ? scaleEntry(kind, entry) : entry);
  const all = kind.deprecation === undefined ? warnings : [kind.deprecation, ...warnings];
  sendJson(exchange, { status, json, accepted, headers: warningHeaders(all) });
}

function scaleEntry(kind: Kind, entry: Entry): Entry {
  const object = readAs(kind, entry).object();
  return textEntry(Scale, scaleOf(scalePathsOf(kind), object), entry.version);
}

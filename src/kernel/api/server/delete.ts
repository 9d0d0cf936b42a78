import { sendJson, warningHeaders } from '../answer.ts';
import { readDeleteOptions } from '../delete-options.ts';
import { deletedStatus } from '../status.ts';
import { answerEntry } from './answer-entry.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { placeOf, writeOne } from './write-one.ts';

export async function deleteObject(server: ResourceServer, request: VerbRequest): Promise<void> {
  const { exchange, call, accepted } = request;
  const { target } = call;
  const { preconditions, propagation, dryRun } = await readDeleteOptions(exchange);
  call.dryRun ||= dryRun;
  const {
    did,
    entry,
    warnings = [],
  } = await writeOne(server, request, {
    ...placeOf(target),
    verb: 'delete',
    uidExpected: preconditions.uid,
    versionExpected: preconditions.resourceVersion,
    propagation,
  });
  if (did !== 'removed') return answerEntry(server, request, entry, { warnings });
  const status = deletedStatus(target.kind, entry.name, entry.uid);
  sendJson(exchange, { json: JSON.stringify(status), accepted, headers: warningHeaders(warnings) });
}

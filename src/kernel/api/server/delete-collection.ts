import type { Refusal } from '#kernel/base/failures.ts';
import { resourceRefusal } from '#kernel/kinds/refusals.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { readAs } from '#kernel/store/rules/read-as.ts';
import { requirePreconditions } from '#kernel/store/rules/write.ts';
import { sendJsonPieces, warningHeaders } from '../answer.ts';
import { attemptOf } from '../call.ts';
import { readDeleteOptions } from '../delete-options.ts';
import { listText } from '../representation.ts';
import { catchUp } from './catch-up.ts';
import type { ResourceServer, VerbRequest } from './context.ts';
import { allowedSelection, narrowedWarning, pageMetadata, pageOf } from './page.ts';
import { placeOf } from './write-one.ts';

const LIMITS = {
  /** Objects that one deletecollection may remove: one atomic change. */
  objectsMax: 10_000,
  /** Headers of one answer. */
  warningsMax: 20,
} as const;

/** Deletes the objects of a collection as they are seen, all or none. */
export async function deleteCollection(server: ResourceServer, request: VerbRequest): Promise<void> {
  await catchUp(server, request, 'deletecollection');
  const { store, authority } = server;
  const { exchange, limit, call, accepted } = request;
  const { author, target } = call;
  const { preconditions, propagation, dryRun } = await readDeleteOptions(exchange);
  call.dryRun ||= dryRun;
  const selection = allowedSelection(request);
  const page = await pageOf(server, request);
  if (page.entries.length > LIMITS.objectsMax) throw tooMany(page.entries.length);
  for (const entry of page.entries) requirePreconditions(entry, preconditions);
  // A page may show objects as they were: what has gone since, or is no longer selected, stays out of it.
  const left = page.entries.filter(({ kind, namespace, name, uid }) => {
    const current = store.get(kind, namespace, name);
    return current?.uid === uid && selection.matches(current);
  });
  const operations = left.map((entry): Operation => ({
    ...placeOf({ kind: target.kind, namespace: entry.namespace, name: entry.name }),
    verb: 'delete',
    uidExpected: entry.uid,
    versionExpected: preconditions.resourceVersion,
    propagation,
    isOfMany: true,
  }));
  const outcomes = operations.length === 0 ? [] : await store.write(operations, author, { dryRun: call.dryRun, limit });
  if (call.dryRun || outcomes.every(({ did }) => did === 'nothing')) {
    void authority.recordAttempt(author, attemptOf(call, 200));
  }
  const removed = outcomes.map(({ entry }) => entry);
  await server.convert(target.kind, removed);
  const metadata = { ...pageMetadata(page), resourceVersion: String(store.version()) };
  const advice = outcomes.flatMap((outcome) => outcome.warnings ?? []);
  const warnings = [...narrowedWarning(request), ...advice].slice(0, LIMITS.warningsMax);
  sendJsonPieces(
    exchange,
    listText(
      target.kind,
      Iterator.from(removed).map((entry) => readAs(target.kind, entry)),
      metadata,
    ),
    accepted,
    warningHeaders(warnings),
  );
}

function tooMany(count: number): Refusal {
  return resourceRefusal(
    'too-many',
    `The selection holds ${count} objects; at most ${LIMITS.objectsMax} can be deleted at once.`,
  );
}

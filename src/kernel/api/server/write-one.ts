import { hasForms } from '#kernel/kinds/registry.ts';
import type { Outcome } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import { asDryRun } from '../dry-run.ts';
import type { RequestTarget } from '../request.ts';
import { answerEntry } from './answer-entry.ts';
import type { ResourceServer, VerbRequest } from './context.ts';

/** Writes one operation and answers with what it left. `warnings` are those about the body. */
export async function writeAndAnswer(
  server: ResourceServer,
  request: VerbRequest,
  operation: Operation,
  warnings: readonly string[],
): Promise<void> {
  const outcome = await writeOne(server, request, operation);
  const status = outcome.did === 'created' ? 201 : 200;
  const all = [...warnings, ...(outcome.warnings ?? [])];
  await answerEntry(server, request, outcome.entry, { status, warnings: all });
}

/** Writes one operation. What changed nothing is put on record as an attempt. */
export async function writeOne(
  { store, kinds, authority }: ResourceServer,
  { limit, call: { author, dryRun } }: VerbRequest,
  operation: Operation,
): Promise<Outcome> {
  const [outcome] = await store.write([operation], author, { dryRun, limit });
  if (outcome === undefined) throw new Error('the store gave no outcome for an operation');
  if (dryRun || outcome.did === 'nothing') {
    const { namespace, name } = operation;
    const kind = kinds.byId(operation.kind);
    const part = 'part' in operation && operation.part !== 'main' ? operation.part : '';
    const code = outcome.did === 'created' ? 201 : 200;
    void authority.recordAttempt(author, { kind, part, namespace, name, dryRun, code, reason: '' });
    if (dryRun) return { ...outcome, entry: asDryRun(outcome.entry, store.get(kind, namespace, name)) };
  }
  return outcome;
}

export function placeOf({ kind, namespace = '', name = '' }: Pick<RequestTarget, 'kind' | 'namespace' | 'name'>) {
  const place = { kind: kind.id, namespace, name };
  return hasForms(kind) ? { ...place, apiVersion: kind.apiVersion } : place;
}

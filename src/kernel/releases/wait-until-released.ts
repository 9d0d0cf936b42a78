import { releasedStatus } from '#kernel/kinds/released-status.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, Outcome, Store } from '#kernel/store/contract.ts';

/** Maximum wait of a change set for its release; longer than any release takes. */
const RELEASE_MS_MAX = 2_000;

/** Whether the status belongs to the declared spec. */
export function isObserved(entry: Entry): boolean {
  return releasedStatus(entry.object()).observedGeneration === entry.object().metadata.generation;
}

/** Resolves when the status of every written object shows whether it is live, and `isThere` holds. */
export async function waitUntilReleased(
  store: Store<Operation>,
  outcomes: readonly Outcome[],
  isThere: () => boolean,
): Promise<void> {
  const waiting = new Map(
    outcomes.filter(({ entry }) => entry.kind.released).map(({ entry }) => [`${entry.kind.id} ${entry.name}`, entry]),
  );
  const look = (entry: Entry | undefined) => {
    if (entry !== undefined && isObserved(entry)) waiting.delete(`${entry.kind.id} ${entry.name}`);
  };
  const isDone = () => waiting.size === 0 && isThere();
  for (const { kind, namespace, name } of waiting.values()) look(store.get(kind, namespace, name));
  if (isDone()) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const unsubscribe = store.subscribe((changes) => {
    for (const { entry } of changes) if (waiting.has(`${entry.kind.id} ${entry.name}`)) look(entry);
    if (isDone()) resolve();
  });
  const late = setTimeout(resolve, RELEASE_MS_MAX);
  await promise;
  clearTimeout(late);
  unsubscribe();
}

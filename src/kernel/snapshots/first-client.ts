import { Client } from '#kernel/access/kinds/client.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Outcome, Store } from '#kernel/store/contract.ts';
import type { OpenAnswers } from './open-answers.ts';

/**
 * The store, with a warning for the first declared Client: it ends answers without a credential. `recent` counts
 * those of this process; undefined where it gives none.
 */
export function tellingOfFirstClient(
  store: Store<Operation>,
  recent: () => ReturnType<OpenAnswers['recent']> | undefined,
): Store<Operation> {
  return {
    ...store,
    write: async (operations, author, options) => {
      const isFirst =
        operations.some(({ kind, verb }) => kind === Client.id && verb !== 'delete') && store.count(Client) === 0;
      const outcomes = await store.write(operations, author, options);
      if (!isFirst) return outcomes;
      const first = outcomes.find(({ did, entry }) => did === 'created' && entry.kind === Client);
      return outcomes.map((outcome): Outcome =>
        outcome === first ? { ...outcome, warnings: [...(outcome.warnings ?? []), sentence(recent())] } : outcome,
      );
    },
  };
}

function sentence(recent: ReturnType<OpenAnswers['recent']> | undefined): string {
  const counted =
    recent === undefined
      ? ''
      : `: ${recent.answers} ${recent.answers === 1 ? 'was' : 'were'} answered in the last ${recent.minutes} minutes here`;
  return `The first Client: once it is live, requests without a key are refused${counted}.`;
}

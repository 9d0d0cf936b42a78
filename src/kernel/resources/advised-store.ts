import type { Kind, ResourceObject } from './kind.ts';
import type { Operation } from './operation.ts';
import { changesSpec } from './examined-store.ts';
import type { Entry, Store } from './store-contract.ts';

/** Says what is not wrong with an object of a kind, and will surprise whoever wrote it. */
export interface Advisor {
  readonly kind: Kind;
  /** `written` is what was written, or would be, together with the object. */
  readonly advise: (object: ResourceObject, written: readonly Entry[]) => readonly string[];
}

/** A store whose outcomes carry what advisors say of the objects that were written, as warnings. */
export function advisedStore(store: Store<Operation>, advisors: readonly Advisor[]): Store<Operation> {
  const byKind = new Map(advisors.map((advisor) => [advisor.kind.id, advisor]));
  return {
    ...store,
    write: async (operations, author, options = {}) => {
      const outcomes = await store.write(operations, author, options);
      if (!operations.some(({ kind }) => byKind.has(kind))) return outcomes;
      const written = outcomes.map(({ entry }) => entry);
      return outcomes.map((outcome, index) => {
        const operation = operations[index];
        const advisor = operation === undefined ? undefined : byKind.get(operation.kind);
        if (operation === undefined || advisor === undefined || !changesSpec(operation, advisor.kind)) return outcome;
        const warnings = advisor.advise(outcome.entry.object(), written);
        return warnings.length === 0 ? outcome : { ...outcome, warnings: [...(outcome.warnings ?? []), ...warnings] };
      });
    },
  };
}

import { eachOf, inTurns } from '#kernel/base/turns.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from './operation.ts';
import { changesSpec } from './examined-store.ts';
import type { Entry, Outcome, Store } from '../contract.ts';

/** Gives warnings about objects of a kind: effects that their author may not expect. */
export interface Advisor {
  readonly kind: Kind;
  /** `written` is what was written, or would be, together with the object. */
  readonly advise: (object: ResourceObject, written: readonly Entry[]) => readonly string[];
  /** The same of an object of a draft, which is refused for it; absent: what `advise` says. */
  readonly refuse?: (object: ResourceObject, draft: DraftEntries) => readonly Objection[];
}

/** The objects of a draft as they would be. */
export interface DraftEntries {
  readonly written: readonly Entry[];
  /** Those of them that would change, each of which advisors are asked about. */
  readonly changed: readonly Entry[];
}

/** A reason not to publish an object. */
export interface Objection {
  readonly message: string;
  readonly remedy?: string;
}

/** Gives a warning for each operation that deletes an object, where there is one. */
export type DeletionAdvice = (operations: readonly Operation[]) => readonly (string | undefined)[];

/** A store whose outcomes carry what advisors say of the objects that were written or deleted, as warnings. */
export function advisedStore(
  store: Store<Operation>,
  advisors: readonly Advisor[],
  ofDeletion: DeletionAdvice,
): Store<Operation> {
  const byKind = new Map(advisors.map((advisor) => [advisor.kind.id, advisor]));
  return {
    ...store,
    write: async (operations, author, options = {}) => {
      const outcomes = await adviseWritten(operations, await store.write(operations, author, options));
      if (!operations.some(({ verb }) => verb === 'delete')) return outcomes;
      const advice = ofDeletion(operations);
      return outcomes.map((outcome, index) => withWarnings(outcome, advice[index] ?? []));
    },
  };

  async function adviseWritten(
    operations: readonly Operation[],
    outcomes: readonly Outcome[],
  ): Promise<readonly Outcome[]> {
    if (!operations.some(({ kind }) => byKind.has(kind))) return outcomes;
    const written = outcomes.map(({ entry }) => entry);
    const advised: Outcome[] = [];
    await inTurns(
      eachOf(outcomes.entries(), ([index, outcome]) => {
        const operation = operations[index];
        const advisor = operation === undefined ? undefined : byKind.get(operation.kind);
        const isAdvised = operation !== undefined && advisor !== undefined && changesSpec(operation, advisor.kind);
        advised.push(isAdvised ? withWarnings(outcome, advisor.advise(outcome.entry.object(), written)) : outcome);
      }),
    );
    return advised;
  }
}

function withWarnings(outcome: Outcome, advice: string | readonly string[]): Outcome {
  const warnings = [advice].flat();
  return warnings.length === 0 ? outcome : { ...outcome, warnings: [...(outcome.warnings ?? []), ...warnings] };
}

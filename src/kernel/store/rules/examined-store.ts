import type { Problem } from '#kernel/base/failures.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { Operation } from './operation.ts';
import type { Author, Store } from '../contract.ts';
import { invalid } from './write.ts';

/** Finds what is wrong with objects where finding it takes time: gives the problems of each, in their order. */
export interface Examiner {
  readonly kind: Kind;
  readonly examine: (objects: readonly ResourceObject[], author: Author) => Promise<readonly (readonly Problem[])[]>;
}

/**
 * A store that asks examiners before it writes objects of their kinds. What they get is how the object would be; another
 * write in between is not seen, so an examiner spares people a surprise and is no guard.
 */
export function examinedStore(store: Store<Operation>, examiners: readonly Examiner[]): Store<Operation> {
  return {
    ...store,
    write: async (operations, author, options = {}) => {
      const examined = examiners.filter(({ kind }) => operations.some((operation) => changesSpec(operation, kind)));
      if (examined.length === 0) return store.write(operations, author, options);
      const outcomes = await store.write(operations, author, { ...options, dryRun: true });
      for (const { kind, examine } of examined) {
        const found = operations.flatMap((operation, index) => {
          const outcome = outcomes[index];
          const isNew = outcome !== undefined && outcome.did !== 'nothing' && changesSpec(operation, kind);
          return isNew ? [{ operation, object: outcome.entry.object() }] : [];
        });
        if (found.length === 0) continue;
        const problems = await examine(
          found.map(({ object }) => object),
          author,
        );
        for (const [index, { operation }] of found.entries()) {
          const ofObject = problems[index] ?? [];
          if (ofObject.length > 0) throw invalid(kind, operation.name, ofObject.map(atPosition(operation)));
        }
      }
      return options.dryRun === true ? outcomes : store.write(operations, author, options);
    },
  };
}

/** Whether an operation writes what an object of a kind declares. */
export function changesSpec(operation: Operation, kind: Kind): boolean {
  if (operation.kind !== kind.id || operation.verb === 'delete') return false;
  return !('part' in operation) || operation.part === 'main';
}

function atPosition({ position }: Operation): (problem: Problem) => Problem {
  return (problem) => (position === undefined ? problem : { ...problem, path: ['objects', position, ...problem.path] });
}

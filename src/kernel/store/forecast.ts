import { Refusal } from '#kernel/base/failures.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { Author, Outcome } from './contract.ts';
import type { BatchPlan } from './plan-batch.ts';

/** Decides each operation as a request of its own, in a batch that is never written. */
export function* forecastEach<Operation>(
  operations: readonly Operation[],
  author: Author,
  batch: BatchPlan<Operation>,
): Steps<readonly (Outcome | Refusal)[]> {
  const decided: (Outcome | Refusal)[] = [];
  for (const operation of operations) {
    yield* batch.add({
      operations: [operation],
      author,
      dryRun: false,
      writeId: '',
      resolve: (outcomes) => decided.push(...outcomes),
      reject: (error) => {
        if (!(error instanceof Refusal)) throw error;
        decided.push(error);
      },
    });
  }
  batch.answer();
  return decided;
}

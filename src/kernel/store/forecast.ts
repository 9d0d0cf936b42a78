import { Refusal } from '#kernel/base/failures.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { Author, Outcome, Unblock } from './contract.ts';
import type { BatchPlan } from './plan-batch.ts';

/** How often all is decided again: an object, and its result, may have to be converted, each through its admission. */
const ROUNDS_MAX = 4;

/**
 * Decides each operation as a request of its own, once what keeps it from being decided is removed. Why that cannot be removed is the
 * result of the operation.
 * @param decide decides all of them once
 */
export async function forecastUnblocked(
  decide: () => Promise<readonly (Outcome | Refusal)[]>,
  unblock: Unblock | undefined,
): Promise<readonly (Outcome | Refusal)[]> {
  const failures = new Map<number, Refusal>();
  for (let round = 1; ; round += 1) {
    const decided = await decide();
    const all = decided.map((result, index) => failures.get(index) ?? result);
    const blocked = [...all.entries()].filter(([, result]) => unblock?.groupOf(result) !== undefined);
    if (blocked.length === 0 || unblock === undefined || round > ROUNDS_MAX) return all;
    for (const some of Map.groupBy(blocked, ([, result]) => unblock.groupOf(result)).values()) {
      try {
        const reasons = some.map(([, result]) => result);
        await unblock.remove(reasons, undefined);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        for (const [index] of some) failures.set(index, error);
      }
    }
  }
}

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

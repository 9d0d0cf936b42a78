/** More wait for the next group. */
const GROUP_MAX = 1_000;

/**
 * Groups the batches that came while the group before was being taken: a slow reader is behind by two groups at most, and not
 * by one for each batch. Fails as `source` does, after the batches before.
 */
export async function* gatherBatches<Batch>(source: AsyncIterable<Batch>): AsyncIterable<readonly Batch[]> {
  const batches = source[Symbol.asyncIterator]();
  const take = () =>
    batches.next().then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
  let next = take();
  try {
    for (;;) {
      const group: Batch[] = [];
      let taken: Awaited<typeof next> | undefined = await next;
      while (taken !== undefined && 'result' in taken && taken.result.done !== true) {
        group.push(taken.result.value);
        next = take();
        taken = group.length < GROUP_MAX ? await Promise.race([next, turn()]) : undefined;
      }
      if (group.length > 0) yield group;
      if (taken === undefined) continue;
      if ('error' in taken) throw taken.error;
      return;
    }
  } finally {
    // A source that has given a batch ahead stands still: it ends by this, and one that waits by its signal.
    batches.return?.().catch(() => {});
  }
}

/** Whatever is ready comes first. */
function turn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined));
}

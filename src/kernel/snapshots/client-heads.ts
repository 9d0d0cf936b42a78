import type { Batch, ObjectList, ResourceClient } from '#kernel/api/client/contract.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import { directState, followedKinds, goneState, stateOf, type HeadSource, type HeadState } from './head-state.ts';

/**
 * The live state in a control plane elsewhere: its Heads, and the objects of direct kinds. Each kind is followed by itself: a
 * write to several direct kinds is seen kind by kind, and versions are those of the Heads.
 */
export function clientHeads(client: Pick<ResourceClient, 'list' | 'watch'>, all: readonly Kind[]): HeadSource {
  const kinds = followedKinds(all);
  /** The version up to which each kind is known. */
  const known = new Map<Kind, string>();
  return {
    list: async () => {
      const heads = await client.list(Head);
      return { version: heads.version, pages: pagesOf(heads) };
    },
    watch: async function* (from, signal) {
      const ending = new AbortController();
      const end = (): void => ending.abort();
      if (signal.aborted) return;
      signal.addEventListener('abort', end, { once: true });
      const watches = kinds.map((kind) => batchesOf(client, kind, known.get(kind) ?? from, ending.signal));
      try {
        for await (const { kind, version, changes } of mergeBatches(watches, end)) {
          known.set(kind, version);
          yield { version: known.get(Head) ?? from, changes: statesAfter(kind, changes) };
        }
      } finally {
        signal.removeEventListener('abort', end);
      }
    },
  };

  async function* pagesOf(heads: ObjectList): AsyncIterable<Iterable<HeadState>> {
    for (const kind of kinds) {
      const { pages, version } = kind === Head ? heads : await client.list(kind);
      known.set(kind, version);
      for await (const items of pages) yield statesOf(kind, items);
    }
  }
}

interface BatchOf extends Batch {
  readonly kind: Kind;
}

async function* batchesOf(
  client: Pick<ResourceClient, 'watch'>,
  kind: Kind,
  from: string,
  signal: AbortSignal,
): AsyncIterable<BatchOf> {
  for await (const batch of client.watch(kind, from, signal)) yield { kind, ...batch };
}

/**
 * The batches of several watches as they come; ends with the first that ends.
 * @param end ends them all
 */
async function* mergeBatches(watches: readonly AsyncIterable<BatchOf>[], end: () => void): AsyncIterable<BatchOf> {
  const sources = watches.map((watch) => watch[Symbol.asyncIterator]());
  const next = (source: AsyncIterator<BatchOf>) => source.next().then((result) => ({ source, result }));
  const pending = new Map(sources.map((source) => [source, next(source)]));
  try {
    for (;;) {
      const { source, result } = await Promise.race(pending.values());
      if (result.done === true) return;
      yield result.value;
      pending.set(source, next(source));
    }
  } finally {
    end();
    // One that waits ends by the signal, one that has given something by this.
    await Promise.allSettled(sources.map(async (source) => source.return?.()));
  }
}

function* statesOf(kind: Kind, items: Iterable<ResourceObject>): Iterable<HeadState> {
  for (const item of items) yield kind.direct ? directState(kind, item) : stateOf(item);
}

function* statesAfter(kind: Kind, changes: Batch['changes']): Iterable<HeadState> {
  for (const { type, object } of changes) {
    if (!kind.direct) yield type === 'DELETED' ? goneState(object) : stateOf(object);
    else {
      const state = directState(kind, object);
      yield type === 'DELETED' ? { ...state, everyone: undefined } : state;
    }
  }
}

import type { Batch, ResourceClient } from '#kernel/api/client/contract.ts';
import { Head } from '#kernel/kinds/builtin/head.ts';
import type { ResourceObject } from '#kernel/kinds/kind.ts';
import { goneState, stateOf, type HeadSource, type HeadState } from './head-state.ts';

/** The Heads of a control plane elsewhere. */
export function clientHeads(client: Pick<ResourceClient, 'list' | 'watch'>): HeadSource {
  return {
    list: async () => {
      const { items, version } = await client.list(Head);
      return { version, heads: statesOf(items) };
    },
    watch: async function* (from, signal) {
      for await (const { version, changes } of client.watch(Head, from, signal)) {
        yield { version, changes: statesAfter(changes) };
      }
    },
  };
}

function* statesOf(heads: Iterable<ResourceObject>): Iterable<HeadState> {
  for (const head of heads) yield stateOf(head);
}

function* statesAfter(changes: Batch['changes']): Iterable<HeadState> {
  for (const { type, object } of changes) yield type === 'DELETED' ? goneState(object) : stateOf(object);
}

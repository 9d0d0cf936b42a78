import { Head, candidateOf, headName } from '#kernel/kinds/builtin/head.ts';
import { liveNameOf } from '#kernel/kinds/live-name.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Entry, Reader, Store } from '#kernel/store/contract.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Candidate } from './settle.ts';

/** The live form of a declared object, and its generation. */
export function declaredIn(entry: Entry): { readonly object: LiveObject; readonly generation: number } {
  const { kind, namespace, labels } = entry;
  const { spec, metadata } = entry.object();
  const object = { kind: kind.id, namespace, name: liveNameOf(entry), labels, spec, revision: contentHash(spec) };
  return { object, generation: metadata.generation ?? 1 };
}

/** The same without the generation. */
export function wantedLive(entry: Entry): LiveObject {
  return declaredIn(entry).object;
}

interface IsThereParts {
  readonly store: Reader;
  readonly live: Pick<LiveObjects, 'get'>;
  readonly kinds: KindRegistry;
}

/** Whether an object that a policy names exists: live where its kind goes live, else declared. */
export function isThere({ store, live, kinds }: IsThereParts, kind: string, name: string): boolean {
  return kinds.byId(kind).released
    ? live.get(kind, name) !== undefined
    : findEntry(store, kinds.byId(kind), name) !== undefined;
}

/** The candidates of a release in the stored Heads; none of kinds that this program does not know, as it compiles none. */
export function shownBy(
  store: Pick<Store<Operation>, 'get'>,
  kinds: KindRegistry,
  release: string,
  objects: readonly { readonly kind: string; readonly name: string }[],
): Candidate[] {
  return objects.flatMap(({ kind, name }) => {
    if (!kinds.isKnown(kind)) return [];
    const head = store.get(Head, '', headName(kinds.byId(kind), name));
    const candidate = head === undefined ? undefined : candidateOf(head.object());
    return candidate?.release === release ? [{ kind, name, wanted: candidate.object }] : [];
  });
}

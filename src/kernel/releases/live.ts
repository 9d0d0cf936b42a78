import { Head, candidateOf, headName, liveObjectOf, placeIn } from '#kernel/kinds/builtin/head.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Change, Entry, Reader, Store } from '#kernel/store/contract.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { eachOf, type Steps } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import { KeptObject } from '#kernel/snapshots/kept-object.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import type { Candidate } from './settle.ts';

/**
 * What is live, as the store's Heads say it at this moment, in whatever process they were written.
 *
 * @param run reads what there is, at once or in turns: it is all there when `filled` has come
 */
export function followLive<Filled>(
  store: Store<Operation>,
  kinds: KindRegistry,
  run: (work: Steps<void>) => Filled,
): { readonly live: LiveObjects; readonly filled: Filled; readonly stop: () => void } {
  const live = new LiveObjects(kinds);
  const stop = store.subscribe((changes: readonly Change[]) => {
    for (const { type, entry } of changes) {
      if (entry.kind !== Head) continue;
      if (type === 'DELETED') hide(entry);
      else show(entry);
    }
  });
  const filled = run(
    eachOf([...store.list(Head)], ({ name }) => {
      // What was written since it was listed is shown already, or gone.
      const now = store.get(Head, '', name);
      if (now !== undefined) show(now);
    }),
  );
  return { live, filled, stop };

  function show(entry: Entry): void {
    const object = liveObjectOf(entry.outline());
    if (object === undefined) return hide(entry);
    const specText = object.spec === null ? entry.specText() : undefined;
    live.set(new KeptObject(object, specText ?? JSON.stringify(object.spec)));
  }

  function hide(entry: Entry): void {
    const { kind, name } = placeIn(entry.outline());
    live.delete(kind, name);
  }
}

/** What would be live if a declared object were, and the generation that declares it. */
export function declaredIn(entry: Entry): { readonly object: LiveObject; readonly generation: number } {
  const { kind, namespace, name, labels } = entry;
  const { spec, metadata } = entry.object();
  const object = { kind: kind.id, namespace, name, labels, spec, revision: contentHash(spec) };
  return { object, generation: metadata.generation ?? 1 };
}

/** The same without the generation. */
export function wantedLive(entry: Entry): LiveObject {
  return declaredIn(entry).object;
}

/** Whether something that a policy names is there: live where its kind goes live, else declared. */
export function isThere(
  read: Reader,
  live: Pick<LiveObjects, 'get'>,
  kinds: KindRegistry,
  kind: string,
  name: string,
): boolean {
  return kinds.byId(kind).released
    ? live.get(kind, name) !== undefined
    : read.find(kinds.byId(kind), 'name', name).length > 0;
}

/** What the cohort of a release is shown, as the store's Heads say it. */
export function shownBy(
  store: Pick<Store<Operation>, 'get'>,
  kinds: KindRegistry,
  release: string,
  objects: readonly { readonly kind: string; readonly name: string }[],
): Candidate[] {
  return objects.flatMap(({ kind, name }) => {
    const head = store.get(Head, '', headName(kinds.byId(kind), name));
    const candidate = head === undefined ? undefined : candidateOf(head.object());
    return candidate?.release === release ? [{ kind, name, wanted: candidate.object }] : [];
  });
}

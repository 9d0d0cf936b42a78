import { Head, everyoneOf, headName } from '#kernel/kinds/builtin/head.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Reader, Store } from '#kernel/store/contract.ts';
import { findEntry } from '#kernel/store/find-entry.ts';
import type { Side } from '../kinds/release-spec.ts';
import { declaredIn } from '../live.ts';
import type { PendingChange, Look } from './form.ts';
import { oncePerEntry } from '../rules/once-per-entry.ts';

/**
 * Reads objects as the store has them at each call. Caches each parsed version as long as the store has it: drop the function where
 * that is too long.
 */
export function lookAt(read: Reader, kinds: KindRegistry): Look {
  const declared = oncePerEntry(declaredIn);
  const live = oncePerEntry((head) => everyoneOf(head.object()));
  return ({ kind: kindId, name }) => {
    const kind = kinds.byId(kindId);
    const entry = findEntry(read, kind, name);
    const head = read.get(Head, '', headName(kind, name));
    return {
      kind,
      name,
      wanted: entry === undefined ? undefined : declared(entry),
      live: head === undefined ? undefined : live(head),
    };
  };
}

/** Loads a side from its stored revision; undefined when that is not stored. */
export async function readSide(
  store: Pick<Store<never>, 'revision'>,
  kind: Kind,
  name: string,
  { revision, namespace, labels, generation }: Side,
): Promise<PendingChange['live']> {
  const kept = await store.revision(kind, name, revision);
  if (kept === undefined) return undefined;
  return { object: { kind: kind.id, namespace, name, labels, spec: kept.spec, revision }, generation };
}

/** The same, but throws where the loss would destroy data. An absent side is undefined. */
export async function requireKeptSide(
  store: Pick<Store<never>, 'revision'>,
  kind: Kind,
  name: string,
  side: Side | undefined,
): Promise<PendingChange['live']> {
  if (side === undefined) return undefined;
  const kept = await readSide(store, kind, name, side);
  if (kept === undefined) throw new Error(`revision ${side.revision} of ${kind.kind} "${name}" is not kept`);
  return kept;
}

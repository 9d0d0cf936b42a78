import { Head, everyoneOf, headName } from '#kernel/resources/builtin/head.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';
import type { Reader } from '#kernel/resources/store-contract.ts';
import { contentHash } from '#kernel/base/ids.ts';
import type { Changed } from './form.ts';

/** How an object is declared and how it is live, at this moment. */
export function lookAt(
  read: Reader,
  kinds: KindRegistry,
  { kind: kindId, name }: { readonly kind: string; readonly name: string },
): Changed {
  const kind = kinds.byId(kindId);
  const [entry] = read.find(kind, 'name', name);
  const head = read.get(Head, '', headName(kind, name))?.object();
  const live = head === undefined ? undefined : everyoneOf(head);
  if (entry === undefined) return { kind, name, wanted: undefined, live };
  const { namespace, labels } = entry;
  const { spec, metadata } = entry.object();
  const object = { kind: kindId, namespace, name, labels, spec, revision: contentHash(spec) };
  return { kind, name, wanted: { object, generation: metadata.generation ?? 1 }, live };
}

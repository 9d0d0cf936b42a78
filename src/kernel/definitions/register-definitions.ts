import type { Kind, ResourceObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { kindOf } from './rules/define-kind-of.ts';
import { digestIn, isEstablished } from './rules/digest.ts';

/** The change of a definition, as informers tell it. */
type DefinitionChange = { readonly before: ResourceObject | undefined; readonly now: ResourceObject | undefined };

/**
 * Keeps the kinds of definitions in the registry of a process that has no store, from what an API server tells of them. A kind that
 * the registry has already stays as it is.
 */
export function registerDefinitions(kinds: KindRegistry): (change: DefinitionChange) => void {
  const defined = new Map<string, Kind>();
  return ({ before, now }) => {
    const name = (now ?? before)?.metadata.name ?? '';
    const known = defined.get(name);
    const next =
      now !== undefined && isEstablished(digestIn(now)) ? kindOf(now, { text: JSON.stringify(now) }) : undefined;
    if (known?.definition?.revision === next?.definition?.revision) return;
    if (known !== undefined && next?.id === known.id) kinds.replace(next);
    else {
      if (known !== undefined) kinds.remove(known);
      if (next !== undefined && kinds.isKnown(next.id)) return void defined.delete(name);
      if (next !== undefined) kinds.add(next);
    }
    if (next === undefined) defined.delete(name);
    else defined.set(name, next);
  };
}

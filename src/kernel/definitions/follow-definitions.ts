import type { Log } from '#kernel/base/log.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Entry, Store } from '#kernel/store/contract.ts';
import type { ServedKinds } from '#kernel/store/rules/serve-kinds.ts';
import { CustomResourceDefinition } from './kinds/custom-resource-definition.ts';
import { kindOf, type DefinitionText } from './rules/define-kind-of.ts';
import { digestOf, isEstablished } from './rules/digest.ts';

/** A kind that is served, with the text that its schemas are read from. */
export interface DefinedKind {
  readonly kind: Kind;
  readonly source: DefinitionText;
}

/** The kinds of definitions in this process. */
export interface FollowedDefinitions {
  /** Resolves when every definition that this process knows of is served as it is now; undefined when they are. */
  readonly settle: () => Promise<void> | undefined;
  /** Serves a definition whose names were accepted a moment ago. */
  readonly serve: (name: string) => Promise<void>;
  readonly stop: () => void;
}

/**
 * Serves the kinds of established definitions in this process, and follows their changes: each process of an installation
 * does so by itself.
 *
 * @param first those that the store was opened with, by the name of their definition
 */
export function followDefinitions(parts: {
  readonly store: Pick<Store<never>, 'get' | 'list' | 'subscribe'>;
  readonly kinds: KindRegistry;
  readonly served: ServedKinds;
  readonly first: ReadonlyMap<string, DefinedKind>;
  readonly log: Log;
}): FollowedDefinitions {
  const { store, kinds, served, log } = parts;
  const defined = new Map(parts.first);
  /** Work that is under way, by the name of the definition. */
  const working = new Map<string, Promise<void>>();
  const unsubscribe = store.subscribe((changes) => {
    const names = changes.filter(({ entry }) => entry.kind === CustomResourceDefinition).map(({ entry }) => entry.name);
    for (const name of new Set(names)) void update(name, false);
  });
  for (const name of new Set([
    ...defined.keys(),
    ...Array.from(store.list(CustomResourceDefinition), (one) => one.name),
  ])) {
    void update(name, false);
  }
  return {
    settle: () => (working.size === 0 ? undefined : Promise.all(working.values()).then(() => {})),
    serve: async (name) => update(name, true),
    stop: unsubscribe,
  };

  /** Brings the kind of a definition to what the definition says; at once where nothing has to be read for it. */
  function update(name: string, isAccepted: boolean): Promise<void> | undefined {
    const before = working.get(name);
    const step = (): Promise<void> | undefined => {
      try {
        return follow(name, isAccepted)?.catch(report);
      } catch (error) {
        report(error);
        return undefined;
      }
    };
    const under = before === undefined ? step() : before.then(step);
    if (under === undefined) return undefined;
    const work: Promise<void> = under.finally(() => {
      if (working.get(name) === work) working.delete(name);
    });
    working.set(name, work);
    return work;

    function report(error: unknown): void {
      log.error({ err: error, definition: name }, 'definitions: cannot serve the kind');
    }
  }

  function follow(name: string, isAccepted: boolean): Promise<void> | undefined {
    const entry = store.get(CustomResourceDefinition, '', name);
    const known = defined.get(name);
    const isWanted = entry !== undefined && (isAccepted || known !== undefined || isEstablished(digestOf(entry)));
    if (!isWanted) {
      defined.delete(name);
      if (known !== undefined) served.remove(known.kind);
      return undefined;
    }
    if (known !== undefined && known.source.text === entry.text) {
      // The text of the store is kept anyway.
      known.source.text = entry.text;
      return undefined;
    }
    const next = definedKind(entry);
    if (known?.kind.definition?.revision === next.kind.definition?.revision && known !== undefined) {
      known.source.text = entry.text;
      return undefined;
    }
    if (known?.kind.id === next.kind.id) {
      const replaced = served.replace(next.kind);
      if (replaced !== undefined) return replaced.then(() => void defined.set(name, next));
      defined.set(name, next);
      return undefined;
    }
    if (known !== undefined) served.remove(known.kind);
    defined.delete(name);
    if (kinds.isKnown(next.kind.id)) throw new Error(`there is a kind ${next.kind.id} already`);
    return served.add(next.kind).then(() => void defined.set(name, next));
  }
}

export function definedKind(entry: Pick<Entry, 'text' | 'object'>): DefinedKind {
  const source = { text: entry.text };
  return { kind: kindOf(entry.object(), source), source };
}

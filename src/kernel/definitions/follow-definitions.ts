import type { Log } from '#kernel/base/log.ts';
import { Outage } from '#kernel/base/outage.ts';
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
  const retries = new Map<string, NodeJS.Timeout>();
  const outage = new Outage(log, 'definitions: cannot serve a kind');
  const unsubscribe = store.subscribe((changes) => {
    const names = changes.filter(({ entry }) => entry.kind === CustomResourceDefinition).map(({ entry }) => entry.name);
    for (const name of new Set(names)) void update(name, false);
  });
  const stored = Array.from(store.list(CustomResourceDefinition), ({ name }) => name);
  for (const name of new Set([...defined.keys(), ...stored])) void update(name, false);
  return {
    settle: () => (working.size === 0 ? undefined : Promise.all(working.values()).then(() => {})),
    serve: async (name) => {
      await update(name, true);
      if (!defined.has(name)) throw new Error(`the kind of ${name} cannot be served`);
    },
    stop: () => {
      unsubscribe();
      for (const timer of retries.values()) clearTimeout(timer);
    },
  };

  /** Brings the kind of a definition to what the definition says; at once where nothing has to be read for it. */
  function update(name: string, isAccepted: boolean): Promise<void> | undefined {
    const before = working.get(name);
    const step = (): Promise<void> | undefined => {
      try {
        return follow(name, isAccepted)?.then(outage.noteRecovery.bind(outage), retryLater);
      } catch (error) {
        retryLater(error);
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

    /** The database may be away, or another definition may still have the kind. */
    function retryLater(error: unknown): void {
      clearTimeout(retries.get(name));
      retries.set(name, setTimeout(() => void update(name, false), outage.noteFailure(error)).unref());
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
    const next = isOfText(known, entry) ? known : definedKind(entry);
    if (known?.kind.definition?.revision === next.kind.definition?.revision && known !== undefined) {
      // The text of the store is kept anyway.
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

/** Whether a kind is of the same text: then nothing of it has to be parsed. */
function isOfText(known: DefinedKind | undefined, { text }: Entry): known is DefinedKind {
  return known?.source.text === text;
}

export function definedKind(entry: Pick<Entry, 'text' | 'object'>): DefinedKind {
  const source = { text: entry.text };
  return { kind: kindOf(entry.object(), source), source };
}

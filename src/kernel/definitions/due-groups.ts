import type { Kind } from '#kernel/kinds/kind.ts';
import type { Store } from '#kernel/store/contract.ts';
import { CustomResourceDefinition } from './kinds/custom-resource-definition.ts';

/** The group in the name of a definition: `widgets.stock.example` is of `stock.example`. */
export function groupInName(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

/** Groups of definitions of which something has changed, all of them at first: names conflict within a group. */
export class DueGroups {
  readonly #due: Set<string>;
  /** Groups that wait for changes of objects, by `Kind.id`. */
  readonly #waiting = new Map<string, Set<string>>();
  readonly #signal: AbortSignal;
  #wake = (): void => {};

  /** @param signal ends it */
  constructor(store: Pick<Store<never>, 'list' | 'subscribe'>, signal: AbortSignal) {
    this.#signal = signal;
    this.#due = new Set(Array.from(store.list(CustomResourceDefinition), ({ name }) => groupInName(name)));
    const unsubscribe = store.subscribe((changes) => {
      for (const { entry } of changes) {
        if (entry.kind === CustomResourceDefinition) this.add(groupInName(entry.name));
        else this.#wakeThoseOf(entry.kind.id);
      }
    });
    signal.addEventListener('abort', () => {
      unsubscribe();
      this.#wake();
    });
  }

  add(group: string): void {
    this.#due.add(group);
    this.#wake();
  }

  /** Makes the group due again at the next change of objects of a kind. */
  waitFor({ id }: Kind, group: string): void {
    this.#waiting.set(id, (this.#waiting.get(id) ?? new Set()).add(group));
  }

  #wakeThoseOf(kindId: string): void {
    const groups = this.#waiting.get(kindId);
    if (groups === undefined) return;
    this.#waiting.delete(kindId);
    for (const group of groups) this.add(group);
  }

  /** The next one, which is no longer due; undefined at the end. */
  async take(): Promise<string | undefined> {
    for (;;) {
      const [group] = this.#due;
      if (this.#signal.aborted) return undefined;
      if (group !== undefined) {
        this.#due.delete(group);
        return group;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

import type { Time } from '#kernel/base/time.ts';
import type { Kind } from '#kernel/kinds/kind.ts';
import type { Store } from '#kernel/store/contract.ts';
import { CustomResourceDefinition } from './kinds/custom-resource-definition.ts';

/** The group in the name of a definition: `widgets.stock.example` is of `stock.example`. */
export function groupInName(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

/** How often a group with a definition that is being deleted is looked at again, whatever changes were noticed. */
const LOOK_AGAIN_MS = 30_000;

/** Groups of definitions of which something has changed, all of them at first: names conflict within a group. */
export class DueGroups {
  readonly #due: Set<string>;
  /** Groups that wait for changes of objects, by `Kind.id`. */
  readonly #waiting = new Map<string, Set<string>>();
  /** Calls off the next look at a group, by its name. */
  readonly #looks = new Map<string, () => void>();
  readonly #time: Time;
  readonly #signal: AbortSignal;
  #wake = (): void => {};

  /** @param parts `signal` ends it */
  constructor(
    store: Pick<Store<never>, 'list' | 'subscribe'>,
    { time, signal }: { readonly time: Time; readonly signal: AbortSignal },
  ) {
    this.#time = time;
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
      for (const cancel of this.#looks.values()) cancel();
      this.#wake();
    });
  }

  add(group: string): void {
    this.#due.add(group);
    this.#wake();
  }

  /** Makes the group due after some time, also where no change is noticed until then. */
  addLater(group: string): void {
    if (this.#signal.aborted) return;
    this.#looks.get(group)?.();
    const look = (): void => {
      this.#looks.delete(group);
      this.add(group);
    };
    this.#looks.set(group, this.#time.after(LOOK_AGAIN_MS, look));
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

import type { LiveKey } from '#kernel/snapshots/live-objects.ts';
import type { Footprint } from './form.ts';

/** The keys that exposed releases lock. Claims are synchronous, so that two releases that share a key never start together. */
export class LockedKeys {
  readonly #footprints = new Map<string, Footprint>();
  readonly #holders = new Map<LiveKey, Map<string, 'object' | 'ref'>>();

  claim(name: string, footprint: Footprint): void {
    this.free(name);
    this.#footprints.set(name, footprint);
    for (const key of footprint.refs) this.#hold(key, name, 'ref');
    for (const key of footprint.objects) this.#hold(key, name, 'object');
  }

  free(name: string): void {
    const footprint = this.#footprints.get(name);
    if (footprint === undefined) return;
    this.#footprints.delete(name);
    for (const key of [...footprint.refs, ...footprint.objects]) {
      const holders = this.#holders.get(key);
      holders?.delete(name);
      if (holders?.size === 0) this.#holders.delete(key);
    }
  }

  has(name: string): boolean {
    return this.#footprints.has(name);
  }

  /**
   * Conflicts of a footprint: `certain` change one of its objects or dependencies, or the other way round; `possible` share a
   * dependency.
   */
  inTheWay(
    name: string,
    footprint: Footprint,
  ): { readonly certain: readonly string[]; readonly possible: readonly string[] } {
    const certain = new Set<string>();
    const possible = new Set<string>();
    for (const key of footprint.objects) {
      for (const holder of this.#holders.get(key)?.keys() ?? []) if (holder !== name) certain.add(holder);
    }
    for (const key of footprint.refs) {
      for (const [holder, role] of this.#holders.get(key) ?? []) {
        if (holder !== name) (role === 'object' ? certain : possible).add(holder);
      }
    }
    return { certain: [...certain], possible: [...possible].filter((holder) => !certain.has(holder)) };
  }

  #hold(key: LiveKey, name: string, role: 'object' | 'ref'): void {
    const holders = this.#holders.get(key) ?? new Map<string, 'object' | 'ref'>();
    this.#holders.set(key, holders.set(name, role));
  }
}

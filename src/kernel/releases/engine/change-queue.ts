import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import type { Origin } from './form.ts';

/** Writes of one object that are stored when they come faster than the engine works; the latest stay. */
export const ORIGINS_MAX = 1_000;

/** An object to process. */
export interface QueuedObject {
  readonly kind: string;
  readonly name: string;
  /** The writes that queued it, the latest last; without those from before this engine started. */
  readonly origins: readonly Origin[];
}

export function keyOf({ kind, name }: Pick<QueuedObject, 'kind' | 'name'>): LiveKey {
  return liveKey(kind, name);
}

/** Objects to process, each once. An object that is queued again stays with the first write. */
export class ChangeQueue {
  readonly #objects = new Map<LiveKey, QueuedObject>();

  get size(): number {
    return this.#objects.size;
  }

  add(object: QueuedObject): void {
    const key = keyOf(object);
    const before = this.#objects.get(key);
    this.#objects.set(
      key,
      before === undefined ? object : { ...object, origins: mergeOrigins(before.origins, object.origins) },
    );
  }

  /** Removes and returns all. */
  takeAll(): readonly QueuedObject[] {
    const all = [...this.#objects.values()];
    this.#objects.clear();
    return all;
  }
}

function mergeOrigins(some: readonly Origin[], others: readonly Origin[]): readonly Origin[] {
  const news = others.filter(({ version }) => !some.some((one) => one.version === version));
  if (news.length === 0) return some;
  return [...some, ...news].sort((a, b) => a.version - b.version).slice(-ORIGINS_MAX);
}

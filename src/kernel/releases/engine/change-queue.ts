import { liveKey, type LiveKey } from '#kernel/snapshots/live-objects.ts';
import type { Origin } from './form.ts';

/** Writes of one object that are kept when they come faster than the engine looks; the latest stay. */
export const ORIGINS_MAX = 1_000;

/** An object to look at. */
export interface QueuedObject {
  readonly kind: string;
  readonly name: string;
  /** The writes that queued it, the latest last; none of what was written before this engine began. */
  readonly origins: readonly Origin[];
}

export function keyOf({ kind, name }: Pick<QueuedObject, 'kind' | 'name'>): LiveKey {
  return liveKey(kind, name);
}

/** The objects to look at, each once. One that is queued again still belongs to what it was declared with first. */
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
      before === undefined ? object : { ...object, origins: merged(before.origins, object.origins) },
    );
  }

  /** Takes everything out. */
  takeAll(): readonly QueuedObject[] {
    const all = [...this.#objects.values()];
    this.#objects.clear();
    return all;
  }
}

function merged(some: readonly Origin[], others: readonly Origin[]): readonly Origin[] {
  const news = others.filter(({ version }) => !some.some((one) => one.version === version));
  if (news.length === 0) return some;
  return [...some, ...news].sort((a, b) => a.version - b.version).slice(-ORIGINS_MAX);
}

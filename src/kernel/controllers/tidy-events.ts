import { Refusal } from '#kernel/base/failures.ts';
import { Event } from '#kernel/kinds/builtin/event.ts';
import type { Store } from '#kernel/store/contract.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';

export const EVENT_LIMITS = {
  /** Minutes for which an event is kept after its last write, as in Kubernetes. */
  ttlMinutes: 60,
  /** Events that a namespace keeps: the oldest go first. */
  inNamespace: 10_000,
  /** Events that one run deletes; the others follow in the next. */
  deletedMax: 10_000,
  /** Deletions on their way at a time. */
  atOnce: 100,
} as const;

const AUTHOR = { user: 'system:retention', requestId: 'events' };

interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly version: number;
}

/**
 * Deletes events that nobody has written for long, and the oldest of a namespace that has too many; each unless it is written
 * meanwhile. Returns how many.
 */
export async function tidyEvents(
  store: Pick<Store<Operation>, 'findUntouched' | 'get' | 'list' | 'write'>,
  now: Temporal.Instant,
  { ttlMinutes, inNamespace }: { readonly ttlMinutes: number; readonly inNamespace: number } = EVENT_LIMITS,
): Promise<number> {
  const { deletedMax, atOnce } = EVENT_LIMITS;
  const old = await store.findUntouched(Event, now.subtract({ minutes: ttlMinutes }), deletedMax);
  let deleted = await deleteAll(store, old, atOnce);
  deleted += await deleteAll(store, surplus(store, inNamespace).slice(0, deletedMax), atOnce);
  return deleted;
}

function surplus(store: Pick<Store<Operation>, 'list'>, inNamespace: number): readonly Place[] {
  const byNamespace = Map.groupBy(store.list(Event), ({ namespace }) => namespace);
  return [...byNamespace.values()].flatMap((events) =>
    events.length <= inNamespace
      ? []
      : events.toSorted((a, b) => a.version - b.version).slice(0, events.length - inNamespace),
  );
}

async function deleteAll(
  store: Pick<Store<Operation>, 'get' | 'write'>,
  places: readonly Place[],
  atOnce: number,
): Promise<number> {
  let deleted = 0;
  for (let at = 0; at < places.length; at += atOnce) {
    const done = await Promise.all(places.slice(at, at + atOnce).map((place) => deleteOne(store, place)));
    deleted += done.filter(Boolean).length;
  }
  return deleted;
}

/** Whether it was deleted: what was written meanwhile stays, and what a finalizer holds goes later. */
async function deleteOne(
  store: Pick<Store<Operation>, 'get' | 'write'>,
  { namespace, name, version }: Place,
): Promise<boolean> {
  if (store.get(Event, namespace, name)?.version !== version) return false;
  const place = { kind: Event.id, namespace, name };
  try {
    const [outcome] = await store.write([{ ...place, verb: 'delete', versionExpected: String(version) }], AUTHOR);
    return outcome?.did === 'removed';
  } catch (error) {
    if (error instanceof Refusal && (error.reason === 'Conflict' || error.reason === 'NotFound')) return false;
    throw error;
  }
}

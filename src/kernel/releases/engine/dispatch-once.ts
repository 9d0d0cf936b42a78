import { beginRelease } from './begin-release.ts';
import { keyOf, type QueuedObject } from './change-queue.ts';
import { ChangeView } from './change-view.ts';
import { isPassing } from './engine-errors.ts';
import { isLive } from './form.ts';
import { goLiveAtOnce } from './go-live-at-once.ts';
import { divideByRoute, type RoutedItem } from './route-change.ts';
import type { DispatchPass, DispatchState } from './dispatch-state.ts';
import { releasedKind } from './unknown-kinds.ts';

/**
 * Processes objects once: each goes into a release or, with the held ones, live at once.
 *
 * @throws transient errors: all objects are to be processed again
 */
export async function dispatchOnce(state: DispatchState, queued: readonly QueuedObject[]): Promise<void> {
  // Definitions end kinds, and their releases, while objects are queued.
  const objects = queued.filter(({ kind }) => releasedKind(state.kinds, kind) !== undefined);
  const pass: DispatchPass = { ...state, view: new ChangeView(state) };
  await loadHistories(pass, objects);
  const { groups, atOnce } = divideByRoute(objects.map((one) => routeOf(pass, one)));
  const alone = [...atOnce];
  // A failure of one write does not block the others.
  const failures: unknown[] = [];
  for (const group of groups) {
    try {
      await beginRelease(pass, group);
    } catch (error) {
      if (isPassing(error)) failures.push(error);
      else for (const one of group.items) pass.backOff.fail(one, error);
      alone.push(...group.items.filter((one) => pass.backOff.isWaiting(one)));
    }
  }
  await goLiveAtOnce(pass, alone);
  if (failures.length > 0) throw failures[0];
}

/** Loads the declarations of each object since its live state. An object whose history cannot be read backs off. */
async function loadHistories({ view, backOff }: DispatchPass, objects: readonly QueuedObject[]): Promise<void> {
  for (const one of objects) {
    try {
      const changed = view.look(one);
      if (!isLive(changed)) await view.load(changed, changed.wanted?.object);
    } catch (error) {
      if (isPassing(error)) throw error;
      backOff.fail(one, error);
    }
  }
}

function routeOf({ view, backOff, held, declarations }: DispatchPass, item: QueuedObject): RoutedItem<QueuedObject> {
  const changed = view.look(item);
  const isApart = backOff.isWaiting(item);
  if (!isApart && view.needsRelease(changed)) {
    // Its release ends its hold.
    held.delete(keyOf(item));
    return { item, route: 'release', origins: view.origins(item) };
  }
  if (isLive(changed)) declarations.forget(item.kind, item.name);
  return isApart || isLive(changed) ? { item, route: 'alone' } : { item, route: 'atOnce', origins: view.origins(item) };
}

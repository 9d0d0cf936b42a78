import { atOnce } from '#kernel/base/turns.ts';
import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects, Overlay } from './live-objects.ts';
import type { DecisionModule } from './module.ts';
import { compileTables, updateTables, type Snapshot } from './snapshot.ts';

/** The part of a live state that compiles. */
export interface CompiledApart {
  readonly world: LiveObjects;
  readonly tables: Snapshot['tables'];
  /** Objects that do not compile with the others, and what each throws. */
  readonly leftOut: ReadonlyMap<LiveObject, unknown>;
}

/**
 * Compiles a live state without the objects that make it fail. An object that does not compile is a bug; it must not take
 * the others along. Halves what fails, so that few culprits among many cost few attempts.
 */
export function compileApart(
  modules: readonly DecisionModule<unknown>[],
  kinds: KindRegistry,
  objects: readonly LiveObject[],
): CompiledApart {
  const world = new LiveObjects(kinds);
  let tables = atOnce(compileTables(modules, world));
  const add = (some: readonly LiveObject[], failed: Map<LiveObject, unknown>): void => {
    if (some.length === 0) return;
    const next = new Overlay(world, kinds);
    for (const object of some) next.put(object.kind, object.name, object);
    try {
      const changed = some.map(({ kind, name }) => ({ kind, name }));
      tables = atOnce(updateTables(tables, modules, next, changed));
      for (const object of some) world.set(object);
    } catch (error) {
      const [only] = some;
      if (some.length === 1 && only !== undefined) return void failed.set(only, error);
      const middle = some.length >> 1;
      add(some.slice(0, middle), failed);
      add(some.slice(middle), failed);
    }
  };
  for (let left = objects; ;) {
    const failed = new Map<LiveObject, unknown>();
    add(left, failed);
    // A referenced object may be there only now.
    if (failed.size === 0 || failed.size === left.length) return { world, tables, leftOut: failed };
    left = [...failed.keys()];
  }
}

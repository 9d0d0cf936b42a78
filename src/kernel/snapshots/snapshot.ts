import type { World } from '#kernel/resources/kind.ts';
import type { ChangedObject, DecisionModule } from './module.ts';

/** Everything that a decision node answers from: all domains' tables of one moment. Immutable. */
export interface Snapshot {
  /** The version of the live state that it was compiled from; empty before the first compile. */
  readonly version: string;
  readonly tables: ReadonlyMap<string, unknown>;
}

/** Compiles every module's table from one world. */
export function compileSnapshot(modules: readonly DecisionModule<unknown>[], world: World, version: string): Snapshot {
  return { version, tables: new Map(modules.map((module) => [module.name, module.compile(world)])) };
}

/** The next snapshot: tables whose kinds did not change are shared with the previous one. */
export function updateSnapshot(
  previous: Snapshot,
  modules: readonly DecisionModule<unknown>[],
  world: World,
  changed: readonly ChangedObject[],
  version: string,
): Snapshot {
  const tables = modules.map((module) => {
    const ids = new Set(module.kinds.map(({ id }) => id));
    const relevant = changed.filter(({ kind }) => ids.has(kind));
    const table = previous.tables.get(module.name);
    return [module.name, relevant.length === 0 ? table : module.update(table, world, relevant)] as const;
  });
  return { version, tables: new Map(tables) };
}

import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { compileAudiences, type AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { World } from '#kernel/resources/kind.ts';
import type { ExposingRelease } from './exposing-releases.ts';
import type { ChangedObject, DecisionModule } from './module.ts';
import { concerns, ModuleWorlds, type WorldSource } from './worlds.ts';

/** Everything that a decision node answers from: all domains' tables of one moment. Immutable. */
export interface Snapshot {
  /** The version of the live state that it was compiled from; empty before the first compile. */
  readonly version: string;
  /** What everybody gets, by module. */
  readonly tables: ReadonlyMap<string, unknown>;
  /** What some get instead, by module: only of modules that a release under way is about. */
  readonly worlds: ReadonlyMap<string, ModuleWorlds<unknown>>;
}

/** Whom cohorts are about: part of each snapshot, and no module of its own answers from it. */
export const audiencesModule: DecisionModule<AudienceTable> = {
  name: 'audiences',
  kinds: audienceKinds,
  compile: compileAudiences,
  update: (table, world, changed) => table.update(world, changed),
  routes: [],
};

/** Compiles every module's table from one world. */
export function compileTables(modules: readonly DecisionModule<unknown>[], world: World): Snapshot['tables'] {
  return new Map(modules.map((module) => [module.name, module.compile(world)]));
}

/** The same in steps: a world that does not change meanwhile. */
export function* compileTablesInSteps(
  modules: readonly DecisionModule<unknown>[],
  world: World,
): Steps<Snapshot['tables']> {
  const tables = new Map<string, unknown>();
  for (const { name, compile, compileInSteps } of modules) {
    tables.set(name, compileInSteps === undefined ? compile(world) : yield* compileInSteps(world));
    yield;
  }
  return tables;
}

/** The next tables: those whose kinds did not change are shared with the previous ones. */
export function updateTables(
  previous: Snapshot['tables'],
  modules: readonly DecisionModule<unknown>[],
  world: World,
  changed: readonly ChangedObject[],
): Snapshot['tables'] {
  const tables = modules.map((module) => {
    const ids = new Set(module.kinds.map(({ id }) => id));
    const relevant = changed.filter(({ kind }) => ids.has(kind));
    const table = previous.get(module.name);
    return [module.name, relevant.length === 0 ? table : module.update(table, world, relevant)] as const;
  });
  return new Map(tables);
}

/** What some get instead of what is in the tables, while releases are under way. */
export function exposeWorlds(
  tables: Snapshot['tables'],
  modules: readonly DecisionModule<unknown>[],
  releases: readonly ExposingRelease[],
  source: Omit<WorldSource, 'audiences'>,
  before: Snapshot | undefined,
): Snapshot['worlds'] {
  // Put there by `audiencesModule`, which every list of modules begins with.
  const audiences = tables.get(audiencesModule.name) as AudienceTable;
  return new Map(
    modules.flatMap((module) => {
      const concerned = releases.filter((release) => concerns(release, module));
      if (concerned.length === 0) return [];
      const base = tables.get(module.name);
      const { name } = module;
      return [[name, new ModuleWorlds(module, base, concerned, { ...source, audiences }, before?.worlds.get(name))]];
    }),
  );
}

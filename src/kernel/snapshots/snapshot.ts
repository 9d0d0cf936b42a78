import { compileAudiencesInSteps, type AudienceTable } from '#kernel/audiences/compile-audience.ts';
import type { Steps } from '#kernel/base/turns.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { ExposingRelease } from './exposing-releases.ts';
import type { ChangedObject, DecisionModule } from './module.ts';
import { concerns, ModuleWorlds, type WorldSource } from './worlds.ts';

/** Everything that a decision node answers from: all domains' tables of one moment. Immutable. */
export interface Snapshot {
  /** The version of the live state that it was compiled from; empty before the first compile. */
  readonly version: string;
  /** The tables of everyone, by module. */
  readonly tables: ReadonlyMap<string, unknown>;
  /** The tables of cohorts, by module: only of modules with a release under way. */
  readonly worlds: ReadonlyMap<string, ModuleWorlds<unknown>>;
}

/** Among the tables: the audiences of rules and cohorts, compiled once for all modules. */
const AUDIENCES = 'audiences';

function audiencesOf(tables: Snapshot['tables']): AudienceTable {
  return tables.get(AUDIENCES) as AudienceTable;
}

/** Compiles every module's table from one world, which does not change meanwhile. */
export function* compileTables(modules: readonly DecisionModule<unknown>[], world: World): Steps<Snapshot['tables']> {
  const audiences = yield* compileAudiencesInSteps(world);
  const tables = new Map<string, unknown>([[AUDIENCES, audiences]]);
  for (const { name, compile } of modules) tables.set(name, yield* compile(world, audiences));
  return tables;
}

/** The next tables: those whose kinds did not change are shared with the previous ones. */
export function* updateTables(
  previous: Snapshot['tables'],
  modules: readonly DecisionModule<unknown>[],
  world: World,
  changed: readonly ChangedObject[],
): Steps<Snapshot['tables']> {
  const audiences = yield* audiencesOf(previous).update(world, changed);
  const tables = new Map<string, unknown>([[AUDIENCES, audiences]]);
  for (const { name, kinds, update } of modules) {
    const ids = new Set(kinds.map(({ id }) => id));
    const relevant = changed.filter(({ kind }) => ids.has(kind));
    const table = previous.get(name);
    tables.set(name, relevant.length === 0 ? table : yield* update(table, world, relevant, audiences));
  }
  return tables;
}

/** The worlds of cohorts while releases are under way; those of the largest releases are compiled here. */
export function* exposeWorlds(
  exposed: {
    readonly modules: readonly DecisionModule<unknown>[];
    readonly tables: Snapshot['tables'];
    readonly releases: readonly ExposingRelease[];
  } & Omit<WorldSource, 'audiences'>,
  before: { readonly worlds: Snapshot['worlds'] | undefined; readonly changed: readonly ChangedObject[] | undefined },
): Steps<Snapshot['worlds']> {
  const { modules, tables, releases, ...source } = exposed;
  const audiences = audiencesOf(tables);
  const worlds = new Map<string, ModuleWorlds<unknown>>();
  for (const module of modules) {
    const { name } = module;
    const concerned = releases.filter((release) => concerns(release, module));
    if (concerned.length === 0) continue;
    const of = { ...source, module, audiences, base: tables.get(name), releases: concerned };
    worlds.set(name, yield* ModuleWorlds.expose(of, { ...before, worlds: before.worlds?.get(name) }));
  }
  return worlds;
}

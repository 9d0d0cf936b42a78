import { audienceKindIds, compileAudiences } from '#kernel/audiences/compile-audience.ts';
import type { World } from '#kernel/resources/kind.ts';
import type { ChangedObject } from '#kernel/snapshots/module.ts';
import { experimentSpec } from '../kinds/experiment-spec.ts';
import { EXPERIMENT, FLAG, HOLDOUT } from '../kinds/identity.ts';
import { compileFlag } from './compile-flag.ts';
import { configTag } from './config-tag.ts';
import type { CompiledFlag, ExperienceTable } from './table.ts';

/** The table of a world in which every reference resolves and every check passes. */
export function compile(world: World): ExperienceTable {
  const audiences = compileAudiences(world);
  const flags = [...world.list(FLAG)].map((object) => compileFlag(object, world, audiences)).toSorted(byKey);
  return tableOf(flags, audiences, world);
}

/**
 * `compile(world)` from the table before and what changed since. A changed flag or experiment costs its own flag; a
 * changed audience, attribute or holdout can be in any of them and costs all.
 */
export function update(table: ExperienceTable, world: World, changed: readonly ChangedObject[]): ExperienceTable {
  if (changed.some(({ kind }) => kind === HOLDOUT || audienceKindIds.has(kind))) return compile(world);
  const stale = new Set<string>();
  for (const { kind, name } of changed) {
    if (kind === FLAG) stale.add(name);
    if (kind !== EXPERIMENT) continue;
    const experiment = world.get(EXPERIMENT, name);
    if (experiment !== undefined) stale.add(experimentSpec(experiment).flag);
    for (const flag of table.flags.values()) if (flag.experiments.includes(name)) stale.add(flag.name);
  }
  const { audiences } = table;
  const kept = [...table.flags.values()].filter(({ name }) => !stale.has(name));
  const renewed = [...stale].flatMap((name) => {
    const object = world.get(FLAG, name);
    return object === undefined ? [] : [compileFlag(object, world, audiences)];
  });
  const flags = [...kept, ...renewed].toSorted(byKey);
  return tableOf(flags, audiences, world);
}

function tableOf(
  flags: readonly CompiledFlag[],
  audiences: ExperienceTable['audiences'],
  world: World,
): ExperienceTable {
  return {
    flags: new Map(flags.map((flag) => [flag.key, flag])),
    inOrder: flags,
    sticky: flags.filter(({ sticky }) => sticky.length > 0),
    audiences,
    tag: configTag(world),
  };
}

function byKey(a: CompiledFlag, b: CompiledFlag): number {
  return a.key < b.key ? -1 : 1;
}

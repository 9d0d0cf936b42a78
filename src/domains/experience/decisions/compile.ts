import { audienceKindIds, compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { ATTRIBUTE, AUDIENCE } from '#kernel/audiences/language/identity.ts';
import { LayeredMap } from '#kernel/base/layered-map.ts';
import { atOnce, type Steps } from '#kernel/base/turns.ts';
import type { World } from '#kernel/resources/kind.ts';
import type { ChangedObject } from '#kernel/snapshots/module.ts';
import {
  changedDigest,
  digestText,
  summedDigest,
  worldDigest,
  type WorldDigest,
} from '#kernel/snapshots/world-digest.ts';
import { experimentSpec } from '../kinds/experiment-spec.ts';
import { EXPERIMENT, FLAG, HOLDOUT } from '../kinds/identity.ts';
import { compileFlag } from './compile-flag.ts';
import type { CompiledFlag, ExperienceTable } from './table.ts';

/** What flags are decided by besides themselves. */
const OTHER_KINDS = [ATTRIBUTE, AUDIENCE, EXPERIMENT, HOLDOUT];

/** The table of a world in which every reference resolves and every check passes. */
export function compile(world: World): ExperienceTable {
  return atOnce(compileInSteps(world));
}

/** The same in steps, of a world that does not change meanwhile. */
export function* compileInSteps(world: World): Steps<ExperienceTable> {
  const audiences = compileAudiences(world);
  let digest = worldDigest([]);
  const flags = new Map<string, CompiledFlag>();
  const sticky: CompiledFlag[] = [];
  for (const object of world.list(FLAG)) {
    const flag = compileFlag(object, world, audiences);
    flags.set(flag.key, flag);
    if (flag.sticky.length > 0) sticky.push(flag);
    digest = changedDigest(digest, object, 1);
    yield;
  }
  const digests = { flags: digest, others: othersDigest(world) };
  return tableOf(new LayeredMap(flags), sticky, audiences, digests, undefined);
}

/**
 * `compile(world)` from the table before and what changed since. A changed flag or experiment costs its own flag; a
 * changed audience, attribute or holdout can be in any of them and costs all. What changed is compiled at once: what does
 * not compile shows here.
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
  const changes = new Map<string, CompiledFlag | undefined>();
  let digest = table.digests.flags;
  for (const name of stale) {
    const before = namedIn(table, name);
    const object = world.get(FLAG, name);
    const after = object === undefined ? undefined : compileFlag(object, world, table.audiences).whole();
    if (before !== undefined) {
      changes.set(before.key, undefined);
      digest = changedDigest(digest, before.object, -1);
    }
    if (after !== undefined) {
      changes.set(after.key, after);
      digest = changedDigest(digest, after.object, 1);
    }
  }
  const sticky = [
    ...table.sticky.filter(({ name }) => !stale.has(name)),
    ...[...changes.values()].filter((flag) => flag !== undefined && flag.sticky.length > 0),
  ].filter((flag) => flag !== undefined);
  const isOther = changed.some(({ kind }) => kind !== FLAG);
  const digests = { flags: digest, others: isOther ? othersDigest(world) : table.digests.others };
  return tableOf(flagsOf(table).with(changes), sticky, table.audiences, digests, { table, changes });
}

/** Every table is made here. */
function flagsOf({ flags }: ExperienceTable): LayeredMap<CompiledFlag> {
  return flags instanceof LayeredMap ? flags : new LayeredMap(flags);
}

/** A flag by the name of its object, which nearly always is its key. */
function namedIn({ flags }: ExperienceTable, name: string): CompiledFlag | undefined {
  const likely = flags.get(name);
  if (likely?.name === name) return likely;
  for (const flag of flags.values()) if (flag.name === name) return flag;
  return undefined;
}

function othersDigest(world: World): WorldDigest {
  return worldDigest(OTHER_KINDS.flatMap((kind) => [...world.list(kind)]));
}

function tableOf(
  flags: LayeredMap<CompiledFlag>,
  sticky: readonly CompiledFlag[],
  audiences: ExperienceTable['audiences'],
  digests: ExperienceTable['digests'],
  before: { readonly table: ExperienceTable; readonly changes: ReadonlyMap<string, unknown> } | undefined,
): ExperienceTable {
  let order: readonly CompiledFlag[] | undefined;
  let from = before;
  return {
    flags,
    inOrder: () => {
      order ??=
        from === undefined ? [...flags.values()].sort(byKey) : reordered(from.table.inOrder(), from.changes, flags);
      from = undefined;
      return order;
    },
    sticky,
    audiences,
    digests,
    tag: digestText(summedDigest(digests.flags, digests.others)),
  };
}

/** The order with some keys changed: what stays need not be sorted again. */
function reordered(
  order: readonly CompiledFlag[],
  changes: ReadonlyMap<string, unknown>,
  flags: ReadonlyMap<string, CompiledFlag>,
): readonly CompiledFlag[] {
  const renewed = [...changes.keys()].flatMap((key) => flags.get(key) ?? []).sort(byKey);
  const merged: CompiledFlag[] = [];
  let next = 0;
  for (const flag of order) {
    if (changes.has(flag.key)) continue;
    for (let first = renewed[next]; first !== undefined && first.key < flag.key; first = renewed[++next])
      merged.push(first);
    merged.push(flag);
  }
  return [...merged, ...renewed.slice(next)];
}

function byKey(a: CompiledFlag, b: CompiledFlag): number {
  return a.key < b.key ? -1 : 1;
}

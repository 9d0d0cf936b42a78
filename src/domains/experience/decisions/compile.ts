import { audienceKindIds, compileAudiences, type AudienceTable } from '#kernel/audiences/compile-audience.ts';
import { ATTRIBUTE, AUDIENCE } from '#kernel/audiences/language/identity.ts';
import { LayeredMap } from '#kernel/base/layered-map.ts';
import { atOnce, type Steps } from '#kernel/base/turns.ts';
import type { World } from '#kernel/kinds/kind.ts';
import type { ChangedObject } from '#kernel/snapshots/module.ts';
import {
  changedDigest,
  NO_OBJECTS,
  digestText,
  summedDigest,
  worldDigestInSteps,
  type WorldDigest,
} from '#kernel/snapshots/world-digest.ts';
import { experimentSpec } from '../kinds/experiment-spec.ts';
import { EXPERIMENT, FLAG, HOLDOUT } from '../kinds/identity.ts';
import { compileFlag } from './compile-flag.ts';
import type { CompiledFlag, ExperienceTable } from './table.ts';

/** Kinds that decide flags besides Flag. */
const OTHER_KINDS = [ATTRIBUTE, AUDIENCE, EXPERIMENT, HOLDOUT];

/** Compiles the table of a world in which every reference resolves and every check passes. */
export function compile(world: World): ExperienceTable {
  return atOnce(compileInSteps(world, compileAudiences(world)));
}

/** Equals `compile(world)`, from the previous table and the changes. */
export function update(table: ExperienceTable, world: World, changed: readonly ChangedObject[]): ExperienceTable {
  const audiences = atOnce(table.audiences.update(world, changed));
  return atOnce(updateInSteps(table, world, changed, audiences));
}

/** The same in steps. The world must not change meanwhile. */
export function* compileInSteps(world: World, audiences: AudienceTable): Steps<ExperienceTable> {
  let digest = NO_OBJECTS;
  const flags = new Map<string, CompiledFlag>();
  const sticky: CompiledFlag[] = [];
  for (const object of world.list(FLAG)) {
    const flag = compileFlag(object, world, audiences);
    flags.set(flag.key, flag);
    if (flag.sticky.length > 0) sticky.push(flag);
    digest = changedDigest(digest, object, 1);
    yield;
  }
  const digests = { flags: digest, others: yield* othersDigest(world) };
  return tableOf({ flags: new LayeredMap(flags), sticky, audiences, digests });
}

/**
 * A changed flag or experiment recompiles its own flag; a changed audience, attribute or holdout recompiles
 * all. Changed flags compile at once, so that errors surface here.
 */
export function* updateInSteps(
  table: ExperienceTable,
  world: World,
  changed: readonly ChangedObject[],
  audiences: AudienceTable,
): Steps<ExperienceTable> {
  if (changed.some(({ kind }) => kind === HOLDOUT || audienceKindIds.has(kind))) {
    return yield* compileInSteps(world, audiences);
  }
  const stale = yield* staleFlags(table, world, changed);
  const before = yield* namedIn(table, stale);
  const changes = new Map<string, CompiledFlag | undefined>();
  let digest = table.digests.flags;
  for (const name of stale) {
    const was = before.get(name);
    const object = world.get(FLAG, name);
    const is = object === undefined ? undefined : compileFlag(object, world, audiences).whole();
    if (was !== undefined) {
      changes.set(was.key, undefined);
      digest = changedDigest(digest, was.object, -1);
    }
    if (is !== undefined) {
      changes.set(is.key, is);
      digest = changedDigest(digest, is.object, 1);
    }
    yield;
  }
  const sticky = [
    ...table.sticky.filter(({ name }) => !stale.has(name)),
    ...[...changes.values()].filter((flag) => flag !== undefined && flag.sticky.length > 0),
  ].filter((flag) => flag !== undefined);
  const isOther = changed.some(({ kind }) => kind !== FLAG);
  const digests = { flags: digest, others: isOther ? yield* othersDigest(world) : table.digests.others };
  const flags = yield* flagsOf(table).withInSteps(changes);
  return tableOf({ flags, sticky, audiences, digests }, { table, changes });
}

/** Names of flags that changed, or whose experiment did. */
function* staleFlags(
  table: ExperienceTable,
  world: World,
  changed: readonly ChangedObject[],
): Steps<ReadonlySet<string>> {
  const stale = new Set(changed.filter(({ kind }) => kind === FLAG).map(({ name }) => name));
  const experiments = new Set(changed.filter(({ kind }) => kind === EXPERIMENT).map(({ name }) => name));
  if (experiments.size === 0) return stale;
  for (const name of experiments) {
    const experiment = world.get(EXPERIMENT, name);
    if (experiment !== undefined) stale.add(experimentSpec(experiment).flag);
  }
  for (const flag of table.flags.values()) {
    if (flag.experiments.some((name) => experiments.has(name))) stale.add(flag.name);
    yield;
  }
  return stale;
}

/** Flags by object name, which nearly always is the key. */
function* namedIn({ flags }: ExperienceTable, names: ReadonlySet<string>): Steps<ReadonlyMap<string, CompiledFlag>> {
  const found = new Map<string, CompiledFlag>();
  for (const name of names) {
    const likely = flags.get(name);
    if (likely?.name === name) found.set(name, likely);
    yield;
  }
  if (found.size === names.size) return found;
  for (const flag of flags.values()) {
    if (names.has(flag.name)) found.set(flag.name, flag);
    yield;
  }
  return found;
}

/** Every table is made in this module. */
function flagsOf({ flags }: ExperienceTable): LayeredMap<CompiledFlag> {
  return flags instanceof LayeredMap ? flags : new LayeredMap(flags);
}

function* othersDigest(world: World): Steps<WorldDigest> {
  let digest = NO_OBJECTS;
  for (const kind of OTHER_KINDS) digest = summedDigest(digest, yield* worldDigestInSteps(world.list(kind)));
  return digest;
}

function tableOf(
  parts: Pick<ExperienceTable, 'sticky' | 'audiences' | 'digests'> & { readonly flags: LayeredMap<CompiledFlag> },
  before?: { readonly table: ExperienceTable; readonly changes: ReadonlyMap<string, unknown> },
): ExperienceTable {
  const { flags, digests } = parts;
  let order: readonly CompiledFlag[] | undefined;
  let from = before;
  return {
    ...parts,
    inOrder: () => {
      order ??=
        from === undefined ? [...flags.values()].sort(byKey) : reorderFlags(from.table.inOrder(), from.changes, flags);
      from = undefined;
      return order;
    },
    tag: digestText(summedDigest(digests.flags, digests.others)),
  };
}

/** The order with some keys changed; the unchanged rest is not sorted again. */
function reorderFlags(
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

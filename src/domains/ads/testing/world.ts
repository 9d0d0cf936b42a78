import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects, Overlay } from '#kernel/snapshots/live-objects.ts';
import { adSetNamed } from '../decisions/ad-sets.ts';
import { compileInSteps } from '../decisions/compile.ts';
import { openQuestion, type BreakQuestion } from '../decisions/decide.ts';
import type { AdsTable, CompiledAdSet } from '../decisions/table.ts';
import { AdSet } from '../kinds/ad-set.ts';
import { adsKinds } from '../module.ts';

const NAMESPACE = 'default';

/** The kinds that an ads table is compiled from. */
const kinds = kindRegistry([...audienceKinds, ...adsKinds]);

export function live(kind: Kind, name: string, spec: unknown): LiveObject {
  return {
    kind: kind.id,
    namespace: NAMESPACE,
    name: liveName(kind, NAMESPACE, name),
    labels: {},
    spec,
    revision: contentHash(spec),
  };
}

export function worldOf(objects: readonly LiveObject[]): LiveObjects {
  return new LiveObjects(kinds, objects);
}

/** A world to be, as the next table is compiled from. */
export function worldOver(world: LiveObjects): Overlay {
  return new Overlay(world, kinds);
}

export function tableOf(objects: readonly LiveObject[]): AdsTable {
  const world = worldOf(objects);
  return atOnce(compileInSteps(world, compileAudiences(world)));
}

/** All ad sets of a table, halted or not. */
export function allAdSets(table: AdsTable): readonly CompiledAdSet[] {
  return Array.from(table.world.list(AdSet.id), ({ name }) => adSetNamed(table, name)).filter(
    (adSet) => adSet !== undefined,
  );
}

/** A question about a whole break: the listener may get everything, and nothing is held back. */
export function askBreak(
  { placements }: AdsTable,
  more: Partial<BreakQuestion> & Pick<BreakQuestion, 'nowMs'>,
  name = 'break',
): BreakQuestion {
  const placement = placements.get(name);
  if (placement === undefined) throw new Error(`there is no placement ${name}`);
  return {
    ...openQuestion(placement, more.nowMs),
    context: { targetingKey: 'ann' },
    random: () => 0.5,
    ...more,
  };
}

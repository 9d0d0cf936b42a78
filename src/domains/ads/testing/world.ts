import { audienceKinds } from '#kernel/audiences/kinds.ts';
import { compileAudiences } from '#kernel/audiences/compile-audience.ts';
import { contentHash } from '#kernel/base/ids.ts';
import { atOnce } from '#kernel/base/turns.ts';
import { liveName } from '#kernel/kinds/live-name.ts';
import type { Kind, LiveObject } from '#kernel/kinds/kind.ts';
import { kindRegistry } from '#kernel/kinds/registry.ts';
import { LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { compileInSteps } from '../decisions/compile.ts';
import { openQuestion, type BreakQuestion } from '../decisions/decide.ts';
import type { AdsTable } from '../decisions/table.ts';
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

export function tableOf(objects: readonly LiveObject[]): AdsTable {
  const world = worldOf(objects);
  return atOnce(compileInSteps(world, compileAudiences(world)));
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

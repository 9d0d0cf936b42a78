import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { PolicySpec } from './policy-spec.ts';
import type { ReleaseItem, ReleaseSpec } from './release-spec.ts';
import type { Target } from './target.ts';

/** The targets of a program, in their default order. */
export type Targets = readonly Target[];

/** The objects of a release on one target. */
export interface ReleasePart {
  readonly target: Target;
  readonly objects: readonly ReleaseItem[];
}

function findTarget(targets: Targets, name: string): Target {
  const found = targets.find((target) => target.name === name);
  if (found === undefined) throw new Error(`no module has the target ${name}`);
  return found;
}

/** Throws where a kind names a target that no module has: a bug. */
export function requireTargets(kinds: KindRegistry, targets: Targets): void {
  for (const { released, target } of kinds.all) if (released) findTarget(targets, target);
}

/** The parts of a release by target, in release order. The rollback of a promoted release uses the reverse order. */
export function partsOf(
  { objects, policy, rollbackOf }: Pick<ReleaseSpec, 'objects' | 'policy' | 'rollbackOf'>,
  kinds: KindRegistry,
  targets: Targets,
): readonly ReleasePart[] {
  const byTarget = Map.groupBy(objects, ({ kind }) => kinds.byId(kind).target);
  for (const name of byTarget.keys()) findTarget(targets, name);
  const order = inOrder(targets, policy?.spec.before ?? {});
  const parts = order.flatMap((target): ReleasePart[] => {
    const carried = byTarget.get(target.name);
    return carried === undefined ? [] : [{ target, objects: carried }];
  });
  return rollbackOf === undefined ? parts : parts.toReversed();
}

/** Whether a release goes to several targets, as far as this program knows its kinds. */
export function isOverSeveralTargets({ objects }: Pick<ReleaseSpec, 'objects'>, kinds: KindRegistry): boolean {
  const known = objects.filter(({ kind }) => kinds.isKnown(kind));
  return new Set(known.map(({ kind }) => kinds.byId(kind).target)).size > 1;
}

/** Sorts targets by `before`; otherwise in the default order. Policies with cycles are refused. */
function inOrder(targets: Targets, before: NonNullable<PolicySpec['before']>): Targets {
  const left = new Set(targets);
  const order: Target[] = [];
  const isBehind = (one: Target, other: Target): boolean => before[other.name]?.includes(one.name) === true;
  while (left.size > 0) {
    const next = [...left].find((one) => ![...left].some((other) => other !== one && isBehind(one, other)));
    const [first] = left;
    const chosen = next ?? first;
    if (chosen === undefined) break;
    left.delete(chosen);
    order.push(chosen);
  }
  return order;
}

/** Whether `before` has a cycle. */
export function isCircular(targets: Targets, before: NonNullable<PolicySpec['before']>): boolean {
  const order = inOrder(targets, before).map(({ name }) => name);
  return Object.entries(before).some(([name, later]) =>
    later.some((other) => order.includes(other) && order.indexOf(other) <= order.indexOf(name)),
  );
}

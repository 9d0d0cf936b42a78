import type { Kind } from '#kernel/kinds/kind.ts';
import { selects } from '../rules/choose-policy.ts';
import type { NamedPolicy } from '../kinds/release-spec.ts';
import type { Trail } from './declarations.ts';
import { problem } from './engine-errors.ts';
import { groupOf, isLive, type PendingChange, type OpenRelease } from './form.ts';
import type { ObjectStatus } from './go-live.ts';
import { groupByWrite, type DeclaredItem, type WriteGroup } from './group-by-write.ts';
import { sameSide, type State } from './same-side.ts';

/** Facts that decide whether a change needs a release, evaluated on demand. */
export interface RouteFacts {
  /** The open releases that include the object. */
  readonly carriers: readonly OpenRelease[];
  /** Its declarations since the live state. */
  readonly trail: () => Trail;
  readonly policies: () => readonly NamedPolicy[];
  /** Whether it was declared on top of a change that was rolled back since. */
  readonly isOnTakenBack: (trail: Trail) => boolean;
}

/**
 * Whether a change needs a release: a policy selects its live, declared or an intermediate state, it belongs to a group, an open
 * release includes it, or it brings back a rolled-back change. Pure.
 */
export function needsRelease(changed: PendingChange, facts: RouteFacts): boolean {
  const isBack = isLive(changed);
  if (facts.carriers.length > 0) {
    return !isBack || facts.carriers.some(({ standing }) => standing.state.at !== 'retracting');
  }
  if (isBack) return false;
  const trail = facts.trail();
  if (groupOf(changed, trail) !== undefined) return true;
  const states = [changed.live?.object, changed.wanted?.object, ...trail.steps.map(({ state }) => state)];
  return isSelected(changed.kind, states, facts.policies()) || facts.isOnTakenBack(trail);
}

function isSelected(kind: Kind, states: readonly (State | undefined)[], policies: readonly NamedPolicy[]): boolean {
  return states.some(
    (state) =>
      state !== undefined &&
      policies.some(({ spec }) => selects(spec.selector, { kind, namespace: state.namespace, labels: state.labels })),
  );
}

/** Whether the latest release of an object has its present declaration. Pure. */
export function isCarriedAsIs({ kind, name, wanted }: PendingChange, carriers: readonly OpenRelease[]): boolean {
  const latest = carriers.toSorted((a, b) => b.spec.number - a.spec.number)[0];
  if (latest === undefined) return false;
  // A rollback changes the declaration soon; a superseding release includes the object itself.
  const { state } = latest.standing;
  if (state.at === 'retracting' && state.end === 'superseded') return false;
  const carried = latest.spec.objects.find((one) => one.kind === kind.id && one.name === name);
  return carried !== undefined && sameSide(carried.to, wanted?.object);
}

/** The status of an object in open releases; undefined when it is in none. Pure. */
export function statusInReleases(changed: PendingChange, carriers: readonly OpenRelease[]): ObjectStatus | undefined {
  const carrier = carriers.at(-1);
  if (carrier === undefined) return undefined;
  if (!isLive(changed) || isCarriedAsIs(changed, carriers)) return { is: 'carried', release: carrier.name };
  return { is: 'held', reasons: [problem(backText(carriers.map(({ name }) => name)), 'WaitsForRelease')] };
}

/** For an object that is declared as it is live, while earlier releases change it. */
function backText(releases: readonly string[]): string {
  const names = releases.join(', ');
  return `the declared state is live, but ${names} changes it first unless aborted; then this is released`;
}

/** A change with its own route. */
export type RoutedItem<Item> =
  | (DeclaredItem<Item> & { readonly route: 'release' })
  | (DeclaredItem<Item> & { readonly route: 'atOnce' })
  /** Joins no other change: its declared state is live, or it is in back-off. */
  | { readonly item: Item; readonly route: 'alone' };

/**
 * Divides changes into releases and those that go live at once. Objects that were declared together are released together, also
 * those that need no release by themselves. Pure.
 */
export function divideByRoute<Item>(routed: readonly RoutedItem<Item>[]): {
  readonly groups: readonly WriteGroup<Item>[];
  readonly atOnce: readonly Item[];
} {
  const groups = groupByWrite(routed.filter((one) => one.route === 'release')).map((group) => ({
    ...group,
    items: [...group.items],
  }));
  const byWrite = new Map(groups.flatMap((group) => Array.from(group.writes, (write) => [write, group] as const)));
  const atOnce: Item[] = [];
  for (const one of routed) {
    if (one.route === 'release') continue;
    const shared = one.route === 'alone' ? undefined : one.origins.find(({ write }) => byWrite.has(write));
    (shared === undefined ? atOnce : byWrite.get(shared.write)?.items)?.push(one.item);
  }
  return { groups, atOnce };
}

import type { Kind } from '#kernel/kinds/kind.ts';
import { selects } from '../rules/choose-policy.ts';
import type { NamedPolicy } from '../kinds/release-spec.ts';
import type { Trail } from './declarations.ts';
import { problem } from './engine-errors.ts';
import { groupOf, isLive, type Changed, type OpenRelease } from './form.ts';
import type { ObjectStatus } from './go-live.ts';
import { groupByWrite, type DeclaredItem, type WriteGroup } from './group-by-write.ts';
import { sameSide, type State } from './same-side.ts';

/** What decides whether a change needs a release, asked as far as it is needed. */
export interface RouteFacts {
  /** The open releases that carry the object. */
  readonly carriers: readonly OpenRelease[];
  /** What was declared of it since what is live. */
  readonly trail: () => Trail;
  readonly policies: () => readonly NamedPolicy[];
  /** Whether it was declared on top of what was taken back since. */
  readonly isOnTakenBack: (trail: Trail) => boolean;
}

/**
 * Whether a change goes live by a release: a policy selects what is live, what is declared or a state in between, it belongs
 * to a group, a release carries it already, or it brings back what was rolled back. Pure.
 */
export function needsRelease(changed: Changed, facts: RouteFacts): boolean {
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

/** Whether the latest release of an object carries just what is declared. Pure. */
export function isCarriedAsIs({ kind, name, wanted }: Changed, carriers: readonly OpenRelease[]): boolean {
  const latest = carriers.toSorted((a, b) => b.spec.number - a.spec.number)[0];
  if (latest === undefined) return false;
  // What is taken back is soon declared otherwise; what another release replaces is carried by that one.
  const { state } = latest.standing;
  if (state.at === 'retracting' && state.end === 'superseded') return false;
  const carried = latest.spec.objects.find((one) => one.kind === kind.id && one.name === name);
  return carried !== undefined && sameSide(carried.to, wanted?.object);
}

/** What the status says of an object that releases carry; undefined when none does. Pure. */
export function statusInReleases(changed: Changed, carriers: readonly OpenRelease[]): ObjectStatus | undefined {
  const carrier = carriers.at(-1);
  if (carrier === undefined) return undefined;
  if (!isLive(changed) || isCarriedAsIs(changed, carriers)) return { is: 'carried', release: carrier.name };
  return { is: 'held', reasons: [problem(backText(carriers.map(({ name }) => name)))] };
}

/** Of what is declared as it is live, while releases that were declared before change it. */
function backText(releases: readonly string[]): string {
  const names = releases.join(', ');
  return `it is declared as it is live, and was declared otherwise before: ${names} goes first, unless somebody aborts it, and then this is released`;
}

/** A change with the way that it goes by itself. */
export type RoutedItem<Item> =
  | (DeclaredItem<Item> & { readonly route: 'release' })
  | (DeclaredItem<Item> & { readonly route: 'atOnce' })
  /** Joins nothing: it is live as it is declared, or kept apart. */
  | { readonly item: Item; readonly route: 'alone' };

/**
 * Divides changes into releases, and what goes live at once. What was declared together is released together, also what
 * needs no release by itself. Pure.
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

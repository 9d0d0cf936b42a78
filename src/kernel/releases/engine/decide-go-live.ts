import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allot } from '../allot.ts';
import { settle, type Candidate, type HoldReasons } from '../settle.ts';
import { problem } from './engine-errors.ts';

/** What may keep a change from going live, apart from the world. */
export interface HoldFacts {
  /** Why the engine failed with it, while it is kept apart. */
  readonly failed: HoldReasons | undefined;
  /** The sentence of the pin that refuses it. */
  readonly pinned: string | undefined;
  /** The reason of the switch that stops every release. */
  readonly stopped: string | undefined;
  /** Releases under way that change it, or what it relies on. */
  readonly inTheWay: readonly string[];
  /** Releases under way that rely on the same, and go out target by target. */
  readonly byTarget: readonly string[];
}

/** Why a change is held whatever the world says; undefined when nothing holds it. Pure. */
export function holdReasons({ failed, pinned, stopped, inTheWay, byTarget }: HoldFacts): HoldReasons | undefined {
  if (failed !== undefined) return failed;
  if (pinned !== undefined) return [problem(pinned)];
  if (stopped !== undefined) return [problem(`Every release is stopped: ${stopped}`)];
  if (inTheWay.length > 0) {
    return [problem(`release ${inTheWay.join(', ')} is under way with it, or with what it relies on`)];
  }
  if (byTarget.length > 0) {
    return [problem(`release ${byTarget.join(', ')} is under way with what relies on the same, target by target`)];
  }
  return undefined;
}

export interface GoLiveDecision {
  /** What goes live together, with what is allotted to it; undefined: it goes away. */
  readonly going: ReadonlyMap<LiveKey, LiveObject | undefined>;
  /** Why each other change is held. */
  readonly held: ReadonlyMap<LiveKey, HoldReasons>;
}

/**
 * Decides which changes go live at once: those that nothing holds, as far as the world stays whole also beside what cohorts
 * of other releases are shown, and as there is enough for them. Pure.
 */
export function decideGoLive(
  changes: readonly Candidate[],
  held: ReadonlyMap<LiveKey, HoldReasons>,
  shownBeside: readonly Candidate[],
  { live, kinds }: { readonly live: LiveObjects; readonly kinds: KindRegistry },
): GoLiveDecision {
  const free = changes.filter(({ kind, name }) => !held.has(liveKey(kind, name)));
  const unsettled = settle(live, [...free, ...shownBeside], kinds);
  const { allotted, short } = allot(live, free, unsettled, kinds);
  const allHeld = new Map([...unsettled, ...short, ...held]);
  const going = new Map<LiveKey, LiveObject | undefined>();
  for (const { kind, name, wanted } of free) {
    const key = liveKey(kind, name);
    if (!allHeld.has(key)) going.set(key, allotted.get(key) ?? wanted);
  }
  return { going, held: allHeld };
}

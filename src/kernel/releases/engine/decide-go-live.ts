import type { LiveObject } from '#kernel/kinds/kind.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import { liveKey, type LiveKey, type LiveObjects } from '#kernel/snapshots/live-objects.ts';
import { allot } from '../allot.ts';
import { settle, type Candidate, type HoldReasons } from '../settle.ts';
import { problem } from './engine-errors.ts';

/** Possible reasons to hold a change, apart from references and checks. */
export interface HoldFacts {
  /** Why the engine failed with it, during its back-off. */
  readonly failed: HoldReasons | undefined;
  /** The sentence of the pin that refuses it. */
  readonly pinned: string | undefined;
  /** The reason of the stop switch. */
  readonly stopped: string | undefined;
  /** Open releases that change it or its dependencies. */
  readonly inTheWay: readonly string[];
  /** Open releases with the same dependencies that advance target by target. */
  readonly byTarget: readonly string[];
}

/** Why a change is held independently of references and checks; undefined when it is free. Pure. */
export function holdReasons({ failed, pinned, stopped, inTheWay, byTarget }: HoldFacts): HoldReasons | undefined {
  if (failed !== undefined) return failed;
  if (pinned !== undefined) return [problem(pinned, 'Pinned')];
  if (stopped !== undefined) return [problem(`Every release is stopped: ${stopped}`, 'Stopped')];
  if (inTheWay.length > 0) {
    const text = `release ${inTheWay.join(', ')} is in progress with it, or with one of its dependencies`;
    return [problem(text, 'WaitsForRelease')];
  }
  if (byTarget.length > 0) {
    const text = `release ${byTarget.join(', ')} is in progress with the same dependencies, target by target`;
    return [problem(text, 'WaitsForRelease')];
  }
  return undefined;
}

export interface GoLiveDecision {
  /** Objects that go live together, with their allotments; undefined: a deletion. */
  readonly going: ReadonlyMap<LiveKey, LiveObject | undefined>;
  /** Why each other change is held. */
  readonly held: ReadonlyMap<LiveKey, HoldReasons>;
}

/**
 * Decides which changes go live at once: those that are free, as far as all references and checks hold, also together with the
 * candidates of other releases, and allotments suffice. Pure.
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

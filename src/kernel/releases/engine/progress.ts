import type { PlaceObservation } from '../kinds/target.ts';

/** The intent in the Heads of one target's objects. */
export type Intent =
  | { readonly at: 'nobody' }
  /** Inconsistent: something besides the release changed them. */
  | { readonly at: 'mixed' }
  | { readonly at: 'stage'; readonly stage: number }
  | { readonly at: 'everybody' };

/** The desired intent. */
export type DesiredIntent = Exclude<Intent, { readonly at: 'mixed' }>;

/** A target of a release: the intent in its Heads, and the state of its places. */
export interface TargetObservation {
  readonly name: string;
  readonly intent: Intent;
  readonly places: readonly PlaceObservation[];
}

export interface Progress {
  /** Every target has the desired intent, and its places have reached it. */
  readonly isReached: boolean;
  /** The target whose Heads are written next. */
  readonly turn?: string;
  /** True where that is a rollback: no hold stops it. */
  readonly isBack?: true;
  /** Failed places, one sentence each. */
  readonly failed: readonly string[];
  /** Reason to wait, in a sentence. */
  readonly waits?: string;
}

const NAMED_MAX = 3;

/**
 * Progress of targets towards their goals, one after the other: a target starts when each earlier one is complete, and goes back
 * when each later one is back. `unknownMax` places may be unknown. Pure.
 */
export function progressTo(
  intentOf: (target: string) => DesiredIntent,
  targets: readonly TargetObservation[],
  unknownMax: number,
): Progress {
  const back = progressBack(intentOf, targets);
  if (back !== undefined) return back;
  // A target that was never started does not matter.
  const begun = targets.filter(({ name }) => intentOf(name).at !== 'nobody');
  // Whatever the others wait for: who has some of it already may fail.
  const failed = begun.flatMap((target) => failuresAt(target));
  if (failed.length > 0) return { isReached: false, failed, waits: listTexts(failed) };
  let unknown = 0;
  for (const target of begun) {
    if (!isAt(target.intent, intentOf(target.name))) return { isReached: false, turn: target.name, failed: [] };
    const behind = target.places.filter(({ state }) => state === 'progressing');
    const lost = target.places.filter(({ state }) => state === 'unknown');
    unknown += lost.length;
    const open = unknown > unknownMax ? [...behind, ...lost] : behind;
    if (open.length > 0) return { isReached: false, failed: [], waits: waitsFor(target, open, unknownMax) };
  }
  return { isReached: true, failed: [] };
}

/** The next target to roll back, from the last to the first; undefined when there is none. */
function progressBack(
  intentOf: (target: string) => DesiredIntent,
  targets: readonly TargetObservation[],
): Progress | undefined {
  for (const [index, target] of [...targets.entries()].reverse()) {
    const goal = intentOf(target.name);
    if (isBeyond(target.intent, goal)) return { isReached: false, turn: target.name, isBack: true, failed: [] };
    const isFirst = !targets.slice(0, index).some((one) => isBeyond(one.intent, intentOf(one.name)));
    if (isFirst) return undefined;
    const open = target.places.filter((place) => !isBack(place));
    if (open.length > 0) return { isReached: false, isBack: true, failed: [], waits: waitsFor(target, open, 0) };
  }
  return undefined;
}

/** Whether the rollback of all these targets is complete; else the next one. Pure. */
export function progressHome(targets: readonly TargetObservation[]): Progress {
  const back = progressBack(() => ({ at: 'nobody' }), targets);
  if (back !== undefined) return back;
  for (const target of targets.toReversed()) {
    const open = target.places.filter((place) => !isBack(place));
    if (open.length > 0) return { isReached: false, failed: [], waits: waitsFor(target, open, 0) };
  }
  return { isReached: true, failed: [] };
}

/** Places that failed with the release. */
function failuresAt(target: TargetObservation): readonly string[] {
  if (target.intent.at === 'nobody') return [];
  return target.places.filter(({ state }) => state === 'failed').map((place) => placeText(target, place));
}

/** The same targets for a rollback: a place that fails with its earlier state does not hold it. Pure. */
export function seenForRollback(targets: readonly TargetObservation[]): readonly TargetObservation[] {
  return targets.map((target) => ({
    ...target,
    places: target.places.map((place) => (isBack(place) ? { ...place, state: 'healthy' } : place)),
  }));
}

/** Whether a place has its earlier state again; one that fails with it has nothing of the release. */
function isBack({ state, wanted, observed }: PlaceObservation): boolean {
  return state === 'healthy' || (state === 'failed' && observed === wanted);
}

function isAt(intent: Intent, goal: DesiredIntent): boolean {
  if (intent.at === 'stage' && goal.at === 'stage') return intent.stage === goal.stage;
  return intent.at === goal.at;
}

function isBeyond(intent: Intent, goal: DesiredIntent): boolean {
  if (goal.at === 'nobody') return intent.at !== 'nobody';
  return goal.at === 'stage' && intent.at === 'stage' && intent.stage > goal.stage;
}

function waitsFor({ name }: TargetObservation, places: readonly PlaceObservation[], unknownMax: number): string {
  const texts = places.map(({ name: place, state, message }) => {
    const why = message === undefined ? '' : ` (${message})`;
    return `${place} is ${state}${why}`;
  });
  const isUnknown = places.some(({ state }) => state === 'unknown');
  const budget = isUnknown && unknownMax > 0 ? `; at most ${unknownMax} may be unknown` : '';
  return `Waits for ${name}: ${listTexts(texts)}${budget}.`;
}

function placeText({ name: target }: TargetObservation, { name, message }: PlaceObservation): string {
  return `${target}: ${name} failed${message === undefined ? '' : `: ${message}`}.`;
}

function listTexts(texts: readonly string[]): string {
  const more = texts.length - NAMED_MAX;
  return `${texts.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

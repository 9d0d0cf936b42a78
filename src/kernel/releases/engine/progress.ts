import type { PlaceObservation } from '../kinds/target.ts';

/** What the Heads of the objects of one target say of a release. */
export type Intent =
  | { readonly at: 'nobody' }
  /** Neither one nor the other: something changed them besides the release. */
  | { readonly at: 'mixed' }
  | { readonly at: 'stage'; readonly stage: number }
  | { readonly at: 'everybody' };

/** What the Heads should say. */
export type Wanted = Exclude<Intent, { readonly at: 'mixed' }>;

/** A target of a release: what its Heads say, and how far its places have come. */
export interface TargetSeen {
  readonly name: string;
  readonly intent: Intent;
  readonly places: readonly PlaceObservation[];
}

export interface Progress {
  /** Every target says what is wanted, and its places were seen to have it. */
  readonly isReached: boolean;
  /** The target whose Heads are to be written now. */
  readonly turn?: string;
  /** True where that takes something back: no hold keeps it up. */
  readonly isBack?: true;
  /** Places that failed, each with a sentence. */
  readonly failed: readonly string[];
  /** What it waits for, in a sentence. */
  readonly waits?: string;
}

const NAMED_MAX = 3;

/**
 * How far targets have come to what is wanted of each: one after the other, so that a target begins when each before it was
 * seen to have all of it, and goes back when each behind it has gone back. `unknownMax` places may be unknown. Pure.
 */
export function progressTo(
  wanted: (target: string) => Wanted,
  targets: readonly TargetSeen[],
  unknownMax: number,
): Progress {
  const back = progressBack(wanted, targets);
  if (back !== undefined) return back;
  // What was not begun is none of the release's business.
  const begun = targets.filter(({ name }) => wanted(name).at !== 'nobody');
  // Whatever the others wait for: who has some of it already may fail.
  const failed = begun.flatMap((target) => failuresAt(target));
  if (failed.length > 0) return { isReached: false, failed, waits: listed(failed) };
  let unknown = 0;
  for (const target of begun) {
    if (!isAt(target.intent, wanted(target.name))) return { isReached: false, turn: target.name, failed: [] };
    const behind = target.places.filter(({ state }) => state === 'progressing');
    const lost = target.places.filter(({ state }) => state === 'unknown');
    unknown += lost.length;
    const open = unknown > unknownMax ? [...behind, ...lost] : behind;
    if (open.length > 0) return { isReached: false, failed: [], waits: waitsFor(target, open, unknownMax) };
  }
  return { isReached: true, failed: [] };
}

/** What has to be taken back first, the last target first; undefined when nothing has. */
function progressBack(wanted: (target: string) => Wanted, targets: readonly TargetSeen[]): Progress | undefined {
  for (const [index, target] of [...targets.entries()].reverse()) {
    const goal = wanted(target.name);
    if (isBeyond(target.intent, goal)) return { isReached: false, turn: target.name, isBack: true, failed: [] };
    const isFirst = !targets.slice(0, index).some((one) => isBeyond(one.intent, wanted(one.name)));
    if (isFirst) return undefined;
    const open = target.places.filter((place) => !isBack(place));
    if (open.length > 0) return { isReached: false, isBack: true, failed: [], waits: waitsFor(target, open, 0) };
  }
  return undefined;
}

/** Whether each of these targets has nothing of the release any more; else which one goes back now. Pure. */
export function progressHome(targets: readonly TargetSeen[]): Progress {
  const back = progressBack(() => ({ at: 'nobody' }), targets);
  if (back !== undefined) return back;
  for (const target of targets.toReversed()) {
    const open = target.places.filter((place) => !isBack(place));
    if (open.length > 0) return { isReached: false, failed: [], waits: waitsFor(target, open, 0) };
  }
  return { isReached: true, failed: [] };
}

/** Places that failed with what the release brings. */
function failuresAt(target: TargetSeen): readonly string[] {
  if (target.intent.at === 'nobody') return [];
  return target.places.filter(({ state }) => state === 'failed').map((place) => placeText(target, place));
}

/** The same targets for a release that takes back: a place that fails with what it had before holds up nothing. Pure. */
export function seenForRollback(targets: readonly TargetSeen[]): readonly TargetSeen[] {
  return targets.map((target) => ({
    ...target,
    places: target.places.map((place) => (isBack(place) ? { ...place, state: 'healthy' } : place)),
  }));
}

/** Whether a place was seen to have what it had before; one that fails all the same has nothing of the release. */
function isBack({ state, wanted, observed }: PlaceObservation): boolean {
  return state === 'healthy' || (state === 'failed' && observed === wanted);
}

function isAt(intent: Intent, goal: Wanted): boolean {
  if (intent.at === 'stage' && goal.at === 'stage') return intent.stage === goal.stage;
  return intent.at === goal.at;
}

function isBeyond(intent: Intent, goal: Wanted): boolean {
  if (goal.at === 'nobody') return intent.at !== 'nobody';
  return goal.at === 'stage' && intent.at === 'stage' && intent.stage > goal.stage;
}

function waitsFor({ name }: TargetSeen, places: readonly PlaceObservation[], unknownMax: number): string {
  const texts = places.map(({ name: place, state, message }) => {
    const why = message === undefined ? '' : ` (${message})`;
    return `${place} is ${state}${why}`;
  });
  const isUnknown = places.some(({ state }) => state === 'unknown');
  const budget = isUnknown && unknownMax > 0 ? `; at most ${unknownMax} may be unknown` : '';
  return `Waits for ${name}: ${listed(texts)}${budget}.`;
}

function placeText({ name: target }: TargetSeen, { name, message }: PlaceObservation): string {
  return `${target}: ${name} failed${message === undefined ? '' : `: ${message}`}.`;
}

function listed(texts: readonly string[]): string {
  const more = texts.length - NAMED_MAX;
  return `${texts.slice(0, NAMED_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

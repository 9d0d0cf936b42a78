import type { ObservedComponent, Program, Track, Weights } from './cluster-state.ts';

/** One revision of a Component as Heads want it in a cluster. */
export interface WantedTrack {
  readonly revision: string;
  readonly program: Program;
  /** Per cent of the requests. */
  readonly weight: number;
  /** Replicas at a weight of 100. */
  readonly replicas: number;
  /** `all`: it keeps all replicas at any weight, so that the way back is open at once; otherwise its part, rounded. */
  readonly share: 'all' | 'up' | 'down';
}

export interface TrackPlan {
  readonly tracks: readonly Track[];
  /** Revisions that are not wanted any more and still get requests: they stay as they are. */
  readonly keeps: readonly string[];
  readonly weights: Weights;
  /** Reason to wait before requests move, in a sentence. */
  readonly waits?: string;
}

type ObservedPart = Pick<ObservedComponent, 'tracks' | 'weights'>;

const ALL = 100;

/**
 * The next step of a Component in a cluster, from what is wanted to what was observed. Requests move only to a revision that has ready
 * replicas for all of them: on the way up, on abort and on rollback. A revision keeps the replicas for the requests that it still gets,
 * and goes when it gets none. Pure; called again after each observation it ends at what is wanted.
 */
export function planTracks(wanted: readonly WantedTrack[], observed: ObservedPart): TrackPlan {
  const goal: Weights = Object.fromEntries(
    wanted.filter(({ weight }) => weight > 0).map(({ revision, weight }) => [revision, weight]),
  );
  const lacks = lacksFor(wanted, goal, observed);
  const canMove = lacks.length === 0 || isDead(observed, goal);
  const weights = canMove ? goal : observed.weights;
  const tracks = wanted.map((one) => ({
    revision: one.revision,
    program: one.program,
    replicas: replicasFor(one, Math.max(one.weight, weights[one.revision] ?? 0, observed.weights[one.revision] ?? 0)),
  }));
  const keeps = observed.tracks
    .map(({ revision }) => revision)
    .filter((revision) => !wanted.some((one) => one.revision === revision))
    .filter((revision) => (weights[revision] ?? 0) > 0 || (observed.weights[revision] ?? 0) > 0);
  return {
    tracks,
    keeps,
    weights,
    ...(lacks.length === 0 ? {} : { waits: `Waits for ready replicas: ${lacks.join(', ')}.` }),
  };
}

/** Replicas for a part of the work. */
export function replicasFor({ replicas, share }: Pick<WantedTrack, 'replicas' | 'share'>, weight: number): number {
  const part = (replicas * weight) / ALL;
  return share === 'all' ? replicas : share === 'up' ? Math.ceil(part) : Math.floor(part);
}

/** Revisions that would get more requests than they have ready replicas for. */
function lacksFor(wanted: readonly WantedTrack[], goal: Weights, observed: ObservedPart): readonly string[] {
  return wanted.flatMap(({ revision, replicas, share }) => {
    const weight = goal[revision] ?? 0;
    if (weight <= (observed.weights[revision] ?? 0)) return [];
    const needed = replicasFor({ replicas, share: share === 'down' ? 'down' : 'up' }, weight);
    const ready = observed.tracks.find((one) => one.revision === revision)?.ready ?? 0;
    return ready >= needed ? [] : [`${revision} has ${ready} of ${needed}`];
  });
}

/** Nobody who gets requests now can answer any, and somebody who should get them can. */
function isDead({ tracks, weights }: ObservedPart, goal: Weights): boolean {
  const isReady = (revision: string) => tracks.some((one) => one.revision === revision && one.ready > 0);
  const getting = Object.keys(weights).filter((revision) => (weights[revision] ?? 0) > 0);
  return !getting.some(isReady) && Object.keys(goal).some(isReady);
}

import type { LiveCandidate } from '#kernel/kinds/builtin/head.ts';
import type { ObservedComponent } from './cluster-state.ts';
import { isSelected, type ClusterWeights, type LabelledCluster } from './cluster-weights.ts';
import { replicasFor, type WantedTrack } from './plan-tracks.ts';
import { hostsOf, programOf, type ComponentSource } from './program.ts';
import { revisionOf } from './revision.ts';

/** The live state of a Component, from its Head. */
export interface LiveComponent {
  /** Its live name. */
  readonly name: string;
  readonly everyone: ComponentSource | undefined;
  readonly candidate: { readonly spec: ComponentSource | undefined; readonly weights: ClusterWeights } | undefined;
}

/** The desired state of a Component in a cluster, without the way to it. */
export interface WantedComponent {
  readonly tracks: readonly WantedTrack[];
  readonly hosts: readonly string[];
  readonly stickyHeader?: string;
  readonly progressSeconds: number;
}

const ALL = 100;
const NOTHING: WantedComponent = { tracks: [], hosts: [], progressSeconds: 0 };

/** The candidate of a Head, as a release of clusters writes it. */
export function weightsIn(candidate: LiveCandidate): ClusterWeights {
  return candidate.where as ClusterWeights;
}

/**
 * The tracks that a cluster should run, by the live state. A candidate stands beside the revision of everyone; the same program with
 * other replicas is one track.
 */
export function wantedIn({ name, everyone, candidate }: LiveComponent, cluster: LabelledCluster): WantedComponent {
  const weight = candidate?.weights.weightOf[cluster.name] ?? 0;
  const stable = specIn(everyone, cluster);
  const next = weight === 0 ? undefined : specIn(candidate?.spec, cluster);
  const shown = next ?? (weight === ALL ? undefined : stable);
  // A candidate that leaves a cluster leaves it with its whole weight.
  if (shown === undefined) return NOTHING;
  const { progressSeconds, stickyHeader } = shown;
  const about = {
    // Who asks a host that only one of both has is answered during the release.
    hosts: [...new Set([stable, next].flatMap((spec) => (spec === undefined ? [] : hostsOf(name, spec))))],
    progressSeconds,
    ...(stickyHeader === undefined ? {} : { stickyHeader }),
  };
  const tracks = tracksOf(weight === 0 ? undefined : next, stable, weight);
  return { ...about, tracks: tracks.map((track) => (track.program.http === undefined ? asPart(track) : track)) };
}

function tracksOf(
  next: ComponentSource | undefined,
  stable: ComponentSource | undefined,
  weight: number,
): readonly WantedTrack[] {
  if (next === undefined) return stable === undefined ? [] : [trackOf(stable, ALL, 'all')];
  const candidate = trackOf(next, stable === undefined ? ALL : weight, stable === undefined ? 'all' : 'up');
  if (stable === undefined) return [candidate];
  const kept = trackOf(stable, ALL - weight, 'all');
  return kept.revision === candidate.revision ? [{ ...candidate, weight: ALL, share: 'all' }] : [kept, candidate];
}

/** Where nothing divides requests, replicas divide the work: there are no more of both than of one. */
function asPart(track: WantedTrack): WantedTrack {
  return { ...track, share: track.share === 'all' ? 'down' : 'up' };
}

function trackOf(spec: ComponentSource, weight: number, share: WantedTrack['share']): WantedTrack {
  const program = programOf(spec);
  return { revision: revisionOf(program), program, weight, replicas: spec.replicas, share };
}

function specIn(spec: ComponentSource | undefined, cluster: LabelledCluster): ComponentSource | undefined {
  return spec !== undefined && isSelected(spec.clusters, cluster) ? spec : undefined;
}

/** The observed state in a text: it equals that of the wanted state when that is reached. */
export function textOfWanted({ tracks }: WantedComponent): string {
  return textOf(tracks.map((one) => ({ ...one, replicas: replicasFor(one, one.weight) })));
}

export function textOfObserved({ tracks, weights }: Pick<ObservedComponent, 'tracks' | 'weights'>): string {
  return textOf(tracks.map((one) => ({ ...one, weight: weights[one.revision] ?? 0 })));
}

function textOf(
  tracks: readonly { readonly revision: string; readonly weight: number; readonly replicas: number }[],
): string {
  const texts = tracks.map(({ revision, weight, replicas }) => `${revision} ${weight}% ×${replicas}`);
  return texts.length === 0 ? 'nothing' : texts.sort().join(', ');
}

/** Failures in a row of a revision without a ready replica, after which it has failed. */
const FAILURES_MAX = 3;

export interface InstanceHealth {
  readonly state: 'healthy' | 'progressing' | 'failed';
  readonly message?: string;
}

/** The health of a Component in a cluster. A revision fails that crashes again and again, or is not ready in time. */
export function healthOf(
  wanted: WantedComponent,
  observed: Pick<ObservedComponent, 'tracks' | 'weights'>,
  waits?: string,
): InstanceHealth {
  for (const { revision } of wanted.tracks) {
    const track = observed.tracks.find((one) => one.revision === revision);
    if (track === undefined || track.ready >= track.replicas) continue;
    const why = track.message === undefined ? '' : `: ${track.message}`;
    if (track.ready === 0 && track.failures >= FAILURES_MAX) {
      return { state: 'failed', message: `${revision} failed ${track.failures} times in a row${why}` };
    }
    if (track.unreadySeconds >= wanted.progressSeconds) {
      const message = `${revision} has ${track.ready} of ${track.replicas} replicas ready after ${track.unreadySeconds} s${why}`;
      return { state: 'failed', message };
    }
  }
  const unready = observed.tracks.find(({ ready, replicas }) => ready < replicas);
  if (textOfWanted(wanted) === textOfObserved(observed) && unready === undefined) return { state: 'healthy' };
  const why = unready?.message === undefined ? undefined : `${unready.revision}: ${unready.message}`;
  const message = [waits, why].filter((text) => text !== undefined).join(' ');
  return message === '' ? { state: 'progressing' } : { state: 'progressing', message };
}

import { contentHash } from '#kernel/base/ids.ts';

/** A program as a replica runs it. */
export interface Program {
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Files in the folder of the replica, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Absent: it takes no requests, and is ready while it runs. */
  readonly http?: {
    /** Answers 200 to 399 here while a replica is ready; absent: it accepts connections. */
    readonly readinessPath?: string;
    /** A replica that does not answer here is started again. */
    readonly livenessPath?: string;
  };
  readonly probeSeconds: number;
  /** Time between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
}

/** One revision of a Component in a cluster, as it should be. */
export interface Track {
  readonly revision: string;
  readonly replicas: number;
  readonly program: Program;
}

/** A Component in a cluster, as it should be: tracks, and the parts of the requests that they get. */
export interface DesiredComponent {
  /** `NAMESPACE/NAME`. */
  readonly name: string;
  /** Version of the intent: a cluster refuses an older one. */
  readonly fence: number;
  /** A fence that is replaced although it is newer: the state of the control plane was restored. */
  readonly over?: number;
  /** Hosts whose requests it gets. */
  readonly hosts: readonly string[];
  /** Header whose value chooses the track: the same value stays on one. */
  readonly stickyHeader?: string;
  readonly tracks: readonly Track[];
  /** Other revisions that stay as they are; those of neither list are drained and stopped. */
  readonly keeps: readonly string[];
  /** Per cent by revision; the sum is 100, or there is none. */
  readonly weights: Weights;
}

export type Weights = Readonly<Record<string, number>>;

/** One revision of a Component in a cluster, as it was observed. */
export interface ObservedTrack {
  readonly revision: string;
  readonly replicas: number;
  readonly ready: number;
  /** Starts after a failure, of all its replicas. */
  readonly restarts: number;
  /** The most failures in a row that one of its replicas had; a minute without one ends the row. */
  readonly failures: number;
  /** Seconds since not all replicas are ready, while somebody worked on it; 0 where they are. */
  readonly unreadySeconds: number;
  /** Last failure of a replica that is not ready. */
  readonly message?: string;
}

/** A Component in a cluster, as it was observed. */
export interface ObservedComponent {
  readonly name: string;
  readonly fence: number;
  /** Digest of what was desired, see `digestOf`. */
  readonly digest: string;
  readonly tracks: readonly ObservedTrack[];
  readonly weights: Weights;
}

/** Tells whether a cluster has what is desired. */
export function digestOf({ fence: _fence, over: _over, ...desired }: DesiredComponent): string {
  return contentHash(desired);
}

import { pause, type Time } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { ServerRefusal } from '../api/call.ts';
import { watchEvents, type WatchEvent } from '../api/watch-events.ts';
import { RELEASES, listReleases, queryOf } from './release-api.ts';
import type { ReleaseObject } from './release-object.ts';

const LIMITS = {
  /** Retry interval while the server is away. */
  againMs: 1_000,
} as const;

/** An observation of some releases. */
export interface ReleaseObservation {
  readonly releases: ReadonlyMap<string, ReleaseObject>;
  /** Why there is no newer state: the server is away; retrying. */
  readonly away?: string;
}

/**
 * Yields releases, again after each change, until the signal aborts: one by name, or all open ones and those that start or end
 * meanwhile. Throws only when the first request fails or the server refuses; later failures are retried.
 */
export async function* followReleases(
  connection: Connection,
  name: string | undefined,
  signal: AbortSignal,
  time: Time,
): AsyncIterable<ReleaseObservation> {
  const first = name === undefined ? ['spec.open=true'] : [`metadata.name=${name}`];
  let releases: ReadonlyMap<string, ReleaseObject> = new Map();
  let isKnown = false;
  while (!signal.aborted) {
    try {
      const list = await listReleases(connection, first);
      const ended = [...releases].filter(([, { spec }]) => !spec.open);
      releases = new Map([
        ...(name === undefined ? ended : []),
        ...list.items.map((release) => [release.metadata.name, release] as const),
      ]);
      isKnown = true;
      yield { releases };
      const selector = name === undefined ? '' : `metadata.name=${name}`;
      for await (const { type, object } of events(connection, selector, list.metadata.resourceVersion, signal)) {
        // The version has expired: list again.
        if (type === 'ERROR') break;
        if (type === 'BOOKMARK') continue;
        const next = new Map(releases);
        if (type === 'DELETED') next.delete(object.metadata.name);
        else next.set(object.metadata.name, object);
        releases = next;
        yield { releases };
      }
    } catch (error) {
      if (signal.aborted) return;
      const isRefused = error instanceof ServerRefusal && error.status < SERVER_ERROR && error.status !== GONE;
      if (!isKnown || isRefused) throw error;
      yield { releases, away: error instanceof Error ? error.message : String(error) };
    }
    await pause(time, LIMITS.againMs, signal);
  }
}

/** From this status on the server is at fault, and a retry may succeed. */
const SERVER_ERROR = 500;
/** The version has expired. */
const GONE = 410;

/** Changes after a version, until the server ends the stream; then list again. */
function events(
  connection: Connection,
  fieldSelector: string,
  resourceVersion: string,
  signal: AbortSignal,
): AsyncIterable<WatchEvent<ReleaseObject>> {
  return watchEvents<ReleaseObject>(connection, `${RELEASES}?${queryOf({ resourceVersion, fieldSelector })}`, signal);
}

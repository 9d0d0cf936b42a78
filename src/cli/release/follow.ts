import { pause, type Time } from '#kernel/base/time.ts';
import type { Connection } from '#kernel/api/client/http.ts';
import { Refused } from '../api/call.ts';
import { watchEvents, type WatchEvent } from '../api/watch-events.ts';
import { RELEASES, listReleases, queryOf } from './release-api.ts';
import type { ReleaseObject } from './release-object.ts';

const LIMITS = {
  /** How soon a server that went away is asked again. */
  againMs: 1_000,
} as const;

/** What is seen of some releases. */
export interface Seen {
  readonly releases: ReadonlyMap<string, ReleaseObject>;
  /** Why nothing newer is seen: the server went away, and is asked again. */
  readonly away?: string;
}

/**
 * Some releases as they are, again after each change, until the signal aborts: the one of a name, or all that are open
 * and those that begin or end meanwhile. Fails only when the server cannot be asked at first, or says no; a server that
 * goes away later is waited for.
 */
export async function* followReleases(
  connection: Connection,
  name: string | undefined,
  signal: AbortSignal,
  time: Time,
): AsyncIterable<Seen> {
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
        // The version is too old to go on from: everything is listed anew.
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
      const isRefused = error instanceof Refused && error.status < SERVER_ERROR && error.status !== GONE;
      if (!isKnown || isRefused) throw error;
      yield { releases, away: error instanceof Error ? error.message : String(error) };
    }
    await pause(time, LIMITS.againMs, signal);
  }
}

/** From this status on it is the server's fault, and may be better in a moment. */
const SERVER_ERROR = 500;
/** The version is too old to go on from. */
const GONE = 410;

/** Changes after a version, until the server ends the stream: then everything is listed anew. */
function events(
  connection: Connection,
  fieldSelector: string,
  resourceVersion: string,
  signal: AbortSignal,
): AsyncIterable<WatchEvent<ReleaseObject>> {
  return watchEvents<ReleaseObject>(connection, `${RELEASES}?${queryOf({ resourceVersion, fieldSelector })}`, signal);
}

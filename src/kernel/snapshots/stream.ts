import { readBody, type Exchange } from '#kernel/http/exchange.ts';
import { openPulledAnswer } from '#kernel/http/long-answer.ts';
import type { PathAccess } from '#kernel/access/authorization/path-access.ts';
import type { Route } from '#kernel/http/router.ts';
import type { Follower } from './follow.ts';
import type { Gate } from './gate.ts';
import type { Asking } from './module.ts';
import { lineOf, StreamLog, type WholeReader } from './stream-log.ts';

/** Where applications follow what is live, to answer by themselves. */
export const SNAPSHOT_STREAM = { path: '/v1/snapshot', access: 'insight', forServers: true } as const satisfies Asking;

/** Its description for OpenAPI. */
export const SNAPSHOT_OPERATIONS = {
  get: {
    summary: 'All that is live of flags and the like, and then each change, as lines of JSON until somebody ends it.',
    parameters: [
      {
        name: 'since',
        in: 'query',
        schema: { type: 'string' },
        description:
          'Go on from a place, as VERSION:DIGEST of the last line; everything comes where that is not known.',
      },
    ],
    responses: {
      200: {
        description: 'A line each: begin, objects, end, changes, or alive; and an empty one when nothing happens.',
        content: { 'application/x-ndjson': { schema: { type: 'string' } } },
      },
    },
  },
} as const;

/** A reader that falls behind all kept changes while it reads everything begins again so many times, then is ended. */
const WHOLES_MAX = 3;

/**
 * The route that serves the live objects of some kinds as they are and as they change: what a server application needs to evaluate
 * flags and entitlements by itself. Lines are made as the reader takes them. For server clients and users alone.
 */
export function snapshotStream(options: {
  readonly follower: Follower;
  readonly gate: Gate;
  /** `Kind.id`s that applications may know. */
  readonly kinds: ReadonlySet<string>;
}): Route<PathAccess> {
  const { follower, gate, kinds } = options;
  const log = new StreamLog(follower, kinds);
  const { path, access: by } = SNAPSHOT_STREAM;
  return { methods: ['GET'], path, by, deadline: 'stream', handle: stream };

  async function stream(exchange: Exchange): Promise<void> {
    await readBody(exchange, 0);
    const admit = () => gate.admit(exchange, SNAPSHOT_STREAM, {});
    await admit();
    const since = new URLSearchParams(exchange.queryText).get('since') ?? '';
    const reading = readingFrom(log, since);
    const stop = follower.onSwap(() => {
      if (answer.recheck()) answer.wake();
    });
    const answer = openPulledAnswer(exchange, {
      contentType: 'application/x-ndjson',
      beat: '\n',
      next: reading.next,
      onEnd: () => {
        reading.end();
        stop();
      },
      admit,
    });
  }
}

interface StreamReader {
  /** The next text for the reader; undefined while there is nothing new, null at the end. */
  readonly next: () => string | undefined | null;
  /** It reads no more. */
  readonly end: () => void;
}

/** Reads on from the place that `since` names, or from the beginning. */
function readingFrom(log: StreamLog, since: string): StreamReader {
  const known = log.sequenceOf(since);
  let sequence = known ?? 0;
  let whole: WholeReader | undefined;
  let wholes = 0;
  let isGreeted = known === undefined;
  const end = (): void => {
    whole?.release();
    whole = undefined;
  };
  const beginAnew = (): boolean => {
    wholes += 1;
    if (wholes > WHOLES_MAX) return false;
    whole = log.whole();
    ({ sequence } = whole);
    return true;
  };
  if (known === undefined) beginAnew();
  const next = (): string | undefined | null => {
    if (!isGreeted) {
      isGreeted = true;
      // Who has missed something hears of that first.
      if (log.after(sequence) === undefined) return lineOf({ type: 'alive', ...log.now() });
    }
    const line = whole?.lines.next();
    if (line !== undefined && line.done !== true) return line.value;
    end();
    const change = log.after(sequence);
    if (change === null) return beginAnew() ? '' : null;
    if (change === undefined) {
      wholes = 0;
      return undefined;
    }
    sequence += 1;
    return change;
  };
  return { next, end };
}

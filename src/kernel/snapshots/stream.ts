import { readBody, type Exchange } from '#kernel/http/exchange.ts';
import { openPulledAnswer } from '#kernel/http/long-answer.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { Follower } from './follow.ts';
import type { Gate } from './gate.ts';
import type { Asking } from './module.ts';
import { lineOf, StreamLog } from './stream-log.ts';

/** Where applications follow what is live, to answer by themselves. */
export const SNAPSHOT_STREAM = { path: '/v1/snapshot', access: 'insight', forServers: true } as const satisfies Asking;

/** A reader that falls behind all kept changes while it reads everything begins again so many times, then is ended. */
const WHOLES_MAX = 3;

/**
 * Serves the live objects of some kinds as they are and as they change: what a server application needs to evaluate
 * flags and entitlements by itself. Lines are made as the reader takes them. For server clients and users alone.
 */
export function snapshotStream(options: {
  readonly follower: Follower;
  readonly gate: Gate;
  /** `Kind.id`s that applications may know. */
  readonly kinds: ReadonlySet<string>;
}): (exchange: Exchange) => Promise<void> {
  const { follower, gate, kinds } = options;
  const log = new StreamLog(follower, kinds);
  return async (exchange) => {
    if (exchange.method !== 'GET') {
      throw new Refusal(
        'snapshots/method',
        'MethodNotAllowed',
        `${exchange.method} ${exchange.path}: follow it with GET.`,
      );
    }
    await readBody(exchange, 0);
    const admit = () => gate.admit(exchange, SNAPSHOT_STREAM, {});
    await admit();
    const since = new URLSearchParams(exchange.queryText).get('since') ?? '';
    const next = readerOf(log, since);
    let stop = (): void => {};
    const answer = openPulledAnswer(exchange, {
      contentType: 'application/x-ndjson',
      beat: '\n',
      next,
      ended: () => stop(),
      admit,
    });
    stop = follower.onSwap(() => {
      if (answer.recheck()) answer.wake();
    });
  };
}

/** What a reader gets next, who is at the place that `since` names; undefined while there is nothing new, null at the end. */
function readerOf(log: StreamLog, since: string): () => string | undefined | null {
  const known = log.sequenceOf(since);
  let sequence = known ?? 0;
  let lines: Iterator<string> | undefined;
  let wholes = 0;
  let isGreeted = false;
  const beginAnew = (): boolean => {
    wholes += 1;
    if (wholes > WHOLES_MAX) return false;
    ({ sequence, lines } = log.whole());
    return true;
  };
  if (known === undefined) beginAnew();
  return () => {
    if (known !== undefined && !isGreeted) {
      isGreeted = true;
      // Who has missed something hears of that first.
      if (log.after(sequence) === undefined) return lineOf({ type: 'alive', ...log.now() });
    }
    const line = lines?.next();
    if (line !== undefined && line.done !== true) return line.value;
    lines = undefined;
    const change = log.after(sequence);
    if (change === null) return beginAnew() ? '' : null;
    if (change === undefined) {
      wholes = 0;
      return undefined;
    }
    sequence += 1;
    return change;
  };
}

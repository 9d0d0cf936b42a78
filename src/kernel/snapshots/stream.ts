import { readBody, type Exchange } from '#kernel/http/exchange.ts';
import { openLongAnswer } from '#kernel/http/long-answer.ts';
import { Refusal } from '#kernel/base/failures.ts';
import type { LiveObject } from '#kernel/resources/kind.ts';
import type { Follower } from './follow.ts';
import type { Gate } from './gate.ts';
import type { Asking } from './module.ts';

/** Where applications follow what is live, to answer by themselves. */
export const SNAPSHOT_STREAM = { path: '/v1/snapshot', access: 'insight', forServers: true } as const satisfies Asking;

/**
 * What the stream says, one JSON value in a line. `all` comes first, unless the reader is up to date already (`since`);
 * then what changes. An object without `object` is no longer live.
 */
export type StreamLine =
  | { readonly type: 'all'; readonly version: string; readonly objects: readonly LiveObject[] }
  | {
      readonly type: 'changes';
      readonly version: string;
      readonly changes: readonly { readonly kind: string; readonly name: string; readonly object?: LiveObject }[];
    }
  | { readonly type: 'alive'; readonly version: string };

/**
 * Serves the live objects of some kinds as they are and as they change: what a server application needs to evaluate
 * flags and entitlements by itself. For server clients and users alone.
 */
export function snapshotStream(options: {
  readonly follower: Follower;
  readonly gate: Gate;
  /** `Kind.id`s that applications may know. */
  readonly kinds: ReadonlySet<string>;
}): (exchange: Exchange) => Promise<void> {
  const { follower, gate, kinds } = options;
  let whole: { readonly of: object; readonly line: Buffer } | undefined;
  /** All that is live as one line, made once for all who begin with it. */
  const wholeLine = (version: string): Buffer => {
    const snapshot = follower.snapshot();
    if (whole?.of !== snapshot) {
      const world = follower.world();
      const objects = [...kinds].flatMap((kind) => [...(world?.list(kind) ?? [])]);
      whole = { of: snapshot, line: Buffer.from(lineOf({ type: 'all', version, objects })) };
    }
    return whole.line;
  };
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
    const { version } = follower.snapshot();
    const since = new URLSearchParams(exchange.queryText).get('since');
    let stop = (): void => {};
    const answer = openLongAnswer(exchange, {
      contentType: 'application/x-ndjson',
      beat: '\n',
      ended: () => stop(),
      admit,
    });
    const say = (line: StreamLine): void => answer.write(lineOf(line));
    const all = (at: string): void => answer.write(wholeLine(at));
    if (since === version) say({ type: 'alive', version });
    else all(version);
    stop = follower.onSwap((snapshot, changes) => {
      if (!answer.recheck()) return;
      if (changes === undefined) return all(snapshot.version);
      const shown = changes.filter(({ kind }) => kinds.has(kind));
      say({
        type: 'changes',
        version: snapshot.version,
        changes: shown.map(({ kind, name, object }) => ({ kind, name, ...(object === undefined ? {} : { object }) })),
      });
    });
  };
}

function lineOf(line: StreamLine): string {
  return `${JSON.stringify(line)}\n`;
}

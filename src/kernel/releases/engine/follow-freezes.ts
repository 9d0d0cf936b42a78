import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import type { KindRegistry } from '#kernel/resources/registry.ts';
import type { Operation } from '#kernel/resources/operation.ts';
import type { Author, Change, Entry, Store } from '#kernel/resources/store-contract.ts';
import { Freeze, freezeSpec, type FreezeSpec, type FreezeStatus } from '../kinds/freeze.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';
import { spanAfter, type Span } from '../rules/freeze-window.ts';
import { ENGINE, type Seen } from './advance.ts';
import { selects } from './choose-policy.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'follow-freezes' };

const LIMITS = {
  /** The clock may be set: the next edge is looked for at least so often. */
  lookMsMax: 60_000,
  /** What could not be reckoned with is tried again after this. */
  againMs: 300_000,
} as const;

/** A freeze as it was reckoned with, good until its next edge. */
interface Reckoned {
  readonly version: number;
  readonly spec: FreezeSpec;
  readonly generation: number;
  /** When this generation was first seen: what it says of the time before is nothing that anybody was held by. */
  readonly sinceMs: number;
  readonly atMs: number;
  readonly edgeMs: number;
  readonly span: Span | undefined;
  readonly problem?: string;
}

export interface FollowedFreezes {
  /** The freeze that holds a release now. One that cannot be reckoned with holds. */
  readonly holding: (spec: ReleaseSpec, nowMs: number) => Seen['frozen'];
  readonly stop: () => Promise<void>;
}

/**
 * Knows which freezes are open. Each is reckoned with once for each of its edges, calls back at each edge and when one is
 * declared, edited or deleted, and says in its status whether it is open.
 */
export function followFreezes(options: {
  readonly store: Store<Operation>;
  readonly kinds: KindRegistry;
  readonly atEdge: () => void;
  readonly clock: Clock;
  readonly time: Time;
  readonly log: Log;
}): FollowedFreezes {
  const { store, kinds, atEdge, clock, time, log } = options;
  const logError = logSeldom(log, time.nowMs);
  let known = new Map<string, Reckoned>();
  /** The freezes and edges that were called back with last. */
  let told: readonly string[] = [];
  let cancelLook = (): void => {};
  let writing: Promise<void> = Promise.resolve();
  const unsubscribe = store.subscribe((changes: readonly Change[]) => {
    const isOurs = (author: Author | undefined) =>
      author?.caller === undefined && author?.requestId === AUTHOR.requestId;
    if (changes.some(({ entry, author }) => entry.kind === Freeze && !isOurs(author))) look();
  });
  look();
  return {
    holding: ({ objects }, nowMs) => {
      // As it is live and as it is declared: taking a label off leads past no freeze.
      const sides = objects.flatMap(({ kind, from, to }) =>
        [from, to].flatMap((side) =>
          side === undefined ? [] : [{ kind: kinds.byId(kind), namespace: side.namespace, labels: side.labels }],
        ),
      );
      for (const [name, { spec, span, sinceMs, edgeMs, problem }] of reckonAll(nowMs)) {
        const { selector } = spec;
        if (selector !== undefined && !sides.some((side) => selects(selector, side))) continue;
        const because = `${spec.reason} (${spec.owner})`;
        if (problem !== undefined) {
          return { name, because: `${because}; ${problem}`, sinceMs, untilMs: edgeMs };
        }
        if (span === undefined || span.fromMs > nowMs) continue;
        return { name, because, sinceMs: Math.max(span.fromMs, sinceMs), untilMs: span.untilMs };
      }
      return undefined;
    },
    stop: async () => {
      unsubscribe();
      cancelLook();
      await writing;
    },
  };

  /** At an edge, and when a freeze has changed. */
  function look(): void {
    cancelLook();
    const nowMs = clock().epochMilliseconds;
    const next = Math.min(LIMITS.lookMsMax, ...[...reckonAll(nowMs).values()].map(({ edgeMs }) => edgeMs - nowMs));
    cancelLook = time.after(Math.max(1, next), look);
    const now = [...known].map(
      ([name, { generation, edgeMs, span }]) => `${name} ${generation} ${edgeMs} ${span?.fromMs}`,
    );
    if (isDeepStrictEqual(now, told)) return;
    told = now;
    writing = sayStates(nowMs);
    atEdge();
  }

  function reckonAll(nowMs: number): ReadonlyMap<string, Reckoned> {
    known = new Map([...store.list(Freeze)].map((one) => [one.name, reckon(one, known.get(one.name), nowMs)]));
    return known;
  }

  function reckon(entry: Entry, last: Reckoned | undefined, nowMs: number): Reckoned {
    const isCurrent = last !== undefined && last.atMs <= nowMs && nowMs < last.edgeMs;
    if (isCurrent && last.version === entry.version) return last;
    const object = entry.object();
    const generation = object.metadata.generation ?? 1;
    const isEdited = last?.generation !== generation;
    if (isCurrent && !isEdited) return { ...last, version: entry.version };
    const spec = freezeSpec(object);
    const sinceMs = isEdited ? nowMs : last.sinceMs;
    const reckoned = { version: entry.version, spec, generation, sinceMs, atMs: nowMs };
    try {
      const span = spanAfter(spec, nowMs);
      const edgeMs = span === undefined ? Infinity : span.fromMs > nowMs ? span.fromMs : span.untilMs;
      return { ...reckoned, span, edgeMs };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      logError(error, 'a freeze cannot be reckoned with', { freeze: entry.name });
      const problem = `it cannot be reckoned with and is taken as open: ${why}`;
      return { ...reckoned, span: undefined, edgeMs: nowMs + LIMITS.againMs, problem };
    }
  }

  async function sayStates(nowMs: number): Promise<void> {
    for (const [name, reckoned] of known) {
      const status = statusOf(reckoned, nowMs);
      const before = store.get(Freeze, '', name)?.object().status;
      if (isDeepStrictEqual(before, status)) continue;
      const empty = { from: null, until: null, problem: null };
      const operation: Operation = {
        verb: 'patch',
        kind: Freeze.id,
        namespace: '',
        name,
        part: 'status',
        patchType: 'merge',
        patch: { status: { ...empty, ...status } },
        fieldValidation: 'Ignore',
      };
      await store
        .write([operation], AUTHOR)
        .catch((error: unknown) => logError(error, 'the state of a freeze could not be written', { freeze: name }));
    }
  }
}

function statusOf({ span, problem }: Reckoned, nowMs: number): FreezeStatus {
  if (problem !== undefined) return { state: 'Unknown', problem };
  if (span === undefined) return { state: 'Over' };
  const text = (ms: number): string => Temporal.Instant.fromEpochMilliseconds(ms).toString();
  return { state: span.fromMs > nowMs ? 'Closed' : 'Open', from: text(span.fromMs), until: text(span.untilMs) };
}

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import type { KindRegistry } from '#kernel/kinds/registry.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Change, Store } from '#kernel/store/contract.ts';
import { Freeze, type FreezeStatus } from '../kinds/freeze.ts';
import { ENGINE } from './advance.ts';
import { evaluateFreezes, type FreezeStates, type EvaluatedFreeze } from './evaluate-freezes.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'follow-freezes' };

/** The clock may be set: the next edge is computed at least this often. */
const LOOK_MS_MAX = 60_000;

export interface FollowedFreezes {
  readonly holding: FreezeStates['holding'];
  readonly stop: () => Promise<void>;
}

/** Calls back at each edge of a freeze and after each change of one, and writes the state of freezes into their status. */
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
  const freezes = evaluateFreezes({
    store,
    kinds,
    onFailure: (error, freeze) => logError(error, 'releases: cannot compute a freeze', { freeze }),
  });
  /** The freezes and edges of the last callback. */
  let reported: readonly string[] = [];
  let cancelLook = (): void => {};
  let writing: Promise<void> = Promise.resolve();
  const unsubscribe = store.subscribe((changes: readonly Change[]) => {
    const isOurs = (author: Author | undefined) =>
      author?.caller === undefined && author?.requestId === AUTHOR.requestId;
    if (changes.some(({ entry, author }) => entry.kind === Freeze && !isOurs(author))) look();
  });
  look();
  return {
    holding: freezes.holding,
    stop: async () => {
      unsubscribe();
      cancelLook();
      await writing;
    },
  };

  /** Runs at an edge, and after a change of a freeze. */
  function look(): void {
    cancelLook();
    const nowMs = clock().epochMilliseconds;
    const known = freezes.all(nowMs);
    const next = Math.min(LOOK_MS_MAX, ...[...known.values()].map(({ edgeMs }) => edgeMs - nowMs));
    cancelLook = time.after(Math.max(1, next), look);
    const now = [...known].map(
      ([name, { generation, edgeMs, span }]) => `${name} ${generation} ${edgeMs} ${span?.fromMs}`,
    );
    if (isDeepStrictEqual(now, reported)) return;
    reported = now;
    writing = sayStates(nowMs);
    atEdge();
  }

  async function sayStates(nowMs: number): Promise<void> {
    for (const [name, evaluated] of freezes.all(nowMs)) {
      const status = statusOf(evaluated, nowMs);
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
        .catch((error: unknown) => logError(error, 'releases: cannot write the status of a freeze', { freeze: name }));
    }
  }
}

function statusOf({ span, problem }: EvaluatedFreeze, nowMs: number): FreezeStatus {
  if (problem !== undefined) return { state: 'Unknown', problem };
  if (span === undefined) return { state: 'Over' };
  const text = (ms: number): string => Temporal.Instant.fromEpochMilliseconds(ms).toString();
  return { state: span.fromMs > nowMs ? 'Closed' : 'Open', from: text(span.fromMs), until: text(span.untilMs) };
}

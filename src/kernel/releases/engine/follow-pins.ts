import type { Clock } from '#kernel/base/clock.ts';
import type { Log } from '#kernel/base/log.ts';
import { logSeldom } from '#kernel/base/log-seldom.ts';
import type { Time } from '#kernel/base/time.ts';
import type { Operation } from '#kernel/store/rules/operation.ts';
import type { Author, Change, Entry, Store } from '#kernel/store/contract.ts';
import { Pin } from '../kinds/pin.ts';
import { ENGINE } from './advance.ts';
import { unpinOperation } from './restore.ts';

const AUTHOR: Author = { user: ENGINE, requestId: 'follow-pins' };

const LIMITS = {
  /** The clock may be set: the next expiry is computed at least this often. */
  lookMsMax: 60_000,
  /** How long an expired pin stays visible; the history has it for ever. */
  keptMs: 7 * 24 * 3_600_000,
  /** Deletions in one write. */
  droppedMax: 500,
} as const;

/** Calls back when pins expire: held changes may continue then. Deletes pins that expired long ago. */
export function followPins(options: {
  readonly store: Pick<Store<Operation>, 'list' | 'subscribe' | 'write'>;
  readonly atEnd: () => void;
  readonly clock: Clock;
  readonly time: Time;
  readonly log: Log;
}): { readonly stop: () => Promise<void> } {
  const { store, atEnd, clock, time, log } = options;
  const logError = logSeldom(log, time.nowMs);
  let dropping: Promise<void> | undefined;
  const ends = new Map<string, { readonly endMs: number; readonly version: number }>();
  let over: ReadonlySet<string> = new Set();
  let cancelLook = (): void => {};
  for (const entry of store.list(Pin)) note(entry);
  const unsubscribe = store.subscribe((changes: readonly Change[]) => {
    const pins = changes.filter(({ entry }) => entry.kind === Pin);
    for (const { type, entry } of pins) {
      if (type === 'DELETED') ends.delete(entry.name);
      else note(entry);
    }
    if (pins.length > 0) look();
  });
  look();
  return {
    stop: async () => {
      unsubscribe();
      cancelLook();
      await dropping;
    },
  };

  function note(entry: Entry): void {
    const { until } = Pin.spec(entry.object());
    if (until === undefined) ends.delete(entry.name);
    else ends.set(entry.name, { endMs: Temporal.Instant.from(until).epochMilliseconds, version: entry.version });
  }

  function look(): void {
    cancelLook();
    const nowMs = clock().epochMilliseconds;
    const overNow = new Set<string>();
    let nextMs: number = LIMITS.lookMsMax;
    for (const [name, { endMs }] of ends) {
      if (endMs <= nowMs) overNow.add(name);
      else nextMs = Math.min(nextMs, endMs - nowMs);
    }
    cancelLook = time.after(Math.max(1, nextMs), look);
    drop(nowMs - LIMITS.keptMs);
    const isNews = !overNow.isSubsetOf(over);
    over = overNow;
    if (isNews) atEnd();
  }
  /** Deletes pins that expired before a time. A failed deletion is retried later. */
  function drop(endedMs: number): void {
    const old = [...ends].filter(([, { endMs }]) => endMs <= endedMs).slice(0, LIMITS.droppedMax);
    if (old.length === 0 || dropping !== undefined) return;
    // A pin that is renewed meanwhile has another version.
    const operations = old.map(([name, { version }]) => ({
      ...unpinOperation(name),
      versionExpected: String(version),
    }));
    dropping = store
      .write(operations, AUTHOR)
      .then(
        () => {},
        (error: unknown) => logError(error, 'releases: cannot drop expired pins'),
      )
      .finally(() => (dropping = undefined));
  }
}

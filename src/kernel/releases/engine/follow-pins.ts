import type { Clock } from '#kernel/base/clock.ts';
import type { Time } from '#kernel/base/time.ts';
import type { Change, Entry, Store } from '#kernel/resources/store-contract.ts';
import { Pin, pinSpec } from '../kinds/pin.ts';

/** The clock may be set: the next end is looked for at least so often. */
const LOOK_MS_MAX = 60_000;

/** Calls back when pins come to their end by themselves: what they kept may go on then. */
export function followPins(options: {
  readonly store: Pick<Store<never>, 'list' | 'subscribe'>;
  readonly atEnd: () => void;
  readonly clock: Clock;
  readonly time: Time;
}): { readonly stop: () => void } {
  const { store, atEnd, clock, time } = options;
  const ends = new Map<string, number>();
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
    stop: () => {
      unsubscribe();
      cancelLook();
    },
  };

  function note(entry: Entry): void {
    const { until } = pinSpec(entry.object());
    if (until === undefined) ends.delete(entry.name);
    else ends.set(entry.name, Temporal.Instant.from(until).epochMilliseconds);
  }

  function look(): void {
    cancelLook();
    const nowMs = clock().epochMilliseconds;
    const overNow = new Set<string>();
    let nextMs = LOOK_MS_MAX;
    for (const [name, endMs] of ends) {
      if (endMs <= nowMs) overNow.add(name);
      else nextMs = Math.min(nextMs, endMs - nowMs);
    }
    cancelLook = time.after(Math.max(1, nextMs), look);
    const isNews = !overNow.isSubsetOf(over);
    over = overNow;
    if (isNews) atEnd();
  }
}

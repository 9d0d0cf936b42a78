/** Time and amount: `[epoch milliseconds, units]`, in order of time. */
export type Entry = readonly [number, number];

/**
 * Up to so many entries, each one is stored: exact to the millisecond. Beyond, entries of the same 128th of the window
 * merge at the time of the last: units come back later by that much at most, and never too early.
 */
const ENTRIES_MAX = 128;

/** Units that count at a moment; use of a later moment, by another process's clock, counts too. */
export function rollingUse(entries: readonly Entry[], fromMs: number): number {
  let used = 0;
  for (const [at, amount] of entries) if (at > fromMs) used += amount;
  return used;
}

/** Adds an entry, and drops the entries before the window that begins after `fromMs`. */
export function withEntry(entries: readonly Entry[], [atMs, amount]: Entry, fromMs: number): readonly Entry[] {
  const kept = entries.filter(([at]) => at > fromMs);
  const place = kept.findLastIndex(([at]) => at <= atMs);
  const same = kept[place];
  const all =
    same?.[0] === atMs ? kept.with(place, [atMs, same[1] + amount]) : kept.toSpliced(place + 1, 0, [atMs, amount]);
  return all.length <= ENTRIES_MAX ? all : mergeEntries(all, fromMs, atMs);
}

function mergeEntries(entries: readonly Entry[], fromMs: number, nowMs: number): readonly Entry[] {
  const partMs = Math.max(1, (nowMs - fromMs) / ENTRIES_MAX);
  const out: Entry[] = [];
  for (const [at, amount] of entries) {
    const last = out.at(-1);
    if (last !== undefined && Math.floor(last[0] / partMs) === Math.floor(at / partMs)) {
      out[out.length - 1] = [at, last[1] + amount];
    } else out.push([at, amount]);
  }
  return out;
}

/** Takes units of `atMs` back out: from that entry, or from the one it was merged into. */
export function withoutUnits(entries: readonly Entry[], [atMs, amount]: Entry): readonly Entry[] {
  let left = amount;
  const rest = entries.map(([at, units]): Entry => {
    if (at < atMs) return [at, units];
    const back = Math.min(left, units);
    left -= back;
    return [at, units - back];
  });
  return rest.filter(([, units]) => units > 0);
}

/** When so many units fit again; undefined when they never do. */
export function rollingFreeAt(
  entries: readonly Entry[],
  limit: number,
  amount: number,
  lengthMs: number,
): number | undefined {
  if (amount > limit) return undefined;
  let used = rollingUse(entries, -Infinity);
  for (const [at, units] of entries) {
    used -= units;
    if (used + amount <= limit) return at + lengthMs;
  }
  return undefined;
}

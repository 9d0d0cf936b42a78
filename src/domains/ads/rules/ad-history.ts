import type { Exposure } from './frequency.ts';

export const HISTORY_LIMITS = {
  /** Exposures of one key. With so many that still count, capped ad sets wait until some of them end. */
  exposuresMax: 1_000,
} as const;

export interface KeptExposure extends Exposure {
  /** See `exposureNumber`. */
  readonly id: number;
}

/** Exposures of the same owners that are kept for the same time: of one ad set, as long as the same of its owners have caps. */
export interface ExposureGroup {
  /** Numbers of ad set, campaign and advertiser, those that have caps. */
  readonly owners: readonly number[];
  /** The longest window that a cap has had since they were served. */
  readonly keepMs: number;
  readonly exposures: readonly KeptExposure[];
}

/** The capped ads that one listener, household, device or session got lately. */
export interface AdHistory {
  readonly groups: readonly ExposureGroup[];
}

export const EMPTY_HISTORY: AdHistory = { groups: [] };

/** An ad of the next answer. */
export interface NewExposure {
  readonly id: number;
  readonly owners: readonly number[];
  readonly keepMs: number;
  /** Until when it may play, or a listener is rewarded; or when it was, for a break as a whole, or a question. */
  readonly untilMs: number;
  readonly hasPlayed?: boolean;
  /** Of its owners only so many stay, the latest. */
  readonly latestMax?: number;
}

export function exposuresOf({ groups }: AdHistory, owner: number): readonly Exposure[] {
  return groups.flatMap(({ owners, exposures }) => (owners.includes(owner) ? exposures : []));
}

export function isFull(history: AdHistory): boolean {
  return sizeOf(history) >= HISTORY_LIMITS.exposuresMax;
}

/**
 * Adds ads that are served. They count at once, and until they can play no more. One with the id of another takes its place. Where the
 * caps of the same owners are counted elsewhere, or a policy has another load, an exposure may be kept for less long than those
 * before: it takes nothing from them.
 */
export function withServed(history: AdHistory, served: readonly NewExposure[]): AdHistory {
  let { groups } = history;
  for (const { id, owners, keepMs, untilMs, hasPlayed = false, latestMax = Infinity } of served) {
    const others: ExposureGroup[] = [];
    let own: KeptExposure[] = [];
    for (const group of groups) {
      if (group.keepMs > keepMs || !isSame(group.owners, owners)) others.push(group);
      else own.push(...group.exposures.filter((one) => one.id !== id));
    }
    own.push({ id, hasPlayed, ms: untilMs });
    if (own.length > latestMax) own = own.toSorted((a, b) => a.ms - b.ms).slice(-latestMax);
    groups = [...others, { owners, keepMs, exposures: own }];
  }
  return { groups };
}

/** Notes that a served ad plays now. Undefined where nothing changes: it is not here, or has played already. */
export function withPlayed(history: AdHistory, id: number, nowMs: number): AdHistory | undefined {
  let isFound = false;
  const groups = history.groups.map((group) => {
    const exposures = group.exposures.map((exposure) => {
      if (exposure.id !== id || exposure.hasPlayed) return exposure;
      isFound = true;
      return { id, hasPlayed: true, ms: nowMs };
    });
    return { ...group, exposures };
  });
  return isFound ? { groups } : undefined;
}

/** Leaves out what a lost round of a decision added. Undefined where it added nothing. */
export function withoutExposures({ groups }: AdHistory, ids: ReadonlySet<number>): AdHistory | undefined {
  if (!groups.some(({ exposures }) => exposures.some(({ id }) => ids.has(id)))) return undefined;
  return keepExposures(groups, ({ exposures }) => exposures.filter(({ id }) => !ids.has(id)));
}

/** Leaves out what has ended. */
export function withoutEnded({ groups }: AdHistory, nowMs: number): AdHistory {
  return keepExposures(groups, ({ exposures, keepMs }) =>
    exposures.filter((exposure) => endMs(exposure, keepMs) > nowMs),
  );
}

/** The moment from which nothing of it counts. */
export function historyEndMs({ groups }: AdHistory): number {
  let end = 0;
  for (const { exposures, keepMs } of groups)
    for (const exposure of exposures) end = Math.max(end, endMs(exposure, keepMs));
  return end;
}

function keepExposures(
  groups: readonly ExposureGroup[],
  keep: (group: ExposureGroup) => readonly KeptExposure[],
): AdHistory {
  return {
    groups: groups.flatMap((group) => {
      const exposures = keep(group);
      return exposures.length === 0 ? [] : [{ owners: group.owners, keepMs: group.keepMs, exposures }];
    }),
  };
}

function sizeOf({ groups }: AdHistory): number {
  return groups.reduce((sum, { exposures }) => sum + exposures.length, 0);
}

function endMs({ hasPlayed, ms }: Exposure, keepMs: number): number {
  return hasPlayed ? ms + keepMs : ms;
}

function isSame(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((one, index) => one === others[index]);
}

import type { HistorySubject } from '#domains/ads/history/histories.ts';
import type { CappedAdSet, CapsByName } from '#domains/ads/testing/caps-world.ts';

const HOUR_MS = 3_600_000;
/** An answered ad may play for a day; the margin is for impressions of the last moment. */
export const PLAYABLE_MS = 24 * HOUR_MS;
const MARGIN_MS = 10_000;

/** Windows of the model, and nothing else: the oracle reads no durations. */
export const WINDOW_MS: Readonly<Record<string, number>> = {
  PT1H: HOUR_MS,
  PT6H: 6 * HOUR_MS,
  P1D: 24 * HOUR_MS,
  P3D: 72 * HOUR_MS,
};

const SCOPES = ['household', 'listener', 'device', 'session'] as const;

export interface OracleExposure {
  readonly decision: string;
  readonly subject: HistorySubject;
  readonly place: number;
  readonly atMs: number;
  playedMs: number | undefined;
  /** `scope id` wherever it is counted. */
  readonly notes: Map<string, Note>;
}

interface Note {
  readonly owners: readonly string[];
  /** The longest window of their caps since it was served: by a longer one it counts no longer. */
  readonly keepMs: number;
}

/** Every exposure there ever was, in a list that is searched from end to end. */
export class CapsOracle {
  readonly exposures: OracleExposure[];
  readonly #adSets: readonly CappedAdSet[];
  /** The listener who was counted last on each device and in each session. */
  readonly #users: Map<string, string>;

  constructor(adSets: readonly CappedAdSet[], exposures: OracleExposure[] = [], users = new Map<string, string>()) {
    this.#adSets = adSets;
    this.exposures = exposures;
    this.#users = users;
  }

  copy(): CapsOracle {
    const exposures = this.exposures.map((one) => ({ ...one, notes: new Map(one.notes) }));
    return new CapsOracle(this.#adSets, exposures, new Map(this.#users));
  }

  /** Serves the best ad set of each account that is not capped. */
  serve(caps: CapsByName, decision: string, subject: HistorySubject, nowMs: number): readonly string[] {
    const free = this.#adSets.filter((adSet) => !this.#isCapped(adSet, caps, subject, nowMs));
    const accounts = [...new Set(free.map(({ account }) => account))];
    const best = accounts.flatMap((account) => byBid(free.filter((one) => one.account === account)).slice(0, 1));
    const served = byBid(best);
    for (const [place, adSet] of served.entries()) {
      const notes = notesOf(countedAt(adSet, caps, subject));
      for (const [where, note] of notes) this.#keepLonger(where, note, nowMs);
      this.exposures.push({ decision, subject, place, atMs: nowMs, playedMs: undefined, notes });
      for (const scope of ['device', 'session'] as const) {
        const isNoted = [...notes.keys()].some((where) => where.startsWith(`${scope} `));
        if (isNoted && subject.listener !== undefined) this.#users.set(`${scope} ${subject[scope]}`, subject.listener);
      }
    }
    return served.map(({ name }) => name);
  }

  play(exposure: OracleExposure, nowMs: number): void {
    exposure.playedMs ??= nowMs;
  }

  /** Forgets what is counted for a listener, and for the devices and sessions they used last. */
  erase(listener: string): void {
    const used = [...this.#users].filter(([, user]) => user === listener).map(([place]) => place);
    const gone = new Set([`listener ${listener}`, `household ${listener}`, ...used]);
    for (const place of used) this.#users.delete(place);
    for (const { notes } of this.exposures) for (const where of gone) notes.delete(where);
  }

  /** Exposures of the same owners that still count are kept as long as the new one. */
  #keepLonger(where: string, { owners, keepMs }: Note, nowMs: number): void {
    for (const exposure of this.exposures) {
      const note = exposure.notes.get(where);
      if (note === undefined || note.keepMs >= keepMs || note.owners.join() !== owners.join()) continue;
      if (endMs(exposure, note.keepMs) > nowMs) exposure.notes.set(where, { owners, keepMs });
    }
  }

  #isCapped(adSet: CappedAdSet, caps: CapsByName, subject: HistorySubject, nowMs: number): boolean {
    return countedAt(adSet, caps, subject).some(({ owner, where, count, windowMs }) => {
      if (where === undefined) return true;
      const counted = this.exposures.filter((exposure) => {
        const note = exposure.notes.get(where);
        return note?.owners.includes(owner) === true && endMs(exposure, Math.min(windowMs, note.keepMs)) > nowMs;
      });
      return counted.length >= count;
    });
  }
}

function endMs({ atMs, playedMs }: OracleExposure, windowMs: number): number {
  return playedMs === undefined ? atMs + PLAYABLE_MS + MARGIN_MS : playedMs + windowMs;
}

/** The caps of an ad set, each with the place where it is counted: the scope that is known, or the next narrower. */
function countedAt({ name, campaign, account }: CappedAdSet, caps: CapsByName, subject: HistorySubject) {
  return [name, campaign, account].flatMap((owner) =>
    (caps[owner] ?? []).map(({ count, per, scope }) => {
      let at = SCOPES.indexOf(scope);
      while (at < SCOPES.length && subject[SCOPES[at] ?? 'session'] === undefined) at += 1;
      const counted = SCOPES[at];
      const where = counted === undefined ? undefined : `${counted} ${subject[counted]}`;
      return { owner, where, count, windowMs: WINDOW_MS[per] ?? Number.NaN };
    }),
  );
}

function notesOf(caps: ReturnType<typeof countedAt>): Map<string, Note> {
  const notes = new Map<string, Note>();
  for (const { owner, where, windowMs } of caps) {
    if (where === undefined) continue;
    const { owners, keepMs } = notes.get(where) ?? { owners: [], keepMs: 0 };
    notes.set(where, {
      owners: owners.includes(owner) ? owners : [...owners, owner],
      keepMs: Math.max(keepMs, windowMs),
    });
  }
  return notes;
}

function byBid(adSets: readonly CappedAdSet[]): readonly CappedAdSet[] {
  return adSets.toSorted((a, b) => Number(b.bid) - Number(a.bid));
}

import { TARGETING_KEY, type AttributeTable } from '#kernel/audiences/language/attributes.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import type { BreakQuestion } from '../decisions/decide.ts';
import type { HistorySubject, KnownHistory } from '../history/histories.ts';
import { EMPTY_HISTORY } from '../rules/ad-history.ts';
import { CAP_SCOPES } from '../rules/frequency.ts';

/** Together some 15 MB at most. */
export const RECENT_LIMITS = {
  /** Breaks are counted for so long, and kept for as long again. */
  windowMs: 3_600_000,
  /** Breaks of one placement that are kept of a window; the others are counted. */
  perPlacement: 200,
  /** Placements of a window; breaks of further ones are neither kept nor counted. */
  placementsMax: 64,
  /** Breaks of a window. */
  breaksMax: 2_000,
  /** Of the context and the adjacent ads of a break, as JSON; a longer one is counted alone. */
  bytesMax: 2_048,
  /** Exposures in the histories of a window: with so many, no more breaks are kept in it. */
  exposuresMax: 25_000,
} as const;

/** A break that was asked for, without a name of its listener: all that decides which ads could have been in it. */
export interface RecentBreak {
  readonly question: Omit<BreakQuestion, 'placement' | 'heldBack' | 'random'>;
  /** As it was; without keys. */
  readonly history: KnownHistory;
}

/** Breaks of one placement in one window: an even sample. */
export interface SampledBreaks {
  readonly placement: string;
  /** All that were asked for. */
  readonly asked: number;
  readonly kept: readonly RecentBreak[];
}

/** The listener of a break. */
interface AskedListener {
  readonly subject: HistorySubject;
  /** Undefined: unknown; the break is counted alone. */
  readonly history: KnownHistory | undefined;
}

/** An even sample of the breaks that this process was asked for lately, by placement. */
export interface RecentBreaks {
  readonly add: (asked: BreakQuestion, listener: AskedListener, attributes: AttributeTable) => void;
  /** Those of this window and the one before; undefined: there was none. */
  readonly list: (nowMs: number) => { readonly sinceMs: number; readonly breaks: readonly SampledBreaks[] } | undefined;
}

interface Window {
  readonly fromMs: number;
  readonly placements: Map<string, { asked: number; readonly kept: (RecentBreak & { readonly size: number })[] }>;
  breaks: number;
  exposures: number;
}

export function openRecentBreaks(random: () => number): RecentBreaks {
  let [last, current]: (Window | undefined)[] = [];
  return {
    add: (asked, { subject, history }, attributes) => {
      turn(asked.nowMs);
      current ??= { fromMs: asked.nowMs, placements: new Map(), breaks: 0, exposures: 0 };
      const { name } = asked.placement;
      const own = current.placements.get(name) ?? { asked: 0, kept: [] };
      if (own.asked === 0) {
        if (current.placements.size >= RECENT_LIMITS.placementsMax) return;
        current.placements.set(name, own);
      }
      own.asked += 1;
      if (history === undefined) return;
      keep(current, own, () => recentBreak(asked, namelessHistory(subject, history), attributes));
    },
    list: (nowMs) => {
      turn(nowMs);
      const windows = [last, current].filter((window) => window !== undefined);
      const [first] = windows;
      if (first === undefined) return undefined;
      const breaks = windows.flatMap(({ placements }) =>
        Array.from(placements, ([placement, { asked, kept }]) => ({ placement, asked, kept })),
      );
      return { sinceMs: first.fromMs, breaks };
    },
  };

  /** Ends windows that are over. */
  function turn(nowMs: number): void {
    const { windowMs } = RECENT_LIMITS;
    if (current !== undefined && nowMs >= current.fromMs + windowMs) [last, current] = [current, undefined];
    if (last !== undefined && nowMs >= last.fromMs + 2 * windowMs) last = undefined;
  }

  /** Reservoir sampling (Vitter's algorithm R): each break of the window is kept with the same chance. */
  function keep(
    window: Window,
    { asked, kept }: { readonly asked: number; readonly kept: (RecentBreak & { readonly size: number })[] },
    make: () => (RecentBreak & { readonly size: number }) | undefined,
  ): void {
    const isGrowing = kept.length < RECENT_LIMITS.perPlacement && window.breaks < RECENT_LIMITS.breaksMax;
    const place = isGrowing ? kept.length : Math.floor(random() * asked);
    if (!isGrowing && place >= kept.length) return;
    const made = make();
    if (made === undefined) return;
    const exposures = window.exposures + made.size - (kept[place]?.size ?? 0);
    if (exposures > RECENT_LIMITS.exposuresMax) return;
    window.exposures = exposures;
    if (isGrowing) window.breaks += 1;
    kept[place] = made;
  }
}

/** Undefined: it is too long. */
function recentBreak(
  asked: BreakQuestion,
  history: KnownHistory,
  attributes: AttributeTable,
): (RecentBreak & { readonly size: number }) | undefined {
  const { placement: _placement, heldBack: _heldBack, random: _random, ...question } = asked;
  const context = readableContext(question.context, attributes);
  if (Buffer.byteLength(JSON.stringify([context, ...question.adjacent])) > RECENT_LIMITS.bytesMax) return undefined;
  const groups = Array.from(history.rows.values(), (row) => row.history.groups).flat();
  const size = groups.reduce((sum, { exposures }) => sum + exposures.length, 0);
  return { question: { ...question, context }, history, size };
}

/** Without keys. An id whose history was not read, as there was no cap, has heard nothing that counts. */
function namelessHistory(subject: HistorySubject, { rows }: KnownHistory): KnownHistory {
  const scopes = CAP_SCOPES.filter((scope) => subject[scope] !== undefined);
  return {
    rows: new Map(
      scopes.map((scope) => [
        scope,
        { key: '', version: undefined, history: rows.get(scope)?.history ?? EMPTY_HISTORY },
      ]),
    ),
  };
}

/** Attributes that a rule can read, without the id of the listener. */
export function readableContext(context: Context, { all }: AttributeTable): Context {
  // A name with dots may be a path into nested objects.
  const names = new Set(all.flatMap(({ name }) => [name, name.split('.', 1)[0] as string]));
  names.delete(TARGETING_KEY);
  return Object.fromEntries(Object.entries(context).filter(([name]) => names.has(name)));
}

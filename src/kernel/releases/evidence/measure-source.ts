import type { WindowCells } from '#kernel/statistics/cells.ts';
import type { Counts, Track } from '#kernel/statistics/interval.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';

/** What the numbers of a source mean. Plain data, kept with them: a Metric may be gone when they are judged again. */
export interface Measured {
  /** In the plural, for sentences: "Denials". */
  readonly called: string;
  readonly better: 'fewer' | 'more';
  /** events: how many of the units had one. totals: what was added up over units. values: what a gauge showed. */
  readonly of: 'events' | 'totals' | 'values';
  /** A rate of events that nobody minds. */
  readonly harmlessRate?: number;
  /** Whether units fall into tracks as the stage says, so that a wrong split shows. */
  readonly isSplit: boolean;
}

/** What is measured: one guardrail of a release, from `fromMs` (included) to `toMs` (excluded). */
export interface Window {
  readonly release: string;
  readonly guardrail: GuardrailSpec;
  readonly stage: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The counts of both tracks by cell of the release's units. */
export interface MeasuredCells extends WindowCells {
  /** What is counted: what happened in the window, or all since the stage began, by the time of asking. */
  readonly since: 'window' | 'stage';
}

export type Measurement =
  | {
      readonly at: 'measured';
      readonly measured: Measured;
      readonly candidate: Track;
      readonly stable: Track;
      /** Nothing says what is bad on either track. It is 0 if something did in an earlier window, else it is unknown. */
      readonly isBadMissing?: true;
      /** The candidate's counts by node or instance, where several are known. */
      readonly sources?: Readonly<Record<string, Counts>>;
      /** Where units are known; absent also where they were not known of everything in the window. */
      readonly cells?: MeasuredCells;
    }
  /** It answered that it has nothing; with the candidate's answers that the decision plane counted meanwhile. */
  | { readonly at: 'empty'; readonly requests?: number }
  | { readonly at: 'down'; readonly because: string }
  /** It has nothing so new: it is asked later for this window and what has come since. */
  | { readonly at: 'waits'; readonly because: string };

/** What is learned from: windows of this length, up to when the release was first shown to anybody. */
export interface HistoryRequest {
  readonly release: string;
  readonly guardrail: GuardrailSpec;
  readonly beforeMs: number;
  readonly windowMs: number;
}

/**
 * Where numbers come from. A window that was measured may be asked for again, and is then answered the same unless
 * something came late. What throws counts as down. The contract is held by `testing/source-contract.ts`.
 */
export interface MeasureSource {
  /** Windows begin and end at multiples of this. */
  readonly grainMs: number;
  /** How long after the end of a window it is usually complete: until then nothing is late. */
  readonly lagMs: number;
  /** Windows that end by then are complete. */
  readonly completeUntil: (nowMs: number) => Promise<number>;
  readonly measure: (window: Window, signal: AbortSignal) => Promise<Measurement>;
  /** What the day before a release teaches of how moments vary by themselves, where a source can tell; else undefined. */
  readonly history?: (asked: HistoryRequest, signal: AbortSignal) => Promise<TimeHistory | undefined>;
}

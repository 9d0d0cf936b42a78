import type { WindowCells } from '#kernel/statistics/cells.ts';
import type { Counts, Track } from '#kernel/statistics/interval.ts';
import type { TimeHistory } from '#kernel/statistics/time-history.ts';
import type { GuardrailSpec } from '../kinds/guardrail-spec.ts';
import type { ReleaseSpec } from '../kinds/release-spec.ts';

/** The meaning of a source's numbers. Plain data, stored with them: a Metric may have been deleted when they are judged again. */
export interface MetricTraits {
  /** In the plural, for sentences: "Denials". */
  readonly called: string;
  readonly better: 'fewer' | 'more';
  /** events: units that had one. totals: sums over units. values: values of a gauge. */
  readonly of: 'events' | 'totals' | 'values';
  /** A harmless rate of events. */
  readonly harmlessRate?: number;
  /** Whether units fall into tracks as the stage splits them, so that a sample-ratio mismatch shows. */
  readonly isSplit: boolean;
}

/** One window of a guardrail of a release, from `fromMs` (inclusive) to `toMs` (exclusive). */
export interface Window {
  readonly release: string;
  readonly guardrail: GuardrailSpec;
  readonly stage: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The counts of both tracks by cell of the release's units. */
export interface MeasuredCells extends WindowCells {
  /** Events of the window, or all events since the stage began, up to the request. */
  readonly since: 'window' | 'stage';
}

export type Measurement =
  | {
      readonly at: 'measured';
      readonly measured: MetricTraits;
      readonly candidate: Track;
      readonly stable: Track;
      /** Neither track has a series of bad events. They are 0 if an earlier window had one, else unknown. */
      readonly isBadMissing?: true;
      /** The candidate's counts by node or instance, where several are known. */
      readonly sources?: Readonly<Record<string, Counts>>;
      /** Present where the units of everything in the window are known. */
      readonly cells?: MeasuredCells;
    }
  /** An answer without data, with the candidate's answers that the decision plane counted meanwhile. */
  | { readonly at: 'empty'; readonly requests?: number }
  | { readonly at: 'down'; readonly because: string }
  /** The data of the window has not arrived: it is requested again later. */
  | { readonly at: 'waits'; readonly because: string };

/** A request to learn noise: from windows of this length, up to the first exposure of the release. */
export interface HistoryRequest {
  readonly release: string;
  readonly guardrail: GuardrailSpec;
  readonly beforeMs: number;
  readonly windowMs: number;
}

/**
 * A source of numbers. A repeated request for a measured window gets the same answer unless data arrived late. An exception counts
 * as down. `testing/source-contract.ts` holds the contract.
 */
export interface MeasureSource {
  /** Windows begin and end at multiples of this. */
  readonly grainMs: number;
  /** Usual delay after the end of a window until it is complete; earlier nothing is late. */
  readonly lagMs: number;
  /** Windows that end by then are complete. */
  readonly completeUntil: (nowMs: number) => Promise<number>;
  readonly measure: (window: Window, signal: AbortSignal) => Promise<Measurement>;
  /** Why there is nothing to compare a release with here, in a sentence; absent or undefined: there is something. */
  readonly whyAlone?: (release: Pick<ReleaseSpec, 'objects'>) => string | undefined;
  /** The time noise of the day before a release, where a source can give it; else undefined. */
  readonly history?: (asked: HistoryRequest, signal: AbortSignal) => Promise<TimeHistory | undefined>;
}

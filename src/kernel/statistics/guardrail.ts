/** A guardrail: the measurement that compares or limits the candidate, and its threshold. */
export type GuardrailSpec = RiskRatioSpec | BurnRateSpec | ThresholdSpec;

/** The candidate's rate of an event against that of stable. Preferred wherever both tracks have traffic. */
export interface RiskRatioSpec {
  readonly type: 'riskRatio';
  /** Name of the events in a sentence, in the plural: "Errors". */
  readonly name: string;
  /** Whether fewer events are better (errors) or more (conversions); then harm is a drop. */
  readonly better: 'fewer' | 'more';
  /**
   * The ratio from which harm blocks promotion: above 1, at most 20; 1.5 by default. With `more` it is the inverse: conversions at
   * 1/1.5 of stable's.
   */
  readonly margin?: number;
  /** A rate of events, as a part of units, that is harmless at any rate of stable; only where fewer are better. */
  readonly harmlessRate?: number;
  /** Stretches of this length are assumed to be independent, shorter ones not. */
  readonly independentMs?: number;
  /** Tolerance of the split of traffic: a tenth of the odds by default. */
  readonly splitTolerance?: number;
}

/** How fast the budget of an objective burns. */
export interface BurnRateSpec {
  readonly type: 'burnRate';
  readonly name: string;
  /** The part of units that must be good: 0.999. */
  readonly objective: number;
}

/**
 * A number of the candidate alone, against a limit: `max` or `min`, one of the two. It cannot separate the candidate's fault from a
 * fault of the whole service.
 */
export interface ThresholdSpec {
  readonly type: 'threshold';
  readonly name: string;
  /** rate: events per unit. mean: total per unit. value: the gauge in each window. */
  readonly measure: 'rate' | 'mean' | 'value';
  readonly max?: number;
  readonly min?: number;
  /** Units of the candidate below which there is no verdict. For a value they may be 0. */
  readonly unitsMin: number;
}

/** Error rates and time of a judgement. */
export interface JudgeContext {
  readonly nowMs: number;
  /** False-positive rate: part of the harmless releases that all guardrails together may roll back. */
  readonly alpha: number;
  /** Part of the releases worse by the margin that a guardrail may pass. */
  readonly beta: number;
  /** Number of guardrails that judge the release. */
  readonly metrics: number;
}

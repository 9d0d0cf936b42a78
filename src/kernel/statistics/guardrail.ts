/** What is watched while a candidate runs beside stable, and when it is enough. */
export type GuardrailSpec = RiskRatioSpec | BurnRateSpec | ThresholdSpec;

/** The candidate's rate of an event against that of stable. The one to use wherever both tracks have traffic. */
export interface RiskRatioSpec {
  readonly type: 'riskRatio';
  /** What the events are called in a sentence, in the plural: "Errors". */
  readonly name: string;
  /** Whether fewer events are better (errors) or more (conversions); then harm is a drop. */
  readonly better: 'fewer' | 'more';
  /**
   * From which ratio on harm is more than may be promoted: above 1, at most 20; 1.5 without it. With `more` it is the
   * inverse: conversions at 1/1.5 of stable's.
   */
  readonly margin?: number;
  /** A rate of events, as a part of units, below which nobody minds, whatever stable has; only where fewer are better. */
  readonly harmlessRate?: number;
  /** Stretches of this length are taken to be independent of each other, and shorter ones not. */
  readonly independentMs?: number;
  /** How far the split of traffic may be off: a tenth of the odds without it. */
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
 * A number of the candidate alone, against a limit: `max` or `min`, one of the two. It cannot tell the candidate's fault from
 * everybody's.
 */
export interface ThresholdSpec {
  readonly type: 'threshold';
  readonly name: string;
  /** rate: events per unit. mean: total per unit. value: what a gauge showed in each window. */
  readonly measure: 'rate' | 'mean' | 'value';
  readonly max?: number;
  readonly min?: number;
  /** Of fewer units of the candidate nothing is said. For a value they may be 0. */
  readonly unitsMin: number;
}

/** How sure a judgement must be, and when it is made. */
export interface JudgeContext {
  readonly nowMs: number;
  /** How often, of all releases that do no harm, one may be rolled back: by all its guardrails together. */
  readonly alpha: number;
  /** How often, of all that are worse by the margin, one may be taken for safe: by any of its guardrails. */
  readonly beta: number;
  /** How many guardrails judge the release. */
  readonly metrics: number;
}

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
  /** How clumped events are known to be: the variance of counts over their mean, 1 without it. Evidence is its root. */
  readonly dispersion?: number;
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

/** A number of the candidate alone, against a limit. It cannot tell the candidate's fault from everybody's. */
export interface ThresholdSpec {
  readonly type: 'threshold';
  readonly name: string;
  /** rate: events per unit. mean: total per unit. value: what a gauge showed last. */
  readonly measure: 'rate' | 'mean' | 'value';
  readonly max?: number;
  readonly min?: number;
  /** Units of the candidate that a window has at least. For a value they may be 0. */
  readonly unitsMin: number;
  /** How long a window is at least; one interval without it. */
  readonly windowMs?: number;
  /** How many windows in a row must be beyond the limit to fail, and within it to pass; 1 without it. */
  readonly consecutive?: number;
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

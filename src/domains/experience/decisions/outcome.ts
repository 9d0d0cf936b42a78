import { TARGETING_KEY } from '#kernel/audiences/language/attributes.ts';
import { fnv1a32 } from '#kernel/audiences/bucketing/fnv1a.ts';
import { deepFreeze } from '#kernel/base/deep-freeze.ts';
import type { Outcome, Participation, Reason } from './table.ts';

/** Completes an outcome with its OFREP answer. */
export function outcome(parts: {
  readonly flag: string;
  readonly revision: string;
  readonly reason: Reason;
  readonly variant?: string | undefined;
  readonly value?: unknown;
  readonly rule?: string | undefined;
  readonly experiment?: Participation | undefined;
  readonly holdout?: string | undefined;
  readonly unit?: readonly string[] | undefined;
  readonly forced?: boolean;
  readonly error?: Outcome['error'];
}): Outcome {
  const { flag, revision, reason, variant, value, rule, experiment, holdout, unit, forced, error } = parts;
  const metadata = {
    version: revision.slice(0, REVISION_CHARS),
    ...(rule === undefined ? {} : { rule }),
    ...(experiment === undefined ? {} : { experiment: experiment.name, assignmentId: experiment.assignmentId }),
    ...(holdout === undefined ? {} : { holdout }),
    ...(unit === undefined || unit.every((name) => name === TARGETING_KEY) ? {} : { unit: unit.join() }),
    ...(forced === true ? { forced } : {}),
  };
  const answer =
    error === undefined
      ? { key: flag, reason, ...(variant === undefined ? {} : { variant, value }), metadata }
      : { key: flag, errorCode: error.code, errorDetails: error.message };
  const json = JSON.stringify(answer);
  return Object.freeze({
    flag,
    revision,
    reason,
    variant,
    value: deepFreeze(value),
    rule,
    experiment,
    holdout,
    unit,
    error,
    json,
    digest: fnv1a32(json),
  });
}

/** Characters of a revision that people and dashboards need to distinguish revisions. */
export const REVISION_CHARS = 12;

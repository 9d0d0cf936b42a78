import type { Evaluation, CompiledFlag, ExperienceTable, EvaluationStep, Outcome } from './table.ts';

/** The explanation of a flag's value for one context. */
export interface FlagExplanation {
  readonly flag: string;
  readonly variant?: string;
  readonly value?: unknown;
  readonly reason: { readonly code: string; readonly message: string };
  readonly rule?: string;
  readonly experiment?: string;
  readonly assignmentId?: string;
  readonly holdout?: string;
  /** The evaluation steps, in order, up to the decisive one. */
  readonly steps: readonly EvaluationStep[];
}

/** The answer as a sentence, with the steps that led to it. */
export function explain(table: ExperienceTable, flag: CompiledFlag, evaluation: Evaluation): FlagExplanation {
  const decided = flag.decide(evaluation, table.flags);
  const { variant, value, rule, experiment, holdout } = decided;
  return {
    flag: flag.key,
    ...(variant === undefined ? {} : { variant, value }),
    reason: { code: decided.error?.code ?? decided.reason, message: sentence(decided) },
    ...(rule === undefined ? {} : { rule }),
    ...(experiment === undefined ? {} : { experiment: experiment.name, assignmentId: experiment.assignmentId }),
    ...(holdout === undefined ? {} : { holdout }),
    steps: flag.stepsOf(evaluation, table.flags),
  };
}

function sentence({ flag, variant, reason, rule, experiment, holdout, error }: Outcome): string {
  const fallback = variant === undefined ? 'Default in the code' : 'Default';
  if (error !== undefined) return error.message;
  if (reason === 'DISABLED') return `Flag ${flag} is switched off: code uses its default.`;
  if (holdout !== undefined) return `${fallback}: holdout ${holdout} excludes this unit from the experiment.`;
  if (experiment !== undefined) return `Matched experiment ${experiment.name} (iteration ${experiment.iteration}).`;
  if (rule !== undefined) return `Matched rule ${rule}.`;
  return `${fallback}: no rule or experiment matched.`;
}

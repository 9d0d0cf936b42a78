import type { Asked, CompiledFlag, ExperienceTable, Look, Outcome } from './table.ts';

/** The explanation of a flag's value for one context. */
export interface Explained {
  readonly flag: string;
  readonly variant?: string;
  readonly value?: unknown;
  readonly reason: { readonly code: string; readonly message: string };
  readonly rule?: string;
  readonly experiment?: string;
  readonly assignmentId?: string;
  readonly holdout?: string;
  /** The evaluation steps, in order, up to the decisive one. */
  readonly steps: readonly Look[];
}

/** The answer as a sentence, with the steps that led to it. */
export function explain(table: ExperienceTable, flag: CompiledFlag, asked: Asked): Explained {
  const decided = flag.decide(asked, table.flags);
  const { variant, value, rule, experiment, holdout } = decided;
  return {
    flag: flag.key,
    ...(variant === undefined ? {} : { variant, value }),
    reason: { code: decided.error?.code ?? decided.reason, message: sentence(decided) },
    ...(rule === undefined ? {} : { rule }),
    ...(experiment === undefined ? {} : { experiment: experiment.name, assignmentId: experiment.assignmentId }),
    ...(holdout === undefined ? {} : { holdout }),
    steps: flag.looks(asked, table.flags),
  };
}

function sentence({ flag, variant, reason, rule, experiment, holdout, error }: Outcome): string {
  const gets = variant === undefined ? 'the default in the code' : `"${variant}"`;
  if (error !== undefined) return error.message;
  if (reason === 'DISABLED') return `Flag ${flag} is switched off: everybody gets the default in the code.`;
  if (holdout !== undefined) return `It is ${gets}, as holdout ${holdout} keeps this unit out of the experiment.`;
  if (experiment !== undefined)
    return `It is ${gets} by experiment ${experiment.name} (iteration ${experiment.iteration}).`;
  if (rule !== undefined) return `It is ${gets} by rule ${rule}.`;
  return `It is ${gets}: no rule and no experiment takes this context.`;
}

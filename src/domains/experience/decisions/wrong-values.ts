import { BUILT_IN_ATTRIBUTES } from '#kernel/audiences/language/attributes.ts';
import { contextProblems, type ContextProblem } from '#kernel/audiences/check-context.ts';
import type { Context } from '#kernel/audiences/language/language.ts';
import { jsonPointer } from '#kernel/base/failures.ts';
import type { Evaluation, ExperienceTable } from './table.ts';

const BUILT_IN: ReadonlySet<string> = new Set(BUILT_IN_ATTRIBUTES.map(({ name }) => name));

/**
 * Context values of the wrong type. A wrong built-in attribute refuses the whole request; any other one makes
 * only the flags that use it errors, so declaring an attribute never breaks apps that do not need it.
 */
export function wrongValues(
  context: Context,
  { audiences }: Pick<ExperienceTable, 'audiences'>,
): { readonly refused: readonly ContextProblem[]; readonly evaluation: Pick<Evaluation, 'wrong'> } {
  const problems = contextProblems(context, audiences.attributes);
  if (problems.length === 0) return NONE;
  const refused = problems.filter(({ attribute }) => BUILT_IN.has(attribute));
  const wrong = new Map(problems.map((problem) => [problem.attribute, wrongSaid(problem)]));
  return { refused, evaluation: { wrong } };
}

export function wrongSaid({ path, detail }: ContextProblem): string {
  return `${jsonPointer(['context', ...path])}: ${detail}`;
}

const NONE = { refused: [], evaluation: {} } as const;

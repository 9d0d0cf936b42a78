import type { Problem } from '#kernel/base/failures.ts';
import { compileCel, problemText, type CelProgram } from '#kernel/cel/cel.ts';
import type { CelEnvironment } from '#kernel/cel/scope.ts';
import { DYN, typeText, type CelType } from '#kernel/cel/types.ts';

/** An expression of a policy. */
export interface PolicyExpression {
  readonly text: string;
  /** Where it stands in the policy. */
  readonly path: Problem['path'];
  /** Types that its value may have; none is any. */
  readonly types: readonly CelType[];
}

/** Compiles an expression; adds why it does not compile, or has another type than it must have. */
export function compileExpression(
  { text, path, types }: PolicyExpression,
  environment: CelEnvironment,
  problems: Problem[],
): CelProgram | undefined {
  const { program, problems: found = [] } = compileCel(text, environment);
  for (const one of found) problems.push({ path, reason: 'FieldValueInvalid', detail: problemText(text, one) });
  if (program === undefined || types.length === 0) return program;
  if ([DYN, ...types].some(({ is }) => is === program.type.is)) return program;
  const detail = `it is ${typeText(program.type)}, and must be ${types.map(typeText).join(' or ')}`;
  problems.push({ path, reason: 'FieldValueInvalid', detail });
  return undefined;
}

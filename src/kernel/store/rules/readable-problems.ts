import type { Problem } from '#kernel/base/failures.ts';

/** The problems as a caller may read them: details about objects that it may not read are replaced. */
export function readableProblems(
  problems: readonly Problem[],
  mayRead: (kindId: string, name: string) => boolean,
): readonly Problem[] {
  return problems.map((problem) => {
    const { about, ...readable } = problem;
    if (about === undefined) return problem;
    return mayRead(about.kind, about.name) ? readable : { ...readable, detail: about.instead };
  });
}

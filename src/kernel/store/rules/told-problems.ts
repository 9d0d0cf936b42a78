import type { Problem } from '#kernel/base/failures.ts';

/** The problems as somebody may be told them who may read some objects: nothing is told of the others. */
export function toldProblems(
  problems: readonly Problem[],
  mayRead: (kindId: string, name: string) => boolean,
): readonly Problem[] {
  return problems.map((problem) => {
    const { about, ...told } = problem;
    if (about === undefined) return problem;
    return mayRead(about.kind, about.name) ? told : { ...told, detail: about.instead };
  });
}

/** The candidates of a release on one target. */
interface TargetCandidates<Candidate> {
  readonly target: string;
  readonly candidates: readonly Candidate[];
}

/**
 * Reasons that block a release, also in intermediate states: while targets follow each other, all references and checks must hold
 * where earlier targets have it and later ones do not. In sentences. Pure.
 *
 * @param order candidates by target, in release order
 * @param problemsOf the problems of some candidates, in sentences
 */
export function problemsOnTheWay<Candidate>(
  order: readonly TargetCandidates<Candidate>[],
  problemsOf: (some: readonly Candidate[]) => readonly string[],
): readonly string[] {
  const atTheEnd = problemsOf(order.flatMap(({ candidates }) => candidates));
  if (atTheEnd.length > 0) return atTheEnd;
  for (let count = 1; count < order.length; count += 1) {
    const first = order.slice(0, count);
    const [problem] = problemsOf(first.flatMap(({ candidates }) => candidates));
    if (problem === undefined) continue;
    const have = first.map(({ target }) => target).join(', ');
    const haveNot = order.slice(count).map(({ target }) => target);
    return [
      `While ${have} have it and ${haveNot.join(', ')} do not: ${problem}. Set \`before\` to choose which go first.`,
    ];
  }
  return [];
}

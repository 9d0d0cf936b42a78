/** What one target carries of a release. */
interface TargetCandidates<Candidate> {
  readonly target: string;
  readonly candidates: readonly Candidate[];
}

/**
 * What keeps the world from taking a release, also in part: targets follow each other, and the world has to be whole where some
 * have it and later ones have not yet. In sentences. Pure.
 *
 * @param order what targets carry, in the order in which they go out
 * @param problemsOf what keeps the world from taking some candidates, in sentences
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
    return [`While ${have} have it and ${haveNot.join(', ')} have not: ${problem}. Say by \`before\` which go first.`];
  }
  return [];
}

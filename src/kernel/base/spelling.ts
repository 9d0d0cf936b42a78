/** Longer words are compared by their first letters only; the comparison is quadratic. */
const WORD_LENGTH_MAX = 64;
/** More known words than this are not searched: the hint is a courtesy, not worth a slow refusal. */
const KNOWN_WORDS_MAX = 2_000;
/** Pairs of letters that one search compares: a millisecond. */
const LETTER_PAIRS_MAX = 200_000;
const HINTS_MAX = 3;

/** The known words that `word` may have meant, nearest first, at most three. */
export function nearSpellings(word: string, known: Iterable<string>): readonly string[] {
  const wanted = word.slice(0, WORD_LENGTH_MAX).toLowerCase();
  const tolerance = Math.max(1, Math.floor(wanted.length / 3));
  const near: { candidate: string; distance: number }[] = [];
  let searched = 0;
  let pairs = 0;
  for (const candidate of known) {
    searched += 1;
    if (searched > KNOWN_WORDS_MAX) break;
    const other = candidate.slice(0, WORD_LENGTH_MAX).toLowerCase();
    const extended = wanted.length >= 3 && (other.startsWith(wanted) || wanted.startsWith(other));
    if (!extended && Math.abs(wanted.length - other.length) > tolerance) continue;
    if (!extended) pairs += wanted.length * other.length;
    if (pairs > LETTER_PAIRS_MAX) break;
    const distance = extended ? 1 : editDistance(wanted, other);
    if (distance <= tolerance) near.push({ candidate, distance });
  }
  near.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return near.slice(0, HINTS_MAX).map(({ candidate }) => candidate);
}

/** ` (did you mean a or b?)`, or nothing. */
export function didYouMean(near: readonly string[]): string {
  return near.length === 0 ? '' : ` (did you mean ${near.map((word) => `"${word}"`).join(' or ')}?)`;
}

/** Insertions, deletions, substitutions and swaps of neighbours that lead from one word to the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substituted);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? a.length;
}

/** Did-you-mean: the nearest of the names that could have been meant. */

/**
 * The candidate nearest to `name` by edit distance, if it is near enough to have been meant: case and `_` aside, at most
 * a third of the letters differ (one of three letters or fewer, where the first agrees). Ties go to the earlier candidate.
 */
export function suggest(name: string, candidates: Iterable<string>): string | undefined {
  // Beyond any name that people write; keeps the distance cheap on hostile input.
  if (name.length === 0 || name.length > 100) return undefined;
  const wanted = fold(name);
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    if (candidate === name || candidate.length > 100) continue;
    const other = fold(candidate);
    const most = Math.max(1, Math.floor(Math.max(wanted.length, other.length) / 3));
    if (wanted.length <= 2 && other !== wanted && other[0] !== wanted[0]) continue;
    const distance = editDistance(wanted, other, Math.min(most, bestDistance - 1));
    if (distance <= most && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll('_', '');
}

/**
 * Insertions, deletions, replacements and swaps of neighbours (optimal string alignment) from `a` to `b`;
 * Infinity where there are more than `limit`.
 */
export function editDistance(a: string, b: string, limit = Infinity): number {
  if (Math.abs(a.length - b.length) > limit) return Infinity;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    if (Math.min(...row) > limit) return Infinity;
    before = last;
    last = row;
  }
  return last[b.length] <= limit ? last[b.length] : Infinity;
}

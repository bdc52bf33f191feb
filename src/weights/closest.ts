/** The most alike of many tensor names: those that share most dot-separated parts, from the end. */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  const parts = name.split('.');
  let best: string | undefined;
  let most = 1;
  for (const candidate of candidates) {
    const other = candidate.split('.');
    let shared = 0;
    while (shared < Math.min(parts.length, other.length) && parts.at(-1 - shared) === other.at(-1 - shared)) shared++;
    if (shared > most) {
      most = shared;
      best = candidate;
    }
  }
  return best;
}

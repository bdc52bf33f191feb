/** Choosing by an estimate. */

export interface Candidate<S> {
  readonly schedule: S;
  /** As estimated, on a large GPU. */
  readonly cycles: number;
}

/** The schedule of the fewest cycles, the first of equals; undefined where there is none. */
export function fewestCycles<S>(candidates: readonly Candidate<S>[]): S | undefined {
  let best: Candidate<S> | undefined;
  for (const candidate of candidates) if (!best || candidate.cycles < best.cycles) best = candidate;
  return best?.schedule;
}

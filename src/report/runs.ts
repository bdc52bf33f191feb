/** Sets of places as runs: starts and ends in turns, ascending, ends excluded. */
import type { Range } from '../kernel-index.ts';

export type Runs = readonly number[];

function lengthOf(runs: Runs): number {
  let length = 0;
  for (let i = 0; i < runs.length; i += 2) length += runs[i + 1] - runs[i];
  return length;
}

/** One dimension of a box of marks that lies in a shape: from where the marks count, and which of them do. */
export interface Frame {
  readonly from: number;
  readonly window: Range;
  readonly extent: number;
}

/** The runs, row-major in the shape, of what is marked in a box of `sizes` and lies in the windows. */
export function runsOf(marks: Uint8Array, sizes: readonly number[], frames: readonly Frame[]): Runs {
  const runs: number[] = [];
  const add = (place: number): void => {
    if (runs[runs.length - 1] === place) runs[runs.length - 1]++;
    else runs.push(place, place + 1);
  };
  const walk = (k: number, inBox: number, inShape: number): void => {
    if (k === frames.length) {
      if (marks[inBox]) add(inShape);
      return;
    }
    const { from, window: [low, high], extent } = frames[k];
    for (let i = Math.max(low, from); i <= Math.min(high, from + sizes[k] - 1); i++) walk(k + 1, inBox * sizes[k] + i - from, inShape * extent + i);
  };
  walk(0, 0, 0);
  return runs;
}

/**
 * How many places belong to the same of several sets: for each combination that some place is in, as a mask with bit i for
 * set i, the number of such places. Places in none are left out.
 */
export function overlaps(sets: readonly Runs[]): Map<bigint, number> {
  if (sets.length === 1) return new Map([[1n, lengthOf(sets[0])]]);
  const edges = sets.flatMap((runs, i) => {
    const bit = 1n << BigInt(i);
    return runs.map((at) => ({ at, bit }));
  }).sort((a, b) => a.at - b.at);
  const counts = new Map<bigint, number>();
  let within = 0n;
  let since = 0;
  for (const { at, bit } of edges) {
    if (within !== 0n && at > since) counts.set(within, (counts.get(within) ?? 0) + at - since);
    within ^= bit;
    since = at;
  }
  return counts;
}

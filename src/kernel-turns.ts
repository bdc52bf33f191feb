/**
 * Threads of a workgroup that take turns at the depth of a tile: each has sums over its share of it, and how these come
 * together in workgroup memory.
 */

export interface TurnsLayout {
  /** Turns whose sums lie in memory at once: all, or half of them, which then hold those of the other half too. */
  readonly parts: number;
  /** Elements from one turn's sums to the next one's: an odd number, so that neighbouring turns write to different banks. */
  readonly pitch: number;
  /** Elements in all, each of as many numbers as a sum has lanes. */
  readonly elements: number;
}

/** Bytes for the sums of all turns: with more, fewer workgroups run on a unit at once. */
const MOST_BYTES = 8192;

/** `sums`: vectors of `width` results that a thread has; `threads`: those that have one turn. */
export function turnsLayout(turns: number, threads: number, sums: number, width: number): TurnsLayout {
  const parts = 4 * width * turns * threads * sums <= MOST_BYTES ? turns : turns / 2;
  const pitch = (threads * sums) | 1;
  return { parts, pitch, elements: turns > 1 ? parts * pitch : 0 };
}

/** Rows that lie side by side in every tile: threads that share out more of them would have to tell groups of rows apart. */
const ROWS_OF_GROUP = 4;

/** Threads that share out a tile's rows, once their sums are together: a power of two that divides groups of four rows. */
export function rowSharers(rows: number, parts: number): number {
  let sharers = 1;
  while (2 * sharers <= Math.min(ROWS_OF_GROUP, parts) && rows % (2 * sharers) === 0) sharers *= 2;
  return sharers;
}

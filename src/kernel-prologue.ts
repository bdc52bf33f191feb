/** How a workgroup computes the reductions before its products: its threads on the rows of its tile. */
import type { Prologue } from './kernel-contraction.ts';
import { sizeOf } from './graph.ts';

export interface PrologueSeats {
  /** Threads that share a row: a power of two. */
  readonly threads: number;
  /** Rows that the workgroup works on at once, and how often until all are done. */
  readonly rows: number;
  readonly passes: number;
  /** Workgroup memory. */
  readonly bytes: number;
}

/** Numbers of a row that a thread keeps in registers: later reductions find them there. */
const KEPT = 32;

/** `tile`: rows of a workgroup; `size`: its threads. */
export function prologueSeats({ stages }: Prologue, tile: number, size: number): PrologueSeats {
  const longest = Math.max(...stages.map(({ stage }) => sizeOf(stage.reduce.axes.map((a) => a.extent))));
  let threads = 1;
  // As many as there are idle threads, or as it takes to keep the row.
  while (2 * threads <= size && (2 * threads * tile <= size || threads * KEPT < longest)) threads *= 2;
  const rows = Math.min(tile, Math.floor(size / threads));
  const each = size + (threads > 32 ? 16 * rows : 0) + tile;
  return { threads, rows, passes: Math.ceil(tile / rows), bytes: 4 * stages.length * each };
}

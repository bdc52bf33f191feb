/**
 * The rows or columns that one thread computes: their indices, which of them lie inside of the matrix, and over how
 * many threads of the dispatch.
 */
import type { Index } from '../../kernel.ts';
import { add, axis, constant, scale } from '../../kernel-index.ts';
import type { Emitter } from '../emitter.ts';
import { atMost } from '../emitter.ts';
import { add as plus, less, mul, u32 } from '../wgsl-build.ts';
import type { WgslExpr } from '../wgsl.ts';

/** One row or column of a thread. Outside of the matrix its index is that of the last one, so that loads stay inside. */
export interface Point {
  readonly index: Index;
  /** Whether it lies inside; absent where it always does. */
  readonly inside?: WgslExpr;
  /** Threads along this side for which it lies inside. */
  readonly threads: number;
}

/** `width` neighbouring points. */
export interface Group {
  readonly points: readonly Point[];
  /** All points lie inside together or none does, and the first one's index is a multiple of the width. */
  readonly whole: boolean;
}

export interface Side {
  /** What its axes are called: others of the kernel, in scopes around too, have other names or the same values. */
  readonly role: 'm' | 'n' | 'own_m';
  /** M or N */
  readonly extent: number;
  readonly width: 1 | 2 | 4;
  /** Threads along this side of the whole dispatch, those that have work. */
  readonly threads: number;
}

/**
 * Defines the axes of a thread's groups in the emitter's current scope. Group j of the thread stands at points
 * width * positions[j], ...; `positionOf(thread, j)` is the same number, for counting.
 */
export function defineGroups(emitter: Emitter, side: Side, positions: readonly WgslExpr[], positionOf: (thread: number, j: number) => number): Group[] {
  const { role, extent, width, threads } = side;
  const whole = extent % width === 0;
  const count = (j: number, lane: number): number => {
    let inside = 0;
    for (let thread = 0; thread < threads; thread++) if (positionOf(thread, j) * width + lane < extent) inside++;
    return inside;
  };
  /** Defines an axis that runs to `limit` and gives its index. */
  const define = (name: string, value: WgslExpr, limit: number, inside: number): { index: Index; inside?: WgslExpr; threads: number } => {
    const own = { name, extent: limit };
    const always = inside === threads;
    if (limit > 1) emitter.defineAxis(own, emitter.bind(name, always ? value : atMost(value, limit - 1)));
    return { index: axis(own), threads: inside, ...(!always && { inside: less(value, u32(limit)) }) };
  };
  return positions.map((position, j) => {
    const at = emitter.bind(`${role}_at`, position);
    const lanes = Array.from({ length: width }, (_, t) => t);
    if (!whole) return { whole, points: lanes.map((t) => define(`${role}${j}_${t}`, plus(mul(at, u32(width)), u32(t)), extent, count(j, t))) };
    const first = define(`${role}${j}`, at, extent / width, count(j, 0));
    return { whole, points: lanes.map((t) => ({ ...first, index: add(scale(first.index, width), constant(t)) })) };
  });
}

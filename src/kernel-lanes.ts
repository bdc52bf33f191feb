/** How operands lie in memory: along which axis neighbouring values are loaded as one vector. */
import type { Expr, Index } from './kernel.ts';
import { add, axis, constant, sameIndex, scale, sub, substitute } from './kernel-index.ts';
import { loadsOf, stageRefsOf, substituteExpr } from './kernel-expr.ts';
import type { ContractionProblem } from './kernel-contraction.ts';

/** An operand's values at `width` neighbouring points of an axis, the first a multiple of the width. */
export function laneIndices(name: string, extent: number, width: number): Index[] {
  const first = scale(axis({ name: `${name}~`, extent: Math.max(1, Math.floor(extent / width)) }), width);
  return Array.from({ length: width }, (_, t) => add(first, constant(t)));
}

/** The expression with one axis at each of the indices. */
export function along(e: Expr, name: string, indices: readonly Index[]): Expr[] {
  return indices.map((index) => substituteExpr(e, new Map([[name, index]])));
}

/** Load instructions for `width` neighbouring values along an axis; scattered ones where the axis' extent is no multiple of the width. */
export function laneLoads(e: Expr, name: string, extent: number, width: number): number {
  const indices = laneIndices(name, extent, width);
  let count = 0;
  for (const { at } of loadsOf(e)) {
    const lanes = indices.map((index) => substitute(at[0], new Map([[name, index]])));
    const uniform = lanes.every((l) => sameIndex(l, lanes[0]));
    count += uniform || (extent % width === 0 && consecutive(lanes)) ? 1 : width;
  }
  return count;
}

/** The axis along which an operand is loaded in vectors, or neither. */
export type Along = 'k' | 'side' | 'none';

/** What takes the fewest loads. `k` wants steps of four along the innermost reduced axis, `side` groups of four rows or columns. */
export function loadAlong(problem: ContractionProblem, operand: 'left' | 'right', allowed: { readonly k: boolean; readonly side: boolean }): Along {
  const e = problem[operand];
  const inner = problem.depth.length - 1;
  const [name, extent] = operand === 'left' ? ['m', problem.M] : ['n', problem.N];
  const scattered = 4 * loadsOf(e).length;
  // An operand that is computed here shares what its neighbours along the side load.
  if (scattered === 0 && stageRefsOf(e).length > 0) return allowed.side ? 'side' : 'none';
  const byK = allowed.k ? laneLoads(e, `k${inner}`, problem.depth[inner], 4) : Infinity;
  const bySide = allowed.side ? laneLoads(e, name, extent, 4) : Infinity;
  if (Math.min(byK, bySide) >= scattered) return 'none';
  return byK < bySide ? 'k' : 'side';
}

/** Along what a tile of the operand is loaded in vectors: four depths or four rows, where these extents are made of fours. */
export function alongOf(problem: ContractionProblem, side: 'left' | 'right'): Along {
  return loadAlong(problem, side, { k: problem.depth[0] % 4 === 0, side: (side === 'left' ? problem.M : problem.N) % 4 === 0 });
}

/** Whether an operand is nothing but loads of so many neighbouring values, along its depth or its rows or columns. */
export function comesInVectors(problem: ContractionProblem, side: 'left' | 'right', width: 4 | 8): boolean {
  const operand = problem[side];
  const way = alongOf(problem, side);
  if (operand.kind !== 'load' || way === 'none') return false;
  const [name, extent] = way === 'k' ? ['k0', problem.depth[0]] : side === 'left' ? ['m', problem.M] : ['n', problem.N];
  return extent % width === 0 && consecutive(along(operand, name, laneIndices(name, extent, width)).map((e) => (e as typeof operand).at[0]));
}

/** Whether lane j is lane 0 plus j, and lane 0 a multiple of the number of lanes at every point. */
export function consecutive(flat: readonly Index[]): boolean {
  const { length } = flat;
  if (![2, 4, 8].includes(length)) return false;
  if (flat[0].offset % length !== 0 || flat[0].terms.some((t) => t.scale % length !== 0)) return false;
  return flat.every((f, lane) => {
    const step = sub(f, flat[0]);
    return step.terms.length === 0 && step.offset === lane;
  });
}

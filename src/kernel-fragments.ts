/** Contractions whose operands a device's matrix units can load as they lie: fragments of F x F elements. */
import { contractionProblem, linearDepth } from './kernel-contraction.ts';
import type { ContractionProblem } from './kernel-contraction.ts';
import { add, axis, constant, rangeOf, scale, strideOf, substitute } from './kernel-index.ts';
import { alongOf, comesInVectors } from './kernel-lanes.ts';
import { storedElements } from './kernel-layout.ts';
import type { Expr, Index, Kernel } from './kernel.ts';

/** All sides of a fragment. */
export const FRAGMENT = 16;

/** Values of padding after each line of a tile in workgroup memory. */
export const LINE_PADDING = 8;

/** Fragments that a subgroup keeps and subgroups of a workgroup, along M and N; the depth staged at once, 0 for none. */
export interface FragmentTiling {
  readonly fragmentsM: number;
  readonly fragmentsN: number;
  readonly subgroupsM: number;
  readonly subgroupsN: number;
  readonly tileK: number;
  /** Operands are f32 or pairs, staged as the sums of two f16 each. */
  readonly split?: boolean;
}

/** Rows and columns of a workgroup. */
export function fragmentTile({ fragmentsM, fragmentsN, subgroupsM, subgroupsN }: FragmentTiling): { readonly rows: number; readonly columns: number } {
  return { rows: FRAGMENT * fragmentsM * subgroupsM, columns: FRAGMENT * fragmentsN * subgroupsN };
}

/** Fours of results in workgroup memory from one row of so many fragments to the next: one more than there are, for the banks. */
export function resultPitch(fragments: number): number {
  return (FRAGMENT / 4) * fragments + 1;
}

/** Workgroup memory that a tiling takes. */
export interface FragmentRoom {
  /** Values of f16 of each operand's tile, or of both parts of it, padding included. */
  readonly left: number;
  readonly right: number;
  /** Results of all subgroups, and the fragments of a row that each has there at once: of the two kinds that split operands make, as many as fit where the tiles are. */
  readonly results: number;
  readonly resultFragments: number;
  /** Whether the tiles are written in vectors: then they are words, and the results come where they were. */
  readonly words: boolean;
  readonly bytes: number;
}

/** The problem's depth is linear. */
export function fragmentRoom(problem: ContractionProblem, tiling: FragmentTiling): FragmentRoom {
  const { fragmentsN, tileK, subgroupsM, subgroupsN, split = false } = tiling;
  const { rows, columns } = fragmentTile(tiling);
  const values = (side: 'left' | 'right', tile: number): number => {
    const [lines, length] = alongOf(problem, side) === 'side' ? [tileK, tile] : [tile, tileK];
    return tileK === 0 ? 0 : (split ? 2 : 1) * lines * (length + LINE_PADDING);
  };
  const [left, right] = [values('left', rows), values('right', columns)];
  const words = alongOf(problem, 'left') !== 'none' && alongOf(problem, 'right') !== 'none';
  const tileBytes = 2 * (left + right);
  const resultsOf = (fragments: number): number => (split ? 2 : 1) * 4 * FRAGMENT * resultPitch(fragments) * subgroupsM * subgroupsN;
  let resultFragments = fragmentsN;
  if (split) while (resultFragments > 1 && (fragmentsN % resultFragments !== 0 || 4 * resultsOf(resultFragments) > tileBytes)) resultFragments--;
  const results = resultsOf(resultFragments);
  return { left, right, results, resultFragments, words, bytes: words ? Math.max(tileBytes, 4 * results) : tileBytes + 4 * results };
}

/** Whether both operands are nothing but values in pairs (pair.ts), which come in whole vectors of four. */
export function arePairs(kernel: Kernel, problem: ContractionProblem): boolean {
  return (['left', 'right'] as const).every((side) => {
    const operand = problem[side];
    return operand.kind === 'load' && kernel.params.find((p) => p.name === operand.buffer)!.storage === 'pair' && comesInVectors(problem, side, 4);
  });
}

/** Workgroup memory in which the subgroups of a workgroup agree on the scales of operands in two parts. */
export function splitBytes(subgroups: number): number {
  return 16 * Math.ceil(subgroups / 2) + 16;
}

/** Where an operand's fragment lies: rows (or columns) of it are contiguous, `stride` elements apart. */
export interface FragmentOperand {
  readonly buffer: string;
  /** The first element, over axes b, `mblock` or `nblock`, and `kblock`. */
  readonly start: Index;
  readonly stride: number;
  /** The left operand is [m, k], the right one [k, n]: whether neighbours lie along the first of these. */
  readonly columnMajor: boolean;
}

export interface FragmentProblem {
  readonly problem: ContractionProblem;
  readonly left: FragmentOperand;
  readonly right: FragmentOperand;
  /** Fragments along each side, the last one perhaps hanging over. */
  readonly blocks: { readonly m: number; readonly n: number; readonly k: number };
}

/**
 * Undefined where an operand is no plain f16 load, where a fragment's rows are not contiguous and evenly apart (as in
 * row-major, transposed or 16 x 16 blocked storage), or where the last fragment would leave the buffer.
 */
export function fragmentProblem(kernel: Kernel): FragmentProblem | undefined {
  const found = contractionProblem(kernel);
  if (!found) return undefined;
  const problem = linearDepth(found);
  const [K] = problem.depth;
  if (K % FRAGMENT !== 0) return undefined;
  const blocks = { m: Math.ceil(problem.M / FRAGMENT), n: Math.ceil(problem.N / FRAGMENT), k: K / FRAGMENT };
  const left = fragmentOperand(kernel, problem.left, 'm', blocks);
  const right = fragmentOperand(kernel, problem.right, 'n', blocks);
  return left && right && { problem, left, right, blocks };
}

function fragmentOperand(kernel: Kernel, e: Expr, side: 'm' | 'n', blocks: FragmentProblem['blocks']): FragmentOperand | undefined {
  if (e.kind !== 'load') return undefined;
  const param = kernel.params.find((p) => p.name === e.buffer)!;
  if (param.storage !== 'f16') return undefined;
  const inside = (name: string, count: number): Index =>
    add(scale(axis({ name: `${name}block`, extent: count }), FRAGMENT), axis({ name: `${name}in`, extent: FRAGMENT }));
  const at = substitute(e.at[0], new Map([[side, inside(side, blocks[side])], ['k0', inside('k', blocks.k)]]));
  const bySide = strideOf(at, `${side}in`);
  const byDepth = strideOf(at, 'kin');
  if (bySide === undefined || byDepth === undefined) return undefined;
  const start = substitute(at, new Map([[`${side}in`, constant(0)], ['kin', constant(0)]]));
  const stride = byDepth === 1 ? bySide : byDepth;
  // Rows of fragments are loaded as vectors of 16 bytes.
  const aligned = stride % 8 === 0 && stride > 0 && start.offset % 8 === 0 && start.terms.every((t) => t.scale % 8 === 0);
  if (Math.min(bySide, byDepth) !== 1 || !aligned || rangeOf(at)[0] < 0 || rangeOf(at)[1] >= storedElements(param)) return undefined;
  return { buffer: e.buffer, start, stride, columnMajor: side === 'm' ? bySide === 1 : byDepth === 1 };
}

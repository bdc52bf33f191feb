/** Fragments for a device's matrix units. */
import { sizeOf } from '../graph.ts';
import { contractionProblem, linearDepth } from '../kernel-contraction.ts';
import type { ContractionProblem } from '../kernel-contraction.ts';
import { arePairs, FRAGMENT, fragmentProblem, fragmentRoom, fragmentTile, splitBytes } from '../kernel-fragments.ts';
import type { FragmentTiling } from '../kernel-fragments.ts';
import type { BinaryName, Kernel, UnaryName } from '../kernel.ts';
import { visitExpr } from '../kernel-expr.ts';
import { prologueSeats } from '../kernel-prologue.ts';
import type { SubgroupMatrixSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { tiledNanoseconds, UNITS } from './contraction.ts';
import { areHalves, matrixSubgroup } from './matrix-units.ts';

interface Tiling extends FragmentTiling {
  /** Multiply-adds per nanosecond of one unit that is full of workgroups. */
  readonly rate: number;
  /** Nanoseconds from one tile of the depth to the next in a workgroup that is alone on its unit. */
  readonly stepNs: number;
  /** Nanoseconds that a workgroup takes besides its products: the first tile, and the way of its results. */
  readonly groupNs: number;
  /** Workgroups that a unit runs at once. */
  readonly resident: number;
  /** Nanoseconds that the dispatch takes longer than others until its code is there; absent where that was not told apart. */
  readonly codeNs?: number;
}

const tiling = (fragments: readonly [number, number], subgroups: readonly [number, number], tileK: number, teraflops: number, stepNs: number, groupNs: number, resident: number): Tiling =>
  ({ fragmentsM: fragments[0], fragmentsN: fragments[1], subgroupsM: subgroups[0], subgroupsN: subgroups[1], tileK, rate: (teraflops * 1e3) / 2 / UNITS, stepNs, groupNs, resident });

/**
 * Fitted to what bench/gemm.ts measured on an H200, f16 with f32 accumulation: 4096^3, 12608 rows with depths of 192, 768 and
 * 3072, and 197 rows, of which the model is within 12%; how many workgroups a unit runs is fitted too. Operands as they
 * usually lie, row-major, staged: straight from memory their loads would touch half of every sector, 50 to 75 TFLOP/s.
 */
const STAGED: readonly Tiling[] = [
  tiling([4, 4], [2, 4], 32, 296, 900, 4960, 2),
  tiling([2, 4], [4, 2], 64, 275, 1130, 2600, 1),
  tiling([4, 4], [2, 2], 32, 285, 650, 5000, 2),
  tiling([2, 4], [2, 2], 32, 216, 400, 7400, 4),
  tiling([2, 2], [2, 2], 64, 210, 540, 3300, 3),
  tiling([2, 1], [2, 2], 64, 151, 600, 1300, 2),
  tiling([1, 1], [2, 2], 64, 113, 530, 1650, 5),
  tiling([1, 1], [2, 2], 32, 94, 330, 1950, 8),
];
/** In blocks of 16 x 16 fragments are contiguous and come straight from memory. 8 x 4 of them spill: 3 TFLOP/s. */
const BLOCKED: readonly Tiling[] = [
  tiling([4, 4], [2, 2], 0, 231, 600, 3000, 2),
  tiling([4, 2], [2, 2], 0, 165, 500, 2000, 2),
  tiling([2, 2], [2, 2], 0, 110, 320, 1500, 3),
  tiling([2, 1], [2, 2], 0, 80, 300, 1000, 4),
  tiling([1, 1], [2, 2], 0, 60, 220, 1000, 4),
  tiling([1, 1], [1, 1], 0, 30, 220, 1000, 8),
];

/**
 * f32 operands in two parts, three products for one: rates are of the product that they make. Measured on an H100, steps at
 * 197 rows and depths of 192 and 768, rates at 4096^3, where register tiles of f32 reach 39. Between other kernels such a
 * one takes longer than again and again: its code, several times that of register tiles, is fetched anew.
 */
const SPLIT: readonly Tiling[] = [
  { ...tiling([2, 4], [4, 2], 32, 80, 1700, 5000, 1), codeNs: 16000 },
  { ...tiling([2, 2], [4, 2], 32, 63, 1080, 4300, 1), codeNs: 15500 },
  { ...tiling([2, 2], [2, 4], 32, 62, 1080, 4300, 1), codeNs: 15500 },
  { ...tiling([2, 2], [2, 2], 32, 57, 740, 3500, 2), codeNs: 15500 },
  { ...tiling([1, 2], [2, 2], 32, 44, 470, 2850, 3), codeNs: 13000 },
  { ...tiling([2, 1], [2, 2], 32, 41, 520, 3100, 3), codeNs: 13500 },
  { ...tiling([1, 1], [2, 2], 64, 33.5, 950, 1700, 4), codeNs: 10000 },
];

/**
 * Operands in pairs, three products for one as well, but nothing to be split or scaled. Fitted in the same way, right operands
 * from memory, to 197 rows and depths of 768 and 3072, whole and divided, 12608 rows and 4096^3, where the best tile is within
 * 6% of its time; 768 x 384 x 196 takes 7.2 µs where 5.2 are predicted. That their code is fetched anew is not in it: their
 * times between other kernels were measured for the models as a whole only (bench/NOTES.md, 31).
 */
const PAIRED: readonly Tiling[] = [
  tiling([2, 4], [4, 2], 32, 109, 1400, 4700, 1),
  tiling([4, 2], [2, 2], 32, 76, 900, 3250, 2),
  tiling([2, 4], [2, 2], 32, 79, 800, 5450, 2),
  tiling([2, 2], [4, 2], 32, 73, 800, 2850, 2),
  tiling([2, 2], [2, 2], 32, 78, 700, 2600, 2),
  tiling([1, 2], [2, 2], 32, 70, 620, 1350, 1),
  tiling([2, 1], [2, 2], 32, 66, 557, 1500, 2),
  tiling([1, 1], [2, 2], 64, 47, 555, 2800, 3),
  tiling([1, 1], [2, 2], 32, 51, 463, 2000, 5),
];

/** A contraction as matrix units may do it: whether in two parts, as they are stored or split on the way, and the tilings that fit. */
interface Offer {
  readonly split: boolean;
  readonly tilings: readonly Tiling[];
  readonly subgroupSize: number;
}

/**
 * f16 operands go to matrix units as they are, f32 ones in two parts. Undefined where the target has no such units, and
 * where too few of their rows would be used: staged or shared tiles in f32 do as well.
 */
function offer(kernel: Kernel, problem: ContractionProblem, target: Target): Offer | undefined {
  const subgroupSize = matrixSubgroup(target);
  if (subgroupSize === undefined || problem.M < FRAGMENT / 2 || problem.N < FRAGMENT / 2) return undefined;
  const split = !areHalves(kernel, [problem.left, problem.right]);
  if (problem.prologue && !split) return undefined;
  const linear = linearDepth(problem);
  const pairs = arePairs(kernel, linear);
  const found = split ? undefined : fragmentProblem(kernel);
  const blocked = found !== undefined && found.left.stride === FRAGMENT && found.right.stride === FRAGMENT;
  const depth = sizeOf(problem.depth);
  // Values that are loaded one by one, as windows are, take longer to split than to multiply. Depths of one tile make
  // kernels without a loop, of which two gave wrong low parts on a device in an earlier form (docs/RELIABILITY.md).
  if (split && !fragmentRoom(linear, SPLIT[0]).words) return undefined;
  const tilings = (pairs ? PAIRED : split ? SPLIT : blocked ? BLOCKED : STAGED)
    .map((t) => ({ ...t, split, tileK: split && !pairs ? t.tileK : depthOf(t, depth) }))
    .filter((t) => (!split || pairs || t.tileK < depth) && fragmentsFit(t, problem, target, subgroupSize));
  return tilings.length === 0 ? undefined : { split, tilings, subgroupSize };
}

/** The tiling that should be done first; for f32 operands undefined where register tiles should be. */
export function subgroupMatrixSchedule(kernel: Kernel, target: Target): SubgroupMatrixSchedule | undefined {
  const problem = contractionProblem(kernel);
  const offered = problem && offer(kernel, problem, target);
  if (!offered) return undefined;
  const { tilings, split, subgroupSize } = offered;
  const best = fastest(tilings, problem);
  if (split && best.nanoseconds >= (tiledNanoseconds(problem, target) ?? Infinity)) return undefined;
  return scheduleOf(best.tiling, split, subgroupSize);
}

/** One schedule of each tiling that fits, whatever is faster. */
export function matrixSchedules(kernel: Kernel, target: Target): SubgroupMatrixSchedule[] {
  const problem = contractionProblem(kernel);
  const offered = problem && offer(kernel, problem, target);
  return offered ? offered.tilings.map((t) => scheduleOf(t, offered.split, offered.subgroupSize)) : [];
}

function scheduleOf({ fragmentsM, fragmentsN, subgroupsM, subgroupsN, tileK }: Tiling, split: boolean, subgroupSize: number): SubgroupMatrixSchedule {
  return { family: 'subgroupMatrix', M: FRAGMENT, N: FRAGMENT, K: FRAGMENT, fragmentsM, fragmentsN, subgroupsM, subgroupsN, subgroupSize, tileK, prefetch: tileK > 0, ...(split && { split }) };
}

/**
 * Nanoseconds that the device of the tilings is predicted to take for the kernel's problem in its matrix units, perhaps with
 * its depth divided; undefined where it is none for them.
 */
export function matrixNanoseconds(kernel: Kernel, problem: ContractionProblem, target: Target): number | undefined {
  const offered = offer(kernel, problem, target);
  return offered && fastest(offered.tilings, problem).nanoseconds;
}

function fastest(tilings: readonly Tiling[], problem: ContractionProblem): { readonly tiling: Tiling; readonly nanoseconds: number } {
  const timed = tilings.map((t) => ({ tiling: t, nanoseconds: nanoseconds(t, problem, sizeOf(problem.depth)) }));
  return timed.reduce((best, t) => (t.nanoseconds < best.nanoseconds ? t : best));
}

/** Tiles that end with the depth are copied as they lie: the deepest such, unless the depth has a rest anyway. */
function depthOf({ tileK }: Tiling, depth: number): number {
  for (let k = tileK; k > 0; k -= FRAGMENT) if (depth % k === 0) return k;
  return Math.min(tileK, FRAGMENT * Math.ceil(depth / FRAGMENT));
}

/** A unit does its workgroups in turn, some at once, unless there is too little on it to hide what each step waits for. */
function nanoseconds(t: Tiling, problem: ContractionProblem, depth: number): number {
  const { rows, columns } = fragmentTile(t);
  const groups = Math.ceil(fragmentGroups(t, problem).reduce((n, g) => n * g, 1) / UNITS);
  const products = (groups * rows * columns * depth) / t.rate;
  return Math.max(products, Math.ceil(depth / (t.tileK || FRAGMENT)) * t.stepNs) + Math.ceil(groups / t.resident) * t.groupNs + (t.codeNs === undefined ? 0 : t.codeNs + epilogueNs(t, problem));
}

/** Nanoseconds until an operation's code is there, and how many operations an erf is. */
const OPERATION_NS = 9;
const ERF = 45;
const SPECIAL = 8;
const OPERATIONS: Partial<Record<UnaryName | BinaryName, number>> = { erf: ERF, exp: SPECIAL, log: SPECIAL, tanh: 2 * SPECIAL, sigmoid: 2 * SPECIAL, sin: ERF, cos: ERF, pow: ERF, div: SPECIAL };

/** The same of what is done with the sums, which stands there once for each of a lane's vectors of four. */
function epilogueNs({ fragmentsM, fragmentsN }: FragmentTiling, { outputs }: ContractionProblem): number {
  let operations = 0;
  for (const { value } of outputs) visitExpr(value, (e) => { if (e.kind === 'unary' || e.kind === 'binary') operations += OPERATIONS[e.op] ?? 1; });
  return OPERATION_NS * operations * fragmentsM * fragmentsN * ((FRAGMENT * FRAGMENT) / 32);
}

function fragmentGroups(tile: FragmentTiling, { B, M, N }: ContractionProblem): [number, number, number] {
  const { rows, columns } = fragmentTile(tile);
  return [Math.ceil(N / columns), Math.ceil(M / rows), B];
}

/** Whether the target has the threads, the workgroup memory and the grid for it. */
export function fragmentsFit(tile: FragmentTiling, problem: ContractionProblem, { limits }: Target, subgroupSize: number): boolean {
  const size = tile.subgroupsM * tile.subgroupsN * subgroupSize;
  return (
    size <= limits.maxComputeInvocationsPerWorkgroup &&
    fragmentBytes(tile, problem, size) <= limits.maxComputeWorkgroupStorageSize &&
    fragmentGroups(tile, problem).every((n) => n <= limits.maxComputeWorkgroupsPerDimension)
  );
}

/** Workgroup memory: tiles or results, what a prologue keeps, and where magnitudes meet. */
function fragmentBytes(tile: FragmentTiling, problem: ContractionProblem, size: number): number {
  const { rows, columns } = fragmentTile(tile);
  const { prologue } = problem;
  const before = prologue ? prologueSeats(prologue, prologue.side === 'left' ? rows : columns, size).bytes : 0;
  return fragmentRoom(linearDepth(problem), tile).bytes + before + (tile.split ? splitBytes(tile.subgroupsM * tile.subgroupsN) : 0);
}

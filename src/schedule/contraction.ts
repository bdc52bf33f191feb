/** Tiles for contractions, by their extents and the target: ordered rules, the first that applies wins. */
import { sizeOf } from '../graph.ts';
import { loadsOf } from '../kernel-expr.ts';
import { strideOf } from '../kernel-index.ts';
import { contractionProblem } from '../kernel-contraction.ts';
import type { ContractionProblem, Prologue } from '../kernel-contraction.ts';
import { prologueSeats } from '../kernel-prologue.ts';
import { turnsLayout } from '../kernel-turns.ts';
import type { Kernel } from '../kernel.ts';
import type { ContractionSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';

/** Undefined where the kernel is no contraction, or has more tiles along a side than a dispatch can number. */
export function contractionSchedule(kernel: Kernel, target: Target): ContractionSchedule | undefined {
  const problem = contractionProblem(kernel);
  if (!problem) return undefined;
  const chosen = target.software ? softwareTiles(problem) : isFewRows(problem) ? sharedDepth(problem, target) : stagedTiles(problem, target);
  return withinGrid(tileGroups(chosen, problem), target.limits) ? chosen : undefined;
}

/** Workgroups of a dispatch. */
function tileGroups({ threadM, threadN, groupM, groupN }: ContractionSchedule, { B, M, N }: ContractionProblem): [number, number, number] {
  return [Math.ceil(N / (threadN * groupN)), Math.ceil(M / (threadM * groupM)), B];
}

function withinGrid(groups: readonly number[], limits: Target['limits']): boolean {
  return groups.every((n) => n <= limits.maxComputeWorkgroupsPerDimension);
}

/**
 * A CPU gains nothing from workgroup memory. What counts is how many products a loaded vector serves, and that results
 * stay in named vectors: on SwiftShader (2 cores) 8x8 results a thread make 4 to 5 GFLOP/s, 8x4 3.5, 4x4 2.6.
 */
function softwareTiles({ M, N }: ContractionProblem): ContractionSchedule {
  const vector = N >= 3 ? 4 : N === 2 ? 2 : 1;
  const threadN = N > 4 ? 8 : vector;
  const threadM = M > 4 ? 8 : M > 2 ? 4 : M;
  return { family: 'contraction', threadM, threadN, groupM: 4, groupN: 4, tileK: 0, splitK: 1, vector };
}

/** Rows up to which a product is a stream of the right operand: staging would wait for rows that are not there. */
const FEW_ROWS = 4;

function isFewRows({ M, N }: Sizes): boolean {
  return M <= FEW_ROWS || N < 4;
}

/**
 * Few rows: the right operand is read once and everything else waits for it, so as many threads as can be take part in
 * reading. Threads that share a column's depth stand side by side where that is how the operand lies, else columns do.
 */
function sharedDepth(problem: ContractionProblem, { limits }: Target): ContractionSchedule {
  const { M, N } = problem;
  const depth = problem.depth.reduce((n, e) => n * e, 1);
  const byDepth = lies(problem, 'right', 'k');
  const vector = byDepth || N < 4 ? 1 : 4;
  const groupN = Math.min(8, powerAtLeast(Math.ceil(N / vector)));
  const rows = M === 3 ? 4 : Math.min(M, 4);
  const most = Math.min(limits.maxComputeInvocationsPerWorkgroup, 256) / groupN;
  // A turn takes four depths at a time; fewer than that and threads idle.
  const splitK = Math.max(1, Math.min(most, 32, powerAtMost(Math.ceil(depth / 4))));
  return { family: 'contraction', threadM: rows, threadN: vector, groupM: 1, groupN, tileK: 0, splitK, vector };
}

interface Tile {
  readonly thread: readonly [m: number, n: number];
  readonly group: readonly [m: number, n: number];
  /** 0: operands straight from memory. */
  readonly tileK: number;
  readonly splitK: number;
  readonly prefetch: boolean;
  /** Multiply-adds of a full device, as a share of what its lanes could do. */
  readonly efficiency: number;
  /** Nanoseconds from one depth to the next in a workgroup that is alone on its unit. */
  readonly stepNs: number;
  /** Nanoseconds that a workgroup takes besides its products: filling tiles, adding up shares. */
  readonly groupNs: number;
}

/**
 * Fitted to what an H200 takes (bench/gemm.ts --cold, full clock) for 33 shapes from 64 x 16384 x 16 to 4096^3; what was
 * fastest counts most. Chosen by these, the 33 take 1% longer than with the best tile of each. Loading the next tile early
 * is worth 10%.
 */
const TILES: readonly Tile[] = [
  { thread: [8, 8], group: [16, 16], tileK: 16, splitK: 1, prefetch: true, efficiency: 0.61, stepNs: 132, groupNs: 500 },
  { thread: [8, 4], group: [8, 16], tileK: 16, splitK: 1, prefetch: true, efficiency: 0.54, stepNs: 40, groupNs: 500 },
  { thread: [8, 8], group: [8, 8], tileK: 16, splitK: 1, prefetch: true, efficiency: 0.51, stepNs: 80, groupNs: 500 },
  { thread: [4, 4], group: [16, 16], tileK: 16, splitK: 1, prefetch: true, efficiency: 0.47, stepNs: 44, groupNs: 300 },
  { thread: [4, 4], group: [16, 16], tileK: 32, splitK: 1, prefetch: true, efficiency: 0.45, stepNs: 38, groupNs: 400 },
  { thread: [4, 4], group: [8, 16], tileK: 16, splitK: 1, prefetch: true, efficiency: 0.41, stepNs: 34, groupNs: 150 },
  { thread: [4, 4], group: [8, 16], tileK: 32, splitK: 1, prefetch: true, efficiency: 0.43, stepNs: 22, groupNs: 500 },
  { thread: [4, 4], group: [8, 8], tileK: 16, splitK: 1, prefetch: true, efficiency: 0.37, stepNs: 34, groupNs: 50 },
  { thread: [4, 4], group: [8, 8], tileK: 32, splitK: 1, prefetch: true, efficiency: 0.35, stepNs: 22, groupNs: 150 },
  { thread: [4, 4], group: [4, 8], tileK: 32, splitK: 1, prefetch: true, efficiency: 0.3, stepNs: 24, groupNs: 100 },
  { thread: [4, 4], group: [2, 8], tileK: 0, splitK: 8, prefetch: false, efficiency: 0.28, stepNs: 125, groupNs: 150 },
  { thread: [8, 4], group: [1, 8], tileK: 0, splitK: 16, prefetch: false, efficiency: 0.31, stepNs: 160, groupNs: 300 },
  { thread: [4, 4], group: [2, 4], tileK: 0, splitK: 16, prefetch: false, efficiency: 0.26, stepNs: 135, groupNs: 150 },
  { thread: [4, 4], group: [1, 4], tileK: 0, splitK: 32, prefetch: false, efficiency: 0.26, stepNs: 125, groupNs: 250 },
];

/** The device that the figures above are of: units that run workgroups, lanes of each, and their clock. */
export const UNITS = 132;
const LANES_PER_NS = 128 * 1.98;
/** What a dispatch takes there whatever it does. */
const DISPATCH_NS = 2500;

/** What of a contraction decides how long it takes. */
export type Sizes = Pick<ContractionProblem, 'B' | 'M' | 'N' | 'depth' | 'prologue'>;

interface Timed {
  readonly tile: Tile;
  readonly nanoseconds: number;
}

/**
 * The tile that should be done first. A unit runs its workgroups one after the other at the tile's efficiency, unless
 * there is too little on it to hide what each depth waits for. Undefined where the target has no room for any.
 */
function fastestTile({ B, M, N, depth: extents, prologue }: Sizes, target: Target): Timed | undefined {
  const depth = sizeOf(extents);
  const timed = (tile: Tile): Timed => {
    const [rows, columns] = sides(tile);
    // Tiles past the end of the depth are multiplied to their end.
    const share = tile.tileK === 0 ? Math.ceil(depth / tile.splitK) : depthOf(tile, depth) * Math.ceil(depth / depthOf(tile, depth));
    const turns = Math.ceil((Math.ceil(M / rows) * Math.ceil(N / columns) * B) / UNITS);
    const products = (tile.thread[0] * tile.thread[1] * threadsOf(tile) * share) / LANES_PER_NS;
    return { tile, nanoseconds: DISPATCH_NS + Math.max(turns * (products / tile.efficiency + tile.groupNs), share * tile.stepNs + tile.groupNs) };
  };
  const usable = TILES.filter((t) => fits(t, prologue, target) && withinGrid([Math.ceil(N / sides(t)[1]), Math.ceil(M / sides(t)[0]), B], target.limits));
  return usable.map(timed).reduce<Timed | undefined>((best, t) => (best && best.nanoseconds <= t.nanoseconds ? best : t), undefined);
}

function stagedTiles(problem: ContractionProblem, target: Target): ContractionSchedule {
  const fastest = fastestTile(problem, target);
  if (!fastest) return softwareTiles(problem);
  const { tile: chosen } = fastest;
  const depth = sizeOf(problem.depth);
  const tileK = depthOf(chosen, depth);
  const splitK = chosen.tileK === 0 ? Math.min(chosen.splitK, powerAtLeast(Math.ceil(depth / 4))) : Math.min(chosen.splitK, powerAtMost(tileK));
  return {
    family: 'contraction', threadM: chosen.thread[0], threadN: chosen.thread[1], groupM: chosen.group[0], groupN: chosen.group[1],
    tileK, splitK, vector: 4, ...(chosen.prefetch && { prefetch: true }),
  };
}

/**
 * Nanoseconds that the device of TILES is predicted to take for a contraction under the tile chosen for it; undefined
 * where tiles are chosen by other rules.
 */
export function tiledNanoseconds(sizes: Sizes, target: Target): number | undefined {
  return target.software || isFewRows(sizes) ? undefined : fastestTile(sizes, target)?.nanoseconds;
}

/** Depth of its tiles: short depths need none that are deeper than they are. */
function depthOf({ tileK }: Tile, depth: number): number {
  return Math.min(tileK, 4 * Math.ceil(depth / 4));
}

function threadsOf({ group, splitK }: Tile): number {
  return group[0] * group[1] * splitK;
}

function sides({ thread, group }: Tile): [rows: number, columns: number] {
  return [thread[0] * group[0], thread[1] * group[1]];
}

function fits(tile: Tile, prologue: Prologue | undefined, { limits }: Target): boolean {
  const [rows, columns] = sides(tile);
  const threads = threadsOf(tile);
  const sums = 4 * turnsLayout(tile.splitK, tile.group[0] * tile.group[1], (tile.thread[0] * tile.thread[1]) / 4, 4).elements;
  const before = prologue ? prologueSeats(prologue, prologue.side === 'left' ? rows : columns, threads).bytes : 0;
  const bytes = 4 * ((rows + columns) * tile.tileK + sums) + before;
  return threads <= Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX) && bytes <= limits.maxComputeWorkgroupStorageSize;
}

/** Whether neighbouring values of an operand along the innermost depth are neighbours in memory. */
function lies(problem: ContractionProblem, operand: 'left' | 'right', along: 'k' | 'm' | 'n'): boolean {
  const name = along === 'k' ? `k${problem.depth.length - 1}` : along;
  return loadsOf(problem[operand]).every(({ at: [index] }) => strideOf(index, name) === 1);
}

function powerAtMost(n: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, n)));
}

function powerAtLeast(n: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, n)));
}

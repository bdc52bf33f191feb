/** Tiles for contractions, by their extents and the target: ordered rules, the first that applies wins. */
import { loadsOf } from '../kernel-expr.ts';
import { strideOf } from '../kernel-index.ts';
import { contractionProblem } from '../kernel-contraction.ts';
import type { ContractionProblem } from '../kernel-contraction.ts';
import { FRAGMENT, fragmentProblem } from '../kernel-fragments.ts';
import type { Kernel } from '../kernel.ts';
import type { ContractionSchedule, SubgroupMatrixSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';

/** Undefined where the kernel is no contraction, or its batch is more than a dispatch can number. */
export function contractionSchedule(kernel: Kernel, target: Target): ContractionSchedule | undefined {
  const problem = contractionProblem(kernel);
  if (!problem || problem.B > target.limits.maxComputeWorkgroupsPerDimension) return undefined;
  if (target.software) return softwareTiles(problem);
  if (problem.M <= FEW_ROWS || problem.N < 4) return sharedDepth(problem, target);
  return stagedTiles(problem, target);
}

/**
 * Fragments for a device's matrix units, where operands lie so that they can be loaded from memory as they are.
 * 4 x 2 fragments a subgroup and 2 x 2 subgroups do best at 4096^3 on an H100 (120 to 173 TFLOP/s with both operands in
 * blocks, 48 to 69 row-major; 8 x 4 spill: 3); fewer where the grid would leave units idle.
 */
export function subgroupMatrixSchedule(kernel: Kernel, target: Target): SubgroupMatrixSchedule | undefined {
  const { subgroups, limits } = target;
  const offered = target.subgroupMatrix.some((c) => c.M === FRAGMENT && c.N === FRAGMENT && c.K === FRAGMENT && c.componentType === 'f16' && c.resultComponentType === 'f32');
  if (!offered || !target.shaderF16 || !subgroups || subgroups.minSize !== subgroups.maxSize || ![16, 32, 64].includes(subgroups.minSize)) return undefined;
  const found = fragmentProblem(kernel);
  if (!found || found.problem.B > limits.maxComputeWorkgroupsPerDimension) return undefined;
  const { blocks, problem } = found;
  // A matrix unit's rows would be mostly idle: staged or shared tiles in f32 do as well.
  if (problem.M < FRAGMENT / 2 || problem.N < FRAGMENT / 2) return undefined;
  const shapes = [[4, 2, 2, 2], [2, 2, 2, 2], [2, 1, 2, 2], [1, 1, 2, 2], [1, 1, 1, 1]].filter(([, n, m2, n2]) => {
    const threads = m2 * n2 * subgroups.minSize;
    return threads <= limits.maxComputeInvocationsPerWorkgroup && m2 * n2 * FRAGMENT * FRAGMENT * n * 4 <= limits.maxComputeWorkgroupStorageSize;
  });
  /** Workgroups that keep a large GPU's units busy. */
  const busy = 128;
  const groups = ([m, n, m2, n2]: number[]): number => Math.ceil(blocks.m / (m * m2)) * Math.ceil(blocks.n / (n * n2)) * problem.B;
  const chosen = shapes.find((s) => groups(s) >= busy) ?? shapes.at(-1);
  if (!chosen) return undefined;
  const [fragmentsM, fragmentsN, subgroupsM, subgroupsN] = chosen;
  return { family: 'subgroupMatrix', M: FRAGMENT, N: FRAGMENT, K: FRAGMENT, fragmentsM, fragmentsN, subgroupsM, subgroupsN, subgroupSize: subgroups.minSize };
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
  readonly tileK: number;
  readonly splitK: number;
  readonly prefetch: boolean;
  /** Products a second on a device that is full, relative to the first tile: by how many products a loaded value serves. */
  readonly speed: number;
}

/** From the largest, which serves a loaded value most often, to the smallest, which gives the device most to do at once. */
const TILES: readonly Tile[] = [
  { thread: [8, 8], group: [16, 16], tileK: 16, splitK: 1, prefetch: false, speed: 1 },
  { thread: [8, 8], group: [8, 16], tileK: 16, splitK: 1, prefetch: false, speed: 0.95 },
  { thread: [8, 8], group: [8, 8], tileK: 16, splitK: 1, prefetch: false, speed: 0.85 },
  { thread: [4, 4], group: [16, 16], tileK: 16, splitK: 1, prefetch: false, speed: 0.6 },
  { thread: [4, 4], group: [8, 16], tileK: 16, splitK: 1, prefetch: false, speed: 0.55 },
  { thread: [4, 4], group: [8, 8], tileK: 32, splitK: 2, prefetch: false, speed: 0.45 },
  { thread: [4, 4], group: [4, 8], tileK: 32, splitK: 4, prefetch: false, speed: 0.35 },
];

/** Threads that keep a large GPU busy: two workgroups of 128 on each of some 128 units. */
const BUSY_THREADS = 1 << 15;

/** The tile with the most useful products a second: its speed, less what hangs over the edges, less what leaves the device idle. */
function stagedTiles(problem: ContractionProblem, target: Target): ContractionSchedule {
  const { B, M, N } = problem;
  const depth = problem.depth.reduce((n, e) => n * e, 1);
  const score = (tile: Tile): number => {
    const [rows, columns] = sides(tile);
    const [down, across] = [Math.ceil(M / rows), Math.ceil(N / columns)];
    const useful = (M * N) / (down * rows * across * columns);
    const busy = Math.min(1, (down * across * B * threadsOf(tile)) / BUSY_THREADS);
    return tile.speed * useful * busy;
  };
  const usable = TILES.filter((t) => fits(t, target));
  if (usable.length === 0) return softwareTiles(problem);
  const chosen = usable.reduce((best, tile) => (score(tile) > score(best) ? tile : best));
  const tileK = Math.min(chosen.tileK, 4 * Math.ceil(depth / 4));
  return {
    family: 'contraction', threadM: chosen.thread[0], threadN: chosen.thread[1], groupM: chosen.group[0], groupN: chosen.group[1],
    tileK, splitK: Math.min(chosen.splitK, powerAtMost(tileK)), vector: 4, ...(chosen.prefetch && { prefetch: true }),
  };
}

function threadsOf({ group, splitK }: Tile): number {
  return group[0] * group[1] * splitK;
}

function sides({ thread, group }: Tile): [rows: number, columns: number] {
  return [thread[0] * group[0], thread[1] * group[1]];
}

function fits(tile: Tile, { limits }: Target): boolean {
  const [rows, columns] = sides(tile);
  const threads = threadsOf(tile);
  const sums = tile.splitK > 1 ? (tile.splitK / 2) * rows * columns : 0;
  const bytes = 4 * ((rows + columns) * tile.tileK + sums);
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

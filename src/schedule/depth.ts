/** Which contractions divide their depth between workgroups: split-depth.ts of lowering makes two kernels of them. */
import { sizeOf } from '../graph.ts';
import { contractionProblem, type ContractionProblem } from '../kernel-contraction.ts';
import type { Kernel } from '../kernel.ts';
import type { Family } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { tiledNanoseconds } from './contraction.ts';
import { areHalves } from './matrix-units.ts';
import { chooseSchedule } from './rules.ts';
import { matrixNanoseconds } from './subgroup-matrix.ts';

/**
 * What adding parts takes on the device of the model: a dispatch that waits for another one, and reading the sums from its
 * cache. On an H200 additions of 2.4 to 38 MB of sums took 2.8 to 10.3 microseconds, 4.8 MB 3.1.
 */
const ADDITION_NS = 2500;
const CACHED_BYTES_PER_NS = 5000;
const CACHED_BYTES = 32 * 2 ** 20;
/** The share of the time that has to be left at most, and what has to be gained: less is within what the model misses by. */
const WORTH = 0.9;
const WORTH_NS = 2000;
/** Of numbers of parts whose times are so close, the least: it moves less. */
const CLOSE = 1.05;
/** Families whose times these are. */
const DIVIDED: ReadonlySet<Family> = new Set<Family>(['contraction', 'subgroupMatrix']);
/** Multiply-adds for each sum that is written and read again. */
const LEAST_DEPTH = 128;

/**
 * Into how many parts, of those offered, the depth is to be divided; undefined: it stays whole, as it does for every
 * schedule that is none of register tiles or matrix units. By the same times as tiles are chosen by, which are a large
 * device's, for all that are none in software. A device with few units, which a whole depth fills too, loses a dispatch and
 * what the sums move: eight bytes for LEAST_DEPTH multiply-adds at least, a fifth of the kernel's time where a cache gives a
 * byte in the time of 7 operations. Few rows share each column's depth among 32 threads already; what is left of them is
 * less than a dispatch.
 */
export function depthParts(kernel: Kernel, offered: readonly number[], target: Target): number | undefined {
  const { parts } = dividedNanoseconds(kernel, offered, target) ?? { parts: 1 };
  return parts > 1 && DIVIDED.has(chooseSchedule(kernel, target).family) ? parts : undefined;
}

/** Nanoseconds that a contraction is predicted to take, in as many parts as it is to be divided into; undefined where there are no such times. */
export function dividedNanoseconds(kernel: Kernel, offered: readonly number[], target: Target): { readonly parts: number; readonly nanoseconds: number } | undefined {
  const problem = contractionProblem(kernel);
  if (!problem || problem.prologue) return undefined;
  // f16 operands always go to matrix units where there are any, f32 ones to what is faster.
  const halves = areHalves(kernel, [problem.left, problem.right]);
  const time = (repeated: ContractionProblem): number | undefined => {
    const matrix = matrixNanoseconds(kernel, repeated, target);
    const tiled = matrix === undefined || !halves ? tiledNanoseconds(repeated, target) : undefined;
    return matrix === undefined || tiled === undefined ? matrix ?? tiled : Math.min(matrix, tiled);
  };
  const whole = time(problem);
  if (whole === undefined) return undefined;
  const { B, M, N } = problem;
  const depth = sizeOf(problem.depth);
  const timed = offered.flatMap((parts) => {
    const bytes = 4 * B * M * N * parts;
    if (depth < LEAST_DEPTH * parts || bytes > Math.min(CACHED_BYTES, target.limits.maxStorageBufferBindingSize)) return [];
    const products = time({ ...problem, B: B * parts, depth: [depth / parts] });
    return products === undefined ? [] : [{ parts, nanoseconds: products + ADDITION_NS + bytes / CACHED_BYTES_PER_NS }];
  });
  const most = Math.min(WORTH * whole, whole - WORTH_NS);
  const least = Math.min(...timed.map((t) => t.nanoseconds));
  return timed.find((t) => t.nanoseconds <= Math.min(CLOSE * least, most)) ?? { parts: 1, nanoseconds: whole };
}

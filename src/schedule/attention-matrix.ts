/**
 * Attention in matrix units: of all schedules that fit the target, the one that a model of a large GPU takes the fewest
 * cycles for. Many rows a workgroup share what is staged; few make work for more cores.
 */
import { attentionFragments, comeInVectors, type AttentionFragments } from '../kernel-attention-fragments.ts';
import { attentionProblem, type AttentionProblem } from '../kernel-attention-problem.ts';
import { FRAGMENT } from '../kernel-fragments.ts';
import type { Kernel } from '../kernel.ts';
import type { AttentionMatrixSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { fewestCycles, type Candidate } from './fewest.ts';
import { areHalves, matrixSubgroup } from './matrix-units.ts';

/** Depth and values that a subgroup keeps as fragments beside each other. */
const MOST_DEPTH = 128;
const MOST_VALUES = 128;

/** Undefined where the kernel is no attention of f16 operands, or is too small or too wide for fragments. */
export function attentionMatrix(kernel: Kernel, target: Target): AttentionMatrixSchedule | undefined {
  return fewestCycles(attentionMatrixCandidates(kernel, target));
}

/** Every schedule that fits, for a choice or for measurements. */
export function attentionMatrixCandidates(kernel: Kernel, target: Target): Candidate<AttentionMatrixSchedule>[] {
  const subgroupSize = matrixSubgroup(target);
  const problem = subgroupSize === undefined ? undefined : attentionProblem(kernel);
  if (!problem || subgroupSize === undefined) return [];
  const { products, mix } = problem;
  // Queries that reductions make are computed by lanes, in another family.
  if (kernel.stages[0].name !== products.acc || !areHalves(kernel, [products.left, products.right, mix.right]) || !comeInVectors(problem)) return [];
  const tooFew = mix.M < FRAGMENT / 2 || products.N < FRAGMENT / 2;
  if (tooFew || products.depth[0] > MOST_DEPTH || mix.N > MOST_VALUES || mix.B > target.limits.maxComputeWorkgroupsPerDimension) return [];
  return [...fitting(problem, target, subgroupSize)].map((schedule) => ({ schedule, cycles: estimate(schedule, attentionFragments(problem, schedule)) }));
}

/** Fragments of sums that a subgroup keeps: more leave too few registers. */
const MOST_SUMS = 8;
const MOST_SUBGROUPS = 8;
/** Scores that a lane keeps. */
const MOST_KEPT = 128;

function* fitting(problem: AttentionProblem, { limits }: Target, subgroupSize: number): Generator<AttentionMatrixSchedule> {
  const { products, mix } = problem;
  const most = FRAGMENT * Math.ceil(products.N / FRAGMENT);
  for (const fragments of [1, 2]) {
    if (subgroupSize % (FRAGMENT * fragments) !== 0 || fragments * Math.ceil(mix.N / FRAGMENT) > MOST_SUMS) continue;
    // Of powers of two every thread brings as much as the others: three subgroups took twice as long as two or four.
    for (let subgroups = 1; subgroups <= MOST_SUBGROUPS && (subgroups === 1 || (FRAGMENT * fragments * subgroups) / 2 < mix.M); subgroups *= 2) {
      if (subgroups * subgroupSize > Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX)) continue;
      for (const keys of [16, 32, 48, 64, 80, 96, 112, 128]) {
        if (keys > most || (keys * fragments) % subgroupSize !== 0) continue;
        const kept = (keys * Math.ceil(products.N / keys) * FRAGMENT * fragments) / subgroupSize;
        for (const keep of keys >= most ? [true] : kept <= MOST_KEPT ? [false, true] : [false]) {
          const schedule = { family: 'attentionMatrix', fragments, subgroups, subgroupSize, keys, keep } as const;
          if (attentionFragments(problem, schedule).bytes <= limits.maxComputeWorkgroupStorageSize) yield schedule;
        }
      }
    }
  }
}

/**
 * A large GPU: cores, instructions that each issues a cycle for 32 threads, multiply-adds and bytes of workgroup memory a
 * cycle, what a core holds at once. Of workgroup memory that was 50 KB on an H200, for all workgroups of a core together.
 */
const GPU = { cores: 132, issue: 4, lanes: 32, products: 1024, local: 128, threads: 2048, registers: 65536, bytes: 50 * 1024, groups: 32 };
/** Cycles: from a barrier to the next instruction, for the units to deliver a product, for workgroup memory to answer, for global memory. */
const BARRIER = 40;
const PRODUCT = 35;
const ANSWER = 30;
const LATENCY = 700;
/** Instructions of four neighbouring scores in each pass, and to stage a vector of eight. */
const TOP = 28;
const WEIGH = 52;
const STAGE = 14;

function estimate({ fragments, subgroups, keys }: AttentionMatrixSchedule, layout: AttentionFragments): number {
  const { groups, size, keyTiles, depthFragments, valueFragments, groupRows } = layout;
  const again = layout.keep ? 0 : 1;
  const columns = keys / FRAGMENT;
  // Of a workgroup and a tile of keys.
  const scores = subgroups * columns * fragments;
  const products = scores * FRAGMENT ** 3 * (depthFragments * (1 + again) + valueFragments);
  const fragment = 2 * FRAGMENT ** 2;
  const moved = scores * 4 * fragment * (1 + again) // scores, written and read
    + scores * 2 * fragment // weights
    + subgroups * columns * fragment * (depthFragments * (1 + again) + valueFragments)
    + columns * fragment * (depthFragments * (1 + again) + valueFragments);
  const warps = size / GPU.lanes;
  const quads = (groupRows * keys) / 4 / size;
  const staged = Math.ceil((keys * FRAGMENT * depthFragments) / 8 / size) * (1 + again) + Math.ceil((keys * FRAGMENT * valueFragments) / 8 / size);
  const instructions = warps * (quads * (TOP + WEIGH) + staged * STAGE + columns * fragments * (2 * depthFragments * (1 + again) + 2 * valueFragments + 16));
  const busy = groups * keyTiles * (products / GPU.products + moved / GPU.local + instructions / GPU.issue) / GPU.cores;
  const chain = keyTiles * ((1 + again) * (depthFragments * PRODUCT + 2 * ANSWER) + columns * PRODUCT + (4 + again) * (BARRIER + ANSWER) + quads * (TOP + WEIGH)) + 3 * LATENCY;
  const kept = layout.keep ? (keyTiles * keys) / layout.lanes : 0;
  const registers = 56 + kept + fragments * (8 * valueFragments + 4 * depthFragments + 16) + 4 * staged;
  const resident = Math.floor(Math.min(GPU.groups, GPU.threads / size, GPU.registers / (registers * size), GPU.bytes / layout.bytes));
  const waves = Math.ceil(groups / (GPU.cores * Math.max(1, resident)));
  // What waits is filled by other workgroups of the core; one that is alone fills half of it at most.
  return resident > 1 ? Math.hypot(busy, waves * chain) : busy + (waves * chain) / 2;
}

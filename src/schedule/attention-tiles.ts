/**
 * Tiles for attention through workgroup memory: of all that fit the target, those that a model of a large GPU takes the
 * fewest cycles for. Long problems want many rows to share what is staged; short ones want many threads at once.
 */
import { attentionLayout, type AttentionLayout } from '../kernel-attention-layout.ts';
import { attentionProblem, type AttentionProblem } from '../kernel-attention-problem.ts';
import { sizeOf } from '../graph.ts';
import { loadsOf } from '../kernel-expr.ts';
import { strideOf } from '../kernel-index.ts';
import type { Kernel } from '../kernel.ts';
import type { AttentionTilesSchedule } from '../schedule.ts';
import type { Target, TargetLimits } from '../targets.ts';
import { fewestCycles, type Candidate } from './fewest.ts';

/** Values up to which a row's weighted sums stay in registers, and depth up to which its products are worth joining. */
const MOST_VALUES = 128;
const MOST_DEPTH = 256;

/** Undefined where the kernel is no attention, where no tile fits, and on a CPU, whose workgroup memory is memory. */
export function attentionTiles(kernel: Kernel, target: Target): AttentionTilesSchedule | undefined {
  const schedule = fewestCycles(attentionCandidates(kernel, target).filter((c) => !c.schedule.prefetch));
  if (!schedule) return undefined;
  const { groups } = attentionLayout(attentionProblem(kernel)!, schedule);
  return groups < PREFETCHED * GPU.cores ? schedule : { ...schedule, prefetch: true };
}

/** Every schedule that fits, for a choice or for measurements; the estimate knows nothing of prefetching. */
export function attentionCandidates(kernel: Kernel, { software, limits }: Target): Candidate<AttentionTilesSchedule>[] {
  const problem = software ? undefined : attentionProblem(kernel);
  if (!problem) return [];
  const { products, mix } = problem;
  if (products.N < 4 || products.depth[0] > MOST_DEPTH || mix.N > MOST_VALUES || mix.B > limits.maxComputeWorkgroupsPerDimension) return [];
  // Where queries are computed, each takes a few instructions for every value that they are made of.
  const taps = kernel.stages.slice(0, kernel.stages.findIndex((s) => s.name === products.acc)).reduce((n, { reduce }) => n + sizeOf(reduce!.axes.map((a) => a.extent)), 0);
  const perQuery = TAP * taps;
  return [...fitting(problem, limits)].map((schedule) => ({ schedule, cycles: estimate(schedule, attentionLayout(problem, schedule), perQuery) }));
}

/** Workgroup memory that leaves room for several workgroups on a core. */
const MOST_BYTES = 32768;
const MOST_THREADS = 256;
/** Threads that are few for loading, whatever there is to compute. */
const LOADERS = 128;

function* fitting(problem: AttentionProblem, limits: TargetLimits): Generator<AttentionTilesSchedule> {
  const { products, mix } = problem;
  const bytes = Math.min(limits.maxComputeWorkgroupStorageSize, MOST_BYTES);
  const threads = Math.min(limits.maxComputeInvocationsPerWorkgroup, MOST_THREADS);
  const whole = 4 * Math.ceil(products.depth[0] / 4);
  const dots = loadsOf(products.right).some(({ at: [index] }) => strideOf(index, 'k0') === 1);
  const depths = [...new Set([8, 16, 32, whole])].filter((t) => t <= whole);
  for (const threadM of [4, 8]) {
    // Not twice as many rows or keys as there are, unless that leaves too few threads to load them.
    for (let groupM = 1; groupM <= 16 && (groupM === 1 || threadM * groupM < 2 * mix.M); groupM *= 2) {
      for (let groupN = 4; groupM * groupN <= threads && (groupN === 4 || 4 * groupN < 2 * products.N || groupM * groupN <= LOADERS); groupN *= 2) {
        const keys = 4 * groupN;
        for (const tileK of depths) {
          for (let tileV = 8; tileV <= keys; tileV *= 2) {
            for (const keep of [true, false]) {
              const schedule = { family: 'attentionTiles', threadM, threadN: 4, groupM, groupN, tileK, tileV, keep, dots } as const;
              if (attentionLayout(problem, schedule).bytes > bytes) continue;
              yield schedule;
              yield { ...schedule, prefetch: true };
            }
          }
        }
      }
    }
  }
}

/**
 * A large GPU: cores, instructions that each issues a cycle for 32 threads, bytes a cycle from the cache, and what a core
 * holds at once. Of workgroup memory an H200 gave all workgroups of a core some 50 KB together, `own` besides what each
 * asks for. With that, and the cycles below, what is estimated of 66 measured schedules of five problems deviates by 10%
 * from one share of their times (with 200 KB: by 27%), and the fastest measured of each problem comes first of these.
 */
const GPU = { cores: 132, issue: 4, lanes: 32, cache: 3000, threads: 2048, registers: 65536, bytes: 50 * 1024, own: 2048, groups: 32 };
/**
 * Workgroups of a core from which on the next keys and values are loaded early. On an H200 that took 11% off 64 x 197 x 3
 * heads of 64, 2% off 1 x 197 x 12 heads, and nothing off 3 heads, where it is but more code.
 */
const PREFETCHED = 2;
/** Cycles: from a global load to its use, from a workgroup's barrier to the next instruction. */
const LATENCY = 400;
const BARRIER = 20;
/** Vectors of workgroup memory that a core reads at once, and the issue slots that one reading takes from all threads. */
const BANKED = 8;
const READ = 2;
/** Instructions: to stage a vector, to stage one that is scattered on the way, to make a weight of a product. */
const STAGE = 10;
const SCATTER = 32;
const WEIGH = 16;
/** Instructions of a vector of queries for every tap of the window that makes them. */
const TAP = 24;

function estimate({ threadM, threadN, groupN, tileK, tileV, keep, dots }: AttentionTilesSchedule, layout: AttentionLayout, perQuery: number): number {
  const { rows, keys, keyTiles, chunks, chunksPerTile, valueGroups, valueThreads, values, turns, size, groups } = layout;
  // Threads of a warp that stand side by side along the keys, and one below the other along the rows, read different vectors.
  const across = Math.min(groupN, GPU.lanes);
  const read = (different: number): number => READ * Math.max(1, different / BANKED);
  const readRow = read(GPU.lanes / across);
  const stage = (vectors: number, each: number): number => each * Math.ceil(vectors / size);
  const depth = chunks * tileK;
  const perOperand = dots ? STAGE : SCATTER;
  const queries = chunks * stage((tileK * rows) / 4, perOperand + perQuery);
  const multiply = depth * ((readRow * threadM + read(across) * threadN) / 4 + threadM * threadN);
  const products = multiply + chunks * stage((tileK * keys) / 4, perOperand) + (keep ? 0 : queries);
  const softmax = WEIGH * threadM * threadN + READ * (threadM / 4) * groupN;
  const readValue = read(Math.min(valueThreads, across));
  const mix = (keys / 4 / turns) * (readRow * threadM + readValue * 4 * valueGroups + 16 * threadM * valueGroups) + chunksPerTile * stage((tileV * values) / 4, STAGE);
  const instructions = keyTiles * (products + softmax + mix) + (keep ? queries : 0);
  const waits = keyTiles * ((chunks + chunksPerTile) * (LATENCY + 2 * BARRIER) + 2 * BARRIER);
  const registers = 64 + threadM * (threadN + 4 * valueGroups) + 4 * (threadM + threadN);
  const resident = Math.floor(Math.min(GPU.groups, GPU.threads / size, GPU.registers / (registers * size), GPU.bytes / (layout.bytes + GPU.own)));
  const issued = (groups * Math.ceil(size / GPU.lanes) * instructions) / (GPU.cores * GPU.issue);
  const moved = (4 * groups * keyTiles * (depth * (keys + (keep ? 0 : rows)) + keys * values)) / GPU.cache;
  const waves = Math.ceil(groups / (GPU.cores * Math.max(1, resident)));
  // What overlaps never overlaps wholly.
  return Math.hypot(issued, moved, waves * (waits + instructions));
}

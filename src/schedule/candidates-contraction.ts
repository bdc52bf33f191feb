/** Schedules of contractions worth measuring: tiles staged or straight from memory, and fragments for matrix units. */
import { sizeOf } from '../graph.ts';
import { contractionProblem, type ContractionProblem } from '../kernel-contraction.ts';
import { FRAGMENT, fragmentProblem } from '../kernel-fragments.ts';
import { prologueSeats } from '../kernel-prologue.ts';
import { turnsLayout } from '../kernel-turns.ts';
import type { Kernel } from '../kernel.ts';
import type { ContractionSchedule, Schedule, SubgroupMatrixSchedule } from '../schedule.ts';
import type { Target, TargetLimits } from '../targets.ts';
import { fragmentsFit, matrixSchedules } from './subgroup-matrix.ts';

const POWERS = [1, 2, 4, 8, 16, 32, 64] as const;
const upTo = (most: number): number[] => POWERS.filter((p) => p <= most);

/** Results that a thread keeps at most, and threads of a workgroup. */
const MOST_RESULTS = 64;
const MOST_THREADS = 512;
/** Numbers of a prologue's row that a thread takes at most. */
const MOST_TURNS = 64;

export function contractionCandidates(kernel: Kernel, target: Target): Schedule[] {
  const problem = contractionProblem(kernel);
  if (!problem || problem.B > target.limits.maxComputeWorkgroupsPerDimension) return [];
  const { M, N } = problem;
  const depth = problem.depth.reduce((n, e) => n * e, 1);
  const fitting = (s: ContractionSchedule): boolean => fits(s, problem, target.limits);
  const direct = directTiles(M, N, depth, target.software).filter(fitting);
  // Workgroup memory of a CPU is memory.
  const staged = target.software || N < 4 ? [] : stagedTiles(M, N, depth).filter(fitting);
  return [...fragments(kernel, problem, target), ...staged, ...direct];
}

/** Whether a side's tile is not wholly beyond what there is to compute. */
const useful = (extent: number, thread: number, group: number): boolean => group === 1 || thread * group < 2 * extent;

function fits({ threadM, threadN, groupM, groupN, tileK, splitK, vector }: ContractionSchedule, { M, N, prologue }: ContractionProblem, limits: TargetLimits): boolean {
  const [rows, columns] = [threadM * groupM, threadN * groupN];
  const threads = groupM * groupN * splitK;
  const sums = vector * turnsLayout(splitK, groupM * groupN, (threadM * threadN) / vector, vector).elements;
  const before = prologue && prologueSeats(prologue, prologue.side === 'left' ? rows : columns, threads);
  // Few threads would keep more of a row than there are registers.
  if (before && prologue.stages.some(({ stage }) => sizeOf(stage.reduce.axes.map((a) => a.extent)) > MOST_TURNS * before.threads)) return false;
  return (
    useful(M, threadM, groupM) &&
    useful(N, threadN, groupN) &&
    threads <= Math.min(MOST_THREADS, limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX) &&
    4 * ((rows + columns) * tileK + sums) + (before?.bytes ?? 0) <= limits.maxComputeWorkgroupStorageSize &&
    Math.max(Math.ceil(M / rows), Math.ceil(N / columns)) <= limits.maxComputeWorkgroupsPerDimension
  );
}

function stagedTiles(M: number, N: number, depth: number): ContractionSchedule[] {
  const deepest = 4 * Math.ceil(depth / 4);
  const depths = [...new Set([8, 16, 32, 64].map((k) => Math.min(k, deepest)))];
  const found: ContractionSchedule[] = [];
  for (const threadM of [4, 8]) for (const threadN of [4, 8]) for (const groupM of upTo(32)) for (const groupN of upTo(32)) for (const tileK of depths) for (const splitK of upTo(16)) for (const prefetch of [true, false]) {
    const threads = groupM * groupN * splitK;
    if (threads < 32 || splitK > tileK || (prefetch && tileK >= depth)) continue;
    found.push({ family: 'contraction', threadM, threadN, groupM, groupN, tileK, splitK, vector: 4, ...(prefetch && { prefetch }) });
  }
  return found;
}

function directTiles(M: number, N: number, depth: number, software: boolean): ContractionSchedule[] {
  const found: ContractionSchedule[] = [];
  for (const threadM of upTo(8)) for (const threadN of upTo(8)) for (const groupM of upTo(16)) for (const groupN of upTo(32)) for (const splitK of software ? [1] : upTo(64)) {
    if (threadM * threadN > MOST_RESULTS || threadM >= 2 * M || threadN >= 2 * Math.max(N, 4) || (splitK > 1 && splitK > depth / 2)) continue;
    const threads = groupM * groupN * splitK;
    if (threads > 256 || (!software && threads < 16)) continue;
    const vector = threadN % 4 === 0 ? 4 : threadN === 2 ? 2 : 1;
    found.push({ family: 'contraction', threadM, threadN, groupM, groupN, tileK: 0, splitK, vector });
  }
  return found;
}

/** Fragments that a subgroup keeps at most: more spill. */
const MOST_FRAGMENTS = 16;

/** Variations of what fits, whether the rule chooses it or not. */
function fragments(kernel: Kernel, problem: ContractionProblem, target: Target): SubgroupMatrixSchedule[] {
  const [base] = matrixSchedules(kernel, target);
  if (!base) return [];
  const [blocksM, blocksN] = [Math.ceil(problem.M / FRAGMENT), Math.ceil(problem.N / FRAGMENT)];
  const depth = problem.depth.reduce((n, e) => n * e, 1);
  const depths = [...(!base.split && fragmentProblem(kernel) ? [0] : []), ...[16, 32, 64].filter((k) => (base.split ? k < depth : k === FRAGMENT || k <= depth))];
  const variations: SubgroupMatrixSchedule[] = [];
  for (const fragmentsM of upTo(8)) for (const fragmentsN of upTo(8)) for (const subgroupsM of upTo(4)) for (const subgroupsN of upTo(4)) for (const tileK of depths) for (const prefetch of tileK === 0 ? [false] : base.split ? [true] : [true, false]) {
    const reaches = useful(blocksM, fragmentsM, subgroupsM) && useful(blocksN, fragmentsN, subgroupsN) && fragmentsM < 2 * blocksM && fragmentsN < 2 * blocksN;
    if (!reaches || (base.split ? 2 : 1) * fragmentsM * fragmentsN > MOST_FRAGMENTS || !fragmentsFit({ fragmentsM, fragmentsN, subgroupsM, subgroupsN, tileK, split: base.split }, problem, target, base.subgroupSize)) continue;
    variations.push({ ...base, fragmentsM, fragmentsN, subgroupsM, subgroupsN, tileK, prefetch });
  }
  return variations;
}

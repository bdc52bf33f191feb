/** Tiles for contractions, by their extents and the target. */
import { contractionProblem } from '../kernel-contraction.ts';
import type { ContractionProblem } from '../kernel-contraction.ts';
import type { Kernel } from '../kernel.ts';
import type { ContractionSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';

/** Undefined where the kernel is no contraction, or its batch is more than a dispatch can number. */
export function contractionSchedule(kernel: Kernel, target: Target): ContractionSchedule | undefined {
  const problem = contractionProblem(kernel);
  if (!problem || problem.B > target.limits.maxComputeWorkgroupsPerDimension) return undefined;
  return softwareTiles(problem);
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

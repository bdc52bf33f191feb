/** Which contractions may compute norms of their rows themselves. */
import { contractionProblem, linearDepth } from '../kernel-contraction.ts';
import { loadsOf } from '../kernel-expr.ts';
import { arePairs, fragmentTile } from '../kernel-fragments.ts';
import { strideOf } from '../kernel-index.ts';
import type { Kernel } from '../kernel.ts';
import { prologueSeats } from '../kernel-prologue.ts';
import type { Schedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { chooseSchedule } from './rules.ts';

/** Turns that a thread takes at a row, at most. */
const TURNS = 64;

/**
 * Where the schedule is of the same family with a prologue as without, rows lie along memory, and threads that share a
 * row can keep it. On a CPU, whose threads gain nothing from one another, norms stay kernels.
 */
export function acceptsPrologue(before: Kernel, after: Kernel, target: Target): boolean {
  const problem = contractionProblem(after);
  if (target.software || !problem?.prologue) return false;
  // A norm that is stored in pairs would be split again by each of its readers.
  if (readsPairs(before)) return false;
  const schedule = chooseSchedule(after, target);
  const whole = workgroupOf(schedule);
  if (!whole || chooseSchedule(before, target).family !== schedule.family) return false;
  const { rows, columns, size } = whole;
  const tile = problem.prologue.side === 'left' ? rows : columns;
  const { threads } = prologueSeats(problem.prologue, tile, size);
  return problem.prologue.stages.every(({ stage }) => {
    const last = stage.reduce.axes.at(-1)!;
    const length = stage.reduce.axes.reduce((n, a) => n * a.extent, 1);
    return length <= TURNS * threads && loadsOf(stage.body).every(({ at: [index] }) => [0, 1].includes(strideOf(index, last.name) ?? -1));
  });
}

function readsPairs(kernel: Kernel): boolean {
  const problem = contractionProblem(kernel);
  return problem !== undefined && arePairs(kernel, linearDepth(problem));
}

/** The results of a contraction's workgroup, and its threads. */
function workgroupOf(schedule: Schedule): { readonly rows: number; readonly columns: number; readonly size: number } | undefined {
  if (schedule.family === 'contraction') {
    const { threadM, threadN, groupM, groupN, splitK } = schedule;
    return { rows: threadM * groupM, columns: threadN * groupN, size: groupM * groupN * splitK };
  }
  if (schedule.family !== 'subgroupMatrix') return undefined;
  return { ...fragmentTile(schedule), size: schedule.subgroupsM * schedule.subgroupsN * schedule.subgroupSize };
}

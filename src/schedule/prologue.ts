/** Which contractions may compute norms of their rows themselves. */
import { contractionProblem } from '../kernel-contraction.ts';
import { loadsOf } from '../kernel-expr.ts';
import { strideOf } from '../kernel-index.ts';
import type { Kernel } from '../kernel.ts';
import { prologueSeats } from '../kernel-prologue.ts';
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
  const schedule = chooseSchedule(after, target);
  if (schedule.family !== 'contraction' || chooseSchedule(before, target).family !== 'contraction') return false;
  const { threadM, threadN, groupM, groupN, splitK } = schedule;
  const [tile, size] = [problem.prologue.side === 'left' ? threadM * groupM : threadN * groupN, groupM * groupN * splitK];
  const { threads } = prologueSeats(problem.prologue, tile, size);
  return problem.prologue.stages.every(({ stage }) => {
    const last = stage.reduce.axes.at(-1)!;
    const length = stage.reduce.axes.reduce((n, a) => n * a.extent, 1);
    return length <= TURNS * threads && loadsOf(stage.body).every(({ at: [index] }) => [0, 1].includes(strideOf(index, last.name) ?? -1));
  });
}

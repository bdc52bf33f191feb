/** How a kernel is computed: ordered rules, the first that applies wins, the generic loop nest last. */
import { sizeOf } from '../graph.ts';
import type { Kernel } from '../kernel.ts';
import type { GenericSchedule, Schedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { attentionMatrix } from './attention-matrix.ts';
import { attentionTiles } from './attention-tiles.ts';
import { attentionSchedule } from './attention.ts';
import { chainSchedule } from './chain.ts';
import { contractionSchedule } from './contraction.ts';
import { rowSchedule } from './row.ts';
import { subgroupMatrixSchedule } from './subgroup-matrix.ts';
import { windowSchedule } from './window.ts';

export interface ScheduleRule {
  readonly name: string;
  readonly applies: (kernel: Kernel, target: Target) => Schedule | undefined;
}

export const RULES: readonly ScheduleRule[] = [
  { name: 'attention in matrix units', applies: attentionMatrix },
  { name: 'attention in tiles', applies: attentionTiles },
  { name: 'attention', applies: attentionSchedule },
  { name: 'window', applies: windowSchedule },
  { name: 'subgroup matrix', applies: subgroupMatrixSchedule },
  { name: 'contraction', applies: contractionSchedule },
  { name: 'row', applies: rowSchedule },
  { name: 'chain', applies: chainSchedule },
  { name: 'generic', applies: genericSchedule },
];

export function chooseSchedule(kernel: Kernel, target: Target): Schedule {
  for (const rule of RULES) {
    const schedule = rule.applies(kernel, target);
    if (schedule) return schedule;
  }
  throw new Error(`bug: no rule schedules ${kernel.name}`);
}

/** Threads below which a GPU is not busy: better one point a thread than four. */
const BUSY_THREADS = 1 << 14;

/** Four points a thread where the last axis allows it, unless that leaves too few threads for work that loops. */
export function genericSchedule(kernel: Kernel, target: Target): GenericSchedule {
  const stored = kernel.stores.map((s) => kernel.stages.find((t) => t.name === s.stage)!);
  const points = Math.max(...stored.map((s) => sizeOf(s.axes.map((a) => a.extent))));
  const last = stored[0].axes.at(-1)?.extent ?? 1;
  const loops = kernel.stages.some((s) => s.reduce);
  const few = loops && !target.software && points < 4 * BUSY_THREADS;
  const vector = few ? 1 : last % 4 === 0 ? 4 : last % 2 === 0 ? 2 : 1;
  return { family: 'generic', vector, workgroup: Math.min(64, target.limits.maxComputeInvocationsPerWorkgroup) };
}

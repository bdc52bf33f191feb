/** Code of a planned kernel, by the family of its schedule. */
import type { PlannedKernel } from '../plan.ts';
import type { Target } from '../targets.ts';
import { generateAttention } from './families/attention.ts';
import { generateAttentionMatrix } from './families/attention-matrix.ts';
import { generateAttentionTiles } from './families/attention-tiles.ts';
import { generateChain } from './families/chain.ts';
import { generateContraction } from './families/contraction.ts';
import { generateGeneric } from './families/generic.ts';
import { generateRow } from './families/row.ts';
import { generateSubgroupMatrix } from './families/subgroup-matrix.ts';
import { generateWindow } from './families/window.ts';
import type { KernelCode } from './wgsl.ts';

export type { KernelCode } from './wgsl.ts';

export function generateKernel({ kernel, spaces, schedule }: Pick<PlannedKernel, 'kernel' | 'spaces' | 'schedule'>, target: Target): KernelCode {
  switch (schedule.family) {
    case 'contraction': return generateContraction(kernel, spaces, schedule, target);
    case 'generic': return generateGeneric(kernel, spaces, schedule, target);
    case 'subgroupMatrix': return generateSubgroupMatrix(kernel, spaces, schedule, target);
    case 'row': return generateRow(kernel, spaces, schedule, target);
    case 'window': return generateWindow(kernel, spaces, schedule, target);
    case 'attention': return generateAttention(kernel, spaces, schedule, target);
    case 'attentionTiles': return generateAttentionTiles(kernel, spaces, schedule, target);
    case 'attentionMatrix': return generateAttentionMatrix(kernel, spaces, schedule, target);
    case 'chain': return generateChain(kernel, spaces, schedule, target);
    default: return schedule satisfies never;
  }
}

/**
 * Contractions: sums of products in register tiles. Linear layers, batched products, pointwise and implicit-GEMM
 * convolution and attention's products are all C[b, m, n] = sum over k of left[b, m, k] * right[b, n, k] with other
 * index maps (see kernel-contraction.ts). Each thread keeps threadM x threadN results in named variables.
 * `tileK` 0 takes operands straight from memory (contraction-direct.ts), else they are staged through workgroup memory
 * (contraction-staged.ts).
 */
import { storedElements } from '../../kernel-layout.ts';
import type { Kernel } from '../../kernel.ts';
import type { Space } from '../../plan.ts';
import type { ContractionSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { Emitter } from '../emitter.ts';
import { Values } from '../values.ts';
import type { KernelCode } from '../wgsl.ts';
import { emitDirect } from './contraction-direct.ts';
import { contractionProblem } from '../../kernel-contraction.ts';
import { emitStaged } from './contraction-staged.ts';

export function generateContraction(kernel: Kernel, spaces: readonly Space[], schedule: ContractionSchedule, target: Target): KernelCode {
  const problem = contractionProblem(kernel);
  if (!problem) throw new Error(`bug: ${kernel.name} is no contraction`);
  // The problem's addresses are flat and as stored.
  const flat = kernel.params.map((p) => ({ ...p, shape: [storedElements(p)], layout: undefined }));
  const emitter = new Emitter({ ...kernel, params: flat }, spaces, target);
  const values = new Values(emitter, false);
  const dispatch = (schedule.tileK === 0 ? emitDirect : emitStaged)(emitter, values, problem, schedule);
  return emitter.finish(dispatch.workgroupSize, dispatch.workgroups);
}

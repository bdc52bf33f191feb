/** What matrix units ask of a target and of operands. */
import { loadsOf } from '../kernel-expr.ts';
import { FRAGMENT } from '../kernel-fragments.ts';
import type { Expr, Kernel } from '../kernel.ts';
import type { Target } from '../targets.ts';

/** Invocations of a subgroup where the target multiplies fragments of f16 into f32, else undefined. */
export function matrixSubgroup(target: Target): number | undefined {
  const { subgroups } = target;
  const offered = target.subgroupMatrix.some((c) => c.M === FRAGMENT && c.N === FRAGMENT && c.K === FRAGMENT && c.componentType === 'f16' && c.resultComponentType === 'f32');
  if (!offered || !target.shaderF16 || !subgroups || subgroups.minSize !== subgroups.maxSize) return undefined;
  return [16, 32, 64].includes(subgroups.minSize) ? subgroups.minSize : undefined;
}

/** Whether narrowing the operands to f16 loses nothing that their storage has not: all they are made of is stored so. */
export function areHalves(kernel: Kernel, operands: readonly Expr[]): boolean {
  const params = new Map(kernel.params.map((p) => [p.name, p]));
  return operands.every((e) => loadsOf(e).some((l) => params.get(l.buffer)!.storage === 'f16') && loadsOf(e).every((l) => params.get(l.buffer)!.storage !== 'f32'));
}

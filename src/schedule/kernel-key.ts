/** What makes kernels equal: everything but the name. */
import type { Axis, Kernel } from '../kernel.ts';
import { exprKey } from '../kernel-expr.ts';
import { keyOf } from '../kernel-index.ts';

export function kernelKey({ params, stages, stores }: Kernel): string {
  const axes = (list: readonly Axis[]): string => list.map((a) => `${a.name}:${a.extent}`).join();
  return [
    ...params.map((p) => `${p.access} ${p.name} ${p.dtype} ${p.storage} ${p.shape.join()} ${p.layout?.blocks.join() ?? ''}`),
    ...stages.map((s) => `${s.name} ${s.dtype} ${axes(s.axes)} ${s.reduce ? `${s.reduce.op} ${axes(s.reduce.axes)}` : ''} ${exprKey(s.body)}`),
    ...stores.map((s) => `${s.buffer} ${s.stage} ${s.at?.map(keyOf).join() ?? ''}`),
  ].join('\n');
}

/** 64 bits of a kernel's key as hexadecimal digits (FNV-1a twice, from different starts): short enough for files. */
export function kernelDigest(kernel: Kernel): string {
  const text = kernelKey(kernel);
  return [0x811c9dc5, 0x9747b28c].map((start) => {
    let hash = start;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return (hash >>> 0).toString(16).padStart(8, '0');
  }).join('');
}

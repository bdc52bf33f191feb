/** Thread numbering: a line of workgroups, folded into y and z where it is longer than a dimension may be. */
import type { Axis } from '../kernel.ts';
import type { Emitter } from './emitter.ts';
import { add, div, element, mod, mul, u32 } from './wgsl-build.ts';
import type { WgslExpr } from './wgsl.ts';

export type Extent3 = readonly [x: number, y: number, z: number];

/** Workgroup counts whose product is at least `groups`. */
export function foldGroups(groups: number, most: number): Extent3 {
  if (groups <= most) return [groups, 1, 1];
  const y = Math.ceil(groups / most);
  if (y <= most) return [Math.ceil(groups / y), y, 1];
  const z = Math.ceil(groups / most / most);
  const xy = Math.ceil(groups / z);
  return [most, Math.ceil(xy / most), z];
}

/** The number of this workgroup in the folded line; beyond the last where the fold is not even. */
export function groupNumber(emitter: Emitter, [x, y, z]: Extent3): WgslExpr {
  const id = emitter.builtin('workgroup_id');
  let line = element(id, 0);
  if (y > 1 || z > 1) line = add(line, mul(element(id, 1), u32(x)));
  if (z > 1) line = add(line, mul(element(id, 2), u32(x * y)));
  return line;
}

/** The number of this thread in a line of at least `total` threads. */
export function threadNumber(emitter: Emitter, total: number, workgroup: number): { readonly thread: WgslExpr; readonly workgroups: Extent3 } {
  const workgroups = foldGroups(Math.ceil(total / workgroup), emitter.target.limits.maxComputeWorkgroupsPerDimension);
  if (workgroups[1] === 1 && workgroups[2] === 1) return { thread: element(emitter.builtin('global_invocation_id'), 0), workgroups };
  const thread = add(mul(groupNumber(emitter, workgroups), u32(workgroup)), emitter.builtin('local_invocation_index'));
  return { thread: emitter.bind('thread', thread), workgroups };
}

/** Gives the axes their values from their row-major number. */
export function defineAxes(emitter: Emitter, axes: readonly Axis[], number: WgslExpr): void {
  const shown = axes.filter((a) => a.extent > 1);
  let rest = number;
  shown.forEach((_, fromLast) => {
    const i = shown.length - 1 - fromLast;
    const a = shown[i];
    if (i > 0) {
      emitter.defineAxis(a, emitter.bind(a.name, mod(rest, u32(a.extent))));
      rest = div(rest, u32(a.extent));
    } else emitter.defineAxis(a, emitter.bind(a.name, rest));
  });
}

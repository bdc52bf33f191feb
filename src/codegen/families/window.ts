/**
 * Sliding windows over few elements: depthwise and grouped convolution, pooling. A thread computes a strip of outputs with
 * the window unrolled; what neighbouring outputs read in common is loaded once and stays in registers.
 */
import { sizeOf } from '../../graph.ts';
import type { Axis, Expr, Index, Kernel } from '../../kernel.ts';
import { substituteExpr } from '../../kernel-expr.ts';
import { matchReduce } from '../../kernel-forms.ts';
import type { ReduceForm } from '../../kernel-forms.ts';
import { add as addIndex, axis as axisIndex, constant, scale, unflatten } from '../../kernel-index.ts';
import type { Space } from '../../plan.ts';
import type { WindowSchedule } from '../../schedule.ts';
import type { Target } from '../../targets.ts';
import { windowAxes } from '../../window-axes.ts';
import { defineAxes, threadNumber } from '../dispatch.ts';
import { Emitter } from '../emitter.ts';
import { combine, startOf, typeOf } from '../scalar.ts';
import { Values } from '../values.ts';
import { assign, construct, ifOf, less, u32 } from '../wgsl-build.ts';
import { vector } from '../wgsl.ts';
import type { KernelCode, Width, WgslExpr } from '../wgsl.ts';
import { storeLanes } from './generic.ts';

/** A point of the output axes. */
type Point = readonly Index[];

export function generateWindow(kernel: Kernel, spaces: readonly Space[], schedule: WindowSchedule, target: Target): KernelCode {
  const form = matchReduce(kernel);
  const moving = windowAxes(kernel);
  if (!form || !moving) throw new Error(`bug: ${kernel.name} slides no window`);
  const strip = (i: number): number => (i === moving.w ? schedule.stripW : i === moving.h ? schedule.stripH : 1);
  const loops = form.accAxes.map((a, i): Axis => {
    if (a.extent % strip(i) !== 0) throw new Error(`bug: strips of ${strip(i)} along ${a.extent}`);
    return strip(i) === 1 ? a : { name: `${a.name}~${strip(i)}`, extent: a.extent / strip(i) };
  });
  const emitter = new Emitter(kernel, spaces, target);
  const values = new Values(emitter);
  const total = sizeOf(loops.map((a) => a.extent));
  const { thread, workgroups } = threadNumber(emitter, total, schedule.workgroup);
  const body = emitter.nested({ fence: true }, () => {
    defineAxes(emitter, loops, thread);
    const pointAt = (h: number, w: number): Point =>
      loops.map((a, i) => addIndex(scale(axisIndex(a), strip(i)), constant(i === moving.w ? w : i === moving.h ? h : 0)));
    const rows = Array.from({ length: schedule.stripH }, (_, h) => Array.from({ length: schedule.stripW }, (_, w) => pointAt(h, w)));
    const sums = rows.map((row) => row.map((point) => ({ point, sum: emitter.variable(form.acc.name, typeOf(form.acc.dtype), startOf(form.acc.reduce.op, form.acc.dtype)) })));
    accumulate(emitter, values, form, sums.flat());
    for (const row of sums) storeRow(emitter, values, form, row);
  });
  emitter.push(ifOf(less(thread, u32(total)), body));
  return emitter.finish([schedule.workgroup, 1, 1], workgroups);
}

interface Sum {
  readonly point: Point;
  readonly sum: WgslExpr;
}

/** Every tap of the window, for every output of the strip: taps outermost, so that a weight is live for one tap only. */
function accumulate(emitter: Emitter, values: Values, { acc, accAxes }: ReduceForm, sums: readonly Sum[]): void {
  const { op, axes } = acc.reduce;
  const extents = axes.map((a) => a.extent);
  for (let tap = 0; tap < sizeOf(extents); tap++) {
    const at = unflatten(constant(tap), extents);
    for (const { point, sum } of sums) {
      const map = new Map([...accAxes.map((a, i): [string, Index] => [a.name, point[i]]), ...axes.map((a, i): [string, Index] => [a.name, at[i]])]);
      const value = values.scalar(substituteExpr(acc.body, map));
      emitter.push(op === 'sum' ? assign(sum, value, '+') : assign(sum, combine(op, sum, value)));
    }
  }
}

/** The epilogue and stores of one row of the strip, in vectors as wide as the row allows. */
function storeRow(emitter: Emitter, values: Values, { acc, accAxes, outputs }: ReduceForm, row: readonly Sum[]): void {
  const width = row.length % 4 === 0 ? 4 : row.length % 2 === 0 ? 2 : 1;
  const placeOf = new Map(accAxes.map((a, i) => [a.name, i]));
  for (let first = 0; first < row.length; first += width) {
    const lanes = row.slice(first, first + width);
    const points = lanes.map((l) => l.point);
    const sum = width === 1 ? lanes[0].sum : construct(vector(typeOf(acc.dtype).scalar, width as Width), ...lanes.map((l) => l.sum));
    values.defineLanes(acc.name, points.map((p) => acc.axes.map((a) => p[placeOf.get(a.name)!])), emitter.bind(acc.name, sum));
    for (const stage of outputs) {
      const value = values.value(points.map((at): Expr => ({ kind: 'stage', stage: stage.name, at })));
      for (const store of emitter.kernel.stores) if (store.stage === stage.name) storeLanes(emitter, values, store, stage, points, value);
    }
  }
}

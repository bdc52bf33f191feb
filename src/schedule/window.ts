/** Strips for sliding windows. */
import { sizeOf } from '../graph.ts';
import type { Kernel } from '../kernel.ts';
import { matchContraction, matchReduce } from '../kernel-forms.ts';
import type { WindowSchedule } from '../schedule.ts';
import type { Target } from '../targets.ts';
import { windowAxes } from '../window-axes.ts';

/** Elements of a window, at most: all are unrolled. */
const LONGEST = 64;
/** Multiply-adds of a strip, at most: more make code too long. */
const UNROLLED = 512;
/** Threads that keep a GPU busy. */
const BUSY = 1 << 15;

/** Undefined where no window slides, or where outputs share their other operand too: then tiles do better. */
export function windowSchedule(kernel: Kernel, target: Target): WindowSchedule | undefined {
  const form = matchReduce(kernel);
  const axes = windowAxes(kernel);
  if (!form || !axes) return undefined;
  const taps = sizeOf(form.acc.reduce.axes.map((a) => a.extent));
  if (taps > LONGEST) return undefined;
  // A convolution of few groups has rows and columns to tile; a depthwise one has no columns, pooling is no contraction.
  const contraction = matchContraction(kernel);
  if (contraction && contraction.n.length > 0 && contraction.m.length > 0 && sizeOf(contraction.n.map((a) => a.extent)) > 1 && sizeOf(contraction.m.map((a) => a.extent)) > 1) return undefined;
  const points = sizeOf(form.accAxes.map((a) => a.extent));
  const extentH = axes.h === undefined ? 1 : form.accAxes[axes.h].extent;
  const extentW = form.accAxes[axes.w].extent;
  const workgroup = Math.min(64, target.limits.maxComputeInvocationsPerWorkgroup);
  const room = Math.max(1, Math.floor(UNROLLED / taps));
  const affordable = target.software ? room : Math.min(room, Math.max(1, Math.floor(points / BUSY)));
  // Threads side by side read side by side: on a GPU a strip goes down first.
  const [mostH, mostW] = target.software ? [4, 8] : [4, 2];
  const stripH = divisor(extentH, Math.min(mostH, affordable));
  const stripW = divisor(extentW, Math.min(mostW, Math.floor(affordable / stripH)));
  return { family: 'window', stripH, stripW, workgroup };
}

/** The greatest divisor that is not above `most`. */
function divisor(extent: number, most: number): number {
  let d = Math.max(1, Math.min(extent, most));
  while (extent % d !== 0) d--;
  return d;
}

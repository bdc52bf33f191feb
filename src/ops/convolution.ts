/** Reference semantics of convolution and pooling, over one to three spatial axes (fewer are led by axes of 1). */
import { sizeOf } from '../graph.ts';
import type { Shape } from '../graph.ts';
import { multiplyAdd } from './matmul.ts';
import type { Tensor, TensorData, WindowAttrs } from './types.ts';

/** Rows of unfolded input that are multiplied at once: enough to reuse the weights, small enough for the cache. */
const BLOCK = 256;

/** One spatial axis. */
interface Axis {
  readonly input: number;
  readonly output: number;
  readonly window: number;
  readonly stride: number;
  readonly low: number;
  readonly dilation: number;
}

/** Three axes, from those of the attributes. */
function axesOf(input: Shape, output: Shape, window: Shape, attrs: WindowAttrs): [Axis, Axis, Axis] {
  const axes = window.map((extent, i) => ({
    input: input[i],
    output: output[i],
    window: extent,
    stride: attrs.stride[i],
    low: attrs.padding[i].low,
    dilation: attrs.dilation[i],
  }));
  while (axes.length < 3) axes.unshift({ input: 1, output: 1, window: 1, stride: 1, low: 0, dilation: 1 });
  return axes as [Axis, Axis, Axis];
}

/** The output places [first, end) of an axis at which a tap of the window lies inside the input. */
function inside(axis: Axis, tap: number): [first: number, end: number] {
  const shift = tap * axis.dilation - axis.low;
  const first = Math.max(0, Math.ceil(-shift / axis.stride));
  const end = Math.min(axis.output, Math.floor((axis.input - 1 - shift) / axis.stride) + 1);
  return [first, end];
}

/**
 * Calls `row(tap, outputOffset, inputOffset, count)` for each tap of the window and each run of outputs along the
 * last axis that it touches; inputs of a run lie `stride` of the last axis apart.
 */
function forEachRow(axes: readonly [Axis, Axis, Axis], row: (tap: number, output: number, input: number, count: number) => void): void {
  const [d, h, w] = axes;
  for (let td = 0, tap = 0; td < d.window; td++) {
    const [d0, d1] = inside(d, td);
    for (let th = 0; th < h.window; th++) {
      const [h0, h1] = inside(h, th);
      for (let tw = 0; tw < w.window; tw++, tap++) {
        const [w0, w1] = inside(w, tw);
        if (w1 <= w0) continue;
        for (let od = d0; od < d1; od++) {
          const id = od * d.stride + td * d.dilation - d.low;
          for (let oh = h0; oh < h1; oh++) {
            const ih = oh * h.stride + th * h.dilation - h.low;
            row(tap, (od * h.output + oh) * w.output + w0, (id * h.input + ih) * w.input + w0 * w.stride + tw * w.dilation - w.low, w1 - w0);
          }
        }
      }
    }
  }
}

/** conv(x: [B, C, ...S], w: [O, C / groups, ...K]); products are summed over channels, then taps, in index order. */
export function convolve(x: Tensor, w: Tensor, attrs: WindowAttrs & { readonly groups: number }, out: Tensor): void {
  const [batch, channels] = x.shape;
  const [outputs, depth, ...window] = w.shape;
  const axes = axesOf(x.shape.slice(2), out.shape.slice(2), window, attrs);
  const size = sizeOf(x.shape.slice(2));
  const places = sizeOf(out.shape.slice(2));
  const perGroup = outputs / attrs.groups;
  out.data.fill(0);
  for (let b = 0; b < batch; b++) {
    for (let g = 0; g < attrs.groups; g++) {
      const from = (b * channels + g * depth) * size;
      const to = (b * outputs + g * perGroup) * places;
      if (depth === 1) depthwise(axes, x.data, from, w.data, g * perGroup, sizeOf(window), perGroup, out.data, to, places);
      else unfolded(axes, x.data, from, size, depth, w.data, g * perGroup, sizeOf(window), perGroup, out.data, to, places);
    }
  }
}

/** One input channel a group: taps in order, a row of outputs at a time. */
function depthwise(axes: readonly [Axis, Axis, Axis], x: TensorData, from: number, w: TensorData, filter: number, taps: number, filters: number, out: TensorData, to: number, places: number): void {
  const step = axes[2].stride;
  const single = out instanceof Float32Array;
  for (let o = 0; o < filters; o++) {
    const weights = (filter + o) * taps;
    const base = to + o * places;
    forEachRow(axes, (tap, output, input, count) => {
      const weight = w[weights + tap];
      if (single) for (let i = 0; i < count; i++) out[base + output + i] += Math.fround(weight * x[from + input + i * step]);
      else for (let i = 0; i < count; i++) out[base + output + i] += weight * x[from + input + i * step];
    });
  }
}

/** Unfolds the input to [places, depth * taps], in blocks of places, and multiplies. */
function unfolded(axes: readonly [Axis, Axis, Axis], x: TensorData, from: number, size: number, depth: number, w: TensorData, filter: number, taps: number, filters: number, out: TensorData, to: number, places: number): void {
  const step = axes[2].stride;
  const k = depth * taps;
  const single = out instanceof Float32Array;
  // Where each tap of each place reads inside one channel; -1 is padding.
  const reads = new Int32Array(places * taps).fill(-1);
  forEachRow(axes, (tap, output, input, count) => {
    for (let i = 0; i < count; i++) reads[(output + i) * taps + tap] = input + i * step;
  });
  const rows = single ? new Float32Array(BLOCK * k) : new Float64Array(BLOCK * k);
  for (let p0 = 0; p0 < places; p0 += BLOCK) {
    const count = Math.min(BLOCK, places - p0);
    for (let p = 0; p < count; p++) {
      for (let c = 0, at = p * k; c < depth; c++) {
        const channel = from + c * size;
        for (let tap = 0, read = (p0 + p) * taps; tap < taps; tap++, read++) rows[at++] = reads[read] < 0 ? 0 : x[channel + reads[read]];
      }
    }
    multiplyAdd({ data: w, offset: filter * k, stride: k }, { data: rows, offset: 0, stride: k }, { data: out, offset: to + p0, stride: places }, filters, count, k);
  }
}

/** Over the last window.length axes. */
export function pool(x: Tensor, attrs: WindowAttrs & { readonly kind: 'max' | 'sum'; readonly window: Shape }, out: Tensor): void {
  const lead = x.shape.length - attrs.window.length;
  const axes = axesOf(x.shape.slice(lead), out.shape.slice(lead), attrs.window, attrs);
  const size = sizeOf(x.shape.slice(lead));
  const places = sizeOf(out.shape.slice(lead));
  const step = axes[2].stride;
  const { data } = out;
  const max = attrs.kind === 'max';
  data.fill(max ? (x.dtype === 'i32' ? -(2 ** 31) : -Infinity) : 0);
  for (let channel = 0; channel < sizeOf(x.shape.slice(0, lead)); channel++) {
    forEachRow(axes, (_tap, output, input, count) => {
      const to = channel * places + output;
      const from = channel * size + input;
      if (max) for (let i = 0; i < count; i++) data[to + i] = Math.max(data[to + i], x.data[from + i * step]);
      else for (let i = 0; i < count; i++) data[to + i] += x.data[from + i * step];
    });
  }
}

/** Contractions: einsum, convolution, pooling. */
import { formatType, sizeOf } from '../graph.ts';
import type { Shape, TensorType } from '../graph.ts';
import { axes, badPadding, fail, isCount, result, wrongDtype } from './check.ts';
import { convolve, pool } from './convolution.ts';
import { einsumExtents, evaluateEinsum } from './einsum.ts';
import type { InferResult, OpDef, WindowAttrs } from './types.ts';

const MAX_SPATIAL = 3;

/** A fact when the stride, padding or dilation does not fit a window over these axes. */
function badWindow(op: string, window: Shape, { stride, padding, dilation }: WindowAttrs): string | undefined {
  const rank = window.length;
  if (rank < 1 || rank > MAX_SPATIAL) return `${op}: the window [${window.join(', ')}] has ${axes(rank)}; 1 to ${MAX_SPATIAL} are possible`;
  if (stride.length !== rank || padding.length !== rank || dilation.length !== rank) {
    return `${op}: stride, padding and dilation have ${stride.length}, ${padding.length} and ${dilation.length} entries for ${rank} spatial ${rank === 1 ? 'axis' : 'axes'}`;
  }
  for (const [name, values] of [['window', window], ['stride', stride], ['dilation', dilation]] as const) {
    const axis = values.findIndex((v) => !isCount(v, 1));
    if (axis >= 0) return `${op}: the ${name} of spatial axis ${axis} is ${values[axis]}; it is a positive integer`;
  }
  return badPadding(op, padding);
}

/** The output extents of a window over spatial axes, or why there is none. */
function windowed(op: string, lead: Shape, input: Shape, window: Shape, attrs: WindowAttrs, x: TensorType): InferResult {
  const out: number[] = [];
  for (const [i, extent] of input.entries()) {
    const padded = extent + attrs.padding[i].low + attrs.padding[i].high;
    const reach = (window[i] - 1) * attrs.dilation[i] + 1;
    if (reach > padded) return fail(`${op}: the window reaches over ${reach} places on spatial axis ${i}; ${formatType(x)} has ${extent} there, ${padded} with padding`);
    out.push(Math.floor((padded - reach) / attrs.stride[i]) + 1);
  }
  return result(op, [...lead, ...out], x.dtype);
}

export const CONTRACTION: { [K in 'einsum' | 'conv' | 'pool']: OpDef<K> } = {
  einsum: {
    class: 'contraction',
    arity: 2,
    doc: 'The Einstein sum of two f32 tensors: one label an axis, none twice on one side; labels absent from the result are summed.',
    infer: ([x, y], attrs) => {
      const extents = new Map<string, number>();
      for (const [side, type, labels] of [['left', x, attrs.left], ['right', y, attrs.right]] as const) {
        const wrong = wrongDtype('einsum', type, 'f32');
        if (wrong) return fail(wrong);
        if (labels.length !== type.shape.length) return fail(`einsum: the ${side} labels '${labels.join(' ')}' name ${axes(labels.length)}, ${formatType(type)} has ${type.shape.length}`);
        const twice = labels.find((l, i) => labels.indexOf(l) !== i);
        if (twice !== undefined) return fail(`einsum: label ${twice} stands twice on the ${side}`);
        for (const [i, label] of labels.entries()) {
          const before = extents.get(label);
          if (before !== undefined && before !== type.shape[i]) return fail(`einsum: label ${label} is ${before} on the left and ${type.shape[i]} on the right`);
          extents.set(label, type.shape[i]);
        }
      }
      const twice = attrs.out.find((l, i) => attrs.out.indexOf(l) !== i);
      if (twice !== undefined) return fail(`einsum: label ${twice} stands twice in the result`);
      const unknown = attrs.out.find((l) => !extents.has(l));
      if (unknown !== undefined) return fail(`einsum: label ${unknown} of the result is on neither side`);
      return result('einsum', attrs.out.map((l) => extents.get(l)!), 'f32');
    },
    flops: ([x, y], attrs, out) => {
      const all = sizeOf([...einsumExtents(attrs, x.shape, y.shape).values()]);
      return all === sizeOf(out.shape) ? all : 2 * all;
    },
    evaluate: ([x, y], attrs, out) => evaluateEinsum(x, y, attrs, out),
  },
  conv: {
    class: 'contraction',
    arity: 2,
    doc: 'Cross-correlation of x: [B, C, ...S] with w: [O, C / groups, ...K], padded with zeros; one to three spatial axes.',
    infer: ([x, w], attrs) => {
      const wrong = wrongDtype('conv', x, 'f32') ?? wrongDtype('conv', w, 'f32');
      if (wrong) return fail(wrong);
      const both = `conv: the input is ${formatType(x)}, the weight ${formatType(w)}`;
      if (x.shape.length !== w.shape.length) return fail(`${both}; their ranks differ: ${x.shape.length} and ${w.shape.length}`);
      if (x.shape.length < 3) return fail(`${both}; both need 2 axes before the spatial ones`);
      const [batch, channels, ...input] = x.shape;
      const [outputs, depth, ...window] = w.shape;
      const bad = badWindow('conv', window, attrs);
      if (bad) return fail(bad);
      if (!isCount(attrs.groups, 1)) return fail(`conv: there are ${attrs.groups} groups; their number is a positive integer`);
      if (channels !== depth * attrs.groups) return fail(`${both}; groups (${attrs.groups}) times channels a group (${depth}) is ${attrs.groups * depth}, the input has ${channels} channels`);
      if (outputs % attrs.groups !== 0) return fail(`${both}; ${outputs} output channels do not divide into ${attrs.groups} groups`);
      return windowed('conv', [batch, outputs], input, window, attrs, x);
    },
    flops: ([, w], _, out) => 2 * sizeOf(out.shape) * sizeOf(w.shape.slice(1)),
    evaluate: ([x, w], attrs, out) => convolve(x, w, attrs, out),
  },
  pool: {
    class: 'reduction',
    arity: 1,
    doc: 'The greatest value or the sum under a window over the last axes; padded places count as 0 for a sum and are ignored by a maximum.',
    infer: ([x], attrs) => {
      const wrong = wrongDtype('pool', x, 'f32') ?? badWindow('pool', attrs.window, attrs);
      if (wrong) return fail(wrong);
      const lead = x.shape.length - attrs.window.length;
      if (lead < 0) return fail(`pool: the window [${attrs.window.join(', ')}] has ${axes(attrs.window.length)}, ${formatType(x)} has ${x.shape.length}`);
      const empty = attrs.kind === 'max' ? attrs.window.findIndex((extent, i) => Math.max(attrs.padding[i].low, attrs.padding[i].high) > (extent - 1) * attrs.dilation[i]) : -1;
      if (empty >= 0) return fail(`pool: padding ${attrs.padding[empty].low}, ${attrs.padding[empty].high} of spatial axis ${empty} leaves a window of ${attrs.window[empty]} without any value`);
      return windowed('pool', x.shape.slice(0, lead), x.shape.slice(lead), attrs.window, attrs, x);
    },
    flops: (_, attrs, out) => sizeOf(out.shape) * sizeOf(attrs.window),
    evaluate: ([x], attrs, out) => pool(x, attrs, out),
  },
};

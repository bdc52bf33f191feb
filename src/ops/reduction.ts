/** Reductions over axes, which vanish from the shape. */
import { sizeOf, stridesOf } from '../graph.ts';
import { axisOutside, fail, result, wrongDtype } from './check.ts';
import { offsetsOf } from './loops.ts';
import type { OpDef, TensorData } from './types.ts';

type Reduction = 'reduceSum' | 'reduceMax' | 'reduceMin';

/** What is left of the values of `x` that lie `offsets` from `base`. */
type Fold = (x: TensorData, base: number, offsets: Int32Array) => number;

/**
 * In index order; a Float32Array result rounds every partial result to f32. `fold` is f32's without rounding, in a loop of
 * its own: whole weights are reduced when they are packed, where calls for each value were most of that time.
 */
function reduction<K extends Reduction>(op: K, doc: string, f32: (x: number, y: number) => number, fold: Fold, i32 = f32): OpDef<K> {
  return {
    class: 'reduction',
    arity: 1,
    doc,
    infer: ([x], attrs) => {
      const wrong = wrongDtype(op, x, 'f32', 'i32');
      if (wrong) return fail(wrong);
      if (attrs.axes.length === 0) return fail(`${op}: no axis is given`);
      for (const [i, axis] of attrs.axes.entries()) {
        const outside = axisOutside(op, axis, x);
        if (outside) return fail(outside);
        if (i > 0 && axis <= attrs.axes[i - 1]) return fail(`${op}: the axes [${attrs.axes.join(', ')}] do not ascend`);
      }
      return result(op, x.shape.filter((_, axis) => !attrs.axes.includes(axis)), x.dtype);
    },
    flops: ([x]) => (x.dtype === 'f32' ? sizeOf(x.shape) : 0),
    evaluate: ([x], attrs, out) => {
      const strides = stridesOf(x.shape);
      const reduced = (axis: number): boolean => attrs.axes.includes(axis);
      const kept = offsetsOf(x.shape.filter((_, a) => !reduced(a)), strides.filter((_, a) => !reduced(a)));
      const inner = offsetsOf(x.shape.filter((_, a) => reduced(a)), strides.filter((_, a) => reduced(a)));
      const f = x.dtype === 'i32' ? i32 : f32;
      const single = out.data instanceof Float32Array;
      if (x.dtype === 'f32' && !single) {
        for (let i = 0; i < kept.length; i++) out.data[i] = fold(x.data, kept[i], inner);
        return;
      }
      for (let i = 0; i < kept.length; i++) {
        const base = kept[i];
        let value = x.data[base];
        if (single) for (let j = 1; j < inner.length; j++) value = Math.fround(f(value, x.data[base + inner[j]]));
        else for (let j = 1; j < inner.length; j++) value = f(value, x.data[base + inner[j]]);
        out.data[i] = value;
      }
    },
  };
}

const sum: Fold = (x, base, offsets) => {
  let value = x[base];
  for (let i = 1; i < offsets.length; i++) value += x[base + offsets[i]];
  return value;
};
const greatest: Fold = (x, base, offsets) => {
  let value = x[base];
  for (let i = 1; i < offsets.length; i++) value = Math.max(value, x[base + offsets[i]]);
  return value;
};
const least: Fold = (x, base, offsets) => {
  let value = x[base];
  for (let i = 1; i < offsets.length; i++) value = Math.min(value, x[base + offsets[i]]);
  return value;
};

export const REDUCTION: { [K in Reduction]: OpDef<K> } = {
  reduceSum: reduction('reduceSum', 'The sum over axes. i32 wraps around.', (x, y) => x + y, sum, (x, y) => (x + y) | 0),
  reduceMax: reduction('reduceMax', 'The greatest value over axes.', (x, y) => Math.max(x, y), greatest),
  reduceMin: reduction('reduceMin', 'The least value over axes.', (x, y) => Math.min(x, y), least),
};

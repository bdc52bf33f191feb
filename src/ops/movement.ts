/** Movement: no arithmetic, only other indices; and gather, whose indices are data. */
import { formatType, sizeOf, stridesOf } from '../graph.ts';
import { axes, axisOutside, badPadding, fail, isCount, result } from './check.ts';
import { copyStrided } from './loops.ts';
import type { OpDef } from './types.ts';

type Movement = 'reshape' | 'transpose' | 'broadcast' | 'slice' | 'concat' | 'pad' | 'gather';

export const MOVEMENT: { [K in Movement]: OpDef<K> } = {
  reshape: {
    class: 'movement',
    arity: 1,
    doc: 'The same values in row-major order under another shape of the same size.',
    infer: ([x], { shape }) => {
      if (sizeOf(shape) !== sizeOf(x.shape)) return fail(`reshape: ${formatType(x)} has ${sizeOf(x.shape)} elements, [${shape.join(', ')}] has ${sizeOf(shape)}`);
      return result('reshape', shape, x.dtype);
    },
    flops: () => 0,
    evaluate: ([x], _, out) => out.data.set(x.data),
  },
  transpose: {
    class: 'movement',
    arity: 1,
    doc: 'Axes in another order: output axis k is input axis permutation[k].',
    infer: ([x], { permutation }) => {
      const rank = x.shape.length;
      if (permutation.length !== rank) return fail(`transpose: the permutation [${permutation.join(', ')}] has ${axes(permutation.length)}, ${formatType(x)} has ${rank}`);
      const seen = new Set<number>();
      for (const axis of permutation) {
        const wrong = axisOutside('transpose', axis, x);
        if (wrong) return fail(wrong);
        if (seen.has(axis)) return fail(`transpose: the permutation [${permutation.join(', ')}] names axis ${axis} twice`);
        seen.add(axis);
      }
      return result('transpose', permutation.map((axis) => x.shape[axis]), x.dtype);
    },
    flops: () => 0,
    evaluate: ([x], { permutation }, out) => {
      const strides = stridesOf(x.shape);
      copyStrided(out.shape, x.data, 0, permutation.map((axis) => strides[axis]), out.data);
    },
  },
  broadcast: {
    class: 'movement',
    arity: 1,
    doc: 'Repeats new leading axes and axes of 1 up to `shape`; shapes are aligned at the right.',
    infer: ([x], { shape }) => {
      const added = shape.length - x.shape.length;
      if (added < 0) return fail(`broadcast: ${formatType(x)} has ${axes(x.shape.length)}, more than [${shape.join(', ')}] has`);
      const axis = x.shape.findIndex((extent, i) => extent !== 1 && extent !== shape[added + i]);
      if (axis >= 0) return fail(`broadcast: axis ${axis} of ${formatType(x)} is ${x.shape[axis]}, neither 1 nor the ${shape[added + axis]} that [${shape.join(', ')}] has there`);
      return result('broadcast', shape, x.dtype);
    },
    flops: () => 0,
    evaluate: ([x], _, out) => {
      const added = out.shape.length - x.shape.length;
      const own = stridesOf(x.shape);
      const strides = out.shape.map((_extent, i) => (i < added || x.shape[i - added] === 1 ? 0 : own[i - added]));
      copyStrided(out.shape, x.data, 0, strides, out.data);
    },
  },
  slice: {
    class: 'movement',
    arity: 1,
    doc: 'out[i] = in[start + i * step] on every axis; size is the extent of the output; a negative step walks backwards.',
    infer: ([x], { start, size, step }) => {
      const rank = x.shape.length;
      if (start.length !== rank || size.length !== rank || step.length !== rank) {
        return fail(`slice: start, size and step have ${start.length}, ${size.length} and ${step.length} entries; ${formatType(x)} has ${axes(rank)}`);
      }
      for (let axis = 0; axis < rank; axis++) {
        if (!Number.isInteger(step[axis]) || step[axis] === 0) return fail(`slice: the step of axis ${axis} is ${step[axis]}; it is an integer other than 0`);
        if (!isCount(size[axis], 1)) return fail(`slice: ${size[axis]} elements are taken from axis ${axis} of ${formatType(x)}; at least 1 is needed`);
        const first = start[axis];
        const last = first + (size[axis] - 1) * step[axis];
        if (!Number.isInteger(first) || Math.min(first, last) < 0 || Math.max(first, last) >= x.shape[axis]) {
          return fail(`slice: axis ${axis} of ${formatType(x)} is read from ${first} to ${last}; it has 0 to ${x.shape[axis] - 1}`);
        }
      }
      return result('slice', size, x.dtype);
    },
    flops: () => 0,
    evaluate: ([x], { start, step }, out) => {
      const strides = stridesOf(x.shape);
      const base = start.reduce((sum, s, i) => sum + s * strides[i], 0);
      copyStrided(out.shape, x.data, base, strides.map((s, i) => s * step[i]), out.data);
    },
  },
  concat: {
    class: 'movement',
    arity: 'variadic',
    doc: 'Joins tensors along an axis; the other axes are equal.',
    infer: (args, { axis }) => {
      const [first] = args;
      const wrong = axisOutside('concat', axis, first);
      if (wrong) return fail(wrong);
      for (const [i, x] of args.entries()) {
        const both = `concat: argument 0 is ${formatType(first)}, argument ${i} is ${formatType(x)}`;
        if (x.dtype !== first.dtype) return fail(`${both}; their dtypes differ`);
        if (x.shape.length !== first.shape.length) return fail(`${both}; their ranks differ: ${first.shape.length} and ${x.shape.length}`);
        const other = x.shape.findIndex((d, k) => k !== axis && d !== first.shape[k]);
        if (other >= 0) return fail(`${both}; they are joined on axis ${axis} and differ on axis ${other}: ${first.shape[other]} and ${x.shape[other]}`);
      }
      return result('concat', first.shape.with(axis, args.reduce((sum, x) => sum + x.shape[axis], 0)), first.dtype);
    },
    flops: () => 0,
    evaluate: (args, { axis }, out) => {
      const inner = sizeOf(out.shape.slice(axis + 1));
      const outer = sizeOf(out.shape.slice(0, axis));
      const row = out.shape[axis] * inner;
      let at = 0;
      for (const { shape, data } of args) {
        const length = shape[axis] * inner;
        for (let i = 0; i < outer; i++) out.data.set(data.subarray(i * length, (i + 1) * length), i * row + at);
        at += length;
      }
    },
  },
  pad: {
    class: 'movement',
    arity: 1,
    doc: 'Adds `low` places before and `high` after each axis, filled with `value`.',
    infer: ([x], { padding, value }) => {
      if (padding.length !== x.shape.length) return fail(`pad: ${padding.length} paddings are given; ${formatType(x)} has ${axes(x.shape.length)}`);
      const wrong = badPadding('pad', padding);
      if (wrong) return fail(wrong);
      if (Number.isNaN(value)) return fail('pad: the value is NaN');
      if (x.dtype === 'i32' && value !== (value | 0)) return fail(`pad: the value ${value} is no i32, as ${formatType(x)} needs`);
      if (x.dtype === 'bool' && value !== 0 && value !== 1) return fail(`pad: the value ${value} is no bool, as ${formatType(x)} needs`);
      return result('pad', x.shape.map((d, i) => d + padding[i].low + padding[i].high), x.dtype);
    },
    flops: () => 0,
    evaluate: ([x], { padding, value }, out) => {
      out.data.fill(value);
      const strides = stridesOf(out.shape);
      const base = padding.reduce((sum, p, i) => sum + p.low * strides[i], 0);
      copyStrided(x.shape, x.data, 0, stridesOf(x.shape), out.data, base, strides);
    },
  },
  gather: {
    class: 'gather',
    arity: 2,
    doc: 'gather(x, indices): x[..., indices, ...] on `axis`; the result is x.shape[:axis] + indices.shape[batch:] + x.shape[axis + 1:]. The first `batch` axes of both are shared. Indices outside are clamped to the axis.',
    infer: ([x, indices], { axis, batch }) => {
      const wrong = axisOutside('gather', axis, x);
      if (wrong) return fail(wrong);
      if (indices.dtype !== 'i32') return fail(`gather: the indices are ${formatType(indices)}; they must be i32`);
      if (!isCount(batch) || batch > axis || batch > indices.shape.length) {
        return fail(`gather: ${batch} shared axes do not fit axis ${axis} and indices ${formatType(indices)}; at most ${Math.min(axis, indices.shape.length)} can be shared`);
      }
      for (let i = 0; i < batch; i++) {
        if (x.shape[i] !== indices.shape[i]) return fail(`gather: shared axis ${i} is ${x.shape[i]} in ${formatType(x)} and ${indices.shape[i]} in the indices ${formatType(indices)}`);
      }
      return result('gather', [...x.shape.slice(0, axis), ...indices.shape.slice(batch), ...x.shape.slice(axis + 1)], x.dtype);
    },
    flops: () => 0,
    evaluate: ([x, indices], { axis, batch }, out) => {
      const batches = sizeOf(x.shape.slice(0, batch));
      const between = sizeOf(x.shape.slice(batch, axis));
      const extent = x.shape[axis];
      const inner = sizeOf(x.shape.slice(axis + 1));
      const count = sizeOf(indices.shape.slice(batch));
      let at = 0;
      for (let b = 0; b < batches; b++) {
        for (let m = 0; m < between; m++) {
          for (let q = 0; q < count; q++) {
            const index = Math.min(Math.max(indices.data[b * count + q], 0), extent - 1);
            const from = ((b * between + m) * extent + index) * inner;
            for (let r = 0; r < inner; r++) out.data[at++] = x.data[from + r];
          }
        }
      }
    },
  },
};

/** Building nodes from tensor values: constants, broadcasting, and the axis names that messages show. */
import type { DType, Shape } from '../graph.ts';
import { sameShape } from '../graph.ts';
import type { Label } from '../diagnostics.ts';
import type { Span } from '../source.ts';
import type { Context } from './context.ts';
import { describe, formatValue, isTensor } from './values.ts';
import type { Dim, TensorValue, Value } from './values.ts';

/** A value and the expression it came from. */
export interface Operand {
  readonly value: Value;
  readonly span: Span;
}

export interface TensorOperand extends Operand {
  readonly value: TensorValue;
}

/** A rank-0 tensor. */
export function constant(context: Context, value: number | boolean, dtype: DType, span: Span): TensorValue {
  if (typeof value === 'boolean' && dtype !== 'bool') {
    context.fail('E0403', `a bool cannot be computed with as ${dtype}`, span, { help: 'use a number, or `if` for a choice made at compile time' });
  }
  if (typeof value === 'number') {
    if (dtype === 'bool') context.fail('E0403', `the number ${value} stands beside a bool tensor`, span, { help: 'compare first, or `cast(x, "f32")` the tensor' });
    if (Number.isNaN(value)) context.fail('E0310', 'the number is no number (NaN)', span);
    if (dtype === 'i32' && !(Number.isInteger(value) && Math.abs(value) <= 2 ** 31 - 1)) {
      context.fail('E0403', `the number ${value} is no i32, as the tensor beside it`, span, { help: 'cast the tensor: `cast(x, "f32")`' });
    }
  }
  return context.emit('constant', [], { value: Number(value), dtype }, span);
}

/** The tensors among the operands as they are, numbers as constants of the tensors' dtype; at least one is a tensor. */
export function asTensors(context: Context, operands: readonly Operand[], what: string): TensorValue[] {
  const tensors = operands.filter((o): o is TensorOperand => isTensor(o.value));
  const first = tensors[0];
  for (const other of tensors) {
    if (other.value.dtype !== first.value.dtype) {
      context.fail('E0403', `\`${what}\` takes tensors of one dtype and gets ${first.value.dtype} and ${other.value.dtype}`, other.span, {
        primaryLabel: describe(other.value),
        labels: [{ span: first.span, message: describe(first.value) }],
        help: `cast one: \`cast(x, "${first.value.dtype === 'bool' ? other.value.dtype : first.value.dtype === 'i32' ? 'f32' : first.value.dtype}")\``,
      });
    }
  }
  return operands.map(({ value, span }) => {
    if (isTensor(value)) return value;
    if (typeof value === 'number' || typeof value === 'boolean') return constant(context, value, first.value.dtype, span);
    return context.fail('E0301', `\`${what}\` takes tensors and numbers and gets ${describe(value)}`, span);
  });
}

/** Repeats to the shape, if it is not of it yet. */
export function broadcastTo(context: Context, tensor: TensorValue, shape: Shape, span: Span, dims?: readonly (Dim | undefined)[]): TensorValue {
  if (sameShape(tensor.shape, shape)) return tensor;
  return context.emit('broadcast', [tensor], { shape }, span, 'E0404', dims);
}

/** NumPy's rule: right-aligned, extents equal or 1. All come back with the common shape. */
export function broadcastAll(context: Context, tensors: readonly TensorValue[], operands: readonly Operand[], what: string, span: Span): TensorValue[] {
  const rank = Math.max(...tensors.map((t) => t.shape.length));
  const shape: number[] = [];
  const dims: (Dim | undefined)[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let extent = 1;
    let dim: Dim | undefined;
    let by = 0;
    for (const [i, t] of tensors.entries()) {
      const own = axis - (rank - t.shape.length);
      if (own < 0) continue;
      const d = t.shape[own];
      if (extent === 1 && d !== 1) {
        extent = d;
        dim = t.dims?.[own];
        by = i;
      } else if (d === extent) dim ??= t.dims?.[own];
      else if (d !== 1) mismatch(context, what, span, [tensors[by], tensors[i]], [operands[by], operands[i]], rank - axis);
    }
    shape.push(extent);
    dims.push(dim);
  }
  return tensors.map((t) => broadcastTo(context, t, shape, span, dims));
}

/** `fromEnd` counts from the last axis, 1 being the last. */
function mismatch(context: Context, what: string, span: Span, [a, b]: readonly TensorValue[], operands: readonly Operand[], fromEnd: number): never {
  const [i, j] = [a, b].map((t) => t.shape.length - fromEnd);
  const where = i === j ? `axis ${i}` : `axis ${i} of the one, ${j} of the other,`;
  context.fail('E0404', `\`${what}\` cannot broadcast ${formatValue(a)} with ${formatValue(b)}: ${where} is ${extentText(a, i)} and ${extentText(b, j)}`, span, {
    labels: [
      { span: operands[0].span, message: formatValue(a) },
      { span: operands[1].span, message: formatValue(b) },
      ...dimLabels([a, i], [b, j]),
    ],
    help: 'extents must be equal, or one of them 1',
  });
}

/** `197`, or `N + 1 = 197` where the source names the extent. */
export function extentText(tensor: TensorValue, axis: number): string {
  const dim = tensor.dims?.[axis];
  const extent = String(tensor.shape[axis]);
  return dim && dim.text !== extent ? `\`${dim.text}\` = ${extent}` : extent;
}

/** Where the source says what these extents are. */
export function dimLabels(...axes: readonly (readonly [TensorValue, number])[]): Label[] {
  const labels: Label[] = [];
  for (const [tensor, axis] of axes) {
    const dim = tensor.dims?.[axis];
    if (dim && !labels.some((l) => l.span.start === dim.span.start && l.span.source === dim.span.source)) {
      labels.push({ span: dim.span, message: `${extentText(tensor, axis)} here` });
    }
  }
  return labels;
}

export function reshape(context: Context, x: TensorValue, shape: Shape, span: Span, dims?: readonly (Dim | undefined)[]): TensorValue {
  if (sameShape(x.shape, shape)) return dims ? { ...x, dims } : x;
  return context.emit('reshape', [x], { shape }, span, 'E0407', dims);
}

export function transpose(context: Context, x: TensorValue, permutation: readonly number[], span: Span): TensorValue {
  if (permutation.every((p, i) => p === i)) return x;
  return context.emit('transpose', [x], { permutation }, span, 'E0406', x.dims && permutation.map((p) => x.dims![p]));
}

/** One place of the first axis, which vanishes. */
export function takeFirst(context: Context, x: TensorValue, index: number, span: Span): TensorValue {
  return dropAxis(context, slice(context, x, 0, index, 1, span), 0, span);
}

/** `size` places of one axis from `start`. */
export function slice(context: Context, x: TensorValue, axis: number, start: number, size: number, span: Span): TensorValue {
  if (start === 0 && size === x.shape[axis]) return x;
  return context.emit(
    'slice',
    [x],
    { start: x.shape.map((_, i) => (i === axis ? start : 0)), size: x.shape.with(axis, size), step: x.shape.map(() => 1) },
    span,
    'E0410',
    x.dims?.map((d, i) => (i === axis ? undefined : d)),
  );
}

export function dropAxis(context: Context, x: TensorValue, axis: number, span: Span): TensorValue {
  return reshape(context, x, x.shape.toSpliced(axis, 1), span, x.dims?.toSpliced(axis, 1));
}

export function insertAxis(context: Context, x: TensorValue, axis: number, span: Span): TensorValue {
  return reshape(context, x, x.shape.toSpliced(axis, 0, 1), span, x.dims?.toSpliced(axis, 0, undefined));
}

/** Functions that only move values: reshape, transpose, concat, split, pad, gather and the like. */
import type { Shape } from '../../graph.ts';
import type { Given } from '../arguments.ts';
import type { Context } from '../context.ts';
import { extent } from '../patterns.ts';
import { broadcastTo, dimLabels, extentText, insertAxis, reshape, slice, transpose } from '../tensors.ts';
import { describe, formatValue, isList, isTensor } from '../values.ts';
import type { TensorValue, Value } from '../values.ts';
import { expandTensor } from './expand.ts';
import type { Builtin, BuiltinCall } from './types.ts';

function product(shape: Shape): number {
  return shape.reduce((a, b) => a * b, 1);
}

function reshapeTo(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const { span } = call.given('shape');
  const wanted = call.list('shape');
  const free = wanted.flatMap((d, i) => (d === -1 ? [i] : []));
  if (free.length > 1) call.fail('E0407', 'two extents are -1; at most one can follow from the others', span);
  const shape = wanted.map((d) => (d === -1 ? 1 : extent(call.context, d, span, formatValue(d))));
  const total = product(x.shape);
  if (free.length === 1) {
    const rest = product(shape);
    if (total % rest !== 0) call.fail('E0407', `${describe(x)} has ${total} elements, which ${formatValue(wanted)} does not divide: the extents given make ${rest}`, span);
    shape[free[0]] = total / rest;
  } else if (product(shape) !== total) {
    call.fail('E0407', `${describe(x)} has ${total} elements, ${formatValue(wanted)} has ${product(shape)}`, span, { labels: [{ span: call.given('x').span, message: describe(x) }] });
  }
  return reshape(call.context, x, shape, call.span);
}

function transposeAxes(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const { span } = call.given('axes');
  const axes = call.list('axes').map((v) => call.axisOf(v, 'axes', x));
  if (axes.length !== x.shape.length || new Set(axes).size !== axes.length) {
    call.fail('E0406', `[${axes.join(', ')}] is no order of the ${x.shape.length} axes of ${describe(x)}`, span, { help: 'name every axis once' });
  }
  return transpose(call.context, x, axes, call.span);
}

/** Tensors given one by one or as one list. */
function tensorsOf(call: BuiltinCall): { tensors: TensorValue[]; at: readonly Given[] } {
  const given = call.variadic;
  const at = given.length === 1 && isList(given[0].value) ? given[0].value.map((value): Given => ({ value, span: given[0].span })) : given;
  if (at.length === 0) call.fail('E0303', `\`${call.builtin.name}\` needs at least one tensor`);
  const other = at.find((g) => !isTensor(g.value));
  if (other) {
    const number = typeof other.value === 'number';
    call.fail('E0301', `\`${call.builtin.name}\` wants tensors and gets ${describe(other.value)}`, other.span, number ? { help: 'the axis is given by name: `axis = 1`' } : {});
  }
  return { tensors: at.map((g) => g.value as TensorValue), at };
}

function concat(call: BuiltinCall): Value {
  const { tensors, at } = tensorsOf(call);
  const first = tensors[0];
  const axis = call.axisOf(call.value('axis'), 'axis', first);
  for (const [i, t] of tensors.entries()) {
    const labels = [{ span: at[0].span, message: describe(first) }];
    if (t.dtype !== first.dtype) call.fail('E0403', `\`concat\` joins tensors of one dtype and gets ${first.dtype} and ${t.dtype}`, at[i].span, { primaryLabel: describe(t), labels, help: '`cast` converts' });
    if (t.shape.length !== first.shape.length) call.fail('E0402', `\`concat\` joins tensors of one rank and gets ${describe(first)} and ${describe(t)}`, at[i].span, { primaryLabel: describe(t), labels });
    const other = t.shape.findIndex((d, k) => k !== axis && d !== first.shape[k]);
    if (other >= 0) {
      call.fail('E0404', `\`concat\` on axis ${axis} joins tensors that agree elsewhere: axis ${other} is ${extentText(first, other)} and ${extentText(t, other)}`, at[i].span, {
        primaryLabel: describe(t),
        labels: [...labels, ...dimLabels([first, other], [t, other])],
      });
    }
  }
  return concatOn(call.context, tensors, axis, call);
}

function concatOn(context: Context, tensors: readonly TensorValue[], axis: number, call: BuiltinCall): TensorValue {
  if (tensors.length === 1) return tensors[0];
  return context.emit('concat', tensors, { axis }, call.span, 'E0404', tensors[0].shape.map((_, k) => (k === axis ? undefined : tensors.find((t) => t.dims?.[k])?.dims![k])));
}

function stack(call: BuiltinCall): Value {
  const { tensors, at } = tensorsOf(call);
  const first = tensors[0];
  const axis = call.axisOf(call.value('axis'), 'axis', first, first.shape.length + 1);
  const other = tensors.findIndex((t) => t.dtype !== first.dtype || formatValue(t) !== formatValue(first));
  if (other >= 0) {
    call.fail('E0404', `\`stack\` takes tensors of one shape and gets ${describe(first)} and ${describe(tensors[other])}`, at[other].span, { labels: [{ span: at[0].span, message: describe(first) }] });
  }
  return concatOn(call.context, tensors.map((t) => insertAxis(call.context, t, axis, call.span)), axis, call);
}

function split(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const { value, span } = call.given('parts');
  const axis = call.axis('axis', x);
  const total = x.shape[axis];
  let sizes: number[];
  if (typeof value === 'number') {
    const parts = call.int('parts', 1);
    if (total % parts !== 0) {
      call.fail('E0410', `axis ${axis} of ${describe(x)} is ${extentText(x, axis)} and does not divide into ${parts} equal parts`, span, { labels: dimLabels([x, axis]), help: 'give the sizes of the parts: `split(x, [a, b], axis = 1)`' });
    }
    call.context.step(call.span, parts);
    sizes = new Array<number>(parts).fill(total / parts);
  } else {
    sizes = call.list('parts').map((v) => extent(call.context, v, span, formatValue(v)));
    const sum = sizes.reduce((a, b) => a + b, 0);
    if (sum !== total) call.fail('E0410', `the parts ${formatValue(sizes)} make ${sum}, axis ${axis} of ${describe(x)} is ${extentText(x, axis)}`, span, { labels: dimLabels([x, axis]) });
  }
  let start = 0;
  return sizes.map((size) => {
    const part = slice(call.context, x, axis, start, size, call.span);
    start += size;
    return part;
  });
}

function pad(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const { span } = call.given('padding');
  const padding = call.list('padding').map((p) => {
    const pair = isList(p) && p.length === 2 ? p : typeof p === 'number' ? [p, p] : undefined;
    if (!pair || !pair.every((v) => typeof v === 'number' && Number.isInteger(v) && v >= 0)) return call.wants('padding', 'a list of [low, high] with ints from 0');
    return { low: pair[0] as number, high: pair[1] as number };
  });
  const lead = x.shape.length - padding.length;
  if (lead < 0) call.fail('E0402', `${padding.length} axes are padded, ${describe(x)} has ${x.shape.length}`, span);
  const all = [...x.shape.slice(0, lead).map(() => ({ low: 0, high: 0 })), ...padding];
  if (all.every((p) => p.low === 0 && p.high === 0)) return x;
  const value = call.value('value');
  if (typeof value !== 'number' && typeof value !== 'boolean') return call.wants('value', 'a number');
  return call.context.emit('pad', [x], { padding: all, value: Number(value) }, call.span, 'E0414', x.dims?.map((d, i) => (all[i].low + all[i].high === 0 ? d : undefined)));
}

function flip(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const { value } = call.given('axis');
  const axes = (isList(value) ? value : [value]).map((v) => call.axisOf(v, 'axis', x));
  const on = (axis: number): boolean => axes.includes(axis) && x.shape[axis] > 1;
  if (!x.shape.some((_, i) => on(i))) return x;
  return call.context.emit('slice', [x], { start: x.shape.map((n, i) => (on(i) ? n - 1 : 0)), size: [...x.shape], step: x.shape.map((_, i) => (on(i) ? -1 : 1)) }, call.span, 'E0410', x.dims);
}

function gather(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const indices = call.tensor('indices');
  if (indices.dtype !== 'i32') call.fail('E0403', `indices are i32, and these are ${describe(indices)}`, call.given('indices').span, { help: '`cast(x, "i32")` converts' });
  return call.context.emit('gather', [x, indices], { axis: call.axis('axis', x), batch: call.int('batch', 0) }, call.span);
}

function full(call: BuiltinCall): Value {
  const { span } = call.given('shape');
  const shape = call.list('shape').map((v) => extent(call.context, v, span, formatValue(v)));
  const { value } = call.given('value');
  if (typeof value !== 'number' && typeof value !== 'boolean') return call.wants('value', 'a number or a bool');
  const dtype = typeof value === 'boolean' ? 'bool' : call.oneOf('dtype', ['f32', 'i32']);
  if (dtype === 'i32' && !(Number.isInteger(value) && Math.abs(Number(value)) < 2 ** 31)) return call.wants('value', 'an i32');
  return broadcastTo(call.context, call.context.emit('constant', [], { value: Number(value), dtype }, call.span), shape, call.span);
}

export const MOVEMENT_BUILTINS: readonly Builtin[] = [
  { name: 'reshape', group: 'movement', params: [{ name: 'x' }, { name: 'shape' }], doc: 'The elements in another shape, row-major. One extent may be -1: it follows from the others.', run: reshapeTo },
  { name: 'transpose', group: 'movement', params: [{ name: 'x' }, { name: 'axes' }], doc: 'The axes in another order: result axis k is axis `axes[k]`.', run: transposeAxes },
  {
    name: 'expand',
    group: 'movement',
    params: [{ name: 'x' }, { name: 'to' }, { name: 'axis', default: 0 }],
    doc: '`expand(x, n, axis = 0)` repeats an axis of 1 to n; `expand(x, [shape])` broadcasts to a shape, right-aligned.',
    run: expandTensor,
  },
  { name: 'concat', group: 'movement', params: [{ name: 'tensors' }, { name: 'axis' }], variadic: 'tensors', doc: 'Tensors (or one list of them) joined on an axis.', run: concat },
  { name: 'stack', group: 'movement', params: [{ name: 'tensors' }, { name: 'axis', default: 0 }], variadic: 'tensors', doc: 'Tensors of one shape (or one list of them) joined on a new axis.', run: stack },
  { name: 'split', group: 'movement', params: [{ name: 'x' }, { name: 'parts' }, { name: 'axis' }], doc: 'A list of the parts of an axis: `parts` equal ones, or parts of the sizes in a list.', run: split },
  {
    name: 'pad',
    group: 'movement',
    params: [{ name: 'x' }, { name: 'padding' }, { name: 'value', default: 0 }],
    doc: 'Adds places around the last axes: `[[low, high], ...]`, one entry an axis (n for `[n, n]`).',
    run: pad,
  },
  { name: 'flip', group: 'movement', params: [{ name: 'x' }, { name: 'axis' }], doc: 'An axis (or a list of axes) in reverse.', run: flip },
  {
    name: 'gather',
    group: 'movement',
    params: [{ name: 'x' }, { name: 'indices' }, { name: 'axis', default: 0 }, { name: 'batch', default: 0 }],
    doc: 'Places of an axis by i32 indices, whose axes take the place of that axis; the first `batch` axes of x and indices are shared. Indices outside are clamped.',
    run: gather,
  },
  {
    name: 'iota',
    group: 'sources',
    params: [{ name: 'n' }],
    doc: '0, 1, ... n - 1: i32[n].',
    run: (call) => call.context.emit('iota', [], { n: extent(call.context, call.value('n'), call.given('n').span) }, call.span, 'E0405'),
  },
  { name: 'full', group: 'sources', params: [{ name: 'shape' }, { name: 'value' }, { name: 'dtype', default: 'f32' }], doc: 'One value everywhere; f32 unless told, bool of a bool.', run: full },
];

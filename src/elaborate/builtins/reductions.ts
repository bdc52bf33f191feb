/** Reductions along axes, and the order of values. */
import { sizeOf } from '../../graph.ts';
import { constant, reshape, broadcastTo } from '../tensors.ts';
import { describe, isList, isTensor } from '../values.ts';
import type { TensorValue, Value } from '../values.ts';
import type { Builtin, BuiltinCall, BuiltinParam } from './types.ts';

const PARAMS: readonly BuiltinParam[] = [{ name: 'x' }, { name: 'axis', default: null, defaultText: 'all' }, { name: 'keep', default: false }];

/** The axes, ascending; all of them where none is given. */
function axesOf(call: BuiltinCall, x: TensorValue): number[] {
  const { value, span } = call.given('axis');
  if (value === null) return x.shape.map((_, i) => i);
  const axes = (isList(value) ? value : [value]).map((v) => call.axisOf(v, 'axis', x));
  if (new Set(axes).size !== axes.length) call.fail('E0406', 'an axis is named twice', span);
  return axes.sort((a, b) => a - b);
}

function reduce(call: BuiltinCall, op: 'reduceSum' | 'reduceMax' | 'reduceMin', x: TensorValue, axes: number[]): TensorValue {
  const keep = call.bool('keep');
  if (axes.length === 0) return x;
  const dims = x.dims?.filter((_, i) => !axes.includes(i));
  const reduced = call.context.emit(op, [x], { axes }, call.span, 'E0403', dims);
  if (!keep) return reduced;
  return reshape(call.context, reduced, x.shape.map((d, i) => (axes.includes(i) ? 1 : d)), call.span, x.dims?.map((d, i) => (axes.includes(i) ? undefined : d)));
}

function extremum(name: 'amax' | 'amin', op: 'reduceMax' | 'reduceMin', doc: string): Builtin {
  return { name, group: 'reduction', params: PARAMS, doc, run: (call) => reduce(call, op, call.tensor('x'), axesOf(call, call.tensor('x'))) };
}

function sum(call: BuiltinCall): Value {
  const { value, span } = call.given('x');
  if (isList(value)) {
    call.context.step(call.span, value.length);
    let total = 0;
    for (const v of value) {
      if (typeof v !== 'number') return call.fail('E0301', `\`sum\` of a list adds numbers and gets ${describe(v)}`, span, isTensor(v) ? { help: 'add tensors in a loop, or `sum(stack(xs, 0), axis = 0)`' } : {});
      total += v;
    }
    return total;
  }
  const x = isTensor(value) ? value : call.wants('x', 'a tensor or a list of numbers');
  return reduce(call, 'reduceSum', x, axesOf(call, x));
}

function mean(call: BuiltinCall): Value {
  const x = call.tensor('x');
  if (x.dtype !== 'f32') call.fail('E0403', `\`mean\` takes an f32 tensor and gets ${describe(x)}`, call.given('x').span, { help: '`cast(x, "f32")` converts' });
  const axes = axesOf(call, x);
  const count = sizeOf(axes.map((a) => x.shape[a]));
  const total = reduce(call, 'reduceSum', x, axes);
  if (count === 1) return total;
  const share = broadcastTo(call.context, constant(call.context, 1 / count, 'f32', call.span), total.shape, call.span);
  return call.context.emit('mul', [total, share], {}, call.span, 'E0403', total.dims);
}

export const REDUCTION_BUILTINS: readonly Builtin[] = [
  { name: 'sum', group: 'reduction', params: PARAMS, doc: 'The sum over an axis, a list of axes or all; `keep` leaves axes of 1. Of a list: the sum of its numbers.', run: sum },
  { name: 'mean', group: 'reduction', params: PARAMS, doc: 'The mean over an axis, a list of axes or all; `keep` leaves axes of 1.', run: mean },
  extremum('amax', 'reduceMax', 'The greatest value over an axis, a list of axes or all; `keep` leaves axes of 1.'),
  extremum('amin', 'reduceMin', 'The least value over an axis, a list of axes or all; `keep` leaves axes of 1.'),
  {
    name: 'argsort',
    group: 'order',
    params: [{ name: 'x' }, { name: 'descending', default: false }],
    doc: 'The stable order of the values along the last axis, as i32 indices. The best k: `argsort(x, true)[..., 0:k]`.',
    run: (call) => {
      const x = call.tensor('x');
      return call.context.emit('argsort', [x], { descending: call.bool('descending') }, call.span, 'E0403', x.dims);
    },
  },
];

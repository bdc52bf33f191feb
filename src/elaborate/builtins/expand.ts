/** `expand`: repeating axes of one. */
import { extent } from '../patterns.ts';
import { broadcastTo, dimLabels, extentText } from '../tensors.ts';
import { describe, formatValue, isList } from '../values.ts';
import type { Dim, TensorValue, Value } from '../values.ts';
import type { BuiltinCall } from './types.ts';

export function expandTensor(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const { value, span } = call.given('to');
  if (isList(value)) return expandTo(call, x);
  const axis = call.axis('axis', x);
  const n = extent(call.context, value, span);
  if (x.shape[axis] !== 1 && x.shape[axis] !== n) {
    call.fail('E0404', `axis ${axis} of ${describe(x)} is ${extentText(x, axis)}; only an axis of 1 can be expanded to ${n}`, call.given('x').span, { labels: dimLabels([x, axis]) });
  }
  return broadcastTo(call.context, x, x.shape.with(axis, n), call.span, x.dims?.map((d, i): Dim | undefined => (i === axis ? undefined : d)));
}

function expandTo(call: BuiltinCall, x: TensorValue): Value {
  const { span } = call.given('to');
  if (call.has('axis')) call.fail('E0304', '`axis` has no meaning beside a whole shape', call.given('axis').span);
  const shape = call.list('to').map((v) => extent(call.context, v, span, formatValue(v)));
  const added = shape.length - x.shape.length;
  const wrong = added < 0 ? 0 : x.shape.findIndex((d, i) => d !== 1 && d !== shape[added + i]);
  if (added < 0 || wrong >= 0) call.fail('E0404', `${describe(x)} cannot be expanded to ${formatValue(shape)}`, call.given('x').span, { labels: dimLabels([x, wrong]), help: 'shapes are aligned at the last axis; extents must be equal, or 1 in the tensor' });
  return broadcastTo(call.context, x, shape, call.span);
}

/** Convolution and pooling. */
import type { Pad } from '../../ops/types.ts';
import { extentText } from '../tensors.ts';
import { describe, isList } from '../values.ts';
import type { TensorValue, Value } from '../values.ts';
import type { Builtin, BuiltinCall } from './types.ts';

/** An int for all axes, an int for each, or [low, high] for each. */
function paddingOf(call: BuiltinCall, axes: number): Pad[] {
  const { value, span } = call.given('padding');
  const isPad = (v: Value): v is number => typeof v === 'number' && Number.isInteger(v) && v >= 0;
  if (isPad(value)) return new Array<Pad>(axes).fill({ low: value, high: value });
  if (!isList(value)) return call.wants('padding', 'an int from 0, or a list with an int or [low, high] for each spatial axis');
  if (value.length !== axes) call.fail('E0411', `\`padding\` has ${value.length} entries for ${axes} spatial ${axes === 1 ? 'axis' : 'axes'}`, span);
  return value.map((v): Pad => {
    if (isPad(v)) return { low: v, high: v };
    if (isList(v) && v.length === 2 && isPad(v[0]) && isPad(v[1])) return { low: v[0], high: v[1] };
    return call.wants('padding', 'an int from 0, or a list with an int or [low, high] for each spatial axis');
  });
}

function wantsF32(call: BuiltinCall, name: string): TensorValue {
  const x = call.tensor(name);
  if (x.dtype !== 'f32') call.fail('E0403', `\`${call.builtin.name}\` takes f32 tensors and gets ${describe(x)}`, call.given(name).span, { help: '`cast(x, "f32")` converts' });
  return x;
}

function conv(call: BuiltinCall): Value {
  const x = wantsF32(call, 'x');
  const w = wantsF32(call, 'w');
  const axes = w.shape.length - 2;
  const labels = [
    { span: call.given('x').span, message: `${describe(x)}, axes B, C, then space` },
    { span: call.given('w').span, message: `${describe(w)}, axes O, C / groups, then the window` },
  ];
  if (axes < 1 || axes > 3) call.fail('E0411', `a convolution's weight has 3 to 5 axes, and this is ${describe(w)}`, call.given('w').span);
  if (x.shape.length !== w.shape.length) call.fail('E0402', `\`conv\` gets an input of ${x.shape.length} axes and a weight of ${w.shape.length}`, call.span, { labels });
  const groups = call.int('groups', 1);
  if (x.shape[1] !== w.shape[1] * groups) {
    call.fail('E0411', `the input has ${extentText(x, 1)} channels, the weight takes ${w.shape[1] * groups}${groups > 1 ? ` (${groups} groups of ${w.shape[1]})` : ''}`, call.span, { labels });
  }
  if (w.shape[0] % groups !== 0) call.fail('E0411', `${extentText(w, 0)} output channels do not divide into ${groups} groups`, call.span, { labels });
  const attrs = { stride: call.perAxis('stride', axes, 1), padding: paddingOf(call, axes), dilation: call.perAxis('dilation', axes, 1), groups };
  return call.context.emit('conv', [x, w], attrs, call.span, 'E0411', [x.dims?.[0], w.dims?.[0], ...new Array<undefined>(axes).fill(undefined)]);
}

function pool(name: string, kind: 'max' | 'sum', doc: string): Builtin {
  return {
    name,
    group: 'windows',
    params: [{ name: 'x' }, { name: 'window' }, { name: 'stride', default: null, defaultText: 'window' }, { name: 'padding', default: 0 }, { name: 'dilation', default: 1 }],
    doc,
    run: (call) => {
      const x = wantsF32(call, 'x');
      const { value } = call.given('window');
      const axes = isList(value) ? value.length : x.shape.length - 2;
      if (axes < 1 || axes > 3 || axes > x.shape.length) call.fail('E0411', `a window over ${axes} axes does not fit ${describe(x)}`, call.given('window').span, { help: 'an int is for all axes after the first two; a list has one entry for each of the last axes' });
      const window = call.perAxis('window', axes, 1);
      const stride = call.value('stride') === null ? window : call.perAxis('stride', axes, 1);
      const attrs = { kind, window, stride, padding: paddingOf(call, axes), dilation: call.perAxis('dilation', axes, 1) };
      return call.context.emit('pool', [x], attrs, call.span, 'E0411', x.dims?.map((d, i) => (i < x.shape.length - axes ? d : undefined)));
    },
  };
}

export const WINDOW_BUILTINS: readonly Builtin[] = [
  {
    name: 'conv',
    group: 'windows',
    params: [{ name: 'x' }, { name: 'w' }, { name: 'stride', default: 1 }, { name: 'padding', default: 0 }, { name: 'dilation', default: 1 }, { name: 'groups', default: 1 }],
    doc: 'Cross-correlation of x: [B, C, ...S] with w: [O, C / groups, ...K] over one to three axes. `stride` and `dilation` are an int or a list; `padding` is an int, or a list with an int or [low, high] for each axis.',
    run: conv,
  },
  pool('max_pool', 'max', 'The greatest value under a window over the last axes (all after the first two, where the window is an int); padding is ignored.'),
  pool('sum_pool', 'sum', 'The sum under a window over the last axes (all after the first two, where the window is an int); padding counts as 0.'),
];

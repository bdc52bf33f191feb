/** `x[...]` on lists, strings, tensors and paths below an instance. */
import type { SubscriptItem } from '../ast.ts';
import type { Span } from '../source.ts';
import { plural } from './arguments.ts';
import type { Context } from './context.ts';
import type { Environment } from './environment.ts';
import { childScope, evaluate } from './expressions.ts';
import { extentText, reshape } from './tensors.ts';
import type { Operand } from './tensors.ts';
import { describe, formatValue, isList, isTensor } from './values.ts';
import type { Dim, ListValue, TensorValue, Value } from './values.ts';

export function subscript(context: Context, object: Operand, items: readonly SubscriptItem[], env: Environment, span: Span): Value {
  const { value } = object;
  if (isTensor(value)) return onTensor(context, value, items, env, span);
  if (isList(value) || typeof value === 'string') {
    const [item, second] = items;
    if (second) context.fail('E0307', `${describe(value)} has one axis, ${items.length} subscripts are given`, second.span, { help: 'write `xs[a][b]`' });
    return onList(context, value, item, env);
  }
  if (typeof value === 'object' && value !== null && (value.kind === 'scope' || value.kind === 'instance') && items.length === 1 && items[0].kind === 'index') {
    const index = int(context, evaluate(context, items[0].value, env), items[0].span);
    const child = childScope(value.scope, index);
    if (child) return child;
    context.fail('E0504', `there is nothing at \`${value.scope.nameOf(String(index))}\``, items[0].span);
  }
  return context.fail('E0307', `${describe(value)} has no parts to take with \`[...]\``, object.span);
}

function int(context: Context, value: Value, span: Span): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  return context.fail('E0301', `a subscript is an int and gets ${describe(value)}`, span, isTensor(value) ? { help: 'positions that are data are read with `gather(x, indices, axis = 0)`' } : {});
}

function onList(context: Context, value: ListValue | string, item: SubscriptItem, env: Environment): Value {
  const length = value.length;
  switch (item.kind) {
    case 'ellipsis':
      return context.fail('E0307', `\`...\` has no meaning for ${describe(value)}`, item.span);
    case 'index': {
      const index = int(context, evaluate(context, item.value, env), item.span);
      if (index < -length || index >= length) {
        context.fail('E0308', `there is no item ${index} in ${describe(value)}`, item.span, { ...(length > 0 && { help: `items are 0 to ${length - 1}; -1 is the last` }) });
      }
      return value.at(index)!;
    }
    case 'slice': {
      const { start, size, step } = sliceOf(context, item, length, env, undefined);
      context.step(item.span, size);
      if (typeof value === 'string') return Array.from({ length: size }, (_, i) => value[start + i * step]).join('');
      return Array.from({ length: size }, (_, i) => value[start + i * step]);
    }
    default:
      return item satisfies never;
  }
}

interface Slice {
  readonly start: number;
  readonly size: number;
  readonly step: number;
}

/** Which places a slice takes. Of a list, bounds past the ends are the ends; of a tensor's axis, they are errors. */
function sliceOf(context: Context, item: SubscriptItem & { kind: 'slice' }, length: number, env: Environment, axis: { tensor: TensorValue; axis: number } | undefined): Slice {
  const step = item.step ? int(context, evaluate(context, item.step, env), item.step.span) : 1;
  if (step === 0) context.fail('E0310', 'a slice with step 0 has no end', item.step!.span);
  const bound = (e: typeof item.start, fallback: number): number => {
    if (!e) return fallback;
    const written = int(context, evaluate(context, e, env), e.span);
    const at = written < 0 ? written + length : written;
    if (axis && (at < 0 || at > length)) {
      context.fail('E0410', `the bound ${written} is outside axis ${axis.axis} of ${formatValue(axis.tensor)}, which has ${extentText(axis.tensor, axis.axis)}`, e.span);
    }
    const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
    return Math.min(Math.max(at, low), high);
  };
  const start = bound(item.start, step > 0 ? 0 : length - 1);
  const stop = bound(item.stop, step > 0 ? length : -1);
  return { start: step < 0 ? Math.min(start, length - 1) : start, size: Math.max(0, Math.ceil((stop - start) / step)), step };
}

function onTensor(context: Context, tensor: TensorValue, items: readonly SubscriptItem[], env: Environment, span: Span): Value {
  const values = items.map((item) => (item.kind === 'index' ? evaluate(context, item.value, env) : undefined));
  const taken = items.filter((item, i) => item.kind !== 'ellipsis' && values[i] !== null).length;
  const rank = tensor.shape.length;
  if (taken > rank) context.fail('E0402', `${describe(tensor)} has ${rank} ${rank === 1 ? 'axis' : 'axes'}, ${plural(taken, 'subscript')} ${taken === 1 ? 'is' : 'are'} given`, { ...items[0].span, end: items.at(-1)!.span.end });
  const dots = items.filter((item) => item.kind === 'ellipsis');
  if (dots.length > 1) context.fail('E0307', '`...` stands twice in one subscript', dots[1].span);

  const start: number[] = [];
  const size: number[] = [];
  const step: number[] = [];
  /** The result's axes: an input axis, or 'new'. */
  const kept: (number | 'new')[] = [];
  const whole = (count: number): void => {
    for (let i = 0; i < count; i++) {
      kept.push(start.length);
      size.push(tensor.shape[start.length]);
      start.push(0);
      step.push(1);
    }
  };
  for (const [i, item] of items.entries()) {
    const axis = start.length;
    const value = values[i];
    if (item.kind === 'ellipsis') whole(rank - taken);
    else if (item.kind === 'slice') {
      const part = sliceOf(context, item, tensor.shape[axis], env, { tensor, axis });
      if (part.size === 0) context.fail('E0410', `the slice of axis ${axis} of ${formatValue(tensor)} is empty`, item.span, { help: 'every extent is at least 1' });
      kept.push(axis);
      start.push(part.start);
      size.push(part.size);
      step.push(part.size === 1 ? 1 : part.step);
    } else if (value === null) kept.push('new');
    else {
      const index = int(context, value as Value, item.span);
      const extent = tensor.shape[axis];
      if (index < -extent || index >= extent) {
        context.fail('E0410', `axis ${axis} of ${formatValue(tensor)} has no place ${index}: it has ${extentText(tensor, axis)}`, item.span, { help: `places are 0 to ${extent - 1}; -1 is the last` });
      }
      start.push(index < 0 ? index + extent : index);
      size.push(1);
      step.push(1);
    }
  }
  whole(rank - start.length);
  const dim = (axis: number): Dim | undefined => (size[axis] === tensor.shape[axis] ? tensor.dims?.[axis] : undefined);
  const all = size.every((n, i) => n === tensor.shape[i] && step[i] === 1);
  const sliced = all ? tensor : context.emit('slice', [tensor], { start, size, step }, span, 'E0410', start.map((_, i) => dim(i)));
  if (kept.length === rank && kept.every((k, i) => k === i)) return sliced;
  return reshape(context, sliced, kept.map((k) => (k === 'new' ? 1 : size[k])), span, kept.map((k) => (k === 'new' ? undefined : dim(k))));
}

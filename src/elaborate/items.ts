/** Lists and tensors taken apart: by loops, comprehensions and assignments. */
import type { Name } from '../ast.ts';
import type { Span } from '../source.ts';
import { plural } from './arguments.ts';
import { LIMITS } from './context.ts';
import type { Context } from './context.ts';
import { takeFirst } from './tensors.ts';
import type { Operand } from './tensors.ts';
import { describe, isList, isTensor } from './values.ts';
import type { ListValue, Value } from './values.ts';

/** A list's items, or a tensor's parts along its first axis. */
export function items(context: Context, { value, span }: Operand): ListValue {
  if (isList(value)) return value;
  if (!isTensor(value)) context.fail('E0301', `a loop runs over a list or a tensor's first axis and gets ${describe(value)}`, span, typeof value === 'number' ? { help: 'count with `0..n`' } : {});
  if (value.shape.length === 0) context.fail('E0309', 'a tensor without axes cannot be taken apart', span);
  if (value.shape[0] >= LIMITS.turns) context.fail('E0701', `the first axis has ${value.shape[0].toLocaleString('en')} places; a loop has fewer than ${LIMITS.turns.toLocaleString('en')} turns`, span);
  return Array.from({ length: value.shape[0] }, (_, i) => takeFirst(context, value, i, span));
}

/** One value for each name. */
export function takeApart(context: Context, value: Value, targets: readonly Name[], span: Span): ListValue {
  if (targets.length === 1) return [value];
  const count = isList(value) ? value.length : isTensor(value) && value.shape.length > 0 ? value.shape[0] : undefined;
  if (count === undefined) context.fail('E0309', `${describe(value)} cannot be taken apart into ${targets.length} names`, span);
  if (count !== targets.length) {
    context.fail('E0309', `${isTensor(value) ? `the first axis of ${describe(value)}, which is ${count},` : describe(value)} is taken apart into ${targets.length} names`, span, {
      labels: [{ span: { ...targets[0].span, end: targets.at(-1)!.span.end }, message: plural(targets.length, 'name') }],
      help: '`_` takes an item that is not needed',
    });
  }
  if (isList(value)) return value;
  return targets.map((t, i) => (t.text === '_' || !isTensor(value) ? null : takeFirst(context, value, i, span)));
}

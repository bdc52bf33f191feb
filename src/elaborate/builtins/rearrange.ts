/** `rearrange`, after einops (Rogozhnikov, ICLR 2022): reshape, transpose, reshape. */
import { suggest } from '../../suggest.ts';
import { extent } from '../patterns.ts';
import { dimLabels, extentText, reshape, transpose } from '../tensors.ts';
import { describe } from '../values.ts';
import type { Dim, Value } from '../values.ts';
import { ELLIPSIS, nothingTwice, sides } from './axis-patterns.ts';
import type { AxisGroup, AxisName } from './axis-patterns.ts';
import type { Builtin, BuiltinCall } from './types.ts';

/** An elementary axis with its size, and its name in the source where it is a whole axis of the input. */
interface Axis {
  readonly name: string;
  readonly size: number;
  readonly dim?: Dim;
}

function rearrange(call: BuiltinCall): Value {
  const x = call.tensor('x');
  const pattern = call.given('pattern');
  const { left: lefts, right } = sides(call, pattern);
  if (lefts.length > 1) call.fail('E0408', '`rearrange` takes one tensor, the pattern names two', pattern.span);
  const left = lefts[0];
  const flat = (groups: readonly AxisGroup[]): AxisName[] => groups.flatMap((g) => g.names);
  nothingTwice(call, flat(left), 'on the left');
  nothingTwice(call, flat(right), 'on the right');
  sameNames(call, flat(left), flat(right));

  const rest = left.findIndex((g) => g.names[0]?.text === ELLIPSIS);
  const fixed = left.length - (rest >= 0 ? 1 : 0);
  const rank = x.shape.length;
  if (rest >= 0 ? rank < fixed : rank !== fixed) {
    call.fail('E0402', `the pattern's left side names ${rest >= 0 ? 'at least ' : ''}${fixed} ${fixed === 1 ? 'axis' : 'axes'}, the tensor is ${describe(x)}`, pattern.span, { labels: [{ span: call.given('x').span, message: describe(x) }] });
  }
  const sizes = new Map(call.rest.map((g) => [g.name!.text, { value: extent(call.context, g.value, g.span), given: g }]));
  const names = flat(left).map((n) => n.text);
  for (const [name, { given }] of sizes) {
    if (names.includes(name)) continue;
    const close = suggest(name, names.filter((n) => n !== ELLIPSIS));
    call.fail('E0302', `the pattern has no axis \`${name}\``, given.name!.span, { labels: [{ span: pattern.span, message: 'the pattern' }], help: close ? `did you mean \`${close}\`?` : 'a size is given for an axis that the pattern names' });
  }

  const elementary: Axis[] = [];
  let at = 0;
  for (const [i, group] of left.entries()) {
    const count = i === rest ? rank - fixed : 1;
    if (i === rest) for (let k = 0; k < count; k++) elementary.push({ name: `${ELLIPSIS}${k}`, size: x.shape[at + k], dim: x.dims?.[at + k] });
    else elementary.push(...solve(call, group, at, sizes));
    at += count;
  }
  const place = new Map(elementary.map((a, i) => [a.name, i]));
  const ofGroup = (g: AxisGroup): Axis[] => g.names.filter((n) => n.text !== '1').map((n) => elementary[place.get(n.text)!]);
  const out = right.flatMap((g): Axis[][] => (g.names[0]?.text === ELLIPSIS ? Array.from({ length: rank - fixed }, (_, k) => [elementary[place.get(`${ELLIPSIS}${k}`)!]]) : [ofGroup(g)]));

  const { context, span } = call;
  const apart = reshape(context, x, elementary.map((a) => a.size), span, elementary.map((a) => a.dim));
  const order = out.flat().map((a) => place.get(a.name)!);
  const moved = transpose(context, apart, order, span);
  return reshape(context, moved, out.map((g) => g.reduce((n, a) => n * a.size, 1)), span, out.map((g) => (g.length === 1 ? g[0].dim : undefined)));
}

function sameNames(call: BuiltinCall, left: readonly AxisName[], right: readonly AxisName[]): void {
  for (const [side, other, from, to] of [['left', 'right', left, right], ['right', 'left', right, left]] as const) {
    const lost = from.find((n) => n.text !== '1' && !to.some((m) => m.text === n.text));
    if (!lost) continue;
    const close = suggest(lost.text, to.map((n) => n.text));
    call.fail('E0408', `the axis \`${lost.text}\` stands on the ${side} and not on the ${other}`, lost.span, {
      help: close && !from.some((n) => n.text === close) ? `did you mean \`${close}\`?` : side === 'left' ? '`rearrange` only moves: an axis is dropped with `sum`, `mean` or a subscript' : '`rearrange` only moves: an axis is repeated with `expand`',
    });
  }
}

/** The sizes of the names that make up one axis; one of them may follow from the rest. */
function solve(call: BuiltinCall, group: AxisGroup, axis: number, sizes: ReadonlyMap<string, { value: number }>): Axis[] {
  const x = call.tensor('x');
  const total = x.shape[axis];
  const names = group.names.filter((n) => n.text !== '1');
  const unknown = names.filter((n) => !sizes.has(n.text));
  const product = names.reduce((n, name) => n * (sizes.get(name.text)?.value ?? 1), 1);
  const labels = [{ span: call.given('x').span, message: describe(x) }, ...dimLabels([x, axis])];
  const notes = names.length > 0 ? [names.map((n) => (sizes.has(n.text) ? `${n.text} = ${sizes.get(n.text)!.value}` : `${n.text} follows`)).join(', ')] : [];
  if (unknown.length > 1) {
    call.fail('E0409', `the sizes of ${unknown.map((n) => `\`${n.text}\``).join(' and ')} cannot both follow from axis ${axis}, which is ${extentText(x, axis)}`, group.span, { labels, help: `give one: \`${unknown[0].text} = ...\`` });
  }
  if (unknown.length === 0 ? product !== total : total % product !== 0) {
    const fact = unknown.length === 0 ? (names.length === 0 ? 'is 1 in the pattern' : `makes ${product}`) : `does not divide by ${product}`;
    call.fail('E0409', unknown.length === 0 ? `axis ${axis} of ${describe(x)} is ${extentText(x, axis)}, its entry in the pattern ${fact}` : `axis ${axis} of ${describe(x)}, ${extentText(x, axis)}, ${fact}`, group.span, { labels, ...(notes.length > 0 && { notes }) });
  }
  const dim = names.length === 1 ? x.dims?.[axis] : undefined;
  return names.map((n) => ({ name: n.text, size: sizes.get(n.text)?.value ?? total / product, ...(dim && { dim }) }));
}

export const REARRANGE_BUILTINS: readonly Builtin[] = [
  {
    name: 'rearrange',
    group: 'movement',
    params: [{ name: 'x' }, { name: 'pattern' }],
    open: true,
    doc: 'Moves axes as a pattern says: "b n (t h d) -> t b h n d" takes axis 2 apart into t, h and d, and puts t first. Sizes that do not follow are given by name (`t = 3`); `...` stands for any axes, 1 for an axis of 1.',
    run: rearrange,
  },
];

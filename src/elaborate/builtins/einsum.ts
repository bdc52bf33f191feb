/** `einsum` and `matmul`. */
import type { Given } from '../arguments.ts';
import type { Context } from '../context.ts';
import { dimLabels, extentText, reshape, transpose } from '../tensors.ts';
import { describe, isTensor } from '../values.ts';
import type { Dim, TensorValue, Value } from '../values.ts';
import { ELLIPSIS, nothingTwice, sides } from './axis-patterns.ts';
import type { AxisGroup, AxisName } from './axis-patterns.ts';
import type { Builtin, BuiltinCall } from './types.ts';

/** A tensor with a label for each axis. */
interface Term {
  readonly tensor: TensorValue;
  readonly labels: readonly string[];
}

function einsum(call: BuiltinCall): Value {
  const pattern = call.given('pattern');
  const operands = call.variadic;
  const { left, right } = sides(call, pattern);
  const group = [...left.flat(), ...right].find((g) => g.grouped);
  if (group) call.fail('E0408', '`einsum` has no groups in parentheses', group.span, { help: 'take axes apart with `rearrange` before' });
  const one = [...left.flat(), ...right].find((g) => g.names[0].text === '1');
  if (one) call.fail('E0408', '`einsum` names every axis; 1 is no name', one.span);
  if (left.length !== operands.length) {
    call.fail('E0408', `the pattern has ${left.length} ${left.length === 1 ? 'term' : 'terms'}, ${operands.length} ${operands.length === 1 ? 'tensor is' : 'tensors are'} given`, pattern.span, { help: 'terms are divided by commas: "b i d, b j d -> b i j"' });
  }
  const extents = new Map<string, { tensor: TensorValue; axis: number; given: Given; name: AxisName | undefined }>();
  const terms = operands.map((given, i) => term(call, left[i], given, extents));
  const rest = (): string[] => [...extents.keys()].filter((k) => k.startsWith(ELLIPSIS)).sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)));
  const outNames = right.flatMap((g) => g.names);
  nothingTwice(call, outNames, 'in the result');
  const out = outNames.flatMap((n) => (n.text === ELLIPSIS ? rest() : [n.text]));
  const unknown = outNames.find((n) => n.text !== ELLIPSIS && !extents.has(n.text));
  if (unknown) call.fail('E0408', `the axis \`${unknown.text}\` of the result is in no term`, unknown.span);
  return contractAll(call.context, terms, out, call);
}

/** One term's labels; those of an ellipsis count from the last of its axes. */
function term(call: BuiltinCall, groups: readonly AxisGroup[], given: Given, extents: Map<string, { tensor: TensorValue; axis: number; given: Given; name: AxisName | undefined }>): Term {
  const { value, span } = given;
  if (!isTensor(value)) return call.fail('E0301', `\`einsum\` wants tensors and gets ${describe(value)}`, span);
  if (value.dtype !== 'f32') call.fail('E0403', `\`einsum\` takes f32 tensors and gets ${describe(value)}`, span, { help: '`cast(x, "f32")` converts' });
  const names = groups.flatMap((g) => g.names);
  nothingTwice(call, names, 'in one term; diagonals are not supported');
  const dots = names.some((n) => n.text === ELLIPSIS);
  const fixed = names.length - (dots ? 1 : 0);
  const rank = value.shape.length;
  if (dots ? rank < fixed : rank !== fixed) {
    const first = groups[0]?.span ?? call.given('pattern').span;
    call.fail('E0402', `the term names ${dots ? 'at least ' : ''}${fixed} ${fixed === 1 ? 'axis' : 'axes'}, the tensor is ${describe(value)}`, groups.length > 0 ? { ...first, end: groups.at(-1)!.span.end } : first, { labels: [{ span, message: describe(value) }] });
  }
  const labels = names.flatMap((n): { label: string; name?: AxisName }[] =>
    n.text === ELLIPSIS ? Array.from({ length: rank - fixed }, (_, k) => ({ label: `${ELLIPSIS}${k}` })) : [{ label: n.text, name: n }],
  );
  for (const [axis, { label, name }] of labels.entries()) {
    const before = extents.get(label);
    if (!before) extents.set(label, { tensor: value, axis, given, name });
    else if (before.tensor.shape[before.axis] !== value.shape[axis]) {
      call.fail('E0409', `the axis \`${name?.text ?? ELLIPSIS}\` is ${extentText(before.tensor, before.axis)} in ${describe(before.tensor)} and ${extentText(value, axis)} in ${describe(value)}`, name?.span ?? call.given('pattern').span, {
        labels: [{ span: before.given.span, message: describe(before.tensor) }, { span, message: describe(value) }, ...dimLabels([before.tensor, before.axis], [value, axis])],
      });
    }
  }
  return { tensor: value, labels: labels.map((l) => l.label) };
}

/** Two terms at a time from the left; labels that nothing later needs are summed. */
function contractAll(context: Context, terms: readonly Term[], out: readonly string[], call: BuiltinCall): TensorValue {
  let [first, ...rest] = terms;
  if (rest.length === 0) return alone(context, first, out, call);
  while (rest.length > 0) {
    const [second, ...later] = rest;
    const needed = new Set([...out, ...later.flatMap((t) => t.labels)]);
    const labels = later.length === 0 ? out : [...new Set([...first.labels, ...second.labels])].filter((l) => needed.has(l));
    first = { tensor: contract(context, first, second, labels, call), labels };
    rest = later;
  }
  return first.tensor;
}

function contract(context: Context, a: Term, b: Term, out: readonly string[], call: BuiltinCall): TensorValue {
  const dims = out.map((l): Dim | undefined => a.tensor.dims?.[a.labels.indexOf(l)] ?? b.tensor.dims?.[b.labels.indexOf(l)]);
  return context.emit('einsum', [a.tensor, b.tensor], { left: a.labels, right: b.labels, out }, call.span, 'E0409', dims);
}

/** A sum over the axes that vanish, then a transpose. */
function alone(context: Context, { tensor, labels }: Term, out: readonly string[], call: BuiltinCall): TensorValue {
  const axes = labels.flatMap((l, i) => (out.includes(l) ? [] : [i]));
  const kept = labels.filter((l) => out.includes(l));
  const summed = axes.length === 0 ? tensor : context.emit('reduceSum', [tensor], { axes }, call.span, 'E0403', tensor.dims?.filter((_, i) => !axes.includes(i)));
  return transpose(context, summed, out.map((l) => kept.indexOf(l)), call.span);
}

/** NumPy's matmul: the last two axes are matrices, the others broadcast; a tensor of one axis is a row or a column. */
function matmul(call: BuiltinCall): Value {
  const { context, span } = call;
  const [a, b] = ['a', 'b'].map((n) => call.tensor(n));
  const both = [
    { span: call.given('a').span, message: describe(a) },
    { span: call.given('b').span, message: describe(b) },
  ];
  for (const t of [a, b]) if (t.dtype !== 'f32' || t.shape.length === 0) call.fail('E0403', `\`matmul\` takes f32 tensors of at least one axis and gets ${describe(t)}`, span, { labels: both });
  const [row, column] = [a.shape.length === 1, b.shape.length === 1];
  const [i, k] = [a.shape.length - 1, column ? 0 : b.shape.length - 2];
  if (a.shape[i] !== b.shape[k]) {
    call.fail('E0409', `\`matmul\` sums over axis ${i} of ${describe(a)} and axis ${k} of ${describe(b)}, which are ${extentText(a, i)} and ${extentText(b, k)}`, span, { labels: [...both, ...dimLabels([a, i], [b, k])] });
  }
  const leads = [a.shape.slice(0, row ? 0 : -2), b.shape.slice(0, column ? 0 : -2)];
  const rank = Math.max(leads[0].length, leads[1].length);
  const terms = [a, b].map((t, side): Term => {
    const lead = leads[side];
    const matrix = side === 0 ? (row ? ['k'] : ['i', 'k']) : column ? ['k'] : ['k', 'j'];
    const other = leads[1 - side];
    const labels: string[] = [];
    const shape: number[] = [];
    const dims: (Dim | undefined)[] = [];
    for (const [axis, extent] of t.shape.entries()) {
      const batch = axis < lead.length;
      const fromEnd = lead.length - axis;
      // An axis of 1 beside a longer one is left out of this side's term: the product repeats it.
      if (batch && extent === 1 && (other.at(-fromEnd) ?? 1) !== 1 && fromEnd <= other.length) continue;
      labels.push(batch ? `b${rank - fromEnd}` : matrix[axis - lead.length]);
      shape.push(extent);
      dims.push(t.dims?.[axis]);
    }
    return { tensor: reshape(context, t, shape, span, dims), labels };
  });
  for (const label of terms[0].labels.filter((l) => l.startsWith('b') && terms[1].labels.includes(l))) {
    const [p, q] = terms.map((t) => t.tensor.shape[t.labels.indexOf(label)]);
    if (p !== q) call.fail('E0404', `\`matmul\` cannot broadcast ${describe(a)} with ${describe(b)}: leading axes of ${p} and ${q}`, span, { labels: both });
  }
  const batch = Array.from({ length: rank }, (_, n) => `b${n}`);
  return contract(context, terms[0], terms[1], [...batch, ...(row ? [] : ['i']), ...(column ? [] : ['j'])], call);
}

export const EINSUM_BUILTINS: readonly Builtin[] = [
  {
    name: 'einsum',
    group: 'contraction',
    params: [{ name: 'pattern' }, { name: 'tensors' }],
    variadic: 'tensors',
    doc: 'The Einstein sum: "b i d, b j d -> b i j". Axes that the result does not name are summed; three or more tensors are contracted two at a time from the left; `...` stands for axes that the tensors share.',
    run: einsum,
  },
  {
    name: 'matmul',
    group: 'contraction',
    params: [{ name: 'a' }, { name: 'b' }],
    doc: 'The matrix product over the last axis of `a` and the last but one of `b`; leading axes broadcast.',
    run: matmul,
  },
];

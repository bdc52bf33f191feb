/** A contraction with a static operand, its weight: how scales and shifts on either side of it become part of that weight. */
import { sizeOf } from '../graph.ts';
import type { NodeId, NodeOf, Shape } from '../graph.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import type { Factor, Factors } from './factor.ts';

export type Contraction = NodeOf<'conv'> | NodeOf<'einsum'>;

/** Which argument is the weight. A convolution's is always the second. */
export type Side = 0 | 1;

function labelsOf(node: NodeOf<'einsum'>, side: Side): readonly string[] {
  return side === 0 ? node.attrs.left : node.attrs.right;
}

/** Whether a factor of the output along `axes` can be multiplied into the weight: conv(x, w) * s = conv(x, w * s). */
export function scalesWeight(node: Contraction, weight: Side, axes: readonly number[]): boolean {
  if (node.op === 'conv') return weight === 1 && axes.every((axis) => axis === 1);
  return axes.every((axis) => labelsOf(node, weight).includes(node.attrs.out[axis]));
}

/** The weight times a factor of the output. */
export function weightTimesOutput(node: Contraction, weight: Side, id: NodeId, factor: Factor, factors: Factors, builder: GraphBuilder): NodeId {
  const { shape } = builder.node(id);
  const renamed = factors.rename(factor, (axis) => (node.op === 'conv' ? 0 : labelsOf(node, weight).indexOf(node.attrs.out[axis])));
  return times(id, renamed, shape, factors, builder, node);
}

/** Whether a scale of the other operand along `axes` can be multiplied into the weight: conv(x * s, w) = conv(x, w * s). */
export function absorbsScale(node: Contraction, weight: Side, axes: readonly number[]): boolean {
  if (node.op === 'conv') return weight === 1 && axes.every((axis) => axis === 1);
  const [input, own] = [labelsOf(node, weight === 0 ? 1 : 0), labelsOf(node, weight)];
  return axes.every((axis) => own.includes(input[axis]));
}

/**
 * Whether a shift of the other operand can leave as a shift of the output: conv(x + t, w) = conv(x, w) + conv(t, w).
 * Not with zero padding, where t would be missing; and only where the weight has every summed label.
 */
export function absorbsShift(node: Contraction, weight: Side, axes: readonly number[]): boolean {
  if (!absorbsScale(node, weight, axes)) return false;
  if (node.op === 'conv') return node.attrs.padding.every((p) => p.low === 0 && p.high === 0);
  const own = labelsOf(node, weight);
  return labelsOf(node, weight === 0 ? 1 : 0).every((l) => own.includes(l) || node.attrs.out.includes(l));
}

/** The weight times a scale of the other operand. */
export function weightTimesInput(node: Contraction, weight: Side, id: NodeId, scale: Factor, factors: Factors, builder: GraphBuilder): NodeId {
  const { shape } = builder.node(id);
  if (node.op === 'einsum') {
    const input = labelsOf(node, weight === 0 ? 1 : 0);
    return times(id, factors.rename(scale, (axis) => labelsOf(node, weight).indexOf(input[axis])), shape, factors, builder, node);
  }
  // [O, C / groups, ...K] as [groups, O / groups, C / groups, ...K], so that the channels have axes of their own.
  const grouped = groupedShape(shape, node.attrs.groups);
  const split = builder.push('reshape', [id], { shape: grouped }, node.origin);
  const channels = factors.whole(scale, [1, shape[1] * node.attrs.groups]);
  const vector = builder.push('reshape', [channels], { shape: [grouped[0], 1, grouped[2], ...grouped.slice(3).map(() => 1)] }, node.origin);
  const product = times(split, factors.of(vector), grouped, factors, builder, node);
  return builder.push('reshape', [product], { shape }, node.origin);
}

/** What a shift of the other operand adds to the output, a factor of the output. */
export function shiftThrough(node: Contraction, weight: Side, id: NodeId, shift: Factor, factors: Factors, builder: GraphBuilder): Factor {
  const { shape } = builder.node(id);
  if (node.op === 'conv') {
    const grouped = groupedShape(shape, node.attrs.groups);
    const split = builder.push('reshape', [id], { shape: [grouped[0], grouped[1], grouped[2], sizeOf(grouped.slice(3))] }, node.origin);
    const whole = factors.whole(shift, [1, shape[1] * node.attrs.groups]);
    const channels = builder.push('reshape', [whole], { shape: [grouped[0], grouped[2]] }, node.origin);
    const sums = builder.push('einsum', [channels, split], { left: ['g', 'c'], right: ['g', 'o', 'c', 'k'], out: ['g', 'o'] }, node.origin);
    return factors.rename(factors.of(builder.push('reshape', [sums], { shape: [shape[0]] }, node.origin)), () => 1);
  }
  const input = labelsOf(node, weight === 0 ? 1 : 0);
  const own = labelsOf(node, weight);
  const out = node.attrs.out.filter((l) => own.includes(l));
  const sums = builder.push('einsum', [shift.node, id], { left: shift.axes.map((axis) => input[axis]), right: own, out }, node.origin);
  return factors.rename(factors.of(sums), (axis) => node.attrs.out.indexOf(out[axis]));
}

/** The weight's extents with the groups of the output channels as an axis of their own. */
function groupedShape([outputs, ...rest]: Shape, groups: number): number[] {
  return [groups, outputs / groups, ...rest];
}

function times(id: NodeId, factor: Factor, shape: Shape, factors: Factors, builder: GraphBuilder, node: Contraction): NodeId {
  return builder.push('mul', [id, factors.whole(factor, shape)], {}, node.origin);
}

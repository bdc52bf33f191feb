/**
 * Factors: static tensors that vary along some axes only, kept as small as that; what scales and shifts are while
 * they travel through a graph. A scale per channel of [B, C, H, W] is a vector [C] with axes [1].
 */
import { sameShape } from '../graph.ts';
import type { Node, NodeId, NodeOf, Origin, Shape } from '../graph.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import { reshapeGroups } from './reshape-groups.ts';

export interface Factor {
  /** A static node with one axis for each of `axes`. */
  readonly node: NodeId;
  /** Axes of the whole tensor, ascending, none of them of extent 1. */
  readonly axes: readonly number[];
}

/** Operations that only move values, where each output axis, or group of axes, is made of input axes. */
export type Move = NodeOf<'reshape'> | NodeOf<'transpose'> | NodeOf<'slice'> | NodeOf<'broadcast'>;

/** How many moves of a static value are looked through; more only in a text meant to exhaust the stack. */
export const MAX_MOVES = 64;

export function isMove(node: Node): node is Move {
  return node.op === 'reshape' || node.op === 'transpose' || node.op === 'slice' || node.op === 'broadcast';
}

/** The axes of a moved tensor along which it varies, if the tensor varies along `axes`. */
export function movedAxes(axes: readonly number[], move: Move, from: Shape): number[] {
  switch (move.op) {
    case 'reshape':
      return reshapeGroups(from, move.shape).filter((g) => g.from.some((a) => axes.includes(a))).flatMap((g) => g.to);
    case 'transpose':
      return move.attrs.permutation.flatMap((a, i) => (axes.includes(a) ? [i] : []));
    case 'slice':
      return axes.filter((a) => move.shape[a] !== 1);
    case 'broadcast':
      return axes.map((a) => a + move.shape.length - from.length);
  }
}

export class Factors {
  readonly #builder: GraphBuilder;
  readonly #origin: Origin;

  /** New nodes are said to come from `origin`. */
  constructor(builder: GraphBuilder, origin: Origin) {
    this.#builder = builder;
    this.#origin = origin;
  }

  scalar(value: number): Factor {
    return { node: this.#builder.push('constant', [], { value, dtype: 'f32' }, this.#origin), axes: [] };
  }

  /** A static tensor as a factor: broadcasts, and moves of them, are looked through. */
  of(id: NodeId, depth = 0): Factor {
    const node = this.#builder.node(id);
    if (depth < MAX_MOVES && isMove(node) && node.op !== 'slice') {
      return this.move(this.of(node.args[0], depth + 1), node, this.#builder.node(node.args[0]).shape);
    }
    const axes = node.shape.map((_, axis) => axis).filter((axis) => node.shape[axis] !== 1);
    return { node: this.#reshape(id, axes.map((axis) => node.shape[axis])), axes };
  }

  /** The factor of the moved tensor; `from` is the shape before. */
  move(factor: Factor, move: Move, from: Shape): Factor {
    const axes = movedAxes(factor.axes, move, from);
    switch (move.op) {
      case 'reshape':
        return this.#regroup(factor, from, move.shape);
      case 'transpose':
        return this.#sorted(factor.node, factor.axes.map((a) => move.attrs.permutation.indexOf(a)));
      case 'slice': {
        const { start, size, step } = move.attrs;
        const pick = (values: readonly number[]): number[] => factor.axes.map((a) => values[a]);
        const node = factor.axes.length === 0 ? factor.node : this.#builder.push('slice', [factor.node], { start: pick(start), size: pick(size), step: pick(step) }, this.#origin);
        return { node: this.#reshape(node, axes.map((a) => move.shape[a])), axes };
      }
      case 'broadcast':
        return { node: factor.node, axes };
    }
  }

  /** The factor before the move whose move is `factor`; only reshape and transpose can tell. */
  moveBack(factor: Factor, move: NodeOf<'reshape'> | NodeOf<'transpose'>, from: Shape): Factor {
    if (move.op === 'reshape') return this.#regroup(factor, move.shape, from);
    return this.#sorted(factor.node, factor.axes.map((a) => move.attrs.permutation[a]));
  }

  /** The same factor under other axes, such as those of a weight. */
  rename(factor: Factor, rename: (axis: number) => number): Factor {
    return this.#sorted(factor.node, factor.axes.map(rename));
  }

  /** a op b, over the axes of both; `shape` is the whole tensor's. */
  combine(op: 'add' | 'sub' | 'mul' | 'div', a: Factor, b: Factor, shape: Shape): Factor {
    const axes = [...new Set([...a.axes, ...b.axes])].sort((x, y) => x - y);
    return { node: this.#builder.push(op, [this.#over(a, axes, shape), this.#over(b, axes, shape)], {}, this.#origin), axes };
  }

  /** The factor as a tensor of the whole shape. */
  whole(factor: Factor, shape: Shape): NodeId {
    return this.#over(factor, shape.map((_, axis) => axis), shape);
  }

  /** The factor with all of `axes`, repeated along those it lacks. */
  #over(factor: Factor, axes: readonly number[], shape: Shape): NodeId {
    const aligned = axes.map((axis) => (factor.axes.includes(axis) ? shape[axis] : 1));
    const lead = aligned.findIndex((extent) => extent !== 1);
    const node = this.#reshape(factor.node, lead < 0 ? [] : aligned.slice(lead));
    const extents = axes.map((axis) => shape[axis]);
    return sameShape(this.#builder.node(node).shape, extents) ? node : this.#builder.push('broadcast', [node], { shape: extents }, this.#origin);
  }

  #regroup(factor: Factor, from: Shape, to: Shape): Factor {
    const touched = reshapeGroups(from, to).filter((g) => g.from.some((a) => factor.axes.includes(a)));
    const axes = touched.flatMap((g) => g.to);
    const node = this.#over(factor, touched.flatMap((g) => g.from), from);
    return { node: this.#reshape(node, axes.map((a) => to[a])), axes };
  }

  /** The node with its axes, named in their present order, brought into ascending order. */
  #sorted(node: NodeId, axes: readonly number[]): Factor {
    const permutation = axes.map((_, i) => i).sort((i, j) => axes[i] - axes[j]);
    if (permutation.every((axis, i) => axis === i)) return { node, axes };
    return { node: this.#builder.push('transpose', [node], { permutation }, this.#origin), axes: permutation.map((i) => axes[i]) };
  }

  #reshape(id: NodeId, shape: Shape): NodeId {
    return sameShape(this.#builder.node(id).shape, shape) ? id : this.#builder.push('reshape', [id], { shape }, this.#origin);
  }
}

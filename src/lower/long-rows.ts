/** Sums over few and long rows, in two steps: parts of the rows first, so that there is work for a whole device. */
import type { Graph, NodeId, NodeOf, Shape } from '../graph.ts';
import { sizeOf } from '../graph.ts';
import type { GraphBuilder } from '../graph-builder.ts';
import { copyNode, rebuild } from '../graph-rewrite.ts';
import { opDef } from '../ops.ts';
import { isReduction } from './cost.ts';

/** Rows fewer than this and longer than that are reduced in parts; a kernel over whole rows is no use for them. */
export const FEW_ROWS = 64;
export const LONG_ROW = 65536;

/** The graph with such reductions as two; everything else as it is. */
export function splitLongRows(graph: Graph): Graph {
  return rebuild(graph, (node, args, builder) => {
    if (isReduction(node)) return split(node as NodeOf<'reduceSum'>, args[0], builder) ?? copyNode(node, args, builder);
    return copyNode(node, args, builder);
  });
}

function split({ op, attrs: { axes }, shape, origin }: NodeOf<'reduceSum'>, x: NodeId, builder: GraphBuilder): NodeId | undefined {
  const size = sizeOf(axes.map((a) => builder.type(x).shape[a]));
  if (sizeOf(shape) >= FEW_ROWS || size <= LONG_ROW) return undefined;
  // In the axes that a reshape has joined, so that parts are whole runs of them.
  const { shape: from, reduced } = unjoined(builder, x, axes);
  const [last, parts] = cut(reduced.map((a) => from[a]));
  if (parts === 1 && last === 0) return undefined;
  // The axis at the cut becomes two: parts, which stay for the second step, and what each part sums.
  const at = reduced[last];
  const view = builder.push('reshape', [x], { shape: [...from.slice(0, at), parts, from[at] / parts, ...from.slice(at + 1)] }, origin);
  const partial = builder.push(op, [view], { axes: [at + 1, ...reduced.slice(last + 1).map((a) => a + 1)] }, origin);
  return builder.push(op, [partial], { axes: reduced.slice(0, last + 1) }, origin);
}

/** The shape of `x` with the reduced axes as they were before a reshape joined them, where one did. */
function unjoined(builder: GraphBuilder, x: NodeId, axes: readonly number[]): { readonly shape: Shape; readonly reduced: readonly number[] } {
  let node = builder.node(x);
  // Element-wise work in between does not matter.
  while (opDef(node.op).class === 'elementwise') node = builder.node(node.args[0]);
  if (node.op !== 'reshape') return { shape: builder.type(x).shape, reduced: axes };
  const before = builder.type(node.args[0]).shape;
  const shape: number[] = [];
  const reduced: number[] = [];
  for (const [i, extent] of node.shape.entries()) {
    const start = prefix(before, sizeOf(node.shape.slice(0, i)));
    const end = prefix(before, sizeOf(node.shape.slice(0, i + 1)));
    const own = axes.includes(i) && start !== undefined && end !== undefined ? before.slice(start, end) : [extent];
    if (axes.includes(i)) reduced.push(...own.map((_, k) => shape.length + k));
    shape.push(...own);
  }
  return { shape, reduced };
}

/** How many leading axes have this many elements together. */
function prefix(shape: Shape, size: number): number | undefined {
  let n = 1;
  for (let i = 0; i <= shape.length; n *= shape[i++]) if (n === size) return i;
  return undefined;
}

/** The reduced axis to cut, and into how many parts, so that the parts of a row are about as many as the values in one. */
function cut(row: readonly number[]): readonly [axis: number, parts: number] {
  const wanted = Math.sqrt(sizeOf(row));
  let before = 1;
  for (const [i, extent] of row.entries()) {
    if (before * extent >= wanted || i === row.length - 1) {
      let parts = extent;
      for (let d = extent; d >= 1; d--) if (extent % d === 0 && before * d >= wanted) parts = d;
      return [i, parts];
    }
    before *= extent;
  }
  return [0, 1];
}

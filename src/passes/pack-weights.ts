/** Weights that lie in memory as one: a concatenation of several, flat, among the outputs of the graph that makes weights. */
import { sizeOf, type Graph } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { copyNode } from '../graph-rewrite.ts';

/** `packs`: names of outputs by the name of the new one, which takes their place. */
export function packTogether(weights: Graph, packs: ReadonlyMap<string, readonly string[]>): Graph {
  if (packs.size === 0) return weights;
  const builder = new GraphBuilder();
  for (const node of weights.nodes) copyNode(node, node.args, builder);
  const nodeOf = new Map(weights.outputs.map((o) => [o.name, o.node]));
  const joined = [...packs].map(([name, parts]) => {
    const nodes = parts.map((part) => {
      const node = weights.nodes[nodeOf.get(part)!];
      return builder.push('reshape', [node.id], { shape: [sizeOf(node.shape)] }, node.origin);
    });
    return { name, node: builder.push('concat', nodes, { axis: 0 }, weights.nodes[nodeOf.get(parts[0])!].origin), attributes: [] };
  });
  const gone = new Set([...packs.values()].flat());
  return builder.finish({ ...weights, outputs: [...weights.outputs.filter((o) => !gone.has(o.name)), ...joined] });
}

/** Dead code. Afterwards every node but the inputs is needed by an output. */
import type { Graph, NodeId } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { copyNode, finish } from '../graph-rewrite.ts';

export function removeDeadNodes(graph: Graph): Graph {
  return liveNodes(graph).includes(0) ? compact(graph).graph : graph;
}

/** The graph without dead nodes, and the new ids of the others by their old ones. */
export function compact(graph: Graph): { readonly graph: Graph; readonly renamed: readonly (NodeId | undefined)[] } {
  const live = liveNodes(graph);
  const builder = new GraphBuilder();
  const renamed: NodeId[] = [];
  for (const node of graph.nodes) if (live[node.id]) renamed[node.id] = copyNode(node, node.args.map((id) => renamed[id]), builder);
  return { graph: finish(graph, builder, renamed), renamed };
}

/** 1 for each node that an output needs, and for inputs, which belong to the signature. */
export function liveNodes(graph: Graph): Uint8Array {
  const live = new Uint8Array(graph.nodes.length);
  for (const { node } of graph.inputs) live[node] = 1;
  for (const { node } of graph.outputs) live[node] = 1;
  for (let id = graph.nodes.length - 1; id >= 0; id--) if (live[id]) for (const arg of graph.nodes[id].args) live[arg] = 1;
  return live;
}

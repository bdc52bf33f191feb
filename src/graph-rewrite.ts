/** Making a graph from another: what every pass over nodes does. */
import type { Graph, Node, NodeId } from './graph.ts';
import { GraphBuilder } from './graph-builder.ts';

/** A node of the old graph, its arguments' ids in the new one, and the new graph so far; returns the node's id in the new one. */
export type Rule = (node: Node, args: readonly NodeId[], builder: GraphBuilder) => NodeId;

/** Rewrites nodes in order. What a rule leaves unused stays; dead code is another pass. */
export function rebuild(graph: Graph, rule: Rule): Graph {
  const builder = new GraphBuilder();
  const renamed: NodeId[] = [];
  for (const node of graph.nodes) renamed.push(rule(node, node.args.map((id) => renamed[id]), builder));
  return finish(graph, builder, renamed);
}

/** Keeps a node as it is, with arguments of the new graph. */
export function copyNode(node: Node, args: readonly NodeId[], builder: GraphBuilder): NodeId {
  return builder.push(node.op, args, node.attrs, node.origin);
}

/** The old graph's inputs and outputs over new nodes; `renamed` gives each old node's new id. */
export function finish(graph: Graph, builder: GraphBuilder, renamed: readonly NodeId[]): Graph {
  const { nodes: _, ...parts } = graph;
  return builder.finish({
    ...parts,
    inputs: graph.inputs.map((input) => ({ ...input, node: renamed[input.node] })),
    outputs: graph.outputs.map((output) => ({ ...output, node: renamed[output.node] })),
  });
}

/** How many nodes read each node, outputs counted too. */
export function countUses(graph: Graph): Int32Array {
  const uses = new Int32Array(graph.nodes.length);
  for (const node of graph.nodes) for (const id of node.args) uses[id]++;
  for (const output of graph.outputs) uses[output.node]++;
  return uses;
}

/** The nodes that each node is read by, in order. */
export function usersOf(graph: Graph): NodeId[][] {
  const users: NodeId[][] = graph.nodes.map(() => []);
  for (const node of graph.nodes) for (const id of new Set(node.args)) users[id].push(node.id);
  return users;
}

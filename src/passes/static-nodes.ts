/** Static values: known before any input is, because they depend on parameters, constants and iota only. */
import type { Graph, Node } from '../graph.ts';

/** 1 for each static node. */
export function staticNodes(graph: Graph): Uint8Array {
  const known = new Uint8Array(graph.nodes.length);
  for (const node of graph.nodes) known[node.id] = isStatic(node, (id) => known[id] === 1) ? 1 : 0;
  return known;
}

export function isStatic(node: Node, known: (id: number) => boolean): boolean {
  return node.op !== 'input' && node.args.every(known);
}

/** How what a graph computes is stored. */
import type { Graph, Node, NodeId } from '../graph.ts';
import type { Storage } from '../kernel.ts';

export function storageOf(dtype: Node['dtype'], storage: 'f32' | 'f16'): Storage {
  return dtype === 'f32' ? storage : 'i32';
}

/** Of each node, where it is stored: inputs and outputs are f32, weights and intermediate tensors as told. */
export function storageOfNodes(graph: Graph, storage: 'f32' | 'f16'): (id: NodeId) => Storage {
  const outputs = new Set(graph.outputs.map((o) => o.node));
  return (id) => storageOf(graph.nodes[id].dtype, graph.nodes[id].op === 'input' || (outputs.has(id) && graph.nodes[id].op !== 'param') ? 'f32' : storage);
}

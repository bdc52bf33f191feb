/** How what a graph computes is stored. */
import type { Graph, Node, NodeId } from '../graph.ts';
import type { Storage } from '../kernel.ts';

export interface StoredAs {
  /** f32 values and weights that are stored in pairs, by node; they are no outputs. */
  readonly pairs?: ReadonlySet<NodeId>;
  /** How f32 weights and intermediate tensors are stored. Outputs are f32. */
  readonly storage: 'f32' | 'f16';
  /** How f32 inputs are stored; f32 where absent. */
  readonly inputs?: 'f32' | 'f16';
}

export function storageOf(dtype: Node['dtype'], storage: 'f32' | 'f16'): Storage {
  return dtype === 'f32' ? storage : 'i32';
}

/** Of each node, where it is stored: outputs are f32, the rest as told. */
export function storageOfNodes(graph: Graph, { storage, inputs = 'f32', pairs }: StoredAs): (id: NodeId) => Storage {
  const outputs = new Set(graph.outputs.map((o) => o.node));
  return (id) => {
    const { op, dtype } = graph.nodes[id];
    if (pairs?.has(id)) return 'pair';
    if (op === 'input') return storageOf(dtype, inputs);
    return storageOf(dtype, outputs.has(id) && op !== 'param' ? 'f32' : storage);
  };
}

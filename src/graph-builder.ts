/** Appends nodes to a graph, each checked by its shape rule. */
import type { Graph, Node, NodeId, NodeOf, Origin, TensorType } from './graph.ts';
import { inferType } from './ops.ts';
import type { OpAttrs, OpName } from './ops/types.ts';

export type AddResult = { readonly ok: true; readonly id: NodeId } | { readonly ok: false; readonly message: string };

export class GraphBuilder {
  readonly #nodes: Node[] = [];

  /** How many nodes there are; the next one's id. */
  get size(): number {
    return this.#nodes.length;
  }

  /** Appends a node, or tells in a fact why the operation does not fit its arguments. */
  add<K extends OpName>(op: K, args: readonly NodeId[], attrs: OpAttrs[K], origin: Origin): AddResult {
    const inferred = inferType(op, args.map((id) => this.type(id)), attrs);
    if (!inferred.ok) return inferred;
    const node: NodeOf<K> = { id: this.#nodes.length, op, args: [...args], attrs, shape: inferred.type.shape, dtype: inferred.type.dtype, origin };
    this.#nodes.push(node as Node);
    return { ok: true, id: node.id };
  }

  /** As `add`, where a misfit can only be the compiler's fault. */
  push<K extends OpName>(op: K, args: readonly NodeId[], attrs: OpAttrs[K], origin: Origin): NodeId {
    const added = this.add(op, args, attrs, origin);
    if (!added.ok) throw new Error(`bug: ${added.message}`);
    return added.id;
  }

  node(id: NodeId): Node {
    const node = this.#nodes[id];
    if (!node) throw new Error(`bug: node ${id} of ${this.#nodes.length} is read`);
    return node;
  }

  type(id: NodeId): TensorType {
    return this.node(id);
  }

  finish(parts: Omit<Graph, 'nodes'>): Graph {
    return { ...parts, nodes: [...this.#nodes] };
  }
}

/** What the rules of `simplify` work with: a graph under construction whose every new node is simplified at once. */
import type { DType, Node, NodeId, NodeOf, Origin, Shape, TensorType } from '../graph.ts';
import { GraphBuilder } from '../graph-builder.ts';
import { inferType } from '../ops.ts';
import type { OpAttrs, OpName } from '../ops/types.ts';

/** A node not yet added: its arguments are simplified. */
export type Pending<K extends OpName = OpName> = Omit<NodeOf<K>, 'id'>;

/** Gives a node of the same value that is simpler, or undefined where the rule does not apply. */
export type Rule<K extends OpName = OpName> = (node: Pending<K>, g: Simplifier) => NodeId | undefined;

/** Rules by operation, tried in order. */
export type RuleTable = { readonly [K in OpName]?: readonly Rule<K>[] };

export class Simplifier {
  readonly builder = new GraphBuilder();
  readonly #tables: readonly RuleTable[];

  constructor(...tables: RuleTable[]) {
    this.#tables = tables;
  }

  /** The node for this operation, simplified. */
  emit<K extends OpName>(op: K, args: readonly NodeId[], attrs: OpAttrs[K], origin: Origin): NodeId {
    const inferred = inferType(op, args.map((id) => this.builder.type(id)), attrs);
    if (!inferred.ok) throw new Error(`bug: ${inferred.message}`);
    const pending: Pending<K> = { op, args, attrs, origin, ...inferred.type };
    for (const table of this.#tables) {
      for (const rule of (table[op] ?? []) as readonly Rule<K>[]) {
        const id = rule(pending, this);
        if (id !== undefined) return id;
      }
    }
    return this.builder.push(op, args, attrs, origin);
  }

  node(id: NodeId): Node {
    return this.builder.node(id);
  }

  /** The node if it is of this operation. */
  as<K extends OpName>(id: NodeId, op: K): NodeOf<K> | undefined {
    const node = this.builder.node(id);
    return node.op === op ? (node as Node as NodeOf<K>) : undefined;
  }

  /** The value that fills the tensor, where it is a constant or one repeated. */
  splat(id: NodeId): number | undefined {
    const node = this.node(id);
    if (node.op === 'constant') return node.attrs.value;
    return node.op === 'broadcast' ? this.as(node.args[0], 'constant')?.attrs.value : undefined;
  }

  /** A tensor filled with a value. */
  fill(value: number, { shape, dtype }: TensorType, origin: Origin): NodeId {
    const scalar = this.builder.push('constant', [], { value, dtype }, origin);
    return shape.length === 0 ? scalar : this.builder.push('broadcast', [scalar], { shape }, origin);
  }

  reshape(id: NodeId, shape: Shape, origin: Origin): NodeId {
    return this.emit('reshape', [id], { shape }, origin);
  }

  broadcast(id: NodeId, shape: Shape, origin: Origin): NodeId {
    return this.emit('broadcast', [id], { shape }, origin);
  }

  dtypeOf(id: NodeId): DType {
    return this.node(id).dtype;
  }
}
